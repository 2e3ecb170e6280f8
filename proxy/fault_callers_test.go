package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe/leqisim"
	"github.com/lqproxy/lqproxy/proxy"
)

// A vanishing is a place of an exchange at which callers leave.
type vanishing struct {
	name   string
	length int                      // of the body that the head announces
	sent   func(message []byte) int // bytes that are sent
	hold   bool                     // until the upstream has begun to answer
	size   int64                    // of the answer
	read   int64                    // bytes of it that are read

	seen     int  // exchanges of which the upstream learns
	whole    bool // it gets all of the request
	fin, rst faultLine
	unlogged bool
}

// vanishings are all places. What a FIN means depends on the place: while the
// request is not whole it is half a request; behind it, it is a caller who waits.
func vanishings() []vanishing {
	half := func(m []byte) int { return bytes.Index(m, []byte("\r\n\r\n")) / 2 }
	head := func(m []byte) int { return bytes.Index(m, []byte("\r\n\r\n")) + 4 }
	body := func(m []byte) int { return (head(m) + len(m)) / 2 }
	all := func(m []byte) int { return len(m) }
	cut := faultLine{status: 400, reason: "bad_request", delivered: "no"}
	gone := faultLine{status: 499, reason: "client_gone", delivered: "no"}
	cutSent, goneSent := cut, gone
	cutSent.delivered, goneSent.delivered = "unknown", "unknown"
	answered := faultLine{status: 200, delivered: "yes"}
	goneAnswered := faultLine{status: 499, reason: "client_gone", delivered: "yes"}
	goneReading := faultLine{status: 200, reason: "client_gone", delivered: "yes"}
	return []vanishing{
		{name: "connected", sent: func([]byte) int { return 0 }, unlogged: true},
		{name: "half a head", length: 100, sent: half, fin: cut, rst: gone},
		{name: "a head", length: 100, sent: head, fin: cut, rst: gone},
		{name: "half a body", length: 1000, sent: body, fin: cut, rst: gone},
		{name: "half a body of 1 MiB", length: 1 << 20, sent: body, seen: 1, fin: cutSent, rst: goneSent},
		{name: "waiting", length: 100, sent: all, hold: true, seen: 1, whole: true, fin: answered, rst: goneAnswered},
		{name: "half an answer of 8 MiB", length: 100, sent: all, size: 8 << 20, read: 4 << 20, seen: 1, whole: true, fin: goneReading, rst: goneReading},
	}
}

// TestFaultCallersVanish has callers leave at each place, by FIN and by RST. A
// request that was not whole is never taken for one; one that was is followed
// to its answer.
func TestFaultCallersVanish(t *testing.T) {
	takesSeconds(t)
	table := newFaultTable()
	var sims []*leqisim.Server
	for _, v := range vanishings() {
		for _, way := range []string{"FIN", "RST"} {
			for round := range 3 {
				sims = append(sims, v.try(t, table, way, round))
			}
		}
	}
	table.judge(t, sims...)
}

// try has one caller vanish.
func (v vanishing) try(t *testing.T, table *faultTable, way string, round int) *leqisim.Server {
	t.Helper()
	event := v.name + ", " + way
	hold := make(chan struct{})
	behaviour := leqisim.Behaviour{Size: v.size}
	if v.hold {
		behaviour.Hold = hold
	}
	sim := startSim(t, leqisim.Options{Rules: []leqisim.Rule{{Match: leqisim.Match{Times: 1}, Behaviour: behaviour}}})
	g := startFault(t, sim.Address(), faultParts{})
	c := &faultCaller{t: t, addr: g.addr}
	c.dial()
	tid := fmt.Sprintf("%s %d", event, round)
	message := append([]byte(faultHead("x", tid, v.length)), bytes.Repeat([]byte("x"), v.length)...)
	if _, err := c.tcp.Write(message[:v.sent(message)]); err != nil {
		t.Errorf("%s: sending: %v", event, err)
	}
	if v.seen > 0 {
		waitUntil(t, "the upstream learns of the request", func() bool { return sim.Stats().Requests == v.seen })
	} else {
		waitUntil(t, "the connection is accepted", func() bool { return g.gauge("lqproxy_limit_current", "connections") == 1 })
	}
	if _, err := io.CopyN(io.Discard, c.r, v.read); err != nil {
		t.Errorf("%s: reading a part of the answer: %v", event, err)
	}
	if way == "RST" {
		c.reset()
	} else {
		c.close()
	}
	if v.hold {
		faultPause(20 * time.Millisecond) // the FIN or RST comes first
	}
	close(hold)
	v.check(t, g, sim, table, event, tid)
	return sim
}

