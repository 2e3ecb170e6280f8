package proxy

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestPace(t *testing.T) {
	t.Parallel()
	var p pace
	began := time.Unix(1000, 0)
	for _, step := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {time.Second, false}, {time.Minute - 1, false}, {time.Minute, true}, {time.Minute + 1, false}, {2 * time.Minute, true}} {
		if got := p.due(began.Add(step.after), time.Minute); got != step.want {
			t.Errorf("due() after %v = %v, want %v", step.after, got, step.want)
		}
	}
}

func TestBurst(t *testing.T) {
	t.Parallel()
	var b burst
	now := time.Unix(1000, 0)
	for i := range refusedBurst {
		if suppressed, ok := b.allow(now); !ok || suppressed != 0 {
			t.Errorf("allow() %d = %d, %v, want 0, true", i, suppressed, ok)
		}
	}
	for range 5 {
		if _, ok := b.allow(now.Add(refusedEvery - 1)); ok {
			t.Error("allow() = true beyond the burst")
		}
	}
	if suppressed, ok := b.allow(now.Add(refusedEvery)); !ok || suppressed != 5 {
		t.Errorf("allow() = %d, %v behind the burst, want 5, true", suppressed, ok)
	}
}

// TestRefusalsAreLoggedAtABoundedRate counts the entries of a flood.
func TestRefusalsAreLoggedAtABoundedRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		n := newNotices(j.logger())
		for range 1000 {
			n.refused(SourceRefused, netip.MustParseAddrPort("192.0.2.1:1"), "")
		}
		n.refused(ProxyHeader, netip.MustParseAddrPort("192.0.2.1:1"), "each reason for itself")
		if got := len(j.rest()); got != refusedBurst+1 {
			t.Errorf("%d entries, want %d", got, refusedBurst+1)
		}
		time.Sleep(refusedEvery) //nolint:forbidigo // virtual time
		n.refused(SourceRefused, netip.MustParseAddrPort("192.0.2.1:1"), "")
		wantEntry(t, j.next(t), map[string]any{"suppressed": float64(1000 - refusedBurst)})
	})
}

// TestRewrittenSourcesAreSaid: a public source is expected, and only private ones
// are seen.
func TestRewrittenSourcesAreSaid(t *testing.T) {
	t.Parallel()
	private, public := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("49.4.80.61")
	tests := []struct {
		name    string
		sources []string
		attempt func(see func(netip.Addr))
		want    int
	}{
		{"20 private ones in 10 minutes", []string{"49.4.80.61/32"}, func(see func(netip.Addr)) {
			for range 20 {
				see(private)
				time.Sleep(rewriteTime/19 + 1) //nolint:forbidigo // virtual time
			}
		}, 1},
		{"once a day", []string{"49.4.80.61/32"}, func(see func(netip.Addr)) {
			for range 3 * 24 * 6 {
				see(private)
				time.Sleep(10 * time.Minute) //nolint:forbidigo // virtual time
			}
		}, 3},
		{"too few", []string{"49.4.80.61/32"}, func(see func(netip.Addr)) {
			for range 19 {
				see(private)
				time.Sleep(time.Minute) //nolint:forbidigo // virtual time
			}
		}, 0},
		{"too soon", []string{"49.4.80.61/32"}, func(see func(netip.Addr)) {
			for range 1000 {
				see(private)
			}
		}, 0},
		{"one of them public", []string{"49.4.80.61/32"}, func(see func(netip.Addr)) {
			see(public)
			for range 100 {
				see(private)
				time.Sleep(time.Minute) //nolint:forbidigo // virtual time
			}
		}, 0},
		{"private ones expected", []string{"10.0.0.0/8"}, func(see func(netip.Addr)) {
			for range 100 {
				see(private)
				time.Sleep(time.Minute) //nolint:forbidigo // virtual time
			}
		}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				n := newNotices(j.logger())
				l := &live{expectsPublic: sources(test.sources...).PublicIPv4() > 0}
				test.attempt(func(a netip.Addr) { n.sourceSeen(l, a) })
				entries := j.rest()
				if len(entries) != test.want {
					t.Fatalf("%d entries, want %d", len(entries), test.want)
				}
				for _, e := range entries {
					wantEntry(t, e, map[string]any{"event": EventSourceRewrite, "source": "10.0.0.1", "level": "warn"})
				}
			})
		})
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	n := newIDs()
	seen := make(map[[idSize]byte]bool)
	for range 1000 {
		id := n.next()
		if seen[id] || string(id[:8]) != string(n.process[:]) {
			t.Fatalf("next() = %s, want one that is new and begins with %s", id, n.process)
		}
		seen[id] = true
	}
	if id := n.next(); string(id[8:]) != "000003e9" {
		t.Errorf("next() ends in %s, want 000003e9", id[8:])
	}
	n.last.Store(1<<32 - 2)
	if id := n.next(); string(id[8:]) != "ffffffff" {
		t.Errorf("next() ends in %s, want ffffffff", id[8:])
	}
	if id := n.next(); string(id[8:]) != "00000000" {
		t.Errorf("next() ends in %s behind the last, want 00000000", id[8:])
	}
}
