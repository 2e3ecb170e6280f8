package proxy

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"
)

// copyOf returns another listener on the socket of ln, as another process has.
func copyOf(t *testing.T, ln *net.TCPListener) *net.TCPListener {
	t.Helper()
	file, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	copied, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { copied.Close() })
	return copied.(*net.TCPListener)
}

// listenOn returns a listener that g serves until the context ends, and a
// channel that is closed when serving has.
func (g *rig) listenOn(ctx context.Context) (*net.TCPListener, <-chan struct{}) {
	g.t.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		g.t.Fatal(err)
	}
	g.addr = ln.Addr().(*net.TCPAddr).AddrPort()
	ended := make(chan struct{})
	g.serving.Go(func() {
		defer close(ended)
		if err := g.Serve(ctx, ln); err != nil {
			g.t.Errorf("Serve() = %v, want nil", err)
		}
	})
	return ln, ended
}

// retire has another process take over g's listener, which the test closes in
// g, and returns what Retire will.
func (g *rig) retire(ctx context.Context, ln *net.TCPListener, ended <-chan struct{}) <-chan int {
	g.t.Helper()
	ln.Close() //nolint:errcheck // it is open
	<-ended
	left := make(chan int, 1)
	g.serving.Go(func() { left <- g.Retire(ctx) })
	until(g.t, func() bool { return g.state.Load() == retiring })
	return left
}

func TestRetiringLeavesConnectionsToTheirEnd(t *testing.T) {
	t.Parallel()
	g := start(t, newPeer(t, answering(okAnswer)).addr, parts{})
	ln, ended := g.listenOn(t.Context())
	successor := copyOf(t, ln)
	idle, late := g.dial(), g.dial()
	late.send(call)
	wantStatus(t, late.answer(), 200)
	until(t, func() bool { return g.idle() == 2 })

	left := g.retire(t.Context(), ln, ended)
	if !g.Ready() {
		t.Error("Ready() = false while another process accepts")
	}
	if n := g.Connections(); n != 2 {
		t.Errorf("Connections() = %d, want 2", n)
	}
	late.send(call)
	wantText(t, "the next answer", late.answer(), okClosing)
	late.wantEnd()
	late.Close() //nolint:errcheck // or it would be waited for
	until(t, func() bool { return g.Connections() == 1 })
	select {
	case n := <-left:
		t.Errorf("Retire() = %d while a connection is idle", n)
	default:
	}
	waiting := g.dial() // the successor's, in the queue of the socket
	accepted, err := successor.Accept()
	if err != nil {
		t.Fatalf("Accept() of the successor: %v", err)
	}
	accepted.Close()
	waiting.Close() //nolint:errcheck // it was only to be accepted
	idle.Close()    //nolint:errcheck // its idle time is over, for the caller
	if n := <-left; n != 0 {
		t.Errorf("Retire() = %d, want 0", n)
	}
}

func TestRetiringEndsWithItsContext(t *testing.T) {
	t.Parallel()
	g := start(t, newPeer(t, answering(okAnswer)).addr, parts{})
	ctx, stop := context.WithCancel(t.Context())
	ln, ended := g.listenOn(t.Context())
	idle := g.dial()
	until(t, func() bool { return g.idle() == 1 })
	left := g.retire(ctx, ln, ended)
	g.Stop()
	if !g.Ready() {
		t.Error("Ready() = false behind Stop while retiring")
	}
	stop()
	if n := <-left; n != 1 {
		t.Errorf("Retire() = %d, want the idle connection", n)
	}
	began := time.Now()
	if n := g.Drain(t.Context()); n != 0 {
		t.Errorf("Drain() = %d, want no exchange cut", n)
	}
	if d := time.Since(began); d < idleAtDrain {
		t.Errorf("Drain() ended an idle connection after %v, want %v", d, idleAtDrain)
	}
	idle.wantEnd()
}

// What a copy of the socket holds open, too, ends with Serve.
func TestServeEndsTheListeningOfCopies(t *testing.T) {
	t.Parallel()
	g := start(t, newPeer(t, answering(okAnswer)).addr, parts{})
	ctx, stop := context.WithCancel(t.Context())
	ln, ended := g.listenOn(ctx)
	copied := copyOf(t, ln)
	stays := g.dial()
	stays.send(call)
	wantStatus(t, stays.answer(), 200)
	stop()
	<-ended
	if c, err := g.connect("127.0.0.1"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connecting = %v, %v, want %v", c, err, syscall.ECONNREFUSED)
	}
	if c, err := copied.Accept(); err == nil {
		t.Errorf("Accept() of the copy = %v, want an error", c.RemoteAddr())
	}
	stays.send(call)
	wantText(t, "the next answer", stays.answer(), okClosing)
	stays.wantEnd()
}
