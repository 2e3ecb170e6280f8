package daemon

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/firewall"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// firewallName is the state file of tests, in the directory of the instance.
const firewallName = "firewall.json"

func writeFirewall(t *testing.T, file string, s firewall.Sync) {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	writeText(t, file, string(text))
}

func writeText(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// series returns the values of the gauge by backend.
func series(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "lqproxy_firewall_in_sync" {
			continue
		}
		for _, m := range f.GetMetric() {
			all[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
		}
	}
	return all
}

// lines returns what was logged since the last call.
func lines(logged *observer.ObservedLogs) []string {
	var all []string
	for _, e := range logged.TakeAll() {
		line := e.Level.String() + " " + e.Message
		if event, ok := e.ContextMap()["event"].(string); ok {
			line += " (" + event + ")"
		}
		all = append(all, line)
	}
	return all
}

// The file is a story: each part is what stands in it when the daemon looks
// next.
func TestFirewallViewFollowsTheFile(t *testing.T) {
	t.Parallel()
	const (
		out    = "warn the firewall is out of step (firewall_out_of_step)"
		in     = "info the firewall is in step again"
		bad    = "warn the state of the firewall cannot be read"
		old    = "warn the firewall was not checked for long"
		remove = "remove"
	)
	one := func(backend string, value float64) map[string]float64 { return map[string]float64{backend: value} }
	none := map[string]float64{}
	synctest.Test(t, func(t *testing.T) {
		state := func(backend firewall.Kind, inSync bool, age time.Duration) string {
			text, err := json.Marshal(firewall.Sync{Backend: backend, InSync: inSync, Checked: time.Now().Add(-age)})
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		file := filepath.Join(t.TempDir(), firewallName)
		core, logged := observer.New(zapcore.DebugLevel)
		reg, m := newMetrics(admin.Build{})
		v := &firewallView{file: file, inSync: m.firewall, log: zap.New(core)}
		done := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- v.run(ctx) }()
		time.Sleep(time.Second) // so that no step meets a look
		for step, tt := range []struct {
			text   string
			series map[string]float64
			logged []string
		}{
			{remove, none, nil},
			{state(firewall.IPTables, true, 0), one("iptables", 1), nil},
			{state(firewall.IPTables, false, 0), one("iptables", 0), []string{out}},
			{state(firewall.IPTables, false, 0), one("iptables", 0), nil},
			{state(firewall.Firewalld, false, 0), one("firewalld", 0), nil},
			{state(firewall.Firewalld, true, 0), one("firewalld", 1), []string{in}},
			{"{", none, []string{bad}},
			{"{", none, nil},
			{state("pf", true, 0), none, nil},
			{state(firewall.Firewalld, true, 0), one("firewalld", 1), nil},
			{state(firewall.Firewalld, true, 2*time.Hour), one("firewalld", 1), []string{old}},
			{state(firewall.Firewalld, true, 2*time.Hour), one("firewalld", 1), nil},
			{state(firewall.Firewalld, false, 0), one("firewalld", 0), []string{out}},
			{remove, none, nil},
			{state(firewall.Firewalld, false, 0), one("firewalld", 0), []string{out}},
		} {
			if tt.text == remove {
				os.Remove(file)
			} else {
				writeText(t, file, tt.text)
			}
			time.Sleep(firewallInterval) // of the bubble
			synctest.Wait()
			if diff := cmp.Diff(tt.series, series(t, reg)); diff != "" {
				t.Errorf("step %d: series (-want +got):\n%s", step, diff)
			}
			if diff := cmp.Diff(tt.logged, lines(logged)); diff != "" {
				t.Errorf("step %d: log (-want +got):\n%s", step, diff)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run() = %v, want nil", err)
		}
	})
}

// A daemon that was told of no file looks at none.
func TestAFirewallStateOfANewerVersion(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), firewallName)
	text := `{"backend": "firewalld", "in_sync": true, "checked": "` + time.Now().Format(time.RFC3339) + `",
		"policy": {"Admits": null, "Denies": [{"Port": 1}]}, "zones": {"public": {"mood": 1}}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	state, err := readFirewall(file)
	if err != nil || !state.InSync || state.Backend != firewall.Firewalld {
		t.Errorf("readFirewall() = %+v, %v, want what is known of it", state, err)
	}
}

func TestFirewallViewWithoutAFile(t *testing.T) {
	t.Parallel()
	if got := new(firewallView).look(); got != nil {
		t.Errorf("look() = %+v, want nothing", got)
	}
}

func TestSourcesThatTheFirewallDoesNotHaveYet(t *testing.T) {
	t.Parallel()
	i := newInstance(t, admitted)
	checked := time.Now().Truncate(time.Second)
	i.discard() // to listen where others could come from
	i.base = strings.Replace(i.base, `listen.addresses = ["127.0.0.1:`, `listen.addresses = ["0.0.0.0:`, 1)
	i.open(t, `allow.sources = ["10.0.0.0/8", "127.0.0.1"]`)
	writeFirewall(t, i.o.FirewallState, firewall.Sync{
		Backend: firewall.IPTables, Checked: checked, Problems: []string{"+ admit"}, Policy: i.o.Config.FirewallPolicy(),
	})
	i.run(t)
	i.reload(t, `allow.sources = ["52.83.1.1", "127.0.0.1"]`) // the only one to be told of
	want := &admin.Firewall{Backend: "iptables", Checked: checked, Problems: []string{"+ admit"}, Pending: "+52.83.1.1 -10.0.0.0/8"}
	if diff := cmp.Diff(want, i.Status().Firewall); diff != "" {
		t.Errorf("Status().Firewall (-want +got):\n%s", diff)
	}
	i.reload(t, `allow.sources = ["52.83.1.1", "127.0.0.1"]
limits.exchanges = 7
`)
	i.reload(t, `allow.sources = ["52.83.1.2", "127.0.0.1"]
firewall.backend = "none"
`)
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	const warning = `the firewall is not yet in step {"pending": "+52.83.1.1 -10.0.0.0/8", "hint": "lqproxy firewall apply"}`
	if log := i.stderr.String(); strings.Count(log, warning) != 1 || strings.Count(log, "not yet in step") != 1 {
		t.Errorf("log has not once %s:\n%s", warning, log)
	}
}

// The start tells what was not applied before it. Where nobody can come from
// any more there is nothing to apply, but something to remove.
func TestAStartBeforeTheApply(t *testing.T) {
	t.Parallel()
	i := newInstance(t, admitted)
	applied := firewall.NewPolicy(firewall.Admit{Port: 8864, Sources: []firewall.Source{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}}})
	writeFirewall(t, i.o.FirewallState, firewall.Sync{Backend: firewall.Firewalld, InSync: true, Checked: time.Now(), Policy: applied})
	i.run(t)
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	const warning = `the firewall is not yet in step {"pending": "-10.0.0.0/8", "hint": "lqproxy firewall remove"}`
	if log := i.stderr.String(); strings.Count(log, warning) != 1 {
		t.Errorf("log has not once %s:\n%s", warning, log)
	}
}

// reload writes the file of i and has it read.
func (i *instance) reload(t *testing.T, more string) {
	t.Helper()
	i.write(t, more)
	if err := i.Reload(); err != nil {
		t.Fatal(err)
	}
}

func TestFirewallCommand(t *testing.T) {
	t.Parallel()
	for instance, want := range map[string]string{"": "lqproxy firewall apply", "sd": "lqproxy firewall apply -i sd"} {
		if got := firewallCommand("apply", instance); got != want {
			t.Errorf("firewallCommand(apply, %q) = %q, want %q", instance, got, want)
		}
	}
}

func TestFirewallStatusOfAHostThatIsNotManaged(t *testing.T) {
	t.Parallel()
	i := newInstance(t, admitted)
	i.run(t)
	if got := i.Status().Firewall; got != nil {
		t.Errorf("Status().Firewall = %+v, want nil", got)
	}
	if _, text := i.ask(t, "/status"); strings.Contains(text, `"firewall"`) {
		t.Errorf("/status = %s, want no firewall", text)
	}
}
