package proxy_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe/leqisim"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// The timeouts of the tests of stalls, each other than the others, so that the
// time tells which one it was.
const (
	stallDial     = 300 * time.Millisecond
	stallTLS      = 600 * time.Millisecond
	stallResponse = 900 * time.Millisecond
	stallSlack    = 5 * time.Second // of a busy machine
)

// TestFaultStalls has the upstream stop in each phase of an exchange.
func TestFaultStalls(t *testing.T) {
	stall := func(p leqisim.Phase, at int64) leqisim.Options {
		return leqisim.Options{Rules: []leqisim.Rule{{
			Match:     leqisim.Match{Times: 1},
			Behaviour: leqisim.Behaviour{Fault: leqisim.Fault{Kind: leqisim.Stall, Phase: p, At: at}},
		}}}
	}
	answer := stall(leqisim.PhaseHead, 20)
	answer.Rules[0].Behaviour.Raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
	interim := stall(leqisim.PhaseHead, 0)
	interim.Rules[0].Behaviour.Interim = "HTTP/1.1 102 Processing\r\n\r\n"
	interim.Rules[0].Behaviour.Fault.At = int64(len(interim.Rules[0].Behaviour.Interim))
	lastChunk := stall(leqisim.PhaseHead, int64(len(answer.Rules[0].Behaviour.Raw)-5))
	lastChunk.Rules[0].Behaviour.Raw = answer.Rules[0].Behaviour.Raw

	table := newFaultTable()
	var mu sync.Mutex // guards sims
	var sims []*leqisim.Server
	list := []struct {
		name string
		sim  leqisim.Options
		body int
		time time.Duration // after which it ends
		want faultLine
	}{
		{"attempts to connect are dropped", leqisim.Options{Banned: true}, 100, stallDial, faultLine{status: 502, reason: "dial", delivered: "no"}},
		{"before the handshake", stall(leqisim.PhaseAccept, 0), 100, stallTLS, faultLine{status: 502, reason: "tls", delivered: "no"}},
		{"in the handshake", stall(leqisim.PhaseHandshake, 0), 100, stallTLS, faultLine{status: 502, reason: "tls", delivered: "no"}},
		{"in the head of the request", stall(leqisim.PhaseRequest, 50), 100, stallResponse, faultLine{status: 504, reason: "upstream_timeout", delivered: "unknown"}},
		{"in the body of the request", stall(leqisim.PhaseRequest, 300), 100, stallResponse, faultLine{status: 504, reason: "upstream_timeout", delivered: "unknown"}},
		{"in a body of 16 MiB", stall(leqisim.PhaseRequest, 100<<10), 16 << 20, stallResponse, faultLine{status: 504, reason: "upstream_timeout", delivered: "unknown"}},
		{"before the answer", stall(leqisim.PhaseHead, 0), 100, stallResponse, faultLine{status: 504, reason: "upstream_timeout", delivered: "unknown"}},
		{"behind an interim answer", interim, 100, stallResponse, faultLine{status: 504, reason: "upstream_timeout", delivered: "unknown"}},
		{"in the head of the answer", answer, 100, stallResponse, faultLine{status: 504, reason: "upstream_timeout", delivered: "unknown"}},
		{"before the body of the answer", stall(leqisim.PhaseBody, 0), 100, stallResponse, faultLine{status: 200, reason: "upstream_timeout", delivered: "unknown"}},
		{"in the body of the answer", stall(leqisim.PhaseBody, 30), 100, stallResponse, faultLine{status: 200, reason: "upstream_timeout", delivered: "unknown"}},
		{"before the last chunk", lastChunk, 100, stallResponse, faultLine{status: 200, reason: "upstream_timeout", delivered: "unknown"}},
	}
	t.Run("phases", func(t *testing.T) {
		for _, x := range list {
			t.Run(strings.ReplaceAll(x.name, " ", "_"), func(t *testing.T) {
				t.Parallel()
				sim := startSim(t, x.sim)
				mu.Lock()
				sims = append(sims, sim)
				mu.Unlock()
				g := startStalled(t, sim)
				c := &faultCaller{t: t, addr: g.addr}
				defer c.close()
				a := c.post("x", x.name, bytes.Repeat([]byte("x"), x.body))
				line := g.log.line(t, x.name)
				wantOutcome(t, x.name, a, line, x.want)
				if took := a.took(); took < x.time || took > x.time+stallSlack {
					t.Errorf("the exchange took %v, want %v and little more", took, x.time)
				}
				g.wantFree()
				table.add(fmt.Sprintf("%s: %v", x.name, a.took().Round(10*time.Millisecond)), line)
				if x.want.delivered != "no" { // the next one is not concerned
					a := c.post("x", "next", faultBody)
					wantOutcome(t, "the next", a, g.log.line(t, "next"), faultLine{status: 200, delivered: "yes"})
				}
			})
		}
	})
	table.judge(t, sims...)
}

// startStalled starts a proxy with short timeouts.
func startStalled(t *testing.T, sim *leqisim.Server) *faultRig {
	t.Helper()
	return startFault(t, sim.Address(), faultParts{
		options:  func(o *proxy.Options) { o.ResponseTimeout = stallResponse },
		upstream: func(o *upstream.Options) { o.DialTimeout, o.TLSTimeout = stallDial, stallTLS },
	})
}

// TestFaultBansAreSurvived has the upstream drop attempts to connect while
// connections are open: those go on, others fail at once after the first, and
// after the ban everything is as before.
func TestFaultBansAreSurvived(t *testing.T) {
	t.Parallel()
	takesSeconds(t)
	sim := startSim(t, leqisim.Options{})
	g := startStalled(t, sim)
	table := newFaultTable()
	c := &faultCaller{t: t, addr: g.addr}
	defer c.close()
	n := 0
	post := func(event string) (faultAnswer, faultLine) {
		n++
		tid := fmt.Sprintf("ban-%d", n)
		a, line := c.post("x", tid, faultBody), g.log.line(t, tid)
		table.add(event, line)
		return a, line
	}
	good := faultLine{status: 200, delivered: "yes"}
	bad := faultLine{status: 502, reason: "dial", delivered: "no"}
	a, line := post("before")
	wantOutcome(t, "before the ban", a, line, good)
	if err := sim.Ban(); err != nil {
		t.Fatal(err)
	}
	a, line = post("banned, a connection is open")
	wantOutcome(t, "on an open connection", a, line, good)
	sim.CloseIdle(leqisim.End)
	waitUntil(t, "the upstream closed its connections", func() bool { return sim.Stats().Open == 0 })
	a, line = post("banned, no connection")
	wantOutcome(t, "the first without a connection", a, line, bad)
	for range 20 {
		a, line = post("banned, in the cool-down")
		wantOutcome(t, "in the cool-down", a, line, bad)
		if a.took() > stallDial/2 {
			t.Errorf("an exchange in the cool-down took %v, want an answer at once", a.took())
		}
	}
	if err := sim.Lift(); err != nil {
		t.Fatal(err)
	}
	lifted := time.Now()
	waitUntil(t, "exchanges succeed again", func() bool {
		a, _ := post("lifted")
		return a.status == 200
	})
	t.Logf("after the ban exchanges succeeded within %v", time.Since(lifted).Round(10*time.Millisecond))
	table.judge(t, sim)
}
