package proxy

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

const envelope4057 = `{"body":"{}","httpStatusCode":"4057"}`

// TestASentExchangeIsFollowedToItsAnswer: whoever has gone, the log knows what
// Leqi did.
func TestASentExchangeIsFollowedToItsAnswer(t *testing.T) {
	t.Parallel()
	leave := map[string]func(*raw){"reset": (*raw).reset, "closed": (*raw).drop}
	for how, end := range leave {
		t.Run("when its caller "+how+" before the answer", func(t *testing.T) {
			t.Parallel()
			gone := make(chan struct{})
			p := newPeer(t, func(p *peer, c *raw) {
				for p.take(c) {
					<-gone
					c.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(envelope4057), envelope4057))
				}
			})
			g := start(t, p.addr, parts{})
			c := g.dial()
			c.send(call)
			p.request()
			end(c)
			close(gone)
			line := g.access.next(t)
			wantEntry(t, line, map[string]any{"leqi_code": "4057", "delivered": "yes"})
			if how == "reset" {
				wantEntry(t, line, map[string]any{"reason": "client_gone", "status": 499.0})
			}
			if n := g.upstreamIdle(); n != 1 {
				t.Errorf("%v connections in the pool, want 1: both messages on it were whole", n)
			}
		})
		t.Run("when its caller "+how+" within the answer", func(t *testing.T) {
			t.Parallel()
			gone := make(chan struct{})
			p := newPeer(t, func(p *peer, c *raw) {
				for p.take(c) {
					c.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 5_000_000+len(envelope4057)))
					c.send(strings.Repeat(" ", 1_000_000))
					<-gone
					c.send(strings.Repeat(" ", 4_000_000), envelope4057)
				}
			})
			g := start(t, p.addr, parts{})
			c := g.dial()
			c.send(call)
			c.head()
			end(c)
			close(gone)
			wantEntry(t, g.access.next(t), map[string]any{
				"leqi_code": "4057", "delivered": "yes", "reason": "client_gone", "status": 200.0,
			})
		})
	}
}

// TestHalfARequestIsAbortedUpstream: what is not wholly received when its caller
// leaves must not look whole upstream.
func TestHalfARequestIsAbortedUpstream(t *testing.T) {
	t.Parallel()
	for framing, begin := range map[string]string{
		"Content-Length: 100000":     strings.Repeat("x", 50_000),
		"Transfer-Encoding: chunked": "C350\r\n" + strings.Repeat("x", 50_000) + "\r\n",
	} {
		for how, end := range map[string]func(*raw){"resets": (*raw).reset, "closes": (*raw).drop, "half-closes": (*raw).halfClose} {
			t.Run(framing+" of a caller that "+how, func(t *testing.T) {
				t.Parallel()
				began, ended := make(chan struct{}), make(chan error, 1)
				p := newPeer(t, func(_ *peer, c *raw) {
					if _, err := readHead(c.r); err != nil {
						return
					}
					close(began)
					_, err := io.Copy(io.Discard, c.r)
					ended <- err
				})
				g := start(t, p.addr, parts{})
				c := g.dial()
				c.send("POST /access/ HTTP/1.1\r\nHost: p\r\n", framing, "\r\n\r\n", begin)
				<-began
				end(c)
				if err := <-ended; err == nil {
					t.Error("the upstream saw an orderly end, want an abort")
				}
				line := g.access.next(t)
				wantEntry(t, line, map[string]any{"delivered": "unknown"})
				if how == "half-closes" {
					wantStatus(t, c.answer(), 400)
					wantEntry(t, line, map[string]any{"reason": "bad_request", "status": 400.0})
				}
				if n := g.upstreamIdle(); n != 0 {
					t.Errorf("%v connections in the pool, want none", n)
				}
			})
		}
	}
}

// TestACallerThatLeavesBeforeItAsksLeavesNoLine: an idle connection ends
// silently.
func TestACallerThatLeavesBeforeItAsksLeavesNoLine(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, parts{})
	for _, end := range []func(*raw){(*raw).reset, (*raw).drop, (*raw).halfClose} {
		end(g.dial())
	}
	until(t, func() bool { return g.metric("lqproxy_connections_total") == 3 && g.Server.Connections() == 0 })
	if rest := append(g.access.rest(), g.log.rest()...); len(rest) > 0 {
		t.Errorf("logged %v, want nothing", rest)
	}
}

func TestAnIdleConnectionEndsSilently(t *testing.T) {
	t.Parallel()
	g := start(t, newPeer(t, answering(okAnswer)).addr, with(func(o *Options) { o.IdleTimeout = 50e6 }))
	g.dial().wantEnd()
	c := g.dial()
	c.send(call)
	wantStatus(t, c.answer(), 200)
	c.wantEnd()
	if rest := g.access.rest(); len(rest) != 1 {
		t.Errorf("logged %v, want one exchange", rest)
	}
}
