package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/configs"
)

// pastText is a configuration that admits one source.
func pastText(t *testing.T, source string) []byte {
	t.Helper()
	c, err := configs.Parse(fmt.Appendf(nil, "[allow]\nsources = [%q]\n", source))
	if err != nil {
		t.Fatal(err)
	}
	return c.Effective()
}

func TestHistoryKeepsTheLastConfigurations(t *testing.T) {
	t.Parallel()
	dir, began := t.TempDir(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range historyKept + 5 {
		for range 2 { // the same one again is no other
			if err := keep(dir, pastText(t, fmt.Sprintf("10.0.0.%d", i+1)), began.Add(time.Duration(i)*time.Hour)); err != nil {
				t.Fatalf("keep: %v", err)
			}
		}
	}
	history := History(dir)
	if len(history) != historyKept {
		t.Fatalf("History has %d configurations, want %d", len(history), historyKept)
	}
	for i, past := range history {
		if want := began.Add(time.Duration(i+5) * time.Hour); !past.Since.Equal(want) {
			t.Errorf("History[%d].Since = %v, want %v", i, past.Since, want)
		}
		if got, want := past.Config.Proxy.Sources.Prefixes()[0].String(), fmt.Sprintf("10.0.0.%d/32", i+6); got != want {
			t.Errorf("History[%d] admits %s, want %s", i, got, want)
		}
	}
}

func TestHistoryLeavesOutWhatItCannotRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := keep(dir, pastText(t, "10.0.0.1"), time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"20990101T000000Z.toml", "notes.toml"} {
		if err := os.WriteFile(filepath.Join(dir, historyFolder, name), []byte("[later]\nkey = 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(History(dir)); n != 1 {
		t.Errorf("History has %d configurations, want 1", n)
	}
	if n := len(History(filepath.Join(dir, "none"))); n != 0 {
		t.Errorf("History of no folder has %d configurations, want 0", n)
	}
}
