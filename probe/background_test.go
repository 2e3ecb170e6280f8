package probe

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/probe/leqisim"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// A playback is a Background whose probes come to given verdicts.
type playback struct {
	*Background
	start    time.Time
	at       []time.Duration
	asked    []Options
	verdicts []Verdict // the last one goes on
}

func newPlayback(log *zap.Logger, verdicts ...Verdict) *playback {
	p := &playback{start: time.Now(), verdicts: verdicts}
	p.Background = NewBackground(NewMetrics(prometheus.NewPedanticRegistry()), log)
	p.run = func(_ context.Context, o Options) (*Report, error) {
		p.at, p.asked = append(p.at, time.Since(p.start)), append(p.asked, o)
		v := p.verdicts[min(len(p.at), len(p.verdicts))-1]
		return &Report{Verdict: v, Took: Took(time.Second), Calls: []Call{{Verdict: v, Attempts: make([]Attempt, 3)}}}, nil
	}
	return p
}

// runFor runs p for d.
func (p *playback) runFor(t *testing.T, d time.Duration, s Schedule) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := p.Run(ctx, s); err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
}

func TestBackgroundPace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		interval    time.Duration
		least, most time.Duration
	}{
		{"an hour", time.Hour, 54 * time.Minute, 66 * time.Minute},
		{"5 min is the least", 5 * time.Minute, 5 * time.Minute, 330 * time.Second},
		{"never less than 5 min", time.Second, 5 * time.Minute, 5 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlayback(nil, Reached)
				p.runFor(t, 24*time.Hour, Schedule{Interval: tt.interval, Scope: OnlyProduction, Unit: testUnit})
				if len(p.at) < 20 || p.at[0] < firstProbe || p.at[0] > 2*firstProbe {
					t.Fatalf("%d probes, the first %v after the start, want more than 20 from the first minute on", len(p.at), p.at[0])
				}
				for i := range p.at[1:] {
					if d := p.at[i+1] - p.at[i]; d < tt.least || d > tt.most {
						t.Errorf("%v between probes, want %v to %v", d, tt.least, tt.most)
					}
				}
			})
		})
	}
}

func TestBackgroundJitters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlayback(nil, Reached)
		p.runFor(t, 24*time.Hour, Schedule{Interval: time.Hour, Scope: OnlyProduction})
		between := map[time.Duration]bool{}
		for i := range p.at[1:] {
			between[p.at[i+1]-p.at[i]] = true
		}
		if len(between) < 10 {
			t.Errorf("%d different distances in a day, want jitter", len(between))
		}
	})
}

func TestBackgroundIsOffByDefault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlayback(nil, Reached)
		p.runFor(t, 24*time.Hour, Schedule{Scope: Both, Unit: testUnit})
		if len(p.at) != 0 {
			t.Errorf("%d probes without an interval, want none", len(p.at))
		}
	})
}

func TestBackgroundIsSilentAfterForbidden(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlayback(nil, Forbidden, Forbidden, Reached)
		p.runFor(t, 2*time.Hour, Schedule{Interval: MinInterval, Scope: OnlyProduction, Unit: testUnit})
		for i := range 2 {
			if d := p.at[i+1] - p.at[i]; d < Silence {
				t.Errorf("%v after a 403, want at least %v", d, Silence)
			}
		}
		if d := p.at[3] - p.at[2]; d > 6*time.Minute {
			t.Errorf("%v after a success, want the usual pace", d)
		}
	})
}

// The pace holds from one schedule to the next, however often there is one.
func TestBackgroundSurvivesReloads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlayback(nil, Forbidden, Reached)
		s := Schedule{Interval: MinInterval, Scope: OnlyProduction, Unit: testUnit}
		p.runFor(t, 2*time.Minute, s)
		for range 100 {
			p.runFor(t, time.Minute, s)
		}
		if len(p.at) < 3 || p.at[1]-p.at[0] < Silence {
			t.Fatalf("probes at %v, want %v of silence first", p.at, Silence)
		}
		for i := range p.at[1:] {
			if d := p.at[i+1] - p.at[i]; d < MinInterval {
				t.Errorf("%v between probes, want at least %v", d, MinInterval)
			}
		}
	})
}

