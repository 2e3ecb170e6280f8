package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/probe/leqisim"
)

// A person who runs commands in a home of their own.
type person struct {
	env  map[string]string
	file string // of the configuration
}

// newPerson returns one with a configuration for the upstream at address; more
// is what it says besides.
func newPerson(t *testing.T, address, more string) *person {
	t.Helper()
	home := t.TempDir()
	p := &person{map[string]string{"HOME": home}, filepath.Join(home, "lqproxy.toml")}
	text := fmt.Sprintf(`
state_dir = %q
allow.sources = ["127.0.0.1"]
units = [{id = %q, name = "head-office"}, {id = "09876543210987654321", name = "branch"}]
upstream.address = %q
%s`, filepath.Join(home, "state"), sampleUnit, address, more)
	if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// run runs a command, and returns what it printed.
func (p *person) run(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(ctx, args, process{stdout: &out, stderr: &errs, getenv: func(name string) string { return p.env[name] }})
	return code, out.String(), errs.String()
}

// probe runs lqproxy probe --json.
func (p *person) probe(t *testing.T, args ...string) (code int, r probe.Report) {
	t.Helper()
	code, out, errs := p.run(t.Context(), append([]string{"probe", "-c", p.file, "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("probe %q printed no document: %v\n%s%s", args, err, out, errs)
	}
	return code, r
}

// Each scenario of lqproxy simulate has the verdict that belongs to it.
func TestProbeOfEveryScenario(t *testing.T) {
	t.Parallel()
	want := map[string]probe.Verdict{
		"ok": probe.Reached, "flapping": probe.Reached, "wrong-key": probe.Reached, "gzip": probe.Reached, "large": probe.Reached,
		"slow": probe.Reached, "close-idle": probe.Reached, "certificate-rotated": probe.Reached, "no-names": probe.Reached,
		"named": probe.Reached, "expired": probe.Reached,
		"forbidden": probe.Forbidden, "ip-not-filed": probe.IPNotFiled, "wrong-path": probe.WrongPath, "limited": probe.Limited,
		"stalled": probe.Unexpected, "truncated": probe.Unexpected, "malformed": probe.Unexpected,
		"reset": probe.Reset, "reset-handshake": probe.Reset, "banned": probe.TimedOut,
		"stalled-handshake": probe.TLSFailed, "rsa-only": probe.TLSFailed,
	}
	waits := map[string]string{ // of those that are silent
		"banned":            `upstream.dial_timeout = "500ms"`,
		"stalled":           `upstream.response_timeout = "1s"`,
		"stalled-handshake": `upstream.tls_timeout = "1s"`,
	}
	for _, s := range leqisim.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			verdict, known := want[s.Name]
			if !known {
				t.Fatalf("no verdict is expected of scenario %q", s.Name)
			}
			sim, err := leqisim.Start(s.Options)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { sim.Close() })
			p := newPerson(t, sim.Address().String(), waits[s.Name])
			code, r := p.probe(t, "--attempts", "3", "--wait", "1s")
			if r.Verdict != verdict || code != verdict.ExitCode() {
				t.Errorf("probe = %q, exit code %d, want %q, %d", r.Verdict, code, verdict, verdict.ExitCode())
			}
		})
	}
}

func startSim(t *testing.T, o leqisim.Options) *leqisim.Server {
	t.Helper()
	sim, err := leqisim.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	return sim
}

// called returns environment, unit and using unit of each call.
func called(r probe.Report) (all []string) {
	for _, c := range r.Calls {
		all = append(all, fmt.Sprintf("%s %s %s", c.Environment, c.Name, c.UsingUnit))
	}
	return all
}