// check compares what the log says and what the upstream saw with what must be.
func (v vanishing) check(t *testing.T, g *faultRig, sim *leqisim.Server, table *faultTable, event, tid string) {
	t.Helper()
	want := v.fin
	if strings.HasSuffix(event, "RST") {
		want = v.rst
	}
	if v.unlogged {
		waitUntil(t, "the connection has ended", func() bool { return g.gauge("lqproxy_limit_current", "connections") == 0 })
		if line, ok, _ := g.log.find(""); ok {
			t.Errorf("%s: logged %+v, want nothing", event, line)
		}
		return
	}
	if v.name == "half a head" {
		tid = "" // it was never read
	}
	line := g.log.line(t, tid)
	if line.status != want.status || line.reason != want.reason || line.delivered != want.delivered {
		t.Errorf("%s: logged %d %q delivered %q, want %d %q %q", event,
			line.status, line.reason, line.delivered, want.status, want.reason, want.delivered)
	}
	table.add(event, line)
	g.wantFree()
	waitUntil(t, "the upstream is through", func() bool { return sim.Stats().Answered == v.seen })
	if n := len(sim.Exchanges()); n != v.seen {
		t.Fatalf("%s: the upstream saw %d exchanges, want %d", event, n, v.seen)
	}
	for _, x := range sim.Exchanges() {
		if x.Whole != v.whole {
			t.Errorf("%s: the upstream has a whole request: %t, want %t", event, x.Whole, v.whole)
		}
		if x.AnswerBytes < v.size {
			t.Errorf("%s: %d bytes of the answer were taken, want all %d", event, x.AnswerBytes, v.size)
		}
	}
}

// Callers that take their time.
const (
	slowHeads   = 120
	slowBodies  = 120
	slowReaders = 12
	fastCallers = 4
)

// TestFaultSlowCallersHinderNobody has hundreds of callers drip their heads and
// bodies and read their answers slowly, beside some fast ones.
func TestFaultSlowCallersHinderNobody(t *testing.T) {
	takesSeconds(t)
	const answerSize = 8 << 20 // more than the sockets hold
	sim := startSim(t, leqisim.Options{Keep: -1, Rules: []leqisim.Rule{{
		Match:     leqisim.Match{Path: faultPath + "?large"},
		Behaviour: leqisim.Behaviour{Size: answerSize},
	}}})
	g := startFault(t, sim.Address(), faultParts{options: func(o *proxy.Options) {
		o.Limits.Exchanges = slowReaders + fastCallers // no slot is left for those who drip
		o.HeaderTimeout = time.Minute
	}})
	table := newFaultTable()
	d := faultDuration(2 * time.Second)
	alone := g.fast(table, "fast, alone", d)

	var over atomic.Bool
	var wg sync.WaitGroup
	for i := range slowHeads {
		wg.Go(func() { g.drip(table, fmt.Sprintf("head-%d", i), "slow heads", true, &over) })
	}
	for i := range slowBodies {
		wg.Go(func() { g.drip(table, fmt.Sprintf("body-%d", i), "slow bodies", false, &over) })
	}
	for i := range slowReaders {
		wg.Go(func() { g.sip(table, fmt.Sprintf("read-%d", i), answerSize, &over) })
	}
	waitUntil(t, "the slow readers have their slots", func() bool {
		return g.gauge("lqproxy_limit_current", "exchanges") == slowReaders
	})
	waitUntil(t, "all slow callers are there", func() bool {
		return g.gauge("lqproxy_limit_current", "connections") == slowHeads+slowBodies+slowReaders
	})
	faultPause(time.Second) // until the answers have filled what is between upstream and callers
	beside := g.fast(table, "fast, beside them", d)
	if n := g.gauge("lqproxy_limit_reached_total", "exchanges"); n != 0 {
		t.Errorf("%v exchanges had to wait for a slot, want 0", n)
	}
	over.Store(true)
	wg.Wait()
	g.wantFree()
	t.Logf("the median of the fast ones: %v alone, %v beside %d slow ones", alone, beside, slowHeads+slowBodies+slowReaders)
	table.judge(t, sim)
}

