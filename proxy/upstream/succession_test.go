package upstream

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func mustOpenKeys(t *testing.T, file string) *KnownKeys {
	t.Helper()
	k, err := OpenKnownKeys(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return k
}

func pins(keys []KnownKey) []Pin {
	var all []Pin
	for _, k := range keys {
		all = append(all, k.Pin)
	}
	return all
}

// Two processes have the record one after the other; each sees keys of its own
// while the other has it.
func TestTheRecordIsHandedOver(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	old := mustOpenKeys(t, file)
	old.see(shown("a"), epoch)
	if err := old.save(); err != nil {
		t.Fatal(err)
	}
	next := mustOpenKeys(t, file)
	if err := next.Suspend(); err != nil {
		t.Fatalf("Suspend() of the new one = %v, want nil", err)
	}
	next.see(shown("n"), epoch.Add(time.Minute))
	old.see(shown("b"), epoch.Add(time.Minute)) // not written yet
	if err := next.save(); err != nil {
		t.Fatal(err)
	}
	if got, want := pins(mustOpenKeys(t, file).List()), []Pin{PinOf(shown("a"))}; !slices.Equal(got, want) {
		t.Errorf("record while the old one has it = %v, want %v", got, want)
	}

	if err := old.Suspend(); err != nil {
		t.Fatalf("Suspend() = %v, want nil", err)
	}
	if err := next.Resume(); err != nil {
		t.Fatalf("Resume() = %v, want nil", err)
	}
	old.see(shown("c"), epoch.Add(time.Hour))
	if err := errors.Join(old.save(), next.save()); err != nil {
		t.Fatal(err)
	}
	want := []Pin{PinOf(shown("a")), PinOf(shown("b")), PinOf(shown("n"))}
	if got := mustOpenKeys(t, file).List(); !slices.Equal(pins(got), want) || !got[0].Accepted || got[2].Accepted {
		t.Errorf("record = %+v, want %v, the first accepted", got, want)
	}
}

func TestResumeWithoutARecord(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	for _, text := range []string{"", "{"} {
		k := mustOpenKeys(t, file)
		if err := k.Suspend(); err != nil {
			t.Fatal(err)
		}
		k.see(shown("a"), epoch)
		if text != "" {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := k.Resume(); err == nil {
			t.Errorf("Resume() with a record of %q = nil, want an error", text)
		}
		if err := k.save(); err != nil {
			t.Fatal(err)
		}
		if got := mustOpenKeys(t, file).List(); len(got) != 1 {
			t.Errorf("record behind one of %q = %v, want the key that was seen", text, got)
		}
		os.Remove(file)
	}
}