func TestProbeTargets(t *testing.T) {
	t.Parallel()
	sim := startSim(t, leqisim.Options{})
	const branch = "09876543210987654321"
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"sandbox head-office " + sampleUnit}}, // as probe.environment has it
		{[]string{"--env", "production"}, []string{"production head-office " + sampleUnit}},
		{[]string{"--env", "both"}, []string{"sandbox head-office " + sampleUnit, "production head-office " + sampleUnit}},
		{[]string{"--unit", "branch"}, []string{"sandbox branch " + branch}},
		{[]string{"--unit", branch}, []string{"sandbox branch " + branch}},
		{[]string{"--unit", "11111111111111111111"}, []string{"sandbox  11111111111111111111"}},
		{[]string{"--unit", "all"}, []string{"sandbox head-office " + sampleUnit, "sandbox branch " + branch}},
		{[]string{"--using-unit", "branch"}, []string{"sandbox head-office " + branch}},
	} {
		p := newPerson(t, sim.Address().String(), `probe.environment = "sandbox"`)
		code, r := p.probe(t, tt.args...)
		if diff := cmp.Diff(tt.want, called(r)); diff != "" || code != exitOK {
			t.Errorf("probe %q: exit code %d, calls (-want +got):\n%s", tt.args, code, diff)
		}
	}
}

func TestProbeOptionsReachTheConnection(t *testing.T) {
	t.Parallel()
	sim := startSim(t, leqisim.Options{})
	p := newPerson(t, fmt.Sprintf("leqi.invalid:%d", sim.Address().Port()), "")
	code, r := p.probe(t, "--address", "127.0.0.1", "--local-address", "127.0.0.5", "--ability", "202101")
	if code != exitOK || r.Resolve.Source != probe.SourceChosen {
		t.Fatalf("probe = %d, %+v, want %d with the address that was named", code, r.Resolve, exitOK)
	}
	if x := sim.Exchanges()[0]; x.Peer.Addr().String() != "127.0.0.5" || x.Ability != "202101" {
		t.Errorf("called from %v for %s, want 127.0.0.5, 202101", x.Peer, x.Ability)
	}
}

func TestProbeUsage(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "127.0.0.1:1", "")
	bare := newPerson(t, "127.0.0.1:1", "")
	if err := os.WriteFile(bare.file, []byte(`allow.sources = ["127.0.0.1"]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		who  *person
		args []string
		want string
	}{
		{p, []string{"--env", "prod"}, `--env must be sandbox, production or both, not "prod"`},
		{p, []string{"--via", "127.0.0.1:8864"}, `--via must be of the form http://HOST:PORT or https://HOST:PORT, not "127.0.0.1:8864"`},
		{bare, []string{"--via", "http://127.0.0.1:8864"}, "--via needs a unit"},
		{p, []string{"--attempts", "11"}, "--attempts must be between 1 and 10, not 11"},
		{p, []string{"--attempts", "0"}, "--attempts must be between 1 and 10, not 0"},
		{p, []string{"--wait", "0s"}, "--wait must be between 1s and 5m0s, not 0s"},
		{p, []string{"--ability", "../x"}, "--ability must be letters and digits"},
		{p, []string{"--unit", "head office"}, `--unit must be a name of [[units]] or an id of letters and digits, not "head office"`},
		{p, []string{"--using-unit", "a\r\nb"}, "--using-unit must be"},
		{bare, []string{"--unit", "all"}, "--unit all: the configuration has no units"},
		{p, []string{"--address", "leqi"}, `--address must be an IP address, not "leqi"`},
		{p, []string{"--local-address", "eth0"}, `--local-address must be an IP address, not "eth0"`},
		{p, []string{"--address", "::1", "--local-address", "127.0.0.1"}, "::1 and 127.0.0.1 are of different families"},
		{newPerson(t, "leqi.invalid:1", `upstream.fixed_ips = ["127.0.0.1"]`), []string{"--local-address", "::1"}, "127.0.0.1 and ::1 are of different families"},
		{p, []string{"now"}, `"lqproxy probe" takes no arguments`},
	} {
		code, out, errs := tt.who.run(t.Context(), append([]string{"probe", "-c", tt.who.file}, tt.args...)...)
		if code != exitUsage || out != "" || !strings.Contains(errs, tt.want) {
			t.Errorf("probe %q = %d, %q, %q, want %d and %q", tt.args, code, out, errs, exitUsage, tt.want)
		}
	}
}

