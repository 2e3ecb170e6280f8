package firewall

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRecordSurvivesItsFile(t *testing.T) {
	t.Parallel()
	folders := tempFolders(t)
	want := Record{
		Backend: Firewalld, Policy: policyOf("49.4.80.61", "2001:db8::/32"), Zones: []string{"public"},
		Listen: []netip.AddrPort{netip.MustParseAddrPort("[::]:8864")}, Applied: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Owned:  []Owned{{"public", true, formatRich(Admission{netip.MustParsePrefix("49.4.80.61/32"), 8864}), true}},
		Former: []string{"open_port 8864/tcp in zone public (runtime)"},
	}
	file := folders.Record("")
	if err := want.write(file); err != nil {
		t.Fatal(err)
	}
	got, found, err := readRecord(file)
	same := cmp.Options{cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })}
	if diff := cmp.Diff(want, got, same); diff != "" || !found || err != nil {
		t.Errorf("readRecord = %v, %v (-want +got):\n%s", found, err, diff)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the record's mode is %v, %v, want -rw-------", info.Mode(), err)
	}
}

func TestRecordThatOthersCouldHaveWrittenIsRefused(t *testing.T) {
	t.Parallel()
	folders := tempFolders(t)
	file := folders.Record("")
	if err := (Record{Backend: IPTables}).write(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, _, err := readRecord(file); err == nil {
		t.Error("readRecord of a file that everyone may write succeeds")
	}
	if err := errors.Join(os.Rename(file, file+".real"), os.Chmod(file+".real", 0o600), os.Symlink(file+".real", file)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := readRecord(file); err == nil {
		t.Error("readRecord of a link succeeds")
	}
}

func TestDamagedRecordIsNotOverwritten(t *testing.T) {
	t.Parallel()
	folders := tempFolders(t)
	if err := os.MkdirAll(folders.Records, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folders.Record(""), []byte(`{"backend": "ipt`), 0o600); err != nil {
		t.Fatal(err)
	}
	m := NewManager(Options{Backend: IPTables, Policy: policyOf("49.4.80.61"), Folders: folders})
	if _, err := m.Apply(t.Context(), Consent{}); err == nil {
		t.Error("Apply with a damaged record succeeds")
	}
	if _, err := Heal(t.Context(), "", folders); err == nil {
		t.Error("Heal with a damaged record succeeds")
	}
}

func TestReadState(t *testing.T) {
	t.Parallel()
	folders := tempFolders(t)
	file := folders.State("declaration")
	if got, want := filepath.Base(file), "declaration.json"; got != want {
		t.Errorf("State(declaration) is the file %s, want %s", got, want)
	}
	if got, want := filepath.Base(folders.State("")), "lqproxy.json"; got != want {
		t.Errorf("State() is the file %s, want %s", got, want)
	}
	if _, err := ReadState(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadState without a file = %v, want %v", err, fs.ErrNotExist)
	}
	want := Sync{Backend: IPTables, InSync: true, Checked: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Policy: policyOf("49.4.80.61")}
	if err := want.write(file); err != nil {
		t.Fatal(err)
	}
	got, err := ReadState(file)
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" || err != nil {
		t.Errorf("ReadState: %v (-want +got):\n%s", err, diff)
	}
	for path, mode := range map[string]fs.FileMode{file: 0o644, folders.States: 0o755} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("the mode of %s is %v, %v, want %v: the daemon reads it", path, info.Mode(), err, mode)
		}
	}
}

func TestNoBackendChangesNothing(t *testing.T) {
	t.Parallel()
	m := NewManager(Options{Backend: None, Policy: policyOf("49.4.80.61"), Folders: tempFolders(t)})
	if _, err := m.Inspect(t.Context()); !errors.Is(err, ErrDisabled) {
		t.Errorf("Inspect with backend none = %v, want %v", err, ErrDisabled)
	}
	m = NewManager(Options{Backend: "ufw", Policy: policyOf("49.4.80.61"), Folders: tempFolders(t)})
	_, err := m.Inspect(t.Context())
	if _, unknown := errors.AsType[*UnknownBackendError](err); !unknown && !errors.Is(err, ErrNotRoot) {
		t.Errorf("Inspect with backend ufw = %v, want that there is none", err)
	}
}
