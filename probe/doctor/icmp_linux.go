package doctor

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Types of ICMP messages (RFC 792, RFC 4443).
const (
	unreachable4 = 3
	exceeded4    = 11
	unreachable6 = 1
	exceeded6    = 3
)

// judgeType returns a message of that type, unless it is about something else.
func judgeType(kind byte, is6 bool) (message, bool) {
	unreachable, exceeded := byte(unreachable4), byte(exceeded4)
	if is6 {
		unreachable, exceeded = unreachable6, exceeded6
	}
	return message{exceeded: kind == exceeded}, kind == exceeded || kind == unreachable
}

// parseExtendedError reads a struct sock_extended_err and the address of the
// offender behind it.
func parseExtendedError(b []byte) (message, bool) {
	const (
		origin  = 4
		kind    = 5
		address = 16
	)
	if len(b) < address+8 {
		return message{}, false
	}
	is6 := b[origin] == unix.SO_EE_ORIGIN_ICMP6
	if !is6 && b[origin] != unix.SO_EE_ORIGIN_ICMP {
		return message{}, false // told by this machine
	}
	m, ok := judgeType(b[kind], is6)
	switch family := binary.NativeEndian.Uint16(b[address:]); {
	case family == unix.AF_INET:
		m.from, _ = netip.AddrFromSlice(b[address+4 : address+8])
	case family == unix.AF_INET6 && len(b) >= address+24:
		m.from, _ = netip.AddrFromSlice(b[address+8 : address+24])
	}
	return m, ok
}

// A connection is what an ICMP message quotes.
type connection struct {
	port   uint16 // ours
	target netip.AddrPort
}

// parseICMP reads a packet of a raw ICMP socket: of IPv4 with its header, of IPv6
// without. It fails for messages that do not quote a TCP connection.
func parseICMP(b []byte, is6 bool) (message, connection, bool) {
	const icmpHeader = 8
	if !is6 {
		b = skipIPv4(b)
	}
	if len(b) < icmpHeader {
		return message{}, connection{}, false
	}
	m, ok := judgeType(b[0], is6)
	if !ok {
		return message{}, connection{}, false
	}
	c, ok := parseQuote(b[icmpHeader:], is6)
	return m, c, ok
}

// skipIPv4 returns what follows an IPv4 header (RFC 791), nil if there is none.
func skipIPv4(b []byte) []byte {
	if len(b) < 20 || b[0]>>4 != 4 {
		return nil
	}
	size := int(b[0]&15) * 4
	if size < 20 || len(b) < size {
		return nil
	}
	return b[size:]
}

// parseQuote reads the beginning of the packet that a message is about.
func parseQuote(b []byte, is6 bool) (connection, bool) {
	const headerOf6 = 40
	var (
		protocol byte
		target   netip.Addr
		tcp      []byte
	)
	switch {
	case is6 && len(b) >= headerOf6:
		protocol, tcp = b[6], b[headerOf6:]
		target, _ = netip.AddrFromSlice(b[24:40])
	case !is6:
		if tcp = skipIPv4(b); tcp == nil {
			return connection{}, false
		}
		protocol = b[9]
		target, _ = netip.AddrFromSlice(b[16:20])
	}
	if protocol != unix.IPPROTO_TCP || len(tcp) < 4 {
		return connection{}, false
	}
	to := netip.AddrPortFrom(target, binary.BigEndian.Uint16(tcp[2:]))
	return connection{binary.BigEndian.Uint16(tcp), to}, true
}
