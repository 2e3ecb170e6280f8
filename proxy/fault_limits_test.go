package proxy_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe/leqisim"
)

// connectCallers connects n callers to addr.
func connectCallers(t *testing.T, addr string, n int) (callers []*faultCaller) {
	t.Helper()
	for range n {
		c := &faultCaller{t: t, addr: addr}
		c.dial()
		callers = append(callers, c)
	}
	t.Cleanup(func() { closeCallers(callers) })
	return callers
}

func closeCallers(callers []*faultCaller) {
	for _, c := range callers {
		c.close()
	}
}

// TestFaultDescriptorsRunOut has more callers connect than the proxy has
// descriptors. Those that were accepted go on; what needs a descriptor fails
// before a byte of it was sent; and once there are descriptors again, those who
// waited are accepted and answered.
func TestFaultDescriptorsRunOut(t *testing.T) {
	takesSeconds(t)
	const descriptors, many, leaving = 120, 160, 100
	held := make(chan struct{})
	sim := startSim(t, leqisim.Options{Keep: -1, Rules: []leqisim.Rule{
		{Match: leqisim.Match{Path: faultPath + "?hold"}, Behaviour: leqisim.Behaviour{Hold: held}},
		{Match: leqisim.Match{Path: faultPath + "?late"}, Behaviour: leqisim.Behaviour{Delay: 100 * time.Millisecond}},
	}})
	child := startChild(t, "-fault.upstream="+sim.Address().String(), fmt.Sprintf("-fault.descriptors=%d", descriptors))
	table := newFaultTable()
	// The line is of the caller's own account: the child's log is not at hand.
	post := func(event string, c *faultCaller, query, tid string) faultAnswer {
		a := c.post(query, tid, faultBody)
		line := faultLine{tid: tid, status: a.status, reason: a.reason, delivered: "yes"}
		if a.reason != "" {
			line.delivered = deliveredOf(a)
		}
		if a.err != nil {
			t.Errorf("%s: %v", event, a.err)
			line.reason = "no answer"
		}
		table.add(event, line)
		return a
	}
	first := connectCallers(t, child.addr, 4)
	post("before", first[0], "x", "before")
	upstreams := sim.Stats().Open // one, and one that was made at the start
	crowd := connectCallers(t, child.addr, many)
	waitUntil(t, "the descriptors run out", func() bool { return child.state().descriptors == descriptors })

	for i := range 10 {
		if a := post("none left, a connection upstream is idle", first[i%4], "x", fmt.Sprintf("pooled-%d", i)); a.status != 200 {
			t.Errorf("an accepted caller got %d %s, want 200 over the connection that is there", a.status, a.reason)
		}
	}
	var wg sync.WaitGroup
	for i := range upstreams {
		wg.Go(func() {
			if a := post("none left, under way", first[i], "hold", fmt.Sprintf("held-%d", i)); a.status != 200 {
				t.Errorf("an exchange under way got %d %s, want 200", a.status, a.reason)
			}
		})
	}
	waitUntil(t, "the upstream has them", func() bool { return sim.Stats().Requests == 11+upstreams })
	if a := post("none left, none upstream", first[3], "x", "refused"); a.status != 502 || a.reason != "dial" || deliveredOf(a) != "no" {
		t.Errorf("without a descriptor: %d %s delivered %s, want 502 dial no", a.status, a.reason, deliveredOf(a))
	}
	close(held)
	wg.Wait()

	freed := time.Now()
	closeCallers(crowd[:leaving])
	waitUntil(t, "all who waited are accepted", func() bool { return child.state().connections == len(first)+many-leaving })
	t.Logf("accepted within %v", time.Since(freed).Round(time.Millisecond))
	for i, c := range crowd[leaving:] {
		if a := post("descriptors are back", c, "x", fmt.Sprintf("waited-%d", i)); a.status != 200 {
			t.Errorf("a caller who waited got %d %s, want 200", a.status, a.reason)
		}
	}
	closeCallers(crowd)
	recovered := time.Now()
	for round, good := 0, false; !good; round++ { // at once more than there are connections
		answers := make([]faultAnswer, len(first))
		for i, c := range first {
			wg.Go(func() {
				answers[i] = post("as many as before, descriptors are back", c, "late", fmt.Sprintf("again-%d-%d", round, i))
			})
		}
		wg.Wait()
		good = !slices.ContainsFunc(answers, func(a faultAnswer) bool { return a.status != 200 })
		if time.Since(recovered) > faultPatience {
			t.Fatal("exchanges do not all succeed again")
		}
	}
	took := time.Since(recovered)
	t.Logf("all exchanges succeeded after %v", took.Round(time.Millisecond))
	if took > 2*time.Second {
		t.Errorf("with descriptors again, exchanges went on failing for %v: what was lacking here is no fault of the upstream's address", took)
	}
	table.judge(t, sim)
}

