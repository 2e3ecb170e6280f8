package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/lqproxy/lqproxy/proxy/h1"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"go.uber.org/zap"
)

// tlsHandshakeTime is how long a caller has for its TLS handshake.
const tlsHandshakeTime = 10 * time.Second

// A caller is one accepted connection and the goroutine that serves it.
// Between exchanges it holds no buffer.
type caller struct {
	srv  *Server
	door *door
	sock *socket
	tls  *tls.Conn // nil on a plain listener
	in   h1.Reader
	one  [1]byte // where an idle TLS connection waits

	admission // guarded by srv.mu until it is settled, never modified afterwards

	lent atomic.Pointer[upstream.Conn] // while an answer is awaited, for cut
}

// serve is the life of the connection (steps 1 to 3, then 4 to 9 for each
// request). What waits in it between exchanges is kept flat: with admit inlined
// the stack of an idle connection would be 4 KiB, and not 2.
func (c *caller) serve() {
	defer c.sock.Close() //nolint:errcheck // ended in one of the ways below, or by a panic
	if !c.admit() {
		return
	}
	defer c.srv.unregister(c)
	defer c.recover()
	if c.identify() && c.secure() {
		c.exchanges()
	}
}

// admit finds out who connects, and makes the connection known.
func (c *caller) admit() bool {
	l := c.srv.live.Load()
	c.peer = unmapped(c.sock.RemoteAddr())
	c.sock.writeProgress = l.BodyTimeout
	if !l.Balancers.Contains(c.peer.Addr()) && l.judge(c.peer.Addr()) == nobody {
		c.srv.notices.sourceSeen(l, c.peer.Addr())
		c.refuse(SourceRefused, "")
		return false
	}
	if !c.srv.register(c) {
		c.srv.metrics.reach(limitConnections)
		c.refuse(ConnectionLimit, "")
		return false
	}
	return true
}

// unmapped returns the address of a TCP socket, an IPv4 one as such.
func unmapped(a net.Addr) netip.AddrPort {
	ap := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// recover keeps a mistake of ours to one connection.
func (c *caller) recover() {
	if p := recover(); p != nil {
		c.srv.metrics.fail(Internal)
		c.srv.log.Error("panic in a connection", zap.Any("panic", p), zap.Stack("stack"))
	}
}

// refuse counts a connection that is not admitted, and ends it with a reset,
// before a byte of it is read.
func (c *caller) refuse(r Reason, detail string) {
	c.countRefused(r, detail)
	c.sock.reset()
}

// who returns the source as far as it is known.
func (c *caller) who() netip.AddrPort {
	if c.source.IsValid() {
		return c.source
	}
	return c.peer
}

// identify finds out who the source is and judges it.
func (c *caller) identify() bool {
	source := c.peer
	if c.balanced {
		var err error
		source, err = c.sock.readProxyHeader()
		switch {
		case errors.Is(err, errNoSource):
			c.sock.finish()
			return false
		case err != nil:
			c.refuse(ProxyHeader, err.Error())
			return false
		}
	}
	l := c.srv.settle(c, source)
	if c.role == nobody || c.role == callerRole {
		c.srv.notices.sourceSeen(l, source.Addr())
	}
	if c.role == nobody {
		c.refuse(SourceRefused, "")
		return false
	}
	return true
}

// secure does the TLS handshake, if the listener has one.
func (c *caller) secure() bool {
	l := c.srv.live.Load()
	if l.tls == nil {
		return true
	}
	c.sock.readLimit = time.Now().Add(tlsHandshakeTime)
	c.tls = tls.Server(c.sock, l.tls)
	err := c.tls.HandshakeContext(context.Background()) // the socket has the deadline, and end reaches it
	if err == nil {
		return true
	}
	plain, ok := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case c.role == monitorRole && errors.Is(err, io.EOF): // it may connect and close
	case ok && plain.Conn != nil && looksLikeHTTP(plain.RecordHeader):
		c.countRefused(TLSHandshake, "plain HTTP on the TLS port: the caller's address must begin with https://")
		c.answerPlain()
	default:
		c.countRefused(TLSHandshake, err.Error())
	}
	return false
}

// answerPlain tells a caller that speaks HTTP where TLS is expected.
func (c *caller) answerPlain() {
	id := c.srv.ids.next()
	fields, body := ownAnswer(TLSHandshake, deliveredNo, id[:])
	c.sock.Write(appendOwn(nil, http.StatusBadRequest, fields, body, h1.Ending{Close: true})) //nolint:errcheck // a courtesy
	c.sock.finish()
}

func looksLikeHTTP(header [5]byte) bool {
	for _, b := range header {
		if (b < 'A' || b > 'Z') && b != ' ' && b != '/' {
			return false
		}
	}
	return true
}

func (c *caller) countRefused(r Reason, detail string) {
	c.srv.metrics.refuse(r, c.who().Addr())
	c.srv.notices.refused(r, c.who(), detail)
}

// exchanges serves one request after the other until one of them, or the
// caller, ends the connection.
func (c *caller) exchanges() {
	defer c.in.Release()
	c.srv.metrics.connections.Inc()
	c.in.Reset(c.stream())
	for {
		if c.in.Buffered() == 0 {
			runtime.Gosched() // as in send
			if err := c.await(c.srv.live.Load()); err != nil {
				c.closeIdle(err)
				return
			}
		}
		// What is in force now, not when the waiting began.
		switch serveExchange(c, c.srv.live.Load()) {
		case closesStaged:
			c.closeStaged()
			return
		case closesAtOnce:
			c.sock.reset()
			return
		}
	}
}

// stream returns what requests come from and answers go to.
func (c *caller) stream() net.Conn {
	if c.tls != nil {
		return c.tls
	}
	return c.sock
}

// await waits for the first bytes of a request.
func (c *caller) await(l *live) error {
	c.sock.idle.Store(true)
	defer c.sock.idle.Store(false)
	c.sock.readProgress = 0
	c.sock.readLimit = time.Now().Add(l.IdleTimeout)
	if c.tls == nil {
		return c.sock.await(&c.in)
	}
	n, err := c.tls.Read(c.one[:])
	if n > 0 {
		c.in.Space()[0] = c.one[0]
		c.in.Filled(1)
		return nil
	}
	return err
}

// closeIdle ends a connection that carries nothing, silently.
func (c *caller) closeIdle(err error) {
	if errors.Is(err, errHello) {
		c.countRefused(TLSHandshake, "TLS on the plain port: the caller's address must begin with http://, or listen.tls be set")
	}
	if c.tls != nil {
		c.tls.Close() //nolint:errcheck // nothing is left to be lost
	}
}

// closeStaged ends a connection behind its last answer (RFC 9112 section 9.6).
func (c *caller) closeStaged() {
	if c.tls != nil {
		c.tls.CloseWrite() //nolint:errcheck // the answer is out, or the caller gone
	}
	c.sock.finish()
}

// cut ends whatever the connection does, since drain_timeout has passed. It
// reports whether an exchange was under way.
func (c *caller) cut() bool {
	busy := !c.sock.idle.Load()
	c.sock.end(endNow)
	if up := c.lent.Load(); up != nil {
		up.SetReadDeadline(past)  //nolint:errcheck // a closed connection has ended
		up.SetWriteDeadline(past) //nolint:errcheck // likewise
	}
	return busy
}
