package probe

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/probe/leqisim"
)

func TestAName(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	o := options(sim.Address())
	o.Upstream.Host, o.Upstream.FixedIPs = "localhost", nil
	o.Upstream.LocalAddress = netip.MustParseAddr("127.0.0.1") // leaves ::1 out
	r := mustRun(t, o)
	if r.Verdict != Reached || r.Resolve.Source != SourceHosts || r.Resolve.Took <= 0 {
		t.Errorf("Run() = %q, %+v, want %q from %q", r.Verdict, r.Resolve, Reached, SourceHosts)
	}
}

func TestSources(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	o := options(sim.Address())
	if got := mustRun(t, o).Resolve.Source; got != SourceFixed {
		t.Errorf("source = %q, want %q", got, SourceFixed)
	}
	o.Address = sim.Address().Addr()
	o.Upstream.FixedIPs = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	if r := mustRun(t, o); r.Resolve.Source != SourceChosen || r.Verdict != Reached {
		t.Errorf("source = %q, verdict %q, want %q, %q", r.Resolve.Source, r.Verdict, SourceChosen, Reached)
	}
	o = options(sim.Address())
	o.Upstream.Host, o.Upstream.FixedIPs = "127.0.0.1", nil
	if got := mustRun(t, o).Resolve.Source; got != SourceHost {
		t.Errorf("source = %q, want %q", got, SourceHost)
	}
}

func TestInHosts(t *testing.T) {
	t.Parallel()
	list := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	for hosts, want := range map[string]bool{
		"":                                      false,
		"192.0.2.1 lqpt.chinatax.gov.cn":        true,
		"192.0.2.1\tother LQPT.chinatax.gov.cn": true,
		"::ffff:192.0.2.1 lqpt.chinatax.gov.cn": true,
		"2001:db8::1 lqpt.chinatax.gov.cn # x":  true,
		"192.0.2.2 lqpt.chinatax.gov.cn":        false,
		"# 192.0.2.1 lqpt.chinatax.gov.cn":      false,
		"192.0.2.1 # lqpt.chinatax.gov.cn":      false,
		"192.0.2.1 chinatax.gov.cn":             false,
		"192.0.2.1":                             false,
		"x lqpt.chinatax.gov.cn":                false,
	} {
		if got := inHosts(strings.NewReader("127.0.0.1 localhost\n"+hosts+"\n"), "lqpt.chinatax.gov.cn", list); got != want {
			t.Errorf("inHosts(%q) = %v, want %v", hosts, got, want)
		}
	}
}

// RFC 6761 section 6.4: nobody resolves .invalid. This machine may have no
// resolver at all, which is the same to us.
func TestUnresolved(t *testing.T) {
	t.Parallel()
	o := options(netip.MustParseAddrPort("127.0.0.1:1"))
	o.Upstream.Host, o.Upstream.FixedIPs = strings.Repeat("x", 64)+".invalid", nil // refused before anybody is asked
	r := mustRun(t, o)
	if r.Verdict != Unresolved || r.Resolve.Error == "" || len(r.Resolve.Addresses) != 0 || len(r.Connect) != 0 {
		t.Errorf("Run() = %q, %+v, want %q with the error", r.Verdict, r.Resolve, Unresolved)
	}
}

func TestConnectVerdicts(t *testing.T) {
	t.Parallel()
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := ln.Addr().(*net.TCPAddr).AddrPort()
		ln.Close()
		r := mustRun(t, options(addr))
		want := []Connect{{Address: addr, Verdict: ConnectRefused, Error: "connection refused"}}
		r.Connect[0].Took = 0
		if diff := cmp.Diff(want, r.Connect, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" || r.Verdict != ConnectRefused {
			t.Errorf("Run() = %q, want %q (-want +got):\n%s", r.Verdict, ConnectRefused, diff)
		}
	})
	t.Run("timed out", func(t *testing.T) {
		t.Parallel()
		sim := newSim(t, leqisim.Options{Banned: true})
		o := options(sim.Address())
		o.Upstream.DialTimeout = 200 * time.Millisecond
		r := mustRun(t, o)
		if c := r.Connect[0]; r.Verdict != TimedOut || c.Verdict != TimedOut || time.Duration(c.Took) < o.Upstream.DialTimeout {
			t.Errorf("Run() = %q, %+v, want %q", r.Verdict, c, TimedOut)
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		t.Parallel()
		o := options(netip.MustParseAddrPort("127.0.0.1:8443"))
		o.Upstream.LocalAddress = netip.MustParseAddr("192.0.2.77") // not this machine's
		r := mustRun(t, o)
		if c := r.Connect[0]; r.Verdict != Unreachable || c.Error != "cannot assign requested address" {
			t.Errorf("Run() = %q, %+v, want %q", r.Verdict, c, Unreachable)
		}
	})
}

// One good address is enough, and it is the one that is called.
func TestEachAddressIsConnectedTo(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	o := options(sim.Address())
	o.Upstream.FixedIPs = []netip.Addr{netip.MustParseAddr("127.0.0.77"), sim.Address().Addr()}
	r := mustRun(t, o)
	var got []string
	for _, c := range r.Connect {
		got = append(got, fmt.Sprintf("%v %s", c.Address.Addr(), c.Verdict))
	}
	want := []string{"127.0.0.77 connect_refused", "127.0.0.1 path_open"}
	if diff := cmp.Diff(want, got); diff != "" || r.Verdict != Reached {
		t.Errorf("Run() = %q, connects (-want +got):\n%s", r.Verdict, diff)
	}
	if got := r.Calls[0].Attempts[0].Peer; got != sim.Address().String() {
		t.Errorf("called %s, want %s", got, sim.Address())
	}
}

func TestLocalAddress(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	o := options(sim.Address())
	o.Upstream.LocalAddress = netip.MustParseAddr("127.0.0.9")
	r := mustRun(t, o)
	if got := sim.Exchanges()[0].Peer.Addr(); got != o.Upstream.LocalAddress || r.Connect[0].Local.Addr() != got {
		t.Errorf("called from %v, connected from %v, want %v", got, r.Connect[0].Local, o.Upstream.LocalAddress)
	}
}
