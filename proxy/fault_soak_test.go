package proxy_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe/leqisim"
)

// everyFault are rules by which all happens now and then.
func everyFault() (rules []leqisim.Rule) {
	add := func(of int, b leqisim.Behaviour) {
		rules = append(rules, leqisim.Rule{Match: leqisim.Match{Times: 1, Of: of, After: of / 2}, Behaviour: b})
	}
	end := func(k leqisim.Kind, p leqisim.Phase, at int64, wait time.Duration) leqisim.Behaviour {
		return leqisim.Behaviour{Fault: leqisim.Fault{Kind: k, Phase: p, At: at, Wait: wait}}
	}
	for i, kind := range faultKinds {
		add(61+i, end(kind, leqisim.PhaseAccept, 0, 0))
		add(67+i, end(kind, leqisim.PhaseHandshake, 0, 0))
		add(101+i, end(kind, leqisim.PhaseRequest, 100, 0))
		add(37+i, end(kind, leqisim.PhaseHead, int64(30*i), 0))
		add(43+i, end(kind, leqisim.PhaseBody, 20, 0))
		add(11+i, end(kind, leqisim.PhaseIdle, 0, time.Duration(i)*2*time.Millisecond))
	}
	add(211, end(leqisim.Stall, leqisim.PhaseHead, 0, 0))
	add(223, end(leqisim.Stall, leqisim.PhaseBody, 30, 0))
	add(71, leqisim.Behaviour{Status: 403})
	add(73, leqisim.Behaviour{Raw: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}\n"})
	add(17, leqisim.Behaviour{Delay: 20 * time.Millisecond})
	add(29, leqisim.Behaviour{Size: 1 << 20, Framing: leqisim.Chunked})
	add(31, leqisim.Behaviour{Size: 1 << 20})
	add(23, leqisim.Behaviour{Framing: leqisim.Closing})
	add(19, leqisim.Behaviour{Framing: leqisim.Chunked, Piece: 7})
	add(27, leqisim.Behaviour{Gzip: true})
	add(83, leqisim.Behaviour{Early: true})
	add(89, leqisim.Behaviour{Interim: "HTTP/1.1 102 Processing\r\n\r\n"})
	add(97, leqisim.Behaviour{Rotate: true})
	return rules
}

// A faultCrowd is callers of all kinds, while over is not set.
type faultCrowd struct {
	t     *testing.T
	addr  string
	table *faultTable
	over  atomic.Bool
	wg    sync.WaitGroup
	ids   atomic.Int64
}

// TestFaultEverythingAtOnce has all of it happen together, twice, and compares
// what the proxy, in a process of its own, takes when nothing goes on any more.
func TestFaultEverythingAtOnce(t *testing.T) {
	takesSeconds(t)
	fleet := startFleet(t, 3, everyFault()...)
	var addrs []string
	for _, a := range fleet.addrs() {
		addrs = append(addrs, netip.AddrPortFrom(a, fleet.port).String())
	}
	child := startChild(t, "-fault.hurried", "-fault.upstream="+strings.Join(addrs, ","))
	table := newFaultTable()
	var before faultState
	for round := range 2 {
		crowd := &faultCrowd{t: t, addr: child.addr, table: table}
		crowd.ids.Store(int64(round) << 32)
		crowd.come(child)
		fleet.suffer(faultDuration(6*time.Second) / 2)
		crowd.over.Store(true)
		crowd.wg.Wait()

		var after faultState
		waitUntil(t, "all connections have ended", func() bool {
			after = child.state()
			return after.connections == 0 && (round == 0 && after.goroutines < 20 || after.goroutines <= before.goroutines)
		})
		faultPause(1500 * time.Millisecond) // longer than connections upstream are kept
		after = child.state()
		t.Logf("at the end of round %d: %v", round+1, after)
		if round == 0 {
			before = after
			continue
		}
		const spare = 3 // of the background's own: a connection that it makes at the moment
		if after.goroutines > before.goroutines+spare || after.descriptors > before.descriptors+spare || after.heap > before.heap+4<<20 {
			t.Errorf("round 2 left %v, want what round 1 left: %v", after, before)
		}
	}
	outcomes := child.order("outcomes")
	t.Logf("the access log says: %s", outcomes)
	if strings.Contains(outcomes, "internal") {
		t.Errorf("the access log has exchanges that failed by a mistake of ours: %s", outcomes)
	}
	table.judge(t, fleet.all...)
}

// come starts the callers, and one who has the proxy reload.
func (d *faultCrowd) come(child *faultChild) {
	for _, kind := range []struct {
		callers int
		act     func(c *faultCaller, tid string)
	}{{8, d.ask}, {3, d.vanish}, {3, d.drip}, {2, d.babble}, {1, d.trespass}} {
		for range kind.callers {
			d.wg.Go(func() {
				c := &faultCaller{t: d.t, addr: d.addr}
				defer c.close()
				for !d.over.Load() {
					kind.act(c, fmt.Sprint(d.ids.Add(1)))
					faultPause(rand.N(3 * time.Millisecond))
				}
			})
		}
	}
	d.wg.Go(func() {
		for !d.over.Load() {
			child.order("reload")
			faultPause(100 * time.Millisecond)
		}
	})
}

// ask is an ordinary exchange, of some size.
func (d *faultCrowd) ask(c *faultCaller, tid string) {
	a := c.post("x", tid, bytes.Repeat([]byte("x"), []int{2, 2, 2, 5_000, 100_000}[rand.N(5)]))
	d.note("ordinary callers", tid, a)
}

// note adds what a caller knows of its exchange to the table.
func (d *faultCrowd) note(event, tid string, a faultAnswer) {
	line := faultLine{tid: tid, status: a.status, reason: a.reason, delivered: "yes"}
	switch {
	case a.reason != "" && a.err == nil:
		line.delivered = deliveredOf(a)
	case a.err != nil:
		line.reason, line.delivered = "no whole answer", "unknown"
	}
	d.table.add(event, line)
}

// vanish leaves somewhere in an exchange.
func (d *faultCrowd) vanish(c *faultCaller, tid string) {
	c.close()
	c.dial()
	size := []int{100, 100_000}[rand.N(2)]
	message := append([]byte(faultHead("x", tid, size)), bytes.Repeat([]byte("x"), size)...)
	if rand.N(2) == 0 {
		message = message[:rand.N(len(message))]
	}
	c.tcp.SetDeadline(time.Now().Add(faultPatience))
	c.tcp.Write(message)
	faultPause(rand.N(5 * time.Millisecond))
	if rand.N(2) == 0 {
		c.reset()
	}
	c.close()
	d.table.add("callers who vanish", faultLine{tid: tid})
}

// drip takes its time for the beginning of a request.
func (d *faultCrowd) drip(c *faultCaller, tid string) {
	if c.tcp == nil {
		c.dial()
	}
	c.tcp.SetDeadline(time.Now().Add(faultPatience))
	message := append([]byte(faultHead("x", tid, len(faultBody))), faultBody...)
	for range 20 {
		c.tcp.Write(message[:1])
		message = message[1:]
		faultPause(rand.N(2 * time.Millisecond))
	}
	c.tcp.Write(message)
	var a faultAnswer
	c.answer(&a)
	if a.err != nil {
		c.close()
	}
	d.note("slow callers", tid, a)
}

// babble sends what is no request.
func (d *faultCrowd) babble(c *faultCaller, tid string) {
	if c.tcp == nil {
		c.dial()
	}
	c.tcp.SetDeadline(time.Now().Add(faultPatience))
	c.tcp.Write([]byte(strings.Replace(faultHead("x", tid, 2), "Host:", "Transfer-Encoding: chunked\r\nHost:", 1) + "{}"))
	var a faultAnswer
	if c.answer(&a); a.status != 400 || a.reason != "bad_request" {
		d.t.Errorf("a bad request got %d %q (%v), want 400", a.status, a.reason, a.err)
	}
	c.close()
	d.note("bad requests", tid, a)
}

// trespass connects from a source that is not admitted.
func (d *faultCrowd) trespass(c *faultCaller, tid string) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 99)}, Timeout: faultPatience}
	conn, err := dialer.DialContext(d.t.Context(), "tcp", c.addr)
	if err != nil {
		return // it may see the reset here already
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(faultPatience))
	conn.Write([]byte(faultHead("x", tid, 0)))
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
		d.t.Errorf("a source that is not admitted got %d bytes, %v", n, err)
	}
	d.table.add("sources not admitted", faultLine{tid: tid, status: 0, reason: "source_refused", delivered: "no"})
}
