package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"time"
)

// Resolve returns the addresses that Get would try, in the resolver's order:
// the fixed ones, or those of a lookup of its own. Its error is an *Error, or
// ctx's. It changes nothing that Get knows.
func (u *Upstream) Resolve(ctx context.Context) ([]netip.Addr, error) {
	if u.resolver.fixed {
		if fixed := u.addrs.order(time.Now()); len(fixed) > 0 {
			return fixed, nil
		}
		return nil, &Error{Phase: PhaseResolve, Err: u.resolver.noneUsable()}
	}
	list, err := u.resolver.find(ctx)
	switch {
	case err == nil:
		return list, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, &Error{Phase: PhaseResolve, Err: err}
}

// A Link is a TCP connection to one address of the host, as Get opens it, on
// which no handshake was made yet. The caller must Close it, or call Handshake.
type Link struct {
	u     *Upstream
	sock  *socket
	to    netip.AddrPort
	took  time.Duration
	state tls.ConnectionState
}

// Dial connects to one address of the host, whatever is known of it, and changes
// nothing that Get knows. Its error is an *Error, or ctx's.
func (u *Upstream) Dial(ctx context.Context, addr netip.Addr) (*Link, error) {
	limited, cancel := within(ctx, cmp.Or(u.o.DialTimeout, connectLimit))
	defer cancel()

	to := netip.AddrPortFrom(addr, u.o.Port)
	start := time.Now()
	sock, err := u.open(limited, to)
	switch {
	case err == nil:
		return &Link{u: u, sock: sock, to: to, took: time.Since(start)}, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, &Error{PhaseDial, to, err}
}

// Took returns how long connecting took.
func (l *Link) Took() time.Duration { return l.took }

// Local returns our address and port of the connection.
func (l *Link) Local() netip.AddrPort { return addrPort(l.sock.LocalAddr()) }

// Close ends the connection. To be called instead of Handshake.
func (l *Link) Close() { _ = l.sock.Close() }

// Handshake makes the link a connection, judged as Get judges it. Its error is an
// *Error, or ctx's; the link is closed then.
func (l *Link) Handshake(ctx context.Context) (*Conn, error) {
	config := l.u.tls.Clone()
	config.VerifyConnection = func(state tls.ConnectionState) error {
		l.state = state
		return l.u.verify(state)
	}
	start := time.Now()
	c := &Conn{u: l.u, sock: l.sock, born: start, connect: l.took, local: l.Local(), remote: l.to}
	var err error
	if c.tls, err = handshake(ctx, l.sock, config, l.u.o.TLSTimeout); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, handshakeError(l.to, err)
	}
	c.handshake = time.Since(start)
	c.lend()
	return c, nil
}

// State returns what Handshake agreed on, and the certificates that were shown,
// also if they were refused. Without any it is zero.
func (l *Link) State() tls.ConnectionState { return l.state }

// Refused reports whether err says that the host's certificate was judged and
// refused.
func Refused(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Phase == PhaseIdentity
}
