package upstream

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// A zone is DNS that changes.
type zone struct {
	mu      sync.Mutex
	answer  []netip.Addr
	err     error
	lookups int
}

func (z *zone) set(answer []netip.Addr, err error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.answer, z.err = answer, err
}

func (z *zone) lookup(context.Context, string) ([]netip.Addr, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.lookups++
	return z.answer, z.err
}

func (z *zone) count() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.lookups
}

// named returns an upstream whose name is looked up in z, and whose addresses
// all refuse.
func named(t *testing.T, z *zone, log *zap.Logger) *Upstream {
	t.Helper()
	o := options(netip.MustParseAddrPort("127.0.0.1:1"))
	o.FixedIPs = nil
	u := newLogged(t, o, nil, nil, log)
	u.resolver.lookup = z.lookup
	u.dial = refusing(new(atomic.Int32))
	return u
}

func inUse(u *Upstream) []string {
	var s []string
	for _, a := range u.Status().Addresses {
		s = append(s, a.Addr.String())
	}
	return s
}

// events returns the values of the field event, in order.
func events(logs *observer.ObservedLogs) []string {
	var names []string
	for _, e := range logs.All() {
		if name, ok := e.ContextMap()[keyEvent].(string); ok {
			names = append(names, name)
		}
	}
	return names
}

func TestChangesOfDNSAreFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.InfoLevel)
		z := &zone{answer: ips(t, "127.0.0.1")}
		u := named(t, z, zap.New(core))
		u.addrs.good = netip.MustParseAddr("127.0.0.1")
		u.resolver.wanted = nil // nothing but the clock
		run(t, u)
		synctest.Wait()
		steps := []struct {
			answer []netip.Addr
			err    error
			want   []string
		}{
			{ips(t, "127.0.0.2", "127.0.0.1"), nil, []string{"127.0.0.2", "127.0.0.1"}},
			{ips(t, "127.0.0.1", "127.0.0.2"), nil, []string{"127.0.0.1", "127.0.0.2"}},
			{nil, errDead, []string{"127.0.0.1", "127.0.0.2"}}, // the last good set stays
			{nil, nil, []string{"127.0.0.1", "127.0.0.2"}},
			{ips(t, "::ffff:127.0.0.3", "127.0.0.3"), nil, []string{"127.0.0.3"}},
		}
		for i, s := range steps {
			z.set(s.answer, s.err)
			advance(resolveEvery)
			if diff := cmp.Diff(s.want, inUse(u)); diff != "" {
				t.Errorf("step %d: addresses (-want +got):\n%s", i, diff)
			}
			if got := u.Status().Lookup != ""; got != (len(s.answer) == 0) {
				t.Errorf("step %d: Status().Lookup = %q", i, u.Status().Lookup)
			}
		}
		want := []string{eventDown, eventAddressesChanged, eventAddressesChanged}
		if diff := cmp.Diff(want, events(logs)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestTheNameIsLookedUpWhenAllAddressesFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		z := &zone{answer: ips(t, "127.0.0.1")}
		u := named(t, z, nil)
		run(t, u)
		synctest.Wait() // looked up once, connected in vain once
		z.set(ips(t, "127.0.0.2"), nil)
		advance(resolvePause - 1)
		if got := z.count(); got != 1 {
			t.Errorf("%d lookups within %v, want 1", got, resolvePause)
		}
		advance(1)
		if diff := cmp.Diff([]string{"127.0.0.2"}, inUse(u)); diff != "" {
			t.Errorf("addresses (-want +got):\n%s", diff)
		}
	})
}

func TestANameThatDoesNotResolve(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		z := &zone{err: errDead}
		u := named(t, z, nil)
		for i := range 3 {
			_, err := u.Get(t.Context())
			wantPhase(t, err, PhaseResolve)
			if !errors.Is(err, errDead) || err.Error() != "resolving upstream: dead" {
				t.Errorf("Get() %d = %v, want the resolver's error", i, err)
			}
		}
		if got := z.count(); got != 1 {
			t.Errorf("%d lookups for 3 callers, want 1", got)
		}
		z.set(ips(t, "127.0.0.1"), nil)
		advance(trialEvery)
		_, err := u.Get(t.Context())
		wantPhase(t, err, PhaseDial)
	})
}