// deliveredOf returns what an answer of the proxy's own says of delivery.
func deliveredOf(a faultAnswer) string {
	var own struct{ Error struct{ Delivered string } }
	if err := json.Unmarshal(a.body, &own); err != nil {
		return err.Error()
	}
	return own.Error.Delivered
}

// TestFaultTenThousandConnections holds ten thousand callers that do nothing,
// beside some that work, and reports what each takes of the proxy's memory:
// never used, and idle behind an exchange.
func TestFaultTenThousandConnections(t *testing.T) {
	takesSeconds(t)
	const many = 10_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur < many+1000 {
		t.Skipf("%d descriptors, want %d", limit.Cur, many+1000)
	}
	sim := startSim(t, leqisim.Options{Keep: -1})
	child := startChild(t, "-fault.upstream="+sim.Address().String())
	working := connectCallers(t, child.addr, 4)
	posts := 0
	work := func(callers []*faultCaller) {
		var wg sync.WaitGroup
		for part := range slices.Chunk(callers, max(1, len(callers)/4)) {
			from := posts
			posts += len(part)
			wg.Go(func() {
				for i, c := range part {
					if a := c.post("x", fmt.Sprintf("many-%d", from+i), faultBody); a.status != 200 {
						t.Errorf("a caller beside %d got %d %s (%v), want 200", many, a.status, a.reason, a.err)
					}
				}
			})
		}
		wg.Wait()
	}
	for range 100 {
		work(working)
	}
	empty := child.state()
	crowd := connectCallers(t, child.addr, many)
	waitUntil(t, "all are accepted", func() bool { return child.state().connections == many+len(working) })
	connected := child.state()
	for range 100 {
		work(working)
	}
	work(crowd)
	used := child.state()
	each := func(s faultState) string {
		return fmt.Sprintf("%.2f KiB in use, %.2f KiB resident", float64(s.heap-empty.heap)/many/1024, float64(s.resident-empty.resident)/many/1024)
	}
	t.Logf("each of %d connections takes: %s; behind an exchange: %s", many, each(connected), each(used))
	if bytes := (used.heap - empty.heap) / many; !underRace && bytes > 6<<10 {
		t.Errorf("an idle connection takes %d bytes, want at most 6 KiB", bytes)
	}
	closeCallers(crowd)
	waitUntil(t, "all are gone", func() bool {
		s := child.state()
		return s.connections == len(working) && s.goroutines <= empty.goroutines && s.descriptors <= empty.descriptors+len(working) // upstream
	})
	work(working)
	if repeated := sim.Repeated(); len(repeated) > 0 {
		t.Errorf("reached the upstream twice: %v", repeated)
	}
}

// TestFaultThousandCallersAtOnce has a thousand callers ask at once an upstream
// that takes a second. Nobody waits for another.
func TestFaultThousandCallersAtOnce(t *testing.T) {
	takesSeconds(t)
	many, limit := 1000, 2*time.Second
	if underRace { // its handshakes take ten times as long
		many, limit = 200, faultPatience
	}
	sim := startSim(t, leqisim.Options{Keep: -1, Rules: []leqisim.Rule{{Behaviour: leqisim.Behaviour{Delay: time.Second}}}})
	g := startFault(t, sim.Address(), faultParts{})
	callers := connectCallers(t, g.addr, many)
	table := newFaultTable()
	for round, event := range []string{"all at once, nothing connected", "all at once, all connected"} {
		var wg sync.WaitGroup
		began := time.Now()
		for i, c := range callers {
			wg.Go(func() {
				tid := fmt.Sprintf("thousand-%d-%d", round, i)
				a := c.post("x", tid, faultBody)
				line := g.log.line(t, tid)
				wantOutcome(t, tid, a, line, faultLine{status: 200, delivered: "yes"})
				table.add(event, line)
			})
		}
		wg.Wait()
		took := time.Since(began)
		t.Logf("%s: %d callers were answered within %v", event, many, took.Round(time.Millisecond))
		if took > limit {
			t.Logf("%s: that is more than %v", event, limit)
		}
	}
	closeCallers(callers)
	table.judge(t, sim)
}
