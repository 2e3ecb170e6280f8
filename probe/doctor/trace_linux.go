package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// A tracer opens connections whose packets may pass so many routers, and learns
// who answers. It is used by one goroutine.
//
// Who answered stands in the error queue of the socket since Linux 5.18. Before,
// only that somebody did is known from the error; who it was is heard on a raw
// ICMP socket, which is root's.
type tracer struct {
	target netip.AddrPort
	local  netip.Addr
	icmp   int  // raw socket, -1 without the right to one
	queue  bool // the error queue is asked for
	wait   time.Duration
}

func newTracer(target netip.AddrPort, local netip.Addr) *tracer {
	t := &tracer{target: target, local: local, icmp: -1, queue: true, wait: hopTimeout}
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if target.Addr().Is6() {
		family, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	if fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol); err == nil {
		t.icmp = fd
	}
	return t
}

func (t *tracer) close() {
	if t.icmp >= 0 {
		_ = unix.Close(t.icmp)
	}
}

// hop connects once. An error means that there is no way off this machine.
func (t *tracer) hop(ctx context.Context, ttl int) (Hop, error) {
	fd, err := t.socket(ttl)
	if err != nil {
		return Hop{}, err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was sent
	began := time.Now()
	err = unix.Connect(fd, sockaddr(t.target))
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		if errors.Is(err, unix.ECONNREFUSED) { // by this machine, to itself
			return Hop{HopRefused, t.target.Addr(), time.Since(began)}, nil
		}
		return Hop{}, fmt.Errorf("connecting to %v: %w", t.target, err)
	}
	answered, err := poll(ctx, fd, t.wait)
	took := time.Since(began)
	if err != nil || !answered {
		return Hop{Kind: HopSilent}, err
	}
	hop := t.answer(fd)
	hop.Took = took
	return hop, nil
}

// socket returns a socket whose packets may pass ttl-1 routers.
func (t *tracer) socket(ttl int) (int, error) {
	family, level, hops, queue := unix.AF_INET, unix.IPPROTO_IP, unix.IP_TTL, unix.IP_RECVERR
	if t.target.Addr().Is6() {
		family, level, hops, queue = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, unix.IPV6_RECVERR
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
	if err != nil {
		return -1, fmt.Errorf("opening a socket: %w", err)
	}
	err = unix.SetsockoptInt(fd, level, hops, ttl)
	if err == nil && t.queue {
		err = unix.SetsockoptInt(fd, level, queue, 1)
	}
	if err == nil && t.local.IsValid() {
		err = unix.Bind(fd, sockaddr(netip.AddrPortFrom(t.local, 0)))
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("preparing a socket: %w", err)
	}
	return fd, nil
}

// poll waits until something came back, at most for limit.
func poll(ctx context.Context, fd int, limit time.Duration) (bool, error) {
	const step = 100 * time.Millisecond // after which ctx is looked at
	for end := time.Now().Add(limit); ctx.Err() == nil; {
		left := time.Until(end)
		if left <= 0 {
			return false, nil
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, int(min(left, step)/time.Millisecond)+1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false, fmt.Errorf("waiting for an answer: %w", err)
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, ctx.Err()
}

// answer says what came back to the connection of fd.
func (t *tracer) answer(fd int) Hop {
	local := localPort(fd) // unknown once the error was taken
	if m, ok := t.queued(fd); ok {
		return m.hop()
	}
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return Hop{Kind: HopSilent}
	case errno == 0:
		return Hop{Kind: HopTarget, Addr: t.target.Addr()}
	}
	if m, ok := t.heard(local); ok {
		return m.hop()
	}
	switch unix.Errno(errno) {
	case unix.ECONNREFUSED, unix.ECONNRESET:
		return Hop{Kind: HopRefused, Addr: t.target.Addr()}
	case unix.EHOSTUNREACH:
		return Hop{Kind: HopRouter}
	}
	return Hop{Kind: HopBarred}
}

// A message is an ICMP message that concerns a connection.
type message struct {
	from     netip.Addr
	exceeded bool // the hops were used up; else there is no way on
}

func (m message) hop() Hop {
	if m.exceeded {
		return Hop{Kind: HopRouter, Addr: m.from}
	}
	return Hop{Kind: HopBarred, Addr: m.from}
}

// queued returns what the error queue of fd has.
func (t *tracer) queued(fd int) (message, bool) {
	if !t.queue {
		return message{}, false
	}
	var packet, control [512]byte
	_, n, _, _, err := unix.Recvmsg(fd, packet[:], control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if err != nil {
		return message{}, false
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil {
		return message{}, false
	}
	for _, c := range messages {
		if m, ok := parseExtendedError(c.Data); ok && isErrorQueue(c.Header) {
			return m, true
		}
	}
	return message{}, false
}

func isErrorQueue(h unix.Cmsghdr) bool {
	return h.Level == unix.IPPROTO_IP && h.Type == unix.IP_RECVERR || h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_RECVERR
}

// heard returns the message about the connection from port that the raw socket
// has.
func (t *tracer) heard(port uint16) (message, bool) {
	if t.icmp < 0 {
		return message{}, false
	}
	var packet [1500]byte
	for {
		n, from, err := unix.Recvfrom(t.icmp, packet[:], unix.MSG_DONTWAIT)
		if err != nil {
			return message{}, false // there is no more
		}
		m, c, ok := parseICMP(packet[:n], t.target.Addr().Is6())
		if ok && c.target == t.target && c.port == port {
			m.from = addrOf(from)
			return m, true
		}
	}
}

// localPort returns the port of our side.
func localPort(fd int) uint16 {
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0
	}
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return uint16(a.Port)
	case *unix.SockaddrInet6:
		return uint16(a.Port)
	}
	return 0
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}

func addrOf(name unix.Sockaddr) netip.Addr {
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(a.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(a.Addr)
	}
	return netip.Addr{}
}
