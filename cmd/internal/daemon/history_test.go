package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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

// began is when the histories of these tests begin.
var began = time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)

func mustKeep(t *testing.T, dir string, p Past) {
	t.Helper()
	if err := keep(dir, p); err != nil {
		t.Fatalf("keep: %v", err)
	}
}

func mustHistory(t *testing.T, dir string) []Past {
	t.Helper()
	history, err := History(dir)
	if err != nil {
		t.Fatalf("History: %v", err)
	}
	return history
}

func TestHistoryKeepsTheLastConfigurations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var want []Past
	for i := range historyKept + 5 {
		p := Past{
			Since: began.Add(time.Duration(i) * time.Hour),
			By:    Origin{CauseReload, Caller{Login: "root", SudoUser: fmt.Sprint("user", i), Terminal: "pts/0"}},
			Text:  pastText(t, fmt.Sprintf("10.0.0.%d", i+1)),
		}
		mustKeep(t, dir, p)
		mustKeep(t, dir, Past{p.Since.Add(time.Minute), Origin{Cause: CauseStart}, p.Text}) // the same one again is no other
		want = append(want, p)
	}
	if diff := cmp.Diff(want[5:], mustHistory(t, dir)); diff != "" {
		t.Errorf("History (-want +got):\n%s", diff)
	}
}

func TestHistoryIsInOrderWhateverTheClockSays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i, since := range []time.Time{began, began, began.Add(-time.Hour)} {
		mustKeep(t, dir, Past{since, Origin{Cause: CauseReload}, pastText(t, fmt.Sprintf("10.0.0.%d", i))})
	}
	for i, past := range mustHistory(t, dir) {
		if want := began.Add(time.Duration(i) * time.Millisecond); !past.Since.Equal(want) {
			t.Errorf("History[%d].Since = %v, want %v", i, past.Since, want)
		}
		c, err := past.Config()
		if err != nil {
			t.Fatalf("History[%d].Config: %v", i, err)
		}
		if got, want := c.Proxy.Sources.Prefixes()[0].String(), fmt.Sprintf("10.0.0.%d/32", i); got != want {
			t.Errorf("History[%d] admits %s, want %s", i, got, want)
		}
	}
}

// TestHistoryOfOtherVersions reads what earlier ones kept, and what later ones
// may keep. An earlier one reads ours: the origin is a comment, and the name
// parses in its layout.
func TestHistoryOfOtherVersions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(HistoryFolder(dir), 0o750); err != nil {
		t.Fatal(err)
	}
	early, late := pastText(t, "10.0.0.1"), "[later]\nkey = 1\n"
	for name, text := range map[string]string{
		"20260101T000000Z.toml":     string(early),
		"20260101T000000.123Z.toml": "# origin: {\"cause\":\"import\",\"more\":[1]}\n" + late,
		"20260102T000000.000Z.toml": "# origin: no JSON\n" + late,
		"notes.toml":                late,
		"20260103T000000Z.txt":      late,
	} {
		if err := os.WriteFile(filepath.Join(HistoryFolder(dir), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	want := []Past{
		{first.Add(123 * time.Millisecond), Origin{Cause: "import"}, []byte(late)},
		{first, Origin{}, early},
		{first.AddDate(0, 0, 1), Origin{}, []byte("# origin: no JSON\n" + late)},
	}
	got := mustHistory(t, dir)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("History (-want +got):\n%s", diff)
	}
	if _, err := got[0].Config(); err == nil {
		t.Errorf("Config of a later version = nil, want an error")
	}
	if _, err := configs.Parse(withOrigin(Origin{Cause: CauseStart}, early)); err != nil {
		t.Errorf("an earlier version reads what is kept now: %v", err)
	}
}

func TestHistoryThatIsNotThere(t *testing.T) {
	t.Parallel()
	if got := mustHistory(t, filepath.Join(t.TempDir(), "none")); len(got) != 0 {
		t.Errorf("History of no folder = %v, want none", got)
	}
	dir := t.TempDir()
	if err := os.WriteFile(HistoryFolder(dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := History(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("History of a file = %v, %v, want an error", got, err)
	}
}

// TestHistoryOfADaemon has what was in force from the start, with its causes.
func TestHistoryOfADaemon(t *testing.T) {
	i := newInstance(t, admitted)
	i.run(t)
	i.write(t, "allow.sources = [\"127.0.0.1\", \"10.1.2.3\"]\n")
	if err := i.Reload(); err != nil {
		t.Fatal(err)
	}
	i.write(t, "allow.sources = [\"127.0.0.1\", \"10.1.2.4\"]\n")
	if o, err := Send(t.Context(), i.dir, Order{Action: Reload, Cause: CauseSetup}); err != nil || o.Problem != "" {
		t.Fatalf("Send(reload of setup) = %+v, %v", o, err)
	}
	i.write(t, "allow.sources = [\"127.0.0.1\", \"10.1.2.5\"]\n")
	if o, err := Send(t.Context(), i.dir, Order{Action: Reload, Cause: "another"}); err != nil || o.Problem != "" {
		t.Fatalf("Send(reload of another cause) = %+v, %v", o, err)
	}
	var causes []Cause
	for _, past := range mustHistory(t, i.dir) {
		causes = append(causes, past.By.Cause)
	}
	if diff := cmp.Diff([]Cause{CauseStart, CauseReload, CauseSetup, CauseReload}, causes); diff != "" {
		t.Errorf("causes (-want +got):\n%s", diff)
	}
	if want := `"action": "reload", "cause": "setup"`; !strings.Contains(i.stderr.String(), want) {
		t.Errorf("log has no %s:\n%s", want, i.stderr.String())
	}
}
