package proxy

import (
	"io"
	"strings"
	"sync/atomic"
	"testing"
)

// TestEarlyAnswersPassWhileTheBodyIsStillSent has the upstream answer without
// reading more than the head. The answer is passed on, the sending ends, and
// neither connection is used again.
func TestEarlyAnswersPassWhileTheBodyIsStillSent(t *testing.T) {
	t.Parallel()
	aborted := make(chan error, 1)
	p := newPeer(t, func(_ *peer, c *raw) {
		if _, err := readHead(c.r); err != nil {
			return
		}
		c.send("HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno")
		_, err := io.Copy(io.Discard, c.r)
		aborted <- err
	})
	g := start(t, p.addr, parts{})
	c := g.dial()
	c.send("POST /access/ HTTP/1.1\r\nHost: p\r\nContent-Length: 1000000\r\n\r\n", strings.Repeat("x", 100_000))
	wantText(t, "the answer", c.answer(), "HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
	wantEntry(t, g.access.next(t), map[string]any{"status": 413.0, "reason": nil, "delivered": "yes"})
	if err := <-aborted; err == nil {
		t.Error("the upstream saw an orderly end of half a request, want an abort")
	}
	c.wantEnd()
	if n := g.upstreamIdle(); n != 0 {
		t.Errorf("%v connections in the pool, want none: half a request is on it", n)
	}
}

// upstreamIdle returns how many connections are in the pool.
func (g *rig) upstreamIdle() float64 {
	g.t.Helper()
	return g.metric("lqproxy_upstream_connections", "state", "idle")
}

// TestHalfARequestIsNeverFollowedByAnother has a caller end its request early,
// behind an answer that is whole: the connection upstream still waits for the
// rest of the body, and what came next would be taken for that.
func TestHalfARequestIsNeverFollowedByAnother(t *testing.T) {
	t.Parallel()
	halfClosed := make(chan struct{})
	p := newPeer(t, func(_ *peer, c *raw) {
		if _, err := readHead(c.r); err != nil {
			return
		}
		c.send("HTTP/1.1 413 Too Much\r\nContent-Length: 20000\r\n\r\n", strings.Repeat("a", 10_000))
		<-halfClosed
		c.send(strings.Repeat("b", 10_000))
		io.Copy(io.Discard, c.r) //nolint:errcheck // until it ends
	})
	g := start(t, p.addr, parts{})
	c := g.dial()
	c.send("POST /access/ HTTP/1.1\r\nHost: p\r\nContent-Length: 1000000\r\n\r\n", strings.Repeat("x", 100_000))
	c.head()
	c.bytes(10_000)
	c.halfClose()
	close(halfClosed)
	wantText(t, "the rest of the answer", c.bytes(10_000), strings.Repeat("b", 10_000))
	wantEntry(t, g.access.next(t), map[string]any{"status": 413.0, "delivered": "yes"})
	if n := g.upstreamIdle(); n != 0 {
		t.Errorf("%v connections in the pool, want none", n)
	}
}

// TestHalfClosedCallersAreAnswered: a FIN alone is no reason to go (design 5).
func TestHalfClosedCallersAreAnswered(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	p := newPeer(t, func(p *peer, c *raw) {
		if p.take(c) {
			<-release
			c.send(okAnswer)
		}
	})
	g := start(t, p.addr, parts{})
	c := g.dial()
	c.send(call)
	c.halfClose()
	p.request()
	close(release)
	wantText(t, "the answer", c.answer(), okPassed)
	c.wantEnd()
	wantEntry(t, g.access.next(t), map[string]any{"status": 200.0, "reason": nil})
}

// TestTruncatedAnswersNeverPassForWhole cuts an answer in each framing, for each
// version of the caller and each way in which the upstream may end.
func TestTruncatedAnswersNeverPassForWhole(t *testing.T) {
	t.Parallel()
	const (
		length  = "Content-Length: 30000\r\n\r\n"
		chunks  = "Transfer-Encoding: chunked\r\n\r\n4e20\r\n"
		closing = "A: b\r\n\r\n"
	)
	ends := map[string]func(*raw){
		"without close_notify": (*raw).drop,
		"with a reset":         (*raw).reset,
		"with close_notify":    func(c *raw) { c.Close() }, //nolint:errcheck // the caller shows it
	}
	arrived := strings.Repeat("x", 10_000)
	for end, how := range ends {
		for framing, fields := range map[string]string{"length": length, "chunks": chunks, "closing": closing} {
			if framing == "closing" && end == "with close_notify" {
				continue // that is how such an answer ends
			}
			for _, version := range []string{"HTTP/1.1", "HTTP/1.0"} {
				t.Run(framing+" to "+version+" "+end, func(t *testing.T) {
					t.Parallel()
					p := newPeer(t, func(p *peer, c *raw) {
						if p.take(c) {
							c.send("HTTP/1.1 200 OK\r\n", fields, arrived)
							how(c)
						}
					})
					g := start(t, p.addr, parts{})
					c := g.dial()
					c.send("POST /access/ " + version + "\r\nHost: p\r\nContent-Length: 0\r\n\r\n")
					got, err := c.rest()
					head, body, _ := strings.Cut(got, "\r\n\r\n")
					if whole(head, body, err, version) {
						t.Errorf("the caller received %d bytes behind %q, error %v: a whole answer", len(body), head, err)
					}
					if end != "with a reset" && version == "HTTP/1.1" && strings.Count(body, "x") != len(arrived) {
						t.Errorf("%d bytes of the body were passed on, want the %d that arrived", strings.Count(body, "x"), len(arrived))
					}
					wantEntry(t, g.access.next(t), map[string]any{"reason": "upstream_closed", "delivered": "unknown", "status": 200.0})
				})
			}
		}
	}
}

// whole reports whether a caller of that version would take an answer for whole.
func whole(head, body string, err error, version string) bool {
	if err != nil {
		return false
	}
	if _, ok := field(head, "Transfer-Encoding"); ok {
		return version == "HTTP/1.0" || strings.HasSuffix(body, "\r\n0\r\n\r\n")
	}
	if _, ok := field(head, "Content-Length"); ok {
		return len(body) >= 30_000
	}
	return true
}

// TestTruncatedHeadsAre502 ends the upstream before the head of its answer is
// whole: nothing of it is passed on.
func TestTruncatedHeadsAre502(t *testing.T) {
	t.Parallel()
	for name, part := range map[string]string{
		"before a byte":            "",
		"within the head":          "HTTP/1.1 200 OK\r\nContent-Le",
		"behind an interim answer": "HTTP/1.1 102 Processing\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, func(p *peer, c *raw) {
				if p.take(c) {
					c.send(part)
				}
			})
			g := start(t, p.addr, parts{})
			c := g.dial()
			c.send(call)
			answer := c.answer()
			wantStatus(t, answer, 502)
			if v, _ := field(answer, "X-Lqproxy-Reason"); v != "upstream_closed" {
				t.Errorf("X-Lqproxy-Reason = %q, want upstream_closed", v)
			}
			wantEntry(t, g.access.next(t), map[string]any{"reason": "upstream_closed", "delivered": "unknown", "status": 502.0})
			c.send("GET /other HTTP/1.1\r\nHost: p\r\n\r\n") // the request was read whole: the connection stays
			wantStatus(t, c.answer(), 404)
			if n := p.connections.Load(); n != 1 {
				t.Errorf("%d connections upstream, want 1: no second attempt", n)
			}
		})
	}
}

