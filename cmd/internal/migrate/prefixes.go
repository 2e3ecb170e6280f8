package migrate

import (
	"net/netip"
	"slices"

	"github.com/lqproxy/lqproxy/proxy/allow"
)

// everyone is all addresses of both families.
var everyone = []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}

// most bounds the pieces that prefixes are cut into.
const most = 4096

// without returns what of from is in none of holes, in as few prefixes as that
// takes; not ok if that is too many.
func without(from, holes []netip.Prefix) (left []netip.Prefix, ok bool) {
	left = from
	for _, h := range holes {
		var next []netip.Prefix
		for _, p := range left {
			next = append(next, cut(p, h)...)
		}
		if len(next) > most {
			return nil, false
		}
		left = next
	}
	return left, true
}

// cut returns p less hole: what is beside the way from p down to it.
func cut(p, hole netip.Prefix) []netip.Prefix {
	switch {
	case !p.Overlaps(hole):
		return []netip.Prefix{p}
	case hole.Bits() <= p.Bits():
		return nil
	}
	low, high := halves(p)
	return append(cut(low, hole), cut(high, hole)...)
}

// halves returns the two halves of p, which has more than one address.
func halves(p netip.Prefix) (low, high netip.Prefix) {
	low = netip.PrefixFrom(p.Addr(), p.Bits()+1)
	bytes := p.Addr().AsSlice()
	bytes[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	addr, _ := netip.AddrFromSlice(bytes)
	return low, netip.PrefixFrom(addr, p.Bits()+1)
}

// within returns what of a is in b too.
func within(a, b []netip.Prefix) []netip.Prefix {
	var both []netip.Prefix
	for _, p := range a {
		for _, q := range b {
			switch {
			case !p.Overlaps(q):
			case p.Bits() >= q.Bits():
				both = append(both, p)
			default:
				both = append(both, q)
			}
		}
	}
	return allow.NewList(both...).Prefixes()
}

// holdsAll reports whether a set has every address of a family.
func holdsAll(set []netip.Prefix) bool {
	return slices.ContainsFunc(set, func(p netip.Prefix) bool { return p.Bits() == 0 })
}

// sourceText writes a source as people do.
func sourceText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