func TestProbeWithAFamilyThatCannotBe(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "127.0.0.1:1", "")
	if code, _, errs := p.run(t.Context(), "probe", "-c", p.file, "--local-address", "::1"); code != exitUnreached {
		t.Errorf("probe = %d, %q, want %d: there is no address to connect to", code, errs, exitUnreached)
	}
}

func TestProbeOfABadConfiguration(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "127.0.0.1:1", "probes = 1")
	if code, _, errs := p.run(t.Context(), "probe", "-c", p.file); code != exitConfig || !strings.Contains(errs, "probes") {
		t.Errorf("probe = %d, %q, want %d and the mistake", code, errs, exitConfig)
	}
}

// A second run within half an hour of a 403 makes one attempt; the memory lies
// in the person's home, and a success ends it.
func TestProbeRemembersForbidden(t *testing.T) {
	t.Parallel()
	sim := startSim(t, leqisim.Options{Rules: []leqisim.Rule{{Behaviour: leqisim.Behaviour{Status: 403}}}})
	p := newPerson(t, sim.Address().String(), "")
	attempts := func() (int, int) {
		code, r := p.probe(t, "--attempts", "2", "--wait", "1s")
		return code, len(r.Calls[0].Attempts)
	}
	if code, n := attempts(); code != exitForbidden || n != 2 {
		t.Errorf("the first run = %d after %d attempts, want %d after 2", code, n, exitForbidden)
	}
	if code, n := attempts(); code != exitForbidden || n != 1 {
		t.Errorf("the second run = %d after %d attempts, want %d after 1", code, n, exitForbidden)
	}
	sim.SetRules()
	if code, n := attempts(); code != exitOK || n != 1 {
		t.Errorf("the third run = %d after %d attempts, want %d after 1", code, n, exitOK)
	}
	sim.SetRules(leqisim.Rule{Behaviour: leqisim.Behaviour{Status: 403}})
	if _, n := attempts(); n != 2 {
		t.Errorf("%d attempts after a success, want 2", n)
	}
	if _, err := os.Stat(filepath.Join(p.env["HOME"], "state")); err == nil {
		t.Error("the probe made the daemon's folder")
	}
}

func TestProbeInterrupted(t *testing.T) {
	t.Parallel()
	sim := startSim(t, leqisim.Options{Rules: []leqisim.Rule{{Behaviour: leqisim.Behaviour{Status: 403}}}})
	for _, asJSON := range []bool{true, false} {
		p := newPerson(t, sim.Address().String(), "")
		before := sim.Stats().Requests
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		go func() {
			_ = sim.Wait(ctx, func(s leqisim.Stats) bool { return s.Answered > before })
			cancel()
		}()
		args := []string{"probe", "-c", p.file, "--wait", "1m"}
		if asJSON {
			args = append(args, "--json")
		}
		code, out, _ := p.run(ctx, args...)
		want := "interrupted before there was a verdict"
		if asJSON {
			want = `"verdict": null`
		}
		if code != exitFailed || !strings.Contains(out, want) || !strings.Contains(out, "127.0.0.1") {
			t.Errorf("probe, interrupted = %d, %s, want %d, %q and what was learnt", code, out, exitFailed, want)
		}
	}
}

func TestProbePin(t *testing.T) {
	t.Parallel()
	sim := startSim(t, leqisim.Options{})
	p := newPerson(t, sim.Address().String(), "")
	code, out, _ := p.run(t.Context(), "probe", "-c", p.file, "--pin")
	if code != exitOK || !strings.HasPrefix(out, `pins = ["sha256/`) || strings.Count(out, "\n") != 1 || sim.Stats().Requests != 0 {
		t.Errorf("probe --pin = %d, %q, %d calls, want one line and no call", code, out, sim.Stats().Requests)
	}
	more := newPerson(t, sim.Address().String(), "[upstream.tls]\nverify = \"pin\"\n"+out)
	if code, r := more.probe(t); code != exitOK || r.TLS[0].Verdict != probe.PathOpen {
		t.Errorf("with that line: probe = %d, %+v, want %d", code, r.TLS, exitOK)
	}
}
