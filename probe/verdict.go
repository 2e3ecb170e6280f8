package probe

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
	"syscall"

	"github.com/lqproxy/lqproxy/proxy/leqi"
)

// A Verdict says how far the way to Leqi leads, or of one step, what became of
// it. The values are a contract: scripts and the README have them. The zero
// Verdict is none: the probe was interrupted.
type Verdict string

// The verdicts.
const (
	Reached         Verdict = "reached"          // the platform has answered the call
	PathOpen        Verdict = "path_open"        // everything before the call is well
	ProxyFailed     Verdict = "proxy_failed"     // the way is open, the proxy did not pass the call
	Forbidden       Verdict = "forbidden"        // 403 at every attempt
	Unresolved      Verdict = "unresolved"       // the host has no address
	TimedOut        Verdict = "timed_out"        // no address answers
	ConnectRefused  Verdict = "connect_refused"  // nobody listens
	Reset           Verdict = "reset"            // somebody ends the connection
	Unreachable     Verdict = "unreachable"      // this machine has no way there
	TLSFailed       Verdict = "tls_failed"       // no handshake
	IdentityChanged Verdict = "identity_changed" // the configuration refuses the certificate
	IPNotFiled      Verdict = "ip_not_filed"     // 4067
	WrongPath       Verdict = "wrong_path"       // ResourceNotFound
	Limited         Verdict = "limited"          // flow control
	Unexpected      Verdict = "unexpected_answer"
)

// Verdicts are all verdicts in the order of the stages, the good ones first. It
// is never modified.
var Verdicts = []Verdict{
	Reached, PathOpen, Unresolved, TimedOut, ConnectRefused, Reset, Unreachable, TLSFailed,
	IdentityChanged, Forbidden, IPNotFiled, WrongPath, Limited, Unexpected, ProxyFailed,
}

// ExitCode returns the code with which a command ends that comes to v: 1 for
// the zero Verdict.
func (v Verdict) ExitCode() int {
	switch v {
	case Reached, PathOpen:
		return 0
	case Forbidden:
		return 4
	case Unresolved, TimedOut, ConnectRefused, Reset, Unreachable, TLSFailed, IdentityChanged:
		return 5
	case IPNotFiled, WrongPath, Limited, Unexpected:
		return 6
	}
	return 1 // ProxyFailed, or none
}

// MarshalJSON implements json.Marshaler: no verdict is null.
func (v Verdict) MarshalJSON() ([]byte, error) {
	if v == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(v))
}

// worst returns the verdict with the highest exit code, the first of several.
func worst(calls []Call) Verdict {
	return slices.MaxFunc(calls, func(a, b Call) int { return a.Verdict.ExitCode() - b.Verdict.ExitCode() }).Verdict
}

// telling are the verdicts of failed connections, those first that tell most of
// a host of which all addresses fail in different ways: a ban shows as silence,
// and a missing route may only be that to IPv6.
var telling = []Verdict{TimedOut, Reset, ConnectRefused, Unreachable}

// judgePath judges stages 2 and 3: one good address is enough, as it is for the
// proxy. Of those that fail, the one that came farthest decides.
func judgePath(connects []Connect, handshakes []Handshake) Verdict {
	var failed Verdict
	for _, h := range handshakes {
		if h.Verdict == PathOpen {
			return PathOpen
		}
		if failed == "" || h.Verdict == IdentityChanged {
			failed = h.Verdict
		}
	}
	if failed != "" {
		return failed
	}
	for _, v := range telling {
		if slices.ContainsFunc(connects, func(c Connect) bool { return c.Verdict == v }) {
			return v
		}
	}
	return Unreachable
}

// judgeDial judges the error of a TCP connection.
func judgeDial(err error) Verdict {
	switch {
	case isTimeout(err):
		return TimedOut
	case errors.Is(err, syscall.ECONNREFUSED):
		return ConnectRefused
	case isReset(err):
		return Reset
	}
	return Unreachable // no route, no such source address, or forbidden by this machine
}

// judgeHandshake judges the error of a handshake.
func judgeHandshake(err error, refused bool) Verdict {
	switch {
	case refused:
		return IdentityChanged
	case isReset(err):
		return Reset
	}
	return TLSFailed
}

// judgeExchange judges the error of an exchange that has begun.
func judgeExchange(err error) Verdict {
	if isReset(err) {
		return Reset
	}
	return Unexpected
}

// judgeAnswer judges an answer that was read: whatever the platform says in its
// own form proves the way, except for three things.
func judgeAnswer(a Attempt) Verdict {
	switch a.Code {
	case leqi.CodeIPNotFiled:
		return IPNotFiled
	case leqi.CodeResourceNotFound:
		return WrongPath
	case leqi.CodeFlowLimited:
		return Limited
	case leqi.CodeForbidden:
		return Forbidden
	case "", leqi.CodeUnread:
		return Unexpected
	}
	if a.Status == http.StatusForbidden && a.Code == leqi.CodeOther {
		return Forbidden
	}
	return Reached
}

// judgeVia judges an answer that came through a proxy. What does not come from
// the platform is the proxy's own.
func judgeVia(a Attempt) Verdict {
	v := judgeAnswer(a)
	if a.Reason != "" || v == Unexpected {
		return ProxyFailed
	}
	return v
}

// judgeCall judges a call by its last attempt, as only a 403 is followed by
// another one. Where the proxy failed, and the direct way does not lead to the
// platform either, the way is to blame.
func judgeCall(c Call, path Verdict) Verdict {
	v := final(c.Attempts)
	if v != ProxyFailed {
		return v
	}
	if direct := final(c.Direct); direct != "" {
		path = direct
	}
	if path.ExitCode() != 0 {
		return path
	}
	return ProxyFailed
}

// final returns the verdict of the last of attempts, none if there is none.
func final(attempts []Attempt) Verdict {
	if len(attempts) == 0 {
		return ""
	}
	return attempts[len(attempts)-1].Verdict
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout() || errors.Is(err, os.ErrDeadlineExceeded)
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}
