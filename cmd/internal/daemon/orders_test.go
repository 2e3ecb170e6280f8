package daemon

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/configs"
)

func TestReloadByOrder(t *testing.T) {
	t.Parallel()
	i := newInstance(t, admitted)
	i.run(t)
	order := Order{Action: Reload, Caller: Caller{"root", "wang", "pts/3"}}
	send := func() Outcome {
		t.Helper()
		o, err := Send(t.Context(), i.dir, order)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	if o := send(); o.Problem != "" || o.Reloaded == nil || len(o.Reloaded.Changed) != 0 {
		t.Errorf("Send(reload) of the same file = %+v, want success without changes", o)
	}
	i.write(t, `allow.sources = ["127.0.0.1", "10.1.2.3"]
limits.exchanges = 7
`)
	want := []string{`allow.sources: ["127.0.0.1"] -> ["127.0.0.1", "10.1.2.3"]`, "limits.exchanges: 1024 -> 7"}
	if o := send(); o.Problem != "" || cmp.Diff(want, o.Reloaded.Changed) != "" {
		t.Errorf("Send(reload) = %+v, want changes %q", o, want)
	}
	i.write(t, "allow.sources = [\"10.0.0.1/8\"]\nlog.colour = 1\nupstream.tls.ca_file = \"/none\"\n")
	o := send()
	_, err := configs.Load(i.file)
	if o.Problem != ProblemConfig || o.Refusal.File != i.file || o.Mistaken().Error() != err.Error() {
		t.Errorf("Send(reload) of a wrong file = %+v, want problem %q with %v", o, ProblemConfig, err)
	}
	if err := os.Remove(i.file); err != nil {
		t.Fatal(err)
	}
	if o := send(); o.Problem != ProblemConfig || o.Mistaken() != nil || o.Error != "no such file or directory" {
		t.Errorf("Send(reload) of no file = %+v, want problem %q", o, ProblemConfig)
	}
	i.base = strings.Replace(i.base, `state_dir = "`, `state_dir = "/none`, 1)
	i.write(t, admitted)
	if o := send(); o.Problem != ProblemRestart || o.Command != "systemctl restart lqproxy" {
		t.Errorf("Send(reload) of another state_dir = %+v, want problem %q", o, ProblemRestart)
	}
	i.server.Stop()
	if o := send(); o.Problem != ProblemStopping {
		t.Errorf("Send(reload) during a stop = %+v, want problem %q", o, ProblemStopping)
	}
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	log := i.stderr.String()
	line := `"event": "admin_action", "action": "reload", "cause": "reload", "login": "root", "sudo_user": "wang", "terminal": "pts/3"`
	if n := strings.Count(log, line); n != 5 {
		t.Errorf("log has %d lines with %s, want 5:\n%s", n, line, log)
	}
	if want := `"changed": "allow.sources: [\"127.0.0.1\"] -> [\"127.0.0.1\", \"10.1.2.3\"]; limits.exchanges: 1024 -> 7"`; !strings.Contains(log, want) {
		t.Errorf("log has no %s:\n%s", want, log)
	}
}

// An instance that tests run cannot be followed by another process.
func TestUpgradeOfAnInstanceThatIsNoService(t *testing.T) {
	t.Parallel()
	i := newInstance(t, admitted)
	i.run(t)
	o, err := Send(t.Context(), i.dir, Order{Action: Upgrade})
	if err != nil || o.Problem != ProblemNoFile || i.Retired() {
		t.Errorf("Send(upgrade) = %+v, %v, want problem %q", o, err, ProblemNoFile)
	}
}

func TestChangesNameEachKey(t *testing.T) {
	t.Parallel()
	parse := func(text string) configs.Config {
		t.Helper()
		c, err := configs.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	old := parse("allow.sources = [\"127.0.0.1\"]\n[[units]]\nid = \"12345678901234567890\"\nname = \"a\"\n[presets]\nours = [\"10.0.0.1\"]\n")
	next := parse("allow.sources = [\"127.0.0.1\"]\nlisten.idle_timeout = \"30s\"\n[[units]]\nid = \"12345678901234567890\"\nname = \"b = c\"\n[[units]]\nid = \"22345678901234567890\"\n")
	want := []string{
		`units[0].name: "a" -> "b = c"`,
		`listen.idle_timeout: "75s" -> "30s"`,
		`presets.ours: ["10.0.0.1"] -> none`,
		`units[1].id: none -> "22345678901234567890"`,
		`units[1].name: none -> ""`,
	}
	if diff := cmp.Diff(want, changes(old, next)); diff != "" {
		t.Errorf("changes() (-want +got):\n%s", diff)
	}
	if got := changes(old, old); len(got) != 0 {
		t.Errorf("changes() of the same = %q, want none", got)
	}
}

func TestSystemdIsToldOfReloads(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	t.Setenv("NOTIFY_SOCKET", socket)
	ln, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	i := newInstance(t, admitted)
	i.run(t)
	i.mustReload(t)
	i.write(t, "no = 1\n")
	if err := i.Reload(); err == nil {
		t.Error("Reload() of a wrong file = nil")
	}
	reload, ready := `^RELOADING=1\nMONOTONIC_USEC=\d+$`, `^READY=1\nSTATUS=forwarding to `
	for _, want := range []string{ready, reload, ready, reload, ready} {
		b := make([]byte, 4096)
		n, err := ln.Read(b)
		if got := string(b[:n]); err != nil || !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("told %q, %v, want %q", got, err, want)
		}
	}
}

func TestStatusLine(t *testing.T) {
	t.Parallel()
	i := newInstance(t, admitted)
	i.run(t)
	for range 2 {
		i.call(t)
	}
	want := "2 exchanges, 0 failures; upstream " + i.sim.Address().String() + " up"
	i.awaitMetrics(t, func(string) bool { return i.statusLine() == want })
}
