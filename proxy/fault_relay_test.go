package proxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// A faultRelay stands between the proxy and an upstream.
type faultRelay struct {
	ln   net.Listener
	to   netip.AddrPort
	join func(proxy, upstream *net.TCPConn) // ends when both have ended
	wg   sync.WaitGroup

	mu   sync.Mutex // guards open
	open []*net.TCPConn
}

// startRelay starts a relay, and ends it with the test.
func startRelay(t testing.TB, to netip.AddrPort, join func(proxy, upstream *net.TCPConn)) *faultRelay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &faultRelay{ln: ln, to: to, join: join}
	r.wg.Go(r.accept)
	t.Cleanup(r.stop)
	return r
}

func (r *faultRelay) address() netip.AddrPort { return r.ln.Addr().(*net.TCPAddr).AddrPort() }

func (r *faultRelay) accept() {
	for {
		c, err := r.ln.Accept()
		if err != nil {
			return
		}
		u, err := (&net.Dialer{Timeout: faultPatience}).DialContext(context.Background(), "tcp", r.to.String())
		if err != nil {
			c.Close()
			continue
		}
		proxy, upstream := c.(*net.TCPConn), u.(*net.TCPConn)
		r.mu.Lock()
		r.open = append(r.open, proxy, upstream)
		r.mu.Unlock()
		r.wg.Go(func() {
			defer proxy.Close()
			defer upstream.Close()
			r.join(proxy, upstream)
		})
	}
}

func (r *faultRelay) stop() {
	r.ln.Close()
	r.mu.Lock()
	for _, c := range r.open {
		c.Close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// far joins two connections as if there were a way of d between their ends.
func far(d time.Duration) func(proxy, upstream *net.TCPConn) {
	return func(proxy, upstream *net.TCPConn) {
		var wg sync.WaitGroup
		wg.Go(func() { carry(upstream, proxy, d) })
		carry(proxy, upstream, d)
		wg.Wait()
	}
}

// A parcel is what was read at once, or how reading ended.
type parcel struct {
	data []byte
	err  error
	due  time.Time
}

// carry passes what comes from one connection to the other, bytes and end, d later.
func carry(to, from *net.TCPConn, d time.Duration) {
	way := make(chan parcel, 1000)
	go func() { // ends with the connection, and the loop below with it
		defer close(way)
		for {
			b := make([]byte, 16<<10)
			n, err := from.Read(b)
			way <- parcel{b[:n], err, time.Now().Add(d)}
			if err != nil {
				return
			}
		}
	}()
	for p := range way {
		faultPause(time.Until(p.due))
		to.Write(p.data) // if nobody takes it, it gets lost on the way
		switch {
		case errors.Is(p.err, io.EOF):
			to.CloseWrite()
		case p.err != nil:
			to.SetLinger(0)
			to.Close()
		}
	}
}
