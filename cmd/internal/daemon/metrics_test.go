package daemon

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/firewall"
)

var update = flag.Bool("update", false, "write testdata/metrics.golden anew")

// TestMetricsGolden holds the names, types, labels and helps of all time
// series: changing one breaks dashboards, and is a decision.
func TestMetricsGolden(t *testing.T) {
	const golden = "testdata/metrics.golden"
	i := newInstance(t, admitted)
	writeFirewall(t, i.o.FirewallState, firewall.Sync{Backend: firewall.IPTables, InSync: true, Checked: time.Now()})
	i.run(t)
	if status, body := i.call(t); status != 200 {
		t.Fatalf("call = %d %s, want 200", status, body)
	}
	i.write(t, admitted+certify(t, i.dir, time.Now().Add(time.Hour)))
	if err := i.Reload(); err != nil {
		t.Fatal(err)
	}
	i.awaitMetrics(t, func(text string) bool {
		return strings.Contains(text, notAfterLine) && strings.Contains(text, "\nlqproxy_leqi_answers_total{")
	})

	got := i.describe(t)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// describe writes a line for each of lqproxy's own time series.
func (i *instance) describe(t *testing.T) string {
	t.Helper()
	families, err := i.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "lqproxy_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		fmt.Fprintf(&b, "%s %s{%s}\n\t%s\n", strings.ToLower(f.GetType().String()), f.GetName(), strings.Join(labels, ","), f.GetHelp())
	}
	return b.String()
}
