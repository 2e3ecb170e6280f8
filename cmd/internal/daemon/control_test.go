package daemon

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lqproxy/lqproxy/probe/leqisim"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// awaitKey returns the key of the platform's certificate once it is recorded:
// the daemon connects at its start.
func (i *instance) awaitKey(t *testing.T, pin upstream.Pin) upstream.KnownKey {
	t.Helper()
	var found upstream.KnownKey
	i.awaitMetrics(t, func(string) bool {
		for _, k := range i.known.List() {
			if k.Pin == pin {
				found = k
				return true
			}
		}
		return false
	})
	return found
}

func TestTrustThroughTheSocket(t *testing.T) {
	t.Parallel()
	i := newInstance(t, `allow.sources = ["127.0.0.1"]`)
	i.run(t)
	first := upstream.Pin(i.sim.Pin())
	i.awaitKey(t, first)

	// Another gateway shows another key, which is not expected.
	if err := i.sim.Rotate(leqisim.Leaf{}); err != nil {
		t.Fatal(err)
	}
	i.current.Load().upstream.Close()
	i.call(t)
	second := upstream.Pin(i.sim.Pin())
	if k := i.awaitKey(t, second); k.Accepted {
		t.Fatalf("key %v is accepted already", k)
	}

	caller := Caller{Login: "li", SudoUser: "wang", Terminal: "pts/3"}
	if o, err := Send(t.Context(), i.dir, Order{Action: TrustAccept, Pin: second, Caller: caller}); o != (Outcome{}) || err != nil {
		t.Fatalf("Send(accept) = %+v, %v, want success", o, err)
	}
	if k := i.awaitKey(t, second); !k.Accepted {
		t.Errorf("key %v is not accepted", k)
	}
	if o, err := Send(t.Context(), i.dir, Order{Action: TrustForget, Pin: first, Caller: caller}); o != (Outcome{}) || err != nil {
		t.Errorf("Send(forget) = %+v, %v, want success", o, err)
	}
	record, err := upstream.OpenKnownKeys(RecordFile(i.dir))
	if keys := record.List(); err != nil || len(keys) != 1 || keys[0].Pin != second || !keys[0].Accepted {
		t.Errorf("record = %+v, %v, want the second key alone", keys, err)
	}
	for _, want := range []string{
		`"event": "admin_action", "action": "trust_accept", "pin": "` + second.String() + `", "login": "li", "sudo_user": "wang", "terminal": "pts/3", "uid": ` + strconv.Itoa(os.Getuid()),
		`"changed": "accepted: false -> true"`,
		`"action": "trust_forget"`,
		`"changed": "recorded: true -> false"`,
	} {
		if log := i.stderr.String(); !strings.Contains(log, want) {
			t.Errorf("log has no %s:\n%s", want, log)
		}
	}
}

// What root did to the firewall is only recorded.
func TestReportsOfTheFirewall(t *testing.T) {
	t.Parallel()
	i := newInstance(t, `allow.sources = ["127.0.0.1"]`)
	i.run(t)
	for _, action := range []Action{FirewallApply, FirewallRemove} {
		order := Order{Action: action, Changed: "+ admit 49.4.80.61 → 8864/tcp", Caller: Caller{"root", "wang", "pts/3"}}
		if o, err := Send(t.Context(), i.dir, order); o != (Outcome{}) || err != nil {
			t.Errorf("Send(%+v) = %+v, %v, want success", order, o, err)
		}
	}
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	for _, action := range []Action{FirewallApply, FirewallRemove} {
		want := `"event": "admin_action", "action": "` + string(action) + `", "login": "root", "sudo_user": "wang", "terminal": "pts/3", "uid": ` +
			strconv.Itoa(os.Getuid()) + `, "changed": "+ admit 49.4.80.61 → 8864/tcp"`
		if log := i.stderr.String(); !strings.Contains(log, want) {
			t.Errorf("log has no %s:\n%s", want, log)
		}
	}
}

func TestOrdersThatAreRefused(t *testing.T) {
	t.Parallel()
	i := newInstance(t, `allow.sources = ["127.0.0.1"]`)
	i.run(t)
	for _, tt := range []struct {
		order Order
		want  Problem
	}{
		{Order{Action: TrustAccept, Pin: upstream.Pin{1}}, ProblemNoKey},
		{Order{Action: TrustForget, Pin: upstream.Pin{1}}, ProblemNoKey},
		{Order{Action: "self_destruct"}, ProblemUnknown},
		{Order{}, ProblemUnknown},
	} {
		if o, err := Send(t.Context(), i.dir, tt.order); o.Problem != tt.want || o.Error == "" || err != nil {
			t.Errorf("Send(%+v) = %+v, %v, want problem %q", tt.order, o, err, tt.want)
		}
	}
}