func TestCallersShareALookup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := named(t, nil, nil)
		var lookups atomic.Int32
		u.resolver.lookup = func(context.Context, string) ([]netip.Addr, error) {
			lookups.Add(1)
			<-time.After(time.Second)
			return nil, errDead
		}
		start := time.Now()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if _, err := u.Get(t.Context()); !errors.Is(err, errDead) {
					t.Errorf("Get() = %v, want %v", err, errDead)
				}
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if _, err := u.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get() of an impatient caller = %v, want %v", err, context.DeadlineExceeded)
		}
		wg.Wait()
		if n, d := lookups.Load(), time.Since(start); n > 2 || d > 2*time.Second {
			t.Errorf("%d lookups in %v, want no more than 2 in 2s", n, d)
		}
	})
}

// A lookup that hangs ends with the connect step.
func TestALookupThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := named(t, nil, nil)
		u.resolver.lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		start := time.Now()
		_, err := u.Get(t.Context())
		wantPhase(t, err, PhaseResolve)
		if d := time.Since(start); d != lookupLimit {
			t.Errorf("Get() took %v, want %v", d, lookupLimit)
		}
	})
}

func TestUsableAddresses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		list  []string
		local string
		want  []string
	}{
		{"all", []string{"127.0.0.1", "::1"}, "", []string{"127.0.0.1", "::1"}},
		{"repeated", []string{"127.0.0.1", "::ffff:127.0.0.1"}, "", []string{"127.0.0.1"}},
		{"from IPv4", []string{"::1", "127.0.0.1"}, "127.0.0.2", []string{"127.0.0.1"}},
		{"from mapped IPv4", []string{"::1", "127.0.0.1"}, "::ffff:127.0.0.2", []string{"127.0.0.1"}},
		{"from IPv6", []string{"::1", "127.0.0.1"}, "::1", []string{"::1"}},
		{"none", []string{"::1"}, "127.0.0.2", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var local netip.Addr
			if tt.local != "" {
				local = netip.MustParseAddr(tt.local)
			}
			if diff := cmp.Diff(tt.want, texts(usable(ips(t, tt.list...), local))); diff != "" {
				t.Errorf("usable(%v, %v) (-want +got):\n%s", tt.list, local, diff)
			}
		})
	}
}

func TestNamesWithoutAUsableAddress(t *testing.T) {
	t.Parallel()
	o := options(netip.MustParseAddrPort("127.0.0.1:1"))
	o.FixedIPs, o.LocalAddress = nil, netip.MustParseAddr("::1")
	byName := newUpstream(t, o)
	byName.resolver.lookup = (&zone{answer: ips(t, "127.0.0.1")}).lookup
	o.Host = "127.0.0.1"
	for _, u := range []*Upstream{byName, newUpstream(t, o)} {
		_, err := u.Get(t.Context())
		wantPhase(t, err, PhaseResolve)
	}
}

// localhost is in /etc/hosts everywhere, and never asked of DNS.
func TestTheHostsFileCounts(t *testing.T) {
	t.Parallel()
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
	o := options(p.addr)
	o.Host, o.FixedIPs = "localhost", nil
	c := mustGet(t, newUpstream(t, o))
	defer c.Close()
	exchange(t, c)
}

func TestAuthority(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		host string
		port uint16
		want string
	}{
		{"lqpt.chinatax.gov.cn", 8443, "lqpt.chinatax.gov.cn:8443"},
		{"lqpt.chinatax.gov.cn", 443, "lqpt.chinatax.gov.cn"},
		{"127.0.0.1", 443, "127.0.0.1"},
		{"::1", 443, "[::1]"},
		{"::1", 8443, "[::1]:8443"},
	} {
		o := options(netip.MustParseAddrPort("127.0.0.1:1"))
		o.Host, o.Port = tt.host, tt.port
		if got := newUpstream(t, o).Authority(); got != tt.want {
			t.Errorf("Authority() of %s, %d = %q, want %q", tt.host, tt.port, got, tt.want)
		}
	}
}
