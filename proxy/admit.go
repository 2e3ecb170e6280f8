package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/proxy/allow"
	"github.com/lqproxy/lqproxy/proxy/h1"
	"github.com/pires/go-proxyproto"
)

// proxyHeaderTime is how long a load balancer has for its PROXY header.
const proxyHeaderTime = 5 * time.Second

// A role is what a source may do here.
type role uint8

const (
	nobody role = iota
	callerRole
	deviceRole  // carries callers: each request names its source
	monitorRole // GET /readyz only
)

// An admission is who is at the other end of a connection.
type admission struct {
	peer     netip.AddrPort // of the socket
	source   netip.AddrPort // the peer, or whom a load balancer vouches for
	balanced bool           // the peer is a load balancer
	role     role           // of source; nobody until it is judged
}

// judge returns what source may do. Who is a device is only that: behind it
// may be anybody.
func (l *live) judge(source netip.Addr) role {
	switch {
	case l.Devices.Contains(source):
		return deviceRole
	case l.Sources.Contains(source):
		return callerRole
	case l.Monitors.Contains(source):
		return monitorRole
	}
	return nobody
}

// stillAdmits reports whether a connection that was admitted as a would be so
// again.
func (l *live) stillAdmits(a admission) bool {
	return a.balanced == l.Balancers.Contains(a.peer.Addr()) &&
		(a.role == nobody || a.role == l.judge(a.source.Addr()))
}

// errNoSource is a PROXY header that vouches for nobody, or none before the end:
// the load balancer's own connection, to see whether we live.
var errNoSource = errors.New("the PROXY header carries no source")

// readProxyHeader returns the source that a PROXY header names. What follows the
// header stays to be read.
func (s *socket) readProxyHeader() (netip.AddrPort, error) {
	s.readLimit = time.Now().Add(proxyHeaderTime)
	r := bufio.NewReader(s)
	source, err := parseProxyHeader(r)
	s.pending, _ = r.Peek(r.Buffered()) // cannot fail: these bytes are there
	return source, err
}

// parseProxyHeader reads a PROXY header (v1 and v2, by the specification of
// HAProxy) and no byte more from r.
func parseProxyHeader(r *bufio.Reader) (netip.AddrPort, error) {
	err := gatherLine(r)
	switch {
	case errors.Is(err, io.EOF) && r.Buffered() == 0, err == nil && isUnspecified(r):
		return netip.AddrPort{}, errNoSource
	case err != nil:
		return netip.AddrPort{}, fmt.Errorf("waiting for the PROXY header: %w", err)
	}
	h, err := proxyproto.Read(r)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("reading the PROXY header: %w", err)
	}
	tcp, ok := h.SourceAddr.(*net.TCPAddr)
	if h.Command.IsLocal() || !ok {
		return netip.AddrPort{}, errNoSource
	}
	source := tcp.AddrPort()
	return netip.AddrPortFrom(source.Addr().Unmap(), source.Port()), nil
}

// gatherLine waits until all of a header of version 1 has arrived, or more than
// one can have: proxyproto refuses one that comes in pieces.
func gatherLine(r *bufio.Reader) error {
	const longest = 107
	for {
		b, _ := r.Peek(r.Buffered()) // cannot fail: these bytes are there
		if len(b) > 0 && b[0] != 'P' || len(b) >= longest || bytes.IndexByte(b, '\n') >= 0 {
			return nil
		}
		if _, err := r.Peek(len(b) + 1); err != nil {
			return err
		}
	}
}

// isUnspecified reports whether a header of version 2 has the command PROXY and
// the family UNSPEC, which proxyproto refuses: it is the UNKNOWN of version 1.
func isUnspecified(r *bufio.Reader) bool {
	const first, command, family = '\r', 12, 13
	if b, err := r.Peek(1); err != nil || b[0] != first {
		return false
	}
	b, err := r.Peek(family + 1)
	return err == nil && b[command] == 0x21 && b[family] == 0
}

// forwardedFor returns the source that the devices in front vouch for: the
// rightmost address of all X-Forwarded-For fields together that is not a
// device's own. What stands to the left of it anyone may have written.
func forwardedFor(q *h1.Request, devices allow.List) (netip.Addr, error) {
	for _, f := range slices.Backward(q.Fields) {
		if !strings.EqualFold(string(q.Bytes(f.Name)), "X-Forwarded-For") {
			continue
		}
		rest := q.Bytes(f.Value)
		for more := true; more; {
			var last []byte
			rest, last, more = cutLast(rest)
			addr, err := parseForwarded(last)
			if err != nil {
				return netip.Addr{}, err
			}
			if !devices.Contains(addr) {
				return addr, nil
			}
		}
	}
	return netip.Addr{}, errors.New("no X-Forwarded-For names a source")
}

// cutLast splits a list at its last comma.
func cutLast(list []byte) (rest, last []byte, more bool) {
	if i := bytes.LastIndexByte(list, ','); i >= 0 {
		return list[:i], list[i+1:], true
	}
	return nil, list, false
}

// parseForwarded reads one element: an address, with a port as some devices
// add it, in brackets or not.
func parseForwarded(element []byte) (netip.Addr, error) {
	s := string(bytes.Trim(element, " \t"))
	addr, err := netip.ParseAddr(s)
	if err != nil {
		var withPort netip.AddrPort
		if withPort, err = netip.ParseAddrPort(s); err != nil {
			return netip.Addr{}, fmt.Errorf("X-Forwarded-For holds %q, which is no address", cutText(s, maxLoggedID))
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone(""), nil
}
