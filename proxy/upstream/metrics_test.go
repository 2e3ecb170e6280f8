package upstream

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// gather returns the series of reg: gauges by their value, histograms by their
// count.
func gather(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := strings.TrimPrefix(f.GetName(), "lqproxy_upstream_") + "{" + strings.Join(labels, ",") + "}"
			if h := m.GetHistogram(); h != nil {
				got[name] = float64(h.GetSampleCount())
			} else {
				got[name] = m.GetGauge().GetValue()
			}
		}
	}
	return got
}

func TestMetrics(t *testing.T) {
	ours := newIssuer(t)
	expiry := time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC)
	first, second := ours.issue(t, expiry), ours.issue(t, expiry.Add(time.Hour))
	p := newRotating(t, first)
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		m := NewMetrics(reg)
		want := map[string]float64{
			`up{}`: 0, `addresses{}`: 0, `certificate_changed{}`: 0, `certificate_not_after_timestamp_seconds{}`: 0,
			`connections{state="busy"}`: 0, `connections{state="idle"}`: 0,
			`phase_seconds{phase="connect"}`: 0, `phase_seconds{phase="resolve"}`: 0, `phase_seconds{phase="tls"}`: 0, `phase_seconds{phase="wait"}`: 0,
		}
		check := func(when string, changes map[string]float64) {
			t.Helper()
			maps.Copy(want, changes)
			if diff := cmp.Diff(want, gather(t, reg)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		check("at the start", nil)

		o := options(p.addr)
		o.FixedIPs = nil
		o.TLS.Verify = VerifyFirstUse
		u := newLogged(t, o, nil, m, nil)
		u.resolver.lookup = (&zone{answer: []netip.Addr{p.addr.Addr()}}).lookup
		run(t, u)
		synctest.Wait()
		check("connected", map[string]float64{
			`up{}`: 1, `addresses{}`: 1, `certificate_not_after_timestamp_seconds{}`: float64(expiry.Unix()),
			`connections{state="idle"}`: 1, `phase_seconds{phase="resolve"}`: 1, `phase_seconds{phase="connect"}`: 1, `phase_seconds{phase="tls"}`: 1,
		})

		p.cert.Store(&second)
		a, b := mustGet(t, u), mustGet(t, u)
		check("two lent, one of them with another certificate", map[string]float64{
			`certificate_changed{}`: 1, `certificate_not_after_timestamp_seconds{}`: float64(expiry.Add(time.Hour).Unix()),
			`connections{state="idle"}`: 0, `connections{state="busy"}`: 2, `phase_seconds{phase="connect"}`: 2, `phase_seconds{phase="tls"}`: 2,
		})
		a.Put(0)
		b.Close()
		u.keys.Accept(PinOf(second.Leaf))
		check("one back, the key accepted", map[string]float64{
			`certificate_changed{}`: 0, `connections{state="idle"}`: 1, `connections{state="busy"}`: 0,
		})
	})
}

// At a reload two Upstreams share the metrics for as long as exchanges hold the
// old one.
func TestMetricsThroughAReload(t *testing.T) {
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		m := NewMetrics(reg)
		start := func(o Options) (*Upstream, func()) {
			u := newLogged(t, o, nil, m, nil)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { u.Run(ctx) })
			return u, func() { cancel(); wg.Wait() }
		}
		old, stopOld := start(options(p.addr))
		synctest.Wait()
		held := mustGet(t, old)

		o := options(p.addr)
		o.FixedIPs = append(o.FixedIPs, netip.MustParseAddr("127.0.0.9"))
		_, stop := start(o)
		defer stop()
		synctest.Wait()
		stopOld()

		old.dial = refusing(new(atomic.Int32))
		_, err := old.Get(t.Context())
		wantPhase(t, err, PhaseDial)
		check := func(when string, busy float64) {
			t.Helper()
			got := gather(t, reg)
			for name, want := range map[string]float64{`up{}`: 1, `addresses{}`: 2, `connections{state="busy"}`: busy, `connections{state="idle"}`: 1} {
				if got[name] != want {
					t.Errorf("%s: %s = %v, want %v", when, name, got[name], want)
				}
			}
		}
		check("while an exchange holds the old one", 1)
		held.Put(0)
		check("after it", 0)
	})
}
