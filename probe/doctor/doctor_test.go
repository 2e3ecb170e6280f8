package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/probe/leqisim"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// platform starts a simulated Leqi.
func platform(t *testing.T, o leqisim.Options) *leqisim.Server {
	t.Helper()
	s, err := leqisim.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// optionsFor are those of a machine that is well, and of the way to an address.
func optionsFor(t *testing.T, to netip.AddrPort) Options {
	t.Helper()
	return Options{
		Probe: probe.Options{
			Upstream: upstream.Options{
				Host: to.Addr().String(), Port: to.Port(), DialTimeout: time.Second, TLSTimeout: 5 * time.Second,
				TLS: upstream.TLS{Verify: upstream.VerifyNone},
			},
			Targets:  []probe.Target{{Environment: probe.Sandbox, Unit: "12345678901234567890"}},
			Attempts: 1,
		},
		Config:   Config{File: "/etc/lqproxy/lqproxy.toml"},
		Instance: Instance{Unit: "lqproxy.service"},
		root:     unpack(t, "kylin"),
		run:      systemctl("LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nMainPID=900\n"),
	}
}

// wayOf returns the codes of the path.
func wayOf(r *Report) string {
	var codes []string
	for _, f := range r.Findings {
		if f.Check.Group() == GroupPath {
			codes = append(codes, string(f.Code))
		}
	}
	return strings.Join(codes, " ")
}

func TestRun(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		options leqisim.Options
		want    string
		calls   int // that reach the platform
		verdict probe.Verdict
	}{
		{"all is well", leqisim.Options{}, "dns_found connect_all tls_good call_good clock_right route_reached egress_hidden", 2, probe.Reached},
		{
			"forbidden",
			leqisim.Options{Rules: []leqisim.Rule{{Behaviour: leqisim.Behaviour{Status: 403}}}},
			"dns_found connect_all tls_good call_bad clock_unread route_reached egress_hidden", 1, probe.Forbidden,
		},
		{
			"another egress address",
			leqisim.Options{Rules: []leqisim.Rule{{Behaviour: leqisim.Behaviour{Code: "4067"}}}},
			"dns_found connect_all tls_good call_bad clock_unread route_reached egress_hidden", 1, probe.IPNotFiled,
		},
		{
			"no handshake",
			leqisim.Options{Rules: []leqisim.Rule{{Behaviour: leqisim.Behaviour{Fault: leqisim.Fault{Kind: leqisim.Drop, Phase: leqisim.PhaseHandshake}}}}},
			"dns_found connect_all tls_bad clock_unread route_reached egress_hidden", 0, probe.TLSFailed,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sim := platform(t, tt.options)
			o := optionsFor(t, sim.Address())
			var seen []Check
			o.Observe = func(c Check) { seen = append(seen, c) }
			r, err := Run(t.Context(), o)
			if err != nil || r.Interrupted {
				t.Fatalf("Run = %+v, %v, want a whole report", r, err)
			}
			if diff := cmp.Diff(tt.want, wayOf(r)); diff != "" {
				t.Errorf("findings of the path (-want +got):\n%s", diff)
			}
			if got := sim.Stats().Requests; got != tt.calls || r.Probe.Verdict != tt.verdict {
				t.Errorf("Run made %d calls and came to %q, want %d, %q", got, r.Probe.Verdict, tt.calls, tt.verdict)
			}
			if !slices.Contains(seen, Route) || r.Host.System != "Kylin Linux Advanced Server V10 (Lance)" {
				t.Errorf("observed %v of %q, want the route of the tree's system", seen, r.Host.System)
			}
		})
	}
}

// TestClockCallIsTheGuides compares the call that asks for the time with the probe's.
func TestClockCallIsTheGuides(t *testing.T) {
	t.Parallel()
	sim := platform(t, leqisim.Options{})
	if _, err := Run(t.Context(), optionsFor(t, sim.Address())); err != nil {
		t.Fatal(err)
	}
	var calls []string
	for _, x := range sim.Exchanges() {
		unit, _ := x.Value("jrdwptbh")
		mark, _ := x.Value("sxcsbz")
		calls = append(calls, fmt.Sprint(x.Method, " ", x.Target, " ", unit, " ", mark, " ", x.Malformed))
	}
	want := "POST /access/newsandbox/v2/invoke/202007/CXKYSL 12345678901234567890 1 "
	if diff := cmp.Diff([]string{want, want}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestRunToNobody(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := ln.Addr().(*net.TCPAddr).AddrPort()
	ln.Close()
	r, err := Run(t.Context(), optionsFor(t, to))
	if err != nil {
		t.Fatal(err)
	}
	want := "dns_found connect_none clock_unread route_refused egress_hidden"
	if got := wayOf(r); got != want || r.Probe.Verdict != probe.ConnectRefused {
		t.Errorf("Run = %q, %q, want %q, %q", got, r.Probe.Verdict, want, probe.ConnectRefused)
	}
}

func TestRunThatIsInterrupted(t *testing.T) {
	t.Parallel()
	sim := platform(t, leqisim.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	o := optionsFor(t, sim.Address())
	o.Observe = func(c Check) {
		if c == Clock {
			cancel()
		}
	}
	r, err := Run(ctx, o)
	if err != nil || !r.Interrupted || len(r.Traces) != 0 {
		t.Errorf("Run = %+v, %v, want what was learnt so far", r, err)
	}
	if want := "dns_found connect_all tls_good call_good"; !strings.HasPrefix(wayOf(r), want) {
		t.Errorf("findings of the path = %q, want %q first", wayOf(r), want)
	}
}

func TestRunWithBadOptions(t *testing.T) {
	t.Parallel()
	o := optionsFor(t, netip.MustParseAddrPort("127.0.0.1:1"))
	o.Probe.Upstream.Host = ""
	if r, err := Run(t.Context(), o); err == nil {
		t.Errorf("Run = %+v, want an error", r)
	}
}