// What is no order is answered all the same, and does no harm.
func TestTheSocketAgainstRubbish(t *testing.T) {
	t.Parallel()
	i := newInstance(t, `allow.sources = ["127.0.0.1"]`)
	i.run(t)
	for _, line := range []string{"\n", "reload\n", `{"action":7}` + "\n", `{"action":"trust_accept","pin":"x"}` + "\n", strings.Repeat("x", orderSize+1)} {
		conn, err := net.Dial("unix", filepath.Join(i.dir, controlName))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		var o Outcome
		answer, err := bufio.NewReader(conn).ReadBytes('\n')
		if err != nil || json.Unmarshal(answer, &o) != nil || o.Problem != ProblemUnknown {
			t.Errorf("%.40q was answered with %q, %v, want problem %q", line, answer, err, ProblemUnknown)
		}
		conn.Close()
	}
}

func TestTheSocketIsForTheServiceAlone(t *testing.T) {
	t.Parallel()
	i := newInstance(t, `allow.sources = ["127.0.0.1"]`)
	i.run(t)
	info, err := os.Stat(filepath.Join(i.dir, controlName))
	if err != nil || info.Mode().Perm() != 0o600 || info.Mode()&fs.ModeSocket == 0 {
		t.Errorf("socket = %v, %v, want mode 0600", info.Mode(), err)
	}
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := Send(t.Context(), i.dir, Order{Action: TrustAccept}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Send() after the end = %v, want %v", err, ErrNotRunning)
	}
}

// A socket that a killed process left behind is no obstacle.
func TestASocketThatWasLeftBehind(t *testing.T) {
	t.Parallel()
	i := newInstance(t, `allow.sources = ["127.0.0.1"]`)
	name := filepath.Join(i.dir, controlName)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
	if _, err := Send(t.Context(), i.dir, Order{}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Send() to nobody = %v, want %v", err, ErrNotRunning)
	}
	i.run(t)
	if _, err := Send(t.Context(), i.dir, Order{}); err != nil {
		t.Errorf("Send() = %v, want an outcome", err)
	}
}

func TestInstanceFile(t *testing.T) {
	t.Parallel()
	i := newInstance(t, `allow.sources = ["127.0.0.1"]`)
	if _, err := ReadInstance(i.dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("ReadInstance() before the start = %v, want %v", err, ErrNotRunning)
	}
	i.run(t)
	got, err := ReadInstance(i.dir)
	if err != nil || got.PID != os.Getpid() || got.File != i.file || got.Version != "1.2.3" || got.Admin[0] != i.AdminAddresses()[0] {
		t.Errorf("ReadInstance() = %+v, %v, want this instance", got, err)
	}
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadInstance(i.dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("ReadInstance() after the end = %v, want %v", err, ErrNotRunning)
	}
}

// Calls are worth more than orders: a state directory that is not there costs
// the socket alone.
func TestWithoutAStateDirectoryCallsAreServed(t *testing.T) {
	t.Parallel()
	i := newInstance(t, `allow.sources = ["127.0.0.1"]`)
	i.o.Config.StateDir = filepath.Join(i.dir, "gone")
	i.run(t)
	if status, _ := i.call(t); status != 200 {
		t.Errorf("status = %d, want 200", status)
	}
	if log := i.stderr.String(); !strings.Contains(log, "the control socket cannot be opened") {
		t.Errorf("log = %s, want to be told of the socket", log)
	}
}

// The background probe follows the file.
func TestBackgroundProbeFollowsTheFile(t *testing.T) {
	t.Parallel()
	i := newInstance(t, `allow.sources = ["127.0.0.1"]`)
	old := i.current.Load().config
	if s := i.schedule(old); s.Interval != 0 || s.Unit != "" || s.Known != i.known {
		t.Errorf("schedule() = %+v, want none by default", s)
	}
	i.write(t, `
allow.sources = ["127.0.0.1"]
units = [{id = "12345678901234567890", name = "head-office"}]
probe.interval = "1h"
probe.environment = "both"
`)
	i.run(t)
	if err := i.Reload(); err != nil {
		t.Fatal(err)
	}
	next := i.current.Load().config
	if s := i.schedule(next); s.Interval.Hours() != 1 || s.Scope != "both" || s.Unit != "12345678901234567890" || s.UnitName != "head-office" {
		t.Errorf("schedule() = %+v, want what the file says", s)
	}
	if sameProbe(old, next) || !sameProbe(next, next) {
		t.Error("sameProbe() does not see the change, or sees one where there is none")
	}
}
