package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
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

// errNoSource is a PROXY header that vouches for nobody: the load balancer's
// own connection, to see whether we live.
var errNoSource = errors.New("the PROXY header carries no source")

// readProxyHeader returns the source that a PROXY header names (v1 and v2, by
// the specification of HAProxy). What follows the header stays to be read.
func (s *socket) readProxyHeader() (netip.AddrPort, error) {
	s.readLimit = time.Now().Add(proxyHeaderTime)
	r := bufio.NewReader(s)
	h, err := proxyproto.Read(r)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("reading the PROXY header: %w", err)
	}
	s.pending, _ = r.Peek(r.Buffered()) // cannot fail: these bytes are there
	tcp, ok := h.SourceAddr.(*net.TCPAddr)
	if h.Command.IsLocal() || !ok {
		return netip.AddrPort{}, errNoSource
	}
	source := tcp.AddrPort()
	return netip.AddrPortFrom(source.Addr().Unmap(), source.Port()), nil
}

// forwardedFor returns the source that the devices in front vouch for: the
// rightmost address of all X-Forwarded-For fields together that is not a
// device's own. What stands to the left of it anyone may have written.
func forwardedFor(q *h1.Request, devices allow.List) (netip.Addr, error) {
	for i := len(q.Fields) - 1; i >= 0; i-- {
		if !strings.EqualFold(string(q.Bytes(q.Fields[i].Name)), "X-Forwarded-For") {
			continue
		}
		rest := q.Bytes(q.Fields[i].Value)
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
