package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
)

// sampleHistory is newest first, as it is numbered.
func sampleHistory() []daemon.Past {
	at := func(day int) time.Time { return time.Date(2026, 5, day, 10, 12, 33, 0, time.Local) }
	return []daemon.Past{
		{Since: at(9), By: daemon.Origin{Cause: daemon.CauseReload, Caller: daemon.Caller{Login: "root", SudoUser: "wang", Terminal: "pts/0"}}},
		{Since: at(8), By: daemon.Origin{Cause: daemon.CauseReload}},
		{Since: at(7), By: daemon.Origin{Cause: daemon.CauseUpgrade}},
		{Since: at(7), By: daemon.Origin{Cause: daemon.CauseSetup, Caller: daemon.Caller{Login: "root", SudoUser: "wang", Terminal: "pts/1"}}},
		{Since: at(6), By: daemon.Origin{Cause: daemon.CauseReload, Caller: daemon.Caller{Login: "root", Terminal: "tty1"}}},
		{Since: at(5), By: daemon.Origin{Cause: "of a later version", Caller: daemon.Caller{Login: "evil\x1b[2J"}}},
		{Since: at(4), By: daemon.Origin{Cause: daemon.CauseReload, Caller: daemon.Caller{Login: strings.Repeat("long", 10), SudoUser: strings.Repeat("name", 10)}}},
		{Since: at(3), By: daemon.Origin{Cause: daemon.CauseStart}},
		{Since: at(2)},
	}
}

func TestHistoryForPeople(t *testing.T) {
	t.Parallel()
	for _, l := range []words.Lang{words.English, words.Chinese} {
		var out, errs bytes.Buffer
		printKept(newTestConsole(l, &out, &errs), "/var/lib/lqproxy", sampleHistory())
		checkGolden(t, "config/history", l, out.String())
	}
}

func TestNumbersIn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		from, to int
		ok       bool
	}{
		"1":     {2, 1, true},
		"19":    {20, 19, true},
		"4..1":  {4, 1, true},
		"1..4":  {1, 4, true},
		"":      {},
		"0":     {},
		"-1":    {},
		"a":     {},
		"4..":   {4, 0, false},
		"4..0":  {4, 0, false},
		"..4":   {},
		"1..b":  {1, 0, false},
		"1...2": {1, 0, false},
	} {
		if from, to, ok := numbersIn(text); from != want.from || to != want.to || ok != want.ok {
			t.Errorf("numbersIn(%q) = %d, %d, %v, want %d, %d, %v", text, from, to, ok, want.from, want.to, want.ok)
		}
	}
}

// TestDiffNamesTheTable has two hunks in tables that share a key.
func TestDiffNamesTheTable(t *testing.T) {
	t.Parallel()
	from := "language = \"zh\"\n\n[listen]\na = 1\nb = 1\nc = 1\nd = 1\nidle_timeout = \"75s\"\ne = 1\n" +
		"\n[upstream]\na = 1\nb = 1\nc = 1\nd = 1\nidle_timeout = \"15s\"\n"
	to := strings.NewReplacer("75s", "70s", "15s", "10s").Replace(from)
	past := func(text string) daemon.Past { return daemon.Past{Text: []byte(text)} }

	got := diffLines("2", past(from), "1", past(to))
	want := []string{
		"--- 2", "+++ 1",
		"@@ -5,7 +5,7 @@ [listen]", " b = 1", " c = 1", " d = 1",
		`-idle_timeout = "75s"`, `+idle_timeout = "70s"`,
		" e = 1", " ", " [upstream]",
		"@@ -13,4 +13,4 @@ [upstream]", " b = 1", " c = 1", " d = 1",
		`-idle_timeout = "15s"`, `+idle_timeout = "10s"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("diffLines (-want +got):\n%s", diff)
	}
	if got := diffLines("2", past(from), "1", past(from)); got != nil {
		t.Errorf("diffLines of the same = %q, want none", got)
	}
	colour(want)
	for _, line := range want {
		if marked := strings.HasPrefix(line, "\x1b["); marked != !strings.HasPrefix(line, " ") {
			t.Errorf("colour: %q", line)
		}
	}
}

// TestHistoryOfOthersIsDenied runs as somebody who may not look.
func TestHistoryOfOthersIsDenied(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("left out: needs root, to become somebody else")
	}
	if testing.Short() {
		t.Skip("left out: it is not short")
	}
	dir := t.TempDir()
	for _, open := range []string{dir, filepath.Dir(dir)} { // others may not enter it otherwise
		if err := os.Chmod(open, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(daemon.HistoryFolder(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	file := dir + "/lqproxy.toml"
	if err := os.WriteFile(file, []byte("state_dir = \""+dir+"\"\nallow.sources = [\"127.0.0.1\"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "config", "--history", "-c", file)
	cmd.Args[0], cmd.Env = "lqproxy", []string{"LANG=C"} // see TestMain
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	for _, want := range []string{"only root and the service's user may read " + daemon.HistoryFolder(dir), "hint: run it as root or as user lqproxy"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("lqproxy config --history = %v %s, want %q", err, out, want)
		}
	}
	if code := cmd.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("exit code = %d, want %d", code, exitFailed)
	}
}
