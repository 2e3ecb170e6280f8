package upstream

import (
	"context"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"
)

// connectLimit bounds all of connecting: the lookup, if no address is known, and
// every attempt with its handshake.
const connectLimit = 15 * time.Second

// connect makes a connection, and notes what came of it.
//
// It runs on a goroutine of its own, which is always waited for: the stack that
// a handshake needs would otherwise stay with the exchange for as long as its
// connection lives.
func (u *Upstream) connect(ctx context.Context) (*Conn, error) {
	var (
		c       *Conn
		failure *Error
		done    = make(chan struct{})
	)
	go func() {
		defer close(done)
		c, failure = u.tryAddresses(ctx)
	}()
	<-done
	switch {
	case failure == nil:
	case ctx.Err() != nil:
		return nil, ctx.Err() // the caller's end says nothing about the host
	case lacking(failure):
		return nil, failure // nor does this
	}
	u.note(failure)
	if failure != nil {
		return nil, failure
	}
	c.lend()
	return c, nil
}

// tryAddresses connects to one address after the other. Its error is that of the
// last address tried that was to blame.
func (u *Upstream) tryAddresses(ctx context.Context) (*Conn, *Error) {
	limited, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()

	if err := u.resolver.ensure(limited); err != nil {
		return nil, &Error{Phase: PhaseResolve, Err: err}
	}
	var failure, skipped *Error
	for _, addr := range u.addrs.order(time.Now()) {
		c, err := u.tryAddress(limited, netip.AddrPortFrom(addr, u.o.Port))
		switch {
		case err == nil:
			u.addrs.answered(addr, time.Now())
			return c, nil
		case ctx.Err() != nil, lacking(err):
			return nil, err
		case unroutable(addr, err):
			u.addrs.skipped(addr, err, time.Now())
			skipped = err
		default:
			u.addrs.failed(addr, err, time.Now())
			failure = err
		}
		if limited.Err() != nil {
			break
		}
	}
	if failure == nil {
		failure = skipped
	}
	return nil, failure
}

// tryAddress connects to one address.
func (u *Upstream) tryAddress(ctx context.Context, to netip.AddrPort) (*Conn, *Error) {
	start := time.Now()
	sock, err := u.open(ctx, to)
	if err != nil {
		return nil, &Error{PhaseDial, to, err}
	}
	connected := time.Now()
	c := &Conn{
		u: u, sock: sock, born: connected, connect: connected.Sub(start),
		local: addrPort(sock.LocalAddr()), remote: addrPort(sock.RemoteAddr()),
	}
	u.m.connect.Observe(c.connect.Seconds())

	c.tls, err = handshake(ctx, sock, u.tls, u.o.TLSTimeout)
	if err != nil {
		return nil, handshakeError(to, err)
	}
	c.handshake = time.Since(connected)
	u.m.handshake.Observe(c.handshake.Seconds())
	return c, nil
}

// open dials to.
func (u *Upstream) open(ctx context.Context, to netip.AddrPort) (*socket, error) {
	ctx, cancel := within(ctx, u.o.DialTimeout)
	defer cancel()

	var tcp *net.TCPConn
	tcp, err := u.dial(ctx, to)
	if err != nil {
		return nil, err
	}
	sock, err := newSocket(tcp)
	if err != nil {
		_ = tcp.Close()
	}
	return sock, err
}

// note remembers how a connect ended, and tells of a change.
func (u *Upstream) note(failure *Error) {
	now, up := time.Now(), failure == nil
	if !up {
		u.addrs.exhausted(failure, now)
		u.resolver.want()
		signal(u.wentDown)
	}
	u.gauges.setUp(up)

	u.mu.Lock()
	was := u.state
	if !was.known || was.up != up {
		u.state = state{known: true, up: up, since: now}
	}
	u.mu.Unlock()

	switch {
	case was.known && was.up == up:
	case up:
		u.log.Info("upstream is up", event(eventUp), zap.String(keyHost, u.o.Host))
	default:
		u.log.Error("upstream is down", event(eventDown), zap.String(keyHost, u.o.Host),
			zap.String(keyPhase, string(failure.Phase)), zap.Error(failure))
	}
}

// down reports whether the last connect failed.
func (u *Upstream) down() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.state.known && !u.state.up
}