// TestAnswersAreReadThoughTheSendingFailed: a failed write ends the sending, not
// the exchange (design 5, step 7).
func TestAnswersAreReadThoughTheSendingFailed(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(_ *peer, c *raw) {
		if _, err := readHead(c.r); err != nil {
			return
		}
		c.send("HTTP/1.1 400 Bad\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
		c.tcp.CloseRead() //nolint:errcheck // the sender shows it
	})
	g := start(t, p.addr, parts{})
	c := g.dial()
	c.send("POST /access/ HTTP/1.1\r\nHost: p\r\nContent-Length: 1000000\r\n\r\n", strings.Repeat("x", 90_000))
	wantText(t, "the answer", c.answer(), "HTTP/1.1 400 Bad\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
	wantEntry(t, g.access.next(t), map[string]any{"reason": nil, "delivered": "yes", "status": 400.0})
}

// TestAPooledConnectionThatEndedIsNotUsed closes idle connections in each way;
// the next request goes out once, on a new one.
func TestAPooledConnectionThatEndedIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]func(*raw){
		"without close_notify": (*raw).drop,
		"with a reset":         (*raw).reset,
		"with close_notify":    func(c *raw) { c.Close() }, //nolint:errcheck // the proxy shows it
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			end, gone := make(chan struct{}), make(chan struct{})
			p := newPeer(t, func(p *peer, c *raw) {
				for p.take(c) {
					first := requests.Add(1) == 1
					c.send(okAnswer)
					if first {
						<-end
						how(c)
						close(gone)
						return
					}
				}
			})
			g := start(t, p.addr, parts{})
			c := g.dial()
			c.send(call)
			c.answer()
			g.access.next(t)
			close(end)
			<-gone
			c.send(call)
			wantStatus(t, c.answer(), 200)
			wantEntry(t, g.access.next(t), map[string]any{"reused": false})
			if n := requests.Load(); n != 2 {
				t.Errorf("the upstream received %d requests, want 2", n)
			}
		})
	}
}

// TestAnExchangeLeavesNothingToTheNext has many connections end behind an answer
// while others go on: what an exchange used is another's at once, and the race
// detector would see the owner before it.
func TestAnExchangeLeavesNothingToTheNext(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, parts{})
	done := make(chan struct{})
	for range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range 20 {
				c := g.dial()
				if i%2 == 0 {
					c.send("POST /other HTTP/1.1\r\nHost: p\r\nContent-Length: 9\r\n\r\n") // answered, and closed in stages
				} else {
					c.send(call)
				}
				c.answer()
				c.Close() //nolint:errcheck // answered
			}
		}()
	}
	for range 8 {
		<-done
	}
}
