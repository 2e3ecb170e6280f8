package proxy

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

// drain stops serving, and drains for at most limit.
func (g *rig) drain(limit time.Duration) <-chan int {
	g.stopServing()
	g.serving.Wait()
	cut := make(chan int, 1)
	g.serving.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		cut <- g.Drain(ctx)
	})
	until(g.t, func() bool { return g.state.Load() == draining })
	return cut
}

const okClosing = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

func TestADrainEndsWhatIsIdleAndFinishesWhatIsNot(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	p := newPeer(t, func(p *peer, c *raw) {
		for p.take(c) {
			<-release
			c.send(okAnswer)
		}
	})
	g := start(t, p.addr, parts{})
	if !g.Ready() {
		t.Error("Ready() = false before Stop")
	}
	held, idle, late := g.dial(), g.dial(), g.dial()
	held.send(call)
	p.request()
	until(t, func() bool { return g.idle() == 2 })
	g.Stop()
	if g.Ready() {
		t.Error("Ready() = true behind Stop")
	}
	began := time.Now()
	cut := g.drain(patience)
	late.send("GET /other HTTP/1.1\r\nHost: p\r\n\r\n") // on its way already, and still served
	answer := late.answer()
	wantStatus(t, answer, 404)
	if v, _ := field(answer, "Connection"); v != "close" {
		t.Errorf("Connection = %q while draining, want close", v)
	}
	late.wantEnd()
	late.Close() //nolint:errcheck // or it would be waited for
	idle.wantEnd()
	if d := time.Since(began); d < idleAtDrain || d > idleAtDrain+time.Second {
		t.Errorf("an idle connection ended after %v, want %v", d, idleAtDrain)
	}
	select {
	case <-cut:
		t.Error("Drain() returned while an exchange was under way")
	default:
	}
	close(release)
	wantText(t, "the answer", held.answer(), okClosing)
	held.wantEnd()
	held.Close() //nolint:errcheck // or it would be waited for
	if n := <-cut; n != 0 {
		t.Errorf("Drain() = %d, want 0", n)
	}
	if n := g.Server.Connections(); n != 0 {
		t.Errorf("%d connections behind the drain, want none", n)
	}
}

// TestTheEndOfADrainCutsWhatStillRuns holds an exchange in each of its phases:
// nothing outlives the drain.
func TestTheEndOfADrainCutsWhatStillRuns(t *testing.T) {
	t.Parallel()
	const long = "POST /access/ HTTP/1.1\r\nHost: p\r\nContent-Length: 100000000\r\n\r\n"
	flood := func(c *raw) {
		for piece := make([]byte, 64<<10); ; {
			if _, err := c.Write(piece); err != nil {
				return
			}
		}
	}
	tests := []struct {
		name   string
		script func(*peer, *raw)
		call   func(*raw)
		reason string
		status float64
	}{
		{"a head that is not whole", nil, func(c *raw) { c.send("POST /acc") }, "draining", 503},
		{"a body that is not whole", nil, func(c *raw) { c.send(call[:len(call)-1]) }, "draining", 503},
		{"a long body that stops", func(p *peer, c *raw) { p.take(c) }, func(c *raw) { c.send(long, strings.Repeat("x", 50_000)) }, "draining", 503},
		{"an upstream that reads nothing", func(p *peer, _ *raw) { p.stall() }, func(c *raw) { c.send(long); flood(c) }, "draining", 503},
		{"an answer that stops", func(p *peer, c *raw) {
			p.take(c)
			c.send("HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n", strings.Repeat("x", 20_000))
			p.stall()
		}, func(c *raw) { c.send(call) }, "draining", 200},
		{"a caller that reads nothing", func(p *peer, c *raw) {
			p.take(c)
			c.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
			flood(c)
		}, func(c *raw) { c.send(call) }, "draining", 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			script := test.script
			if script == nil {
				script = answering(okAnswer)
			}
			p := newPeer(t, script)
			g := start(t, p.addr, parts{})
			c := g.dial()
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				test.call(c)
			}()
			until(t, func() bool { return g.metric("lqproxy_connections_total") == 1 && g.idle() == 0 })
			began := time.Now()
			if n := <-g.drain(300 * time.Millisecond); n != 1 {
				t.Errorf("Drain() = %d, want 1", n)
			}
			if d := time.Since(began); d > 4*time.Second {
				t.Errorf("Drain() took %v", d)
			}
			wantEntry(t, g.access.next(t), map[string]any{"reason": test.reason, "status": test.status})
			c.Close() //nolint:errcheck // ended
			<-sent
		})
	}
}

// TestTheListenersQueueIsStillAccepted has callers connect before anybody
// accepts, and serving end before it begins.
func TestTheListenersQueueIsStillAccepted(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, parts{})
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	g.addr = ln.Addr().(*net.TCPAddr).AddrPort()
	var callers []*raw
	for range 20 {
		c := g.dial()
		c.send(call)
		callers = append(callers, c)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Serve(over, ln); err != nil {
		t.Errorf("Serve() = %v, want nil", err)
	}
	for _, c := range callers {
		wantStatus(t, c.answer(), 200)
	}
}

// TestServeEndsWithItsListener closes it from outside.
func TestServeEndsWithItsListener(t *testing.T) {
	t.Parallel()
	g := start(t, newPeer(t, answering(okAnswer)).addr, parts{})
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ln.Close() //nolint:errcheck // it is open
	if err := g.Serve(t.Context(), ln); err != nil {
		t.Errorf("Serve() = %v, want nil", err)
	}
}
