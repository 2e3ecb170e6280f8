package proxy_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/lqproxy/lqproxy/probe/leqisim"
)

// faultKinds are the ways in which an upstream ends a connection.
var faultKinds = []leqisim.Kind{leqisim.Reset, leqisim.Drop, leqisim.End}

// faultAnswers are answers in each framing, byte for byte.
var faultAnswers = map[string]string{
	"sized":   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n" + `{"body":"","httpStatusCode":1}`,
	"chunked": "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + "5\r\n{\"a\":\r\n3\r\n12}\r\n0\r\n\r\n",
	"closing": "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + `{"body":"","httpStatusCode":1}`,
}

// A faultOffset is an answer that ends behind some of its bytes.
type faultOffset struct {
	framing string
	kind    leqisim.Kind
	at      int
}

func (f faultOffset) query() string { return fmt.Sprintf("%s-%s-%04d", f.framing, f.kind, f.at) }

func (f faultOffset) rule() leqisim.Rule {
	return leqisim.Rule{
		Match: leqisim.Match{Path: faultPath + "?" + f.query()},
		Behaviour: leqisim.Behaviour{
			Raw:   faultAnswers[f.framing],
			Fault: leqisim.Fault{Kind: f.kind, Phase: leqisim.PhaseHead, At: int64(f.at)},
		},
	}
}

// want says what must become of it: the head makes the status, and only an
// answer that is whole may pass for one.
func (f faultOffset) want() faultLine {
	answer := faultAnswers[f.framing]
	head := strings.Index(answer, "\r\n\r\n") + 4
	whole := f.at == len(answer)
	if f.framing == "closing" { // what close_notify ends is whole, wherever that is
		whole = f.at >= head && f.kind == leqisim.End
	}
	switch {
	case whole:
		return faultLine{status: 200, delivered: "yes"}
	case f.at < head:
		return faultLine{status: 502, reason: "upstream_closed", delivered: "unknown"}
	}
	return faultLine{status: 200, reason: "upstream_closed", delivered: "unknown"}
}

// TestFaultAnswersEndAtEveryOffset has the upstream end its answer, in each
// framing and way, behind every byte of it.
func TestFaultAnswersEndAtEveryOffset(t *testing.T) {
	takesSeconds(t)
	answersEnd(t, leqisim.TLS{}, 1)
}

// TestFaultAnswersEndAtOffsetsOfTLS12 does so in the version of older gateways,
// whose ends look otherwise in the records.
func TestFaultAnswersEndAtOffsetsOfTLS12(t *testing.T) {
	takesSeconds(t)
	answersEnd(t, leqisim.TLS{MaxVersion: tls.VersionTLS12}, 5)
}

func answersEnd(t *testing.T, version leqisim.TLS, step int) {
	t.Helper()
	var offsets []faultOffset
	var rules []leqisim.Rule
	for framing, answer := range faultAnswers {
		for _, kind := range faultKinds {
			for at := len(answer); at >= 0; at -= step {
				f := faultOffset{framing, kind, at}
				offsets = append(offsets, f)
				rules = append(rules, f.rule())
			}
		}
	}
	sim := startSim(t, leqisim.Options{Rules: rules, Keep: -1, TLS: version})
	g := startFault(t, sim.Address(), faultParts{})
	table := newFaultTable()
	faultEach(4, offsets, func(f faultOffset) {
		c := &faultCaller{t: t, addr: g.addr}
		defer c.close()
		for _, query := range []string{"before", f.query(), "after"} {
			tid := query + "-" + f.query()
			a := c.post(query, tid, faultBody)
			line, want := g.log.line(t, tid), f.want()
			event := fmt.Sprintf("%s, %s in the answer", f.kind, f.framing)
			if query != f.query() {
				event, want = "beside them", faultLine{status: 200, delivered: "yes"}
			}
			table.add(event, line)
			wantOutcome(t, f.query()+" "+query, a, line, want)
		}
	})
	g.wantFree()
	table.judge(t, sim)
}

// wantOutcome checks that caller and log agree on what must become of an
// exchange. Only status, reason and delivered of want count.
func wantOutcome(t testing.TB, what string, a faultAnswer, line, want faultLine) {
	t.Helper()
	if line.status != want.status || line.reason != want.reason || line.delivered != want.delivered {
		t.Errorf("%s: logged %d %q delivered %q, want %d %q %q", what,
			line.status, line.reason, line.delivered, want.status, want.reason, want.delivered)
	}
	own := want.reason != "" && want.status >= 400
	if wantWhole := want.reason == "" || own; a.status != want.status || a.whole() != wantWhole {
		t.Errorf("%s: the caller got %d, whole %t (%v), want %d, %t", what, a.status, a.whole(), a.err, want.status, wantWhole)
	}
	if own && (a.reason != want.reason || !bytes.Contains(a.body, []byte(`"delivered":"`+want.delivered+`"`))) {
		t.Errorf("%s: the caller got reason %q and %s, want %q and delivered %q", what, a.reason, a.body, want.reason, want.delivered)
	}
}

// faultEach calls f for each of list, at most n at once.
func faultEach[T any](n int, list []T, f func(T)) {
	queue := make(chan T, len(list))
	for _, x := range list {
		queue <- x
	}
	close(queue)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for x := range queue {
				f(x)
			}
		})
	}
	wg.Wait()
}