// At a reload the new schedule begins before the old one has ended.
func TestBackgroundRunsOneScheduleAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlayback(nil, Reached)
		first, cancel := context.WithCancel(t.Context())
		done := make(chan error, 2)
		go func() { done <- p.Run(first, Schedule{Interval: time.Hour, Scope: OnlySandbox}) }()
		synctest.Wait()
		second, cancelSecond := context.WithTimeout(t.Context(), 90*time.Minute)
		defer cancelSecond()
		go func() { done <- p.Run(second, Schedule{Interval: time.Hour, Scope: OnlyProduction, Unit: testUnit}) }()
		synctest.Wait()
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Errorf("Run() = %v, want nil", err)
			}
		}
		for _, o := range p.asked {
			if len(o.Targets) != 1 || o.Targets[0].Environment != Production {
				t.Errorf("probed %+v, want the second schedule alone", o.Targets)
			}
		}
		if len(p.asked) == 0 {
			t.Error("the second schedule does not begin")
		}
	})
}

func TestBackgroundMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		p := newPlayback(nil, Reached, IPNotFiled)
		p.metrics = NewMetrics(reg)
		if got := values(t, reg); len(got) != 0 {
			t.Errorf("series before the first probe = %v, want none", got)
		}
		if got := p.Outcomes(); got == nil || len(got) != 0 {
			t.Errorf("outcomes before the first probe = %#v, want an empty list", got)
		}
		p.runFor(t, 10*time.Minute, Schedule{Interval: time.Hour, Scope: Both, Unit: testUnit})
		want := map[string]float64{
			"lqproxy_probe_success sandbox": 1, "lqproxy_probe_success production": 0,
			"lqproxy_probe_duration_seconds sandbox": 1, "lqproxy_probe_duration_seconds production": 1,
			"lqproxy_probe_attempts sandbox": 3, "lqproxy_probe_attempts production": 3,
		}
		if diff := cmp.Diff(want, values(t, reg)); diff != "" {
			t.Errorf("series (-want +got):\n%s", diff)
		}
		at := p.start.Add(p.at[0]) // a probe of a playback takes no time
		wantOutcomes := []Outcome{{Sandbox, Reached, at}, {Production, IPNotFiled, at}}
		if diff := cmp.Diff(wantOutcomes, p.Outcomes()); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		p.runFor(t, time.Minute, Schedule{Interval: time.Hour, Scope: OnlySandbox})
		if got := values(t, reg); len(got) != 3 {
			t.Errorf("series = %v, want those of the sandbox alone", got)
		}
		p.runFor(t, time.Minute, Schedule{Scope: OnlySandbox})
		if got := values(t, reg); len(got) != 0 || len(p.Outcomes()) != 0 {
			t.Errorf("series = %v, outcomes = %v, want none: it is off", got, p.Outcomes())
		}
	})
}

func values(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			all[f.GetName()+" "+m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
		}
	}
	return all
}

func TestBackgroundTells(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		p := newPlayback(zap.New(core), Reached, Reached, IPNotFiled, TimedOut, Forbidden, Limited, Reached, Reached)
		p.runFor(t, 12*time.Hour, Schedule{Interval: time.Hour, Scope: OnlyProduction, Unit: testUnit, UnitName: "head office"})
		var got []string
		for _, e := range logs.All() {
			fields := e.ContextMap()
			event, _ := fields["event"].(string)
			got = append(got, e.Message+": "+fields["verdict"].(string)+" "+event)
			if slices.Contains([]any{testUnit}, fields["unit"]) {
				t.Error("the log has a unit's id")
			}
		}
		want := []string{
			"background probe well: reached ",
			"background probe failed: ip_not_filed ip_not_filed",
			"background probe failed: timed_out ",
			"background probe failed: forbidden first_forbidden",
			"background probe failed: limited flow_limited",
			"background probe well: reached ",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

// A 403 in one environment is not answered by calling the other.
func TestBackgroundStopsAtForbidden(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlayback(nil, Forbidden)
		p.runFor(t, 10*time.Minute, Schedule{Interval: time.Hour, Scope: Both, Unit: testUnit})
		if len(p.asked) != 1 {
			t.Errorf("%d probes, want 1", len(p.asked))
		}
	})
}

// What the background probe really does: it takes the daemon's record along,
// and tries no other settings.
func TestBackgroundAgainstAPlatform(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	s := Schedule{Scope: OnlySandbox, Unit: testUnit, Upstream: options(sim.Address()).Upstream, Known: newKeys()}
	b := NewBackground(NewMetrics(prometheus.NewPedanticRegistry()), nil)
	b.probe(t.Context(), s)
	if got := b.Outcomes(); len(got) != 1 || got[0].Verdict != Reached {
		t.Errorf("outcomes = %v, want %q alone", got, Reached)
	}
	if keys := s.Known.List(); len(keys) != 1 || keys[0].Pin != upstream.Pin(sim.Pin()) {
		t.Errorf("record = %v, want the key that was shown", keys)
	}
	if o := s.options(Sandbox, nil); o.TryTLS {
		t.Error("the background probe tries other TLS settings")
	}
}
