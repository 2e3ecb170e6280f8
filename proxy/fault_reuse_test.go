package proxy_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe/leqisim"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// A faultReuse is a way in which the upstream ends idle connections while
// callers are about to use them.
type faultReuse struct {
	name   string
	fresh  bool           // upstream.fresh_connections
	rules  []leqisim.Rule // that end connections some time after an answer
	random bool           // and all that are idle at random moments
	far    bool           // the upstream is wayAway
	posts  int            // of each caller
	pause  func() time.Duration
	clean  bool // none may fail
}

// wayAway is how long bytes travel to an upstream that is far. What it sends
// and what is sent to it cross in that time.
const wayAway = 30 * time.Millisecond

// reuses are all ways. The busy callers come back at once, the others all
// together about when the upstream ends their connections.
func reuses() []faultReuse {
	scale := 1
	if *soak > 0 {
		scale = 1 + int(soak.Seconds()/5)
	}
	busy := func() time.Duration { return rand.N(3 * time.Millisecond) }
	began := time.Now()
	crossing := func(every time.Duration) func() time.Duration {
		return func() time.Duration { return every - time.Since(began)%every + rand.N(4*wayAway) }
	}
	const end, later = 2 * time.Second, 3 * time.Second // later than announced, as a busy machine may stand still for a second
	return []faultReuse{
		{name: "within 3 ms of the answer", rules: endings(30, 3*time.Millisecond), posts: 60 * scale, pause: busy},
		{name: "all idle ones every 2 ms", random: true, posts: 60 * scale, pause: busy},
		{name: "right behind the answer", rules: endings(1, 0), posts: 25 * scale, pause: busy},
		{name: "fresh_connections, within 3 ms", fresh: true, rules: endings(30, 3*time.Millisecond), posts: 25 * scale, pause: busy, clean: true},
		{name: "2 s, far away", far: true, rules: endings(1, end), posts: 5 * scale, pause: crossing(end)},
		{name: "2 s, far away, fresh_connections", far: true, fresh: true, rules: endings(1, end), posts: 5 * scale, pause: crossing(end), clean: true},
		{name: "3 s, far away, Keep-Alive: timeout=2", far: true, rules: endings(1, later, "Keep-Alive: timeout=2"), posts: 5 * scale, pause: crossing(later), clean: true},
	}
}

// TestFaultIdleConnectionsEndAroundReuse sends thousands of requests over
// connections that end by the upstream's will. Whichever of both comes first,
// none may arrive twice; with new connections for each exchange, and with an
// upstream that says when it will close, none may fail either.
func TestFaultIdleConnectionsEndAroundReuse(t *testing.T) {
	takesSeconds(t)
	table := newFaultTable()
	var sims []*leqisim.Server
	var wg sync.WaitGroup
	for _, r := range reuses() {
		sim := startSim(t, leqisim.Options{Rules: r.rules, Keep: -1})
		sims = append(sims, sim)
		to := sim.Address()
		if r.far {
			to = startRelay(t, to, far(wayAway)).address()
		}
		g := startFault(t, to, faultParts{run: true, upstream: func(o *upstream.Options) { o.Fresh = r.fresh }})
		wg.Go(func() { r.run(t, g, sim, table) })
	}
	wg.Wait()
	for _, r := range reuses() {
		if n := table.failed(r.name); r.clean && n > 0 {
			t.Errorf("%s: %d exchanges failed, want 0", r.name, n)
		}
	}
	table.judge(t, sims...)
}

// endings are rules by which every connection ends, in one of the ways, at one
// of n times up to most after its answer; the answer may announce it.
func endings(n int, most time.Duration, fields ...string) (rules []leqisim.Rule) {
	for i := range n * len(faultKinds) {
		wait := most
		if n > 1 {
			wait = time.Duration(i/len(faultKinds)) * most / time.Duration(n)
		}
		rules = append(rules, leqisim.Rule{
			Match: leqisim.Match{Times: 1, Of: n*len(faultKinds) - i}, // of those that the earlier ones leave
			Behaviour: leqisim.Behaviour{
				Fields: fields,
				Fault:  leqisim.Fault{Kind: faultKinds[i%len(faultKinds)], Phase: leqisim.PhaseIdle, Wait: wait},
			},
		})
	}
	return rules
}

// run has sixteen callers send their requests, each after a pause.
func (r faultReuse) run(t *testing.T, g *faultRig, sim *leqisim.Server, table *faultTable) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	if r.random {
		wg.Go(func() {
			for ctx.Err() == nil {
				sim.CloseIdle(faultKinds[rand.N(len(faultKinds))])
				faultPause(rand.N(4 * time.Millisecond))
			}
		})
	}
	var callers sync.WaitGroup
	for caller := range 16 {
		callers.Go(func() {
			c := &faultCaller{t: t, addr: g.addr}
			defer c.close()
			for i := range r.posts {
				faultPause(r.pause())
				tid := fmt.Sprintf("%s/%d/%d", r.name, caller, i)
				a := c.post("x", tid, faultBody)
				line := g.log.line(t, tid)
				r.check(t, a, line)
				table.add(r.name, line)
			}
		})
	}
	callers.Wait()
	cancel()
	wg.Wait()
}

// check holds that an exchange was answered, or failed as a closed connection
// makes it fail.
func (r faultReuse) check(t *testing.T, a faultAnswer, line faultLine) {
	t.Helper()
	want := faultLine{status: 200, delivered: "yes"}
	if line.reason != "" {
		want = faultLine{status: 502, reason: "upstream_closed", delivered: "unknown"}
	}
	wantOutcome(t, r.name, a, line, want)
	if line.reason != "" && !line.reused && !r.random { // those at random moments may be new
		t.Errorf("%s: an exchange on a new connection failed", r.name)
	}
}
