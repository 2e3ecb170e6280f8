package upstream

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// keepAliveMargin is how much sooner than the upstream named an idle connection
// ends here: it must not be in use when the upstream closes it.
const keepAliveMargin = time.Second

// Conn is one TLS connection to the upstream, lent to one exchange at a time.
// One goroutine may read and another write; Close and Abort may come from a
// third.
type Conn struct {
	u    *Upstream
	tls  *tls.Conn
	sock *socket

	local, remote      netip.AddrPort
	connect, handshake time.Duration

	born    time.Time
	until   time.Time // of its stay in the pool; zero: no limit
	reused  bool
	drained bool // nothing was left behind in tls
	lent    atomic.Bool
	stray   [1]byte
}

// Read reads as tls.Conn does, except that an end without close_notify is
// io.ErrUnexpectedEOF.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.tls.Read(b)
	// crypto/tls asks the socket for more only when it has no whole record. So
	// after a read that brought one, nothing else is buffered there, and a short
	// Read has emptied that one.
	c.drained = err == nil && n < len(b) && c.sock.whole
	if errors.Is(err, io.EOF) && c.sock.ended {
		// After close_notify crypto/tls never asks the socket again: the socket's
		// own end came first.
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Write writes as tls.Conn does. A failed write is final.
func (c *Conn) Write(b []byte) (int, error) { return c.tls.Write(b) }

// SetReadDeadline is as for net.Conn; it may be called while a Read waits. A
// deadline that passed does not end the connection. Put clears it.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.sock.SetReadDeadline(t) }

// SetWriteDeadline is as for net.Conn. Put clears it.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.sock.SetWriteDeadline(t) }

// Local returns our address and port of the connection.
func (c *Conn) Local() netip.AddrPort { return c.local }

// Remote returns the upstream's.
func (c *Conn) Remote() netip.AddrPort { return c.remote }

// Reused reports whether the connection came from the pool.
func (c *Conn) Reused() bool { return c.reused }

// Took returns how long connecting and the TLS handshake took; zero for a reused
// connection.
func (c *Conn) Took() (connect, handshake time.Duration) {
	if c.reused {
		return 0, 0
	}
	return c.connect, c.handshake
}

// TLS returns what the handshake agreed on, and the upstream's certificates.
func (c *Conn) TLS() tls.ConnectionState { return c.tls.ConnectionState() }

// Put gives the connection back after an exchange that left it clean. idle bounds its stay in the
// pool when the upstream named a time (0: it did not). After Close or Abort it does nothing.
func (c *Conn) Put(idle time.Duration) {
	if !c.takeBack() {
		return
	}
	now := time.Now()
	c.until = c.deadline(now, idle)
	if c.u.o.Fresh || c.sock.broken || c.overdue(now) {
		c.shut()
		return
	}
	_ = c.sock.SetDeadline(time.Time{}) // the next exchange must not end by this one's
	if !c.u.pool.give(c) {              // of an Upstream that has ended
		c.shut()
	}
}

// deadline returns when the connection leaves the pool at the latest; zero if
// it may stay.
func (c *Conn) deadline(now time.Time, idle time.Duration) time.Time {
	var until time.Time
	limit := func(t time.Time) {
		if until.IsZero() || t.Before(until) {
			until = t
		}
	}
	if d := c.u.o.IdleTimeout; d > 0 {
		limit(now.Add(d))
	}
	if d := c.u.o.MaxAge; d > 0 {
		limit(c.born.Add(d))
	}
	if idle > 0 {
		limit(now.Add(idle - keepAliveMargin))
	}
	return until
}

func (c *Conn) overdue(now time.Time) bool { return !c.until.IsZero() && !now.Before(c.until) }

// Close ends the connection with a close_notify, if that can be sent without
// waiting. It may be called more than once; after Put it must not be called, as
// the connection may be another exchange's by then.
func (c *Conn) Close() {
	if c.takeBack() {
		c.shut()
	}
}

// Abort ends the connection with a reset, so that the upstream cannot take for
// whole what it received. Otherwise it is as Close.
func (c *Conn) Abort() {
	if c.takeBack() {
		c.sock.reset()
	}
}

// lend counts the connection as an exchange's until takeBack.
func (c *Conn) lend() {
	c.lent.Store(true)
	c.u.countBusy(1)
}

// takeBack reports whether the connection was lent until now.
func (c *Conn) takeBack() bool {
	if !c.lent.CompareAndSwap(true, false) {
		return false
	}
	c.u.countBusy(-1)
	return true
}

// shut closes what nobody uses.
func (c *Conn) shut() {
	c.sock.lastWords()
	_ = c.tls.Close()
}

// alive reports whether nothing has come since the last exchange: neither an end
// nor bytes that nobody asked for. Session tickets and key updates are taken in.
func (c *Conn) alive() bool {
	if c.drained && c.sock.silent() {
		return true // as below, without the allocation that crypto/tls makes: BenchmarkGetPut, 0.8 for 1.1 us
	}
	c.sock.probed = true
	_, err := c.tls.Read(c.stray[:])
	c.sock.probed = false
	// Half a record may be half an answer that nobody asked for.
	c.drained = errors.Is(err, errQuiet) && c.sock.records.between() && !c.sock.broken
	return c.drained
}

// addrPort returns a as netip has it.
func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := t.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}
