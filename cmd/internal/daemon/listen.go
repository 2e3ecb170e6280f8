package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"go.uber.org/zap"
)

// A ListenError is an address that cannot be bound.
type ListenError struct {
	Key      string // of the configuration
	Address  string // as written there
	Holder   string // who listens on the port now: "nginx (pid 812)"; "" if that cannot be told
	Overlaps string // an address of this process that is in the way: a restart lets go of it
	Err      error
}

// Error names the key, the address, the cause and who is in the way.
func (e *ListenError) Error() string {
	text := fmt.Sprintf("listening on %s (%s): %v", e.Address, e.Key, e.Cause())
	if e.Holder != "" {
		text += ": " + e.Holder
	}
	if e.Overlaps != "" {
		text += fmt.Sprintf("; it overlaps %s, which only a restart lets go of", e.Overlaps)
	}
	return text
}

// Unwrap returns the cause.
func (e *ListenError) Unwrap() error { return e.Err }

// Cause returns the error of the system alone, as Error names the address.
func (e *ListenError) Cause() error {
	if op, ok := errors.AsType[*net.OpError](e.Err); ok {
		if call, ok := errors.AsType[*os.SyscallError](op.Err); ok {
			return call.Err
		}
		return op.Err
	}
	return e.Err
}

// Taken reports whether somebody else has the port.
func (e *ListenError) Taken() bool { return errors.Is(e.Err, syscall.EADDRINUSE) }

// Port returns the port of Address.
func (e *ListenError) Port() string {
	_, port, _ := net.SplitHostPort(e.Address) // configs has judged it
	return port
}

// bind listens on address, which need not be this machine's yet: the virtual
// IP of a pair comes later.
func bind(key, address string) (*net.TCPListener, error) {
	lc := net.ListenConfig{Control: beforeBind}
	lc.SetMultipathTCP(false) // its sockets do not know all options of ours
	ln, err := lc.Listen(context.Background(), "tcp", address)
	if err == nil {
		return ln.(*net.TCPListener), nil
	}
	e := &ListenError{Key: key, Address: address, Err: err}
	if e.Taken() {
		e.Holder = holder(e.Port())
	}
	return nil, e
}

// beforeBind sets the options of a listening socket.
func beforeBind(_, _ string, c syscall.RawConn) error {
	var failure error
	if err := c.Control(func(fd uintptr) { failure = freeBind(int(fd)) }); err != nil {
		return err
	}
	return failure
}

// warnIfAbsent says so when ln's address is not this machine's: a virtual IP
// that is elsewhere, or a typing error.
func warnIfAbsent(log *zap.Logger, ln *net.TCPListener) {
	own := ln.Addr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	if own.IsUnspecified() || own.IsLoopback() {
		return
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return // it was only a hint
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap() == own {
			return
		}
	}
	log.Warn("the address listened on is not this machine's at the moment", zap.Stringer(keyAddress, own))
}
