package upstream

import (
	"errors"
	"net"
	"net/netip"
)

// A Phase is the part of connecting in which an Error happened.
type Phase string

// The phases of connecting; each is also a reason of package proxy.
const (
	PhaseResolve  Phase = "resolve"
	PhaseDial     Phase = "dial"
	PhaseTLS      Phase = "tls"
	PhaseIdentity Phase = "identity"
)

// An Error is a connection that did not come about. No byte of a request was
// written: another attempt is safe.
type Error struct {
	Phase Phase
	Addr  netip.AddrPort // the last address tried, if one was
	Err   error
}

// Error says what was being done to which address, and what came of it.
func (e *Error) Error() string {
	switch e.Phase {
	case PhaseResolve:
		return "resolving upstream: " + e.Err.Error()
	case PhaseTLS:
		return "shaking hands with upstream " + e.Addr.String() + ": " + e.Err.Error()
	case PhaseIdentity:
		return "judging the certificate of upstream " + e.Addr.String() + ": " + e.Err.Error()
	}
	cause := e.Err
	if op, ok := errors.AsType[*net.OpError](cause); ok {
		cause = op.Err // its own text would name the address a second time
	}
	return "dialing upstream " + e.Addr.String() + ": " + cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