// TestFaultRequestsEndAtEveryOffset has the upstream end the connection when it
// has read so many bytes of a request, on a connection that was used before.
func TestFaultRequestsEndAtEveryOffset(t *testing.T) {
	takesSeconds(t)
	table := newFaultTable()
	var sims []*leqisim.Server
	for _, kind := range faultKinds {
		sim := startSim(t, leqisim.Options{Keep: 1})
		sims = append(sims, sim)
		g := startFault(t, sim.Address(), faultParts{})
		c := &faultCaller{t: t, addr: g.addr}
		defer c.close()
		c.post("x", "-x0000", faultBody)
		seen := sim.Exchanges()[0]
		size := len(seen.Head) + len(seen.Raw) // and so of all: their clientTids are as long
		event := fmt.Sprintf("%s in the request", kind)
		for at := range size + 8 {
			sim.SetRules(leqisim.Rule{
				Match:     leqisim.Match{After: 1, Times: 1},
				Behaviour: leqisim.Behaviour{Fault: leqisim.Fault{Kind: kind, Phase: leqisim.PhaseRequest, At: int64(at)}},
			})
			good, bad := fmt.Sprintf("%.1sg%04d", kind, at), fmt.Sprintf("%.1sb%04d", kind, at)
			a := c.post("x", good, faultBody)
			wantOutcome(t, good, a, g.log.line(t, good), faultLine{status: 200, delivered: "yes"})
			a = c.post("x", bad, faultBody)
			line := g.log.line(t, bad)
			want := faultLine{status: 502, reason: "upstream_closed", delivered: "unknown"}
			if at > size {
				want = faultLine{status: 200, delivered: "yes"} // there is no such byte
			}
			wantOutcome(t, fmt.Sprintf("%s %d", event, at), a, line, want)
			if !line.reused {
				t.Errorf("%s %d: on a new connection, want the one of the exchange before", event, at)
			}
			table.add(event, line)
		}
		g.wantFree()
	}
	table.judge(t, sims...)
}

// TestFaultLongRequestsEndAtOffsets does so with a body that is streamed.
func TestFaultLongRequestsEndAtOffsets(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 300<<10)
	var offsets []faultOffset
	var rules []leqisim.Rule
	for _, kind := range faultKinds {
		for _, at := range []int{0, 1, 200, 300, 1 << 10, 16 << 10, 32<<10 - 1, 32 << 10, 32<<10 + 1, 33 << 10, 64 << 10, 100 << 10, 200 << 10, 299 << 10} {
			f := faultOffset{"long", kind, at}
			offsets = append(offsets, f)
			rules = append(rules, leqisim.Rule{
				Match:     leqisim.Match{Path: faultPath + "?" + f.query()},
				Behaviour: leqisim.Behaviour{Fault: leqisim.Fault{Kind: kind, Phase: leqisim.PhaseRequest, At: int64(at)}},
			})
		}
	}
	sim := startSim(t, leqisim.Options{Rules: rules, Keep: -1})
	g := startFault(t, sim.Address(), faultParts{})
	table := newFaultTable()
	faultEach(4, offsets, func(f faultOffset) {
		c := &faultCaller{t: t, addr: g.addr}
		defer c.close()
		for _, query := range []string{"before", f.query(), "after"} {
			tid := query + "-" + f.query()
			a := c.post(query, tid, body)
			line := g.log.line(t, tid)
			event, want := fmt.Sprintf("%s in a request of 300 KiB", f.kind), faultLine{status: 502, reason: "upstream_closed", delivered: "unknown"}
			if query != f.query() {
				event, want = "beside them", faultLine{status: 200, delivered: "yes"}
			}
			table.add(event, line)
			wantOutcome(t, tid, a, line, want)
		}
	})
	g.wantFree()
	table.judge(t, sim)
}
