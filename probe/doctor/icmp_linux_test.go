package doctor

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// quote4 is an ICMP message about a TCP segment from port 40000 to target, as a
// raw socket shows it: with both IPv4 headers, the inner one with options.
func quote4(kind byte) []byte {
	outer := make([]byte, 20)
	outer[0] = 0x45
	inner := make([]byte, 24)
	inner[0], inner[9] = 0x46, unix.IPPROTO_TCP
	copy(inner[16:], target.Addr().AsSlice())
	return slices.Concat(outer, []byte{kind, 0, 0, 0, 0, 0, 0, 0}, inner, ports4(target.Port()))
}

// quote6 is the same of IPv6, whose header a raw socket leaves out.
func quote6(kind byte) []byte {
	inner := make([]byte, 40)
	inner[0], inner[6] = 0x60, unix.IPPROTO_TCP
	copy(inner[24:], target6.Addr().AsSlice())
	return slices.Concat([]byte{kind, 0, 0, 0, 0, 0, 0, 0}, inner, ports4(target6.Port()))
}

func ports4(to uint16) []byte {
	b := binary.BigEndian.AppendUint16(nil, 40000)
	return append(binary.BigEndian.AppendUint16(b, to), 0, 0, 0, 1)
}

func TestParseICMP(t *testing.T) {
	t.Parallel()
	udp := quote4(exceeded4)
	udp[20+8+9] = unix.IPPROTO_UDP
	for _, tt := range []struct {
		name     string
		packet   []byte
		is6      bool
		ok       bool
		exceeded bool
		target   netip.AddrPort
	}{
		{"exceeded", quote4(exceeded4), false, true, true, target},
		{"unreachable", quote4(unreachable4), false, true, false, target},
		{"echo", quote4(8), false, false, false, target},
		{"of UDP", udp, false, false, false, target},
		{"exceeded, IPv6", quote6(exceeded6), true, true, true, target6},
		{"unreachable, IPv6", quote6(unreachable6), true, true, false, target6},
		{"echo, IPv6", quote6(128), true, false, false, target6},
		{"IPv4 where IPv6 is expected", quote4(exceeded4), true, false, false, target6},
		{"nothing", nil, false, false, false, target},
	} {
		m, c, ok := parseICMP(tt.packet, tt.is6)
		if ok != tt.ok {
			t.Errorf("parseICMP(%s) = %v, want %v", tt.name, ok, tt.ok)
			continue
		}
		if want := (connection{40000, tt.target}); ok && (m.exceeded != tt.exceeded || c != want) {
			t.Errorf("parseICMP(%s) = %+v, %+v, want exceeded %v, %+v", tt.name, m, c, tt.exceeded, want)
		}
	}
}

// extended is a struct sock_extended_err with the address of a router.
func extended(origin, kind byte, from netip.Addr) []byte {
	b := make([]byte, 16+28)
	b[4], b[5] = origin, kind
	if from.Is4() {
		binary.NativeEndian.PutUint16(b[16:], unix.AF_INET)
		copy(b[20:], from.AsSlice())
		return b[:32]
	}
	binary.NativeEndian.PutUint16(b[16:], unix.AF_INET6)
	copy(b[24:], from.AsSlice())
	return b
}

func TestParseExtendedError(t *testing.T) {
	t.Parallel()
	router, router6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")
	for _, tt := range []struct {
		name string
		data []byte
		want message
		ok   bool
	}{
		{"exceeded", extended(unix.SO_EE_ORIGIN_ICMP, exceeded4, router), message{router, true}, true},
		{"unreachable", extended(unix.SO_EE_ORIGIN_ICMP, unreachable4, router), message{router, false}, true},
		{"exceeded, IPv6", extended(unix.SO_EE_ORIGIN_ICMP6, exceeded6, router6), message{router6, true}, true},
		{"unreachable, IPv6", extended(unix.SO_EE_ORIGIN_ICMP6, unreachable6, router6), message{router6, false}, true},
		{"too big", extended(unix.SO_EE_ORIGIN_ICMP6, 2, router6), message{}, false},
		{"of this machine", extended(unix.SO_EE_ORIGIN_LOCAL, exceeded4, router), message{}, false},
		{"short", make([]byte, 20), message{}, false},
	} {
		m, ok := parseExtendedError(tt.data)
		if ok != tt.ok || ok && m != tt.want {
			t.Errorf("parseExtendedError(%s) = %+v, %v, want %+v, %v", tt.name, m, ok, tt.want, tt.ok)
		}
	}
}

// FuzzICMP feeds what strangers may send to a raw socket.
func FuzzICMP(f *testing.F) {
	f.Add(quote4(exceeded4), false)
	f.Add(quote6(exceeded6), true)
	f.Fuzz(func(t *testing.T, packet []byte, is6 bool) {
		_, c, ok := parseICMP(packet, is6)
		if ok && c.target.Addr().Is6() != is6 {
			t.Errorf("parseICMP(%x, %v) quotes %v, want an address of the family", packet, is6, c.target)
		}
		parseExtendedError(packet)
	})
}