// fast has the fast callers work for d, and returns the median and the 99th
// percentile of their times.
func (g *faultRig) fast(table *faultTable, event string, d time.Duration) string {
	var mu sync.Mutex // guards all
	var all []time.Duration
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	for caller := range fastCallers {
		wg.Go(func() {
			c := &faultCaller{t: g.t, addr: g.addr}
			defer c.close()
			for i := 0; time.Now().Before(end); i++ {
				tid := fmt.Sprintf("%s/%d/%d", event, caller, i)
				a, line := c.post("x", tid, faultBody), g.log.line(g.t, tid)
				wantOutcome(g.t, tid, a, line, faultLine{status: 200, delivered: "yes"})
				table.add(event, line)
				mu.Lock()
				all = append(all, a.took())
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(all)
	return fmt.Sprintf("%v, p99 %v", all[len(all)/2], all[len(all)*99/100])
}

// drip sends head or body in pieces until it is over, and then the rest.
func (g *faultRig) drip(table *faultTable, tid, event string, dripHead bool, over *atomic.Bool) {
	c := &faultCaller{t: g.t, addr: g.addr}
	defer c.close()
	c.dial()
	c.tcp.SetDeadline(time.Now().Add(faultPatience + *soak*3))
	body := bytes.Repeat([]byte("x"), 4000)
	rest := append([]byte(faultHead("x", tid, len(body))), body...)
	if !dripHead {
		head := len(rest) - len(body)
		g.write(c.tcp, rest[:head])
		rest = rest[head:]
	}
	for ; !over.Load() && len(rest) > 100; rest = rest[1:] {
		g.write(c.tcp, rest[:1])
		faultPause(50 * time.Millisecond)
	}
	for ; !over.Load(); faultPause(50 * time.Millisecond) {
	}
	g.write(c.tcp, rest)
	var a faultAnswer
	c.answer(&a)
	line := g.log.line(g.t, tid)
	wantOutcome(g.t, tid, a, line, faultLine{status: 200, delivered: "yes"})
	table.add(event, line)
}

func (g *faultRig) write(c net.Conn, b []byte) {
	if _, err := c.Write(b); err != nil {
		g.t.Errorf("a slow caller cannot send: %v", err)
	}
}

// sip reads a large answer in small pieces until it is over, and then the rest.
func (g *faultRig) sip(table *faultTable, tid string, size int, over *atomic.Bool) {
	c := &faultCaller{t: g.t, addr: g.addr}
	defer c.close()
	c.dial()
	c.tcp.SetDeadline(time.Now().Add(faultPatience + *soak*3))
	g.write(c.tcp, append([]byte(faultHead("large", tid, 2)), "{}"...))
	var got []byte
	for piece := make([]byte, 1024); !over.Load() && len(got) < size/2; faultPause(50 * time.Millisecond) {
		n, err := c.r.Read(piece)
		if err != nil {
			g.t.Errorf("a slow caller cannot read: %v", err)
			return
		}
		got = append(got, piece[:n]...)
	}
	c.r = bufio.NewReader(io.MultiReader(bytes.NewReader(got), c.r))
	var a faultAnswer
	c.answer(&a)
	if a.err != nil {
		g.t.Errorf("%s: reading the answer: %v", tid, a.err)
		return
	}
	line := g.log.line(g.t, tid)
	wantOutcome(g.t, tid, a, line, faultLine{status: 200, delivered: "yes"})
	if len(a.body) != size {
		g.t.Errorf("%s: %d bytes, want %d", tid, len(a.body), size)
	}
	table.add("slow readers", line)
}
