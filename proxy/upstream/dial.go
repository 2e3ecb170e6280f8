package upstream

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// keepAlive finds a dead peer, or keeps a NAT entry, within about a minute: an
// answer may take 120 s, and nothing is sent meanwhile.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// A dialFunc opens a TCP connection. It is the seam through which tests make
// addresses fail.
type dialFunc func(ctx context.Context, to netip.AddrPort) (*net.TCPConn, error)

// dialFrom returns a dialFunc that binds to local, if that is an address.
// TCP_NODELAY is net's default.
func dialFrom(local netip.Addr) dialFunc {
	d := &net.Dialer{KeepAliveConfig: keepAlive}
	var from netip.AddrPort
	if local.IsValid() {
		from = netip.AddrPortFrom(local.Unmap(), 0)
		d.Control = bindLate
	}
	return func(ctx context.Context, to netip.AddrPort) (*net.TCPConn, error) {
		return d.DialTCP(ctx, "tcp", from, to)
	}
}

// unroutable reports whether err says that this machine has no route to the
// IPv6 internet, which is no fault of addr.
func unroutable(addr netip.Addr, err error) bool {
	return addr.Is6() && (errors.Is(err, syscall.ENETUNREACH) ||
		errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL))
}

// lacking reports whether err says that this machine ran out of something, which
// is no fault of any address and may be over at once.
func lacking(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// within returns ctx limited to d, unless d is zero.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}
