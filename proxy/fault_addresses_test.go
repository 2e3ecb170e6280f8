package proxy_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe/leqisim"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// A faultFleet is several addresses of one host, each with an upstream of its own.
type faultFleet struct {
	t     *testing.T
	port  uint16
	rules []leqisim.Rule
	all   []*leqisim.Server // that ever were, for what they received
	alive []*leqisim.Server // by address
}

// startFleet starts upstreams at 127.0.0.2 and on, all at one port.
func startFleet(t *testing.T, n int, rules ...leqisim.Rule) *faultFleet {
	t.Helper()
	f := &faultFleet{t: t, rules: rules, alive: make([]*leqisim.Server, n)}
	for i := range n {
		f.rise(i)
	}
	return f
}

func (f *faultFleet) addr(i int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i)}) }

func (f *faultFleet) addrs() (list []netip.Addr) {
	for i := range f.alive {
		list = append(list, f.addr(i))
	}
	return list
}

// rise starts the upstream of an address.
func (f *faultFleet) rise(i int) {
	f.t.Helper()
	f.alive[i] = startSim(f.t, leqisim.Options{
		Address: netip.AddrPortFrom(f.addr(i), f.port).String(), Keep: -1, Rules: f.rules,
	})
	f.port = f.alive[i].Address().Port()
	f.all = append(f.all, f.alive[i])
}

// An outage is a time in which an address was dying.
type outage struct{ from, to time.Time }

// fall ends the upstream of an address with all of its connections.
func (f *faultFleet) fall(i int) outage {
	f.t.Helper()
	from := time.Now()
	if err := f.alive[i].Close(); err != nil {
		f.t.Errorf("closing the upstream: %v", err)
	}
	return outage{from, time.Now()}
}

// TestFaultAddressesDieAndComeBack ends one address after the other, under load.
// No exchange fails but those that were at the address when it died.
func TestFaultAddressesDieAndComeBack(t *testing.T) {
	takesSeconds(t)
	fleet := startFleet(t, 3, leqisim.Rule{Behaviour: leqisim.Behaviour{Delay: 3 * time.Millisecond}})
	to := netip.AddrPortFrom(fleet.addr(0), fleet.port)
	g := startFault(t, to, faultParts{run: true, upstream: func(o *upstream.Options) {
		o.FixedIPs = fleet.addrs()
		o.DialTimeout = 300 * time.Millisecond
	}})
	table := newFaultTable()
	var (
		over     atomic.Bool
		wg       sync.WaitGroup
		mu       sync.Mutex // guards failures
		failures []faultAnswer
	)
	for caller := range 12 {
		wg.Go(func() {
			c := &faultCaller{t: t, addr: g.addr}
			defer c.close()
			for i := 0; !over.Load(); i++ {
				tid := fmt.Sprintf("address-%d-%d", caller, i)
				a, line := c.post("x", tid, faultBody), g.log.line(t, tid)
				table.add("an address dies and comes back", line)
				want := faultLine{status: 200, delivered: "yes"}
				if line.reason != "" {
					want = faultLine{status: 502, reason: "upstream_closed", delivered: "unknown"}
					mu.Lock()
					failures = append(failures, a)
					mu.Unlock()
				}
				wantOutcome(t, tid, a, line, want)
			}
		})
	}
	outages := fleet.suffer(faultDuration(4 * time.Second))
	over.Store(true)
	wg.Wait()
	for _, a := range failures {
		if !slices.ContainsFunc(outages, func(o outage) bool { return a.began.Before(o.to) && a.ended.After(o.from) }) {
			t.Errorf("an exchange failed from %v to %v, when no address died", a.began, a.ended)
		}
	}
	if most := 12 * len(outages); len(failures) > most {
		t.Errorf("%d exchanges failed in %d outages of 12 callers, want at most %d", len(failures), len(outages), most)
	}
	t.Logf("%d outages, %d exchanges failed, all of them in flight then", len(outages), len(failures))
	table.judge(t, fleet.all...)
}

// suffer has single addresses die, be banned, and come back, for d.
func (f *faultFleet) suffer(d time.Duration) (outages []outage) {
	f.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		i := rand.N(len(f.alive))
		faultPause(100*time.Millisecond + rand.N(100*time.Millisecond))
		if rand.N(3) == 0 { // nothing dies: attempts to connect are dropped, connections go on
			if err := f.alive[i].Ban(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
				f.t.Error(err)
			}
			faultPause(rand.N(400 * time.Millisecond))
			if err := f.alive[i].Lift(); err != nil {
				f.t.Error(err)
			}
			continue
		}
		outages = append(outages, f.fall(i))
		faultPause(rand.N(400 * time.Millisecond))
		f.rise(i)
	}
	return outages
}
