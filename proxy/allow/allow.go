// Package allow holds the set of sources that may connect, and judges what an
// operator may write into it.
//
// A [List] is immutable and closed by default: the zero List admits nobody.
// [ParseSource], [CheckWidth] and [CheckTotal] keep such lists narrow, because
// Leqi bans the address of a proxy that is open to the world.
package allow

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// A List is an immutable set of source prefixes, IPv4 and IPv6. The zero List
// contains nobody. A List is safe for concurrent use and cheap to copy.
type List struct {
	prefixes []netip.Prefix // sorted, disjoint
	v4, v6   []span         // the same, for the search; apart, since ::/0 holds no IPv4 address
}

// NewList returns the set of all addresses in prefixes. Host bits are ignored.
// An invalid prefix contains nobody, and neither does an IPv4 prefix written as
// IPv6 (::ffff:10.0.0.0/104), which [ParseSource] refuses.
func NewList(prefixes ...netip.Prefix) List {
	l := List{prefixes: disjoint(prefixes)}
	for _, p := range l.prefixes {
		if p.Addr().Is4() {
			l.v4 = append(l.v4, spanOf(p))
		} else {
			l.v6 = append(l.v6, spanOf(p))
		}
	}
	return l
}

// disjoint returns prefixes masked and sorted, without those that lie in another.
func disjoint(prefixes []netip.Prefix) []netip.Prefix {
	var sorted []netip.Prefix
	for _, p := range prefixes {
		if p.IsValid() && !isMapped(p) {
			sorted = append(sorted, p.Masked())
		}
	}
	slices.SortFunc(sorted, netip.Prefix.Compare)
	// Compare puts a prefix before all that it contains, and prefixes that
	// overlap contain one another: looking back at the last one kept is enough.
	kept := sorted[:0]
	for _, p := range sorted {
		if len(kept) == 0 || !kept[len(kept)-1].Overlaps(p) {
			kept = append(kept, p)
		}
	}
	return slices.Clip(kept)
}

// Contains reports whether addr is in the set. A v4-mapped IPv6 address counts
// as the IPv4 address that it is, a zone is ignored, and the zero Addr is in no
// set. Contains does not allocate.
func (l List) Contains(addr netip.Addr) bool {
	addr = addr.Unmap()
	switch {
	case addr.Is4():
		return holds(l.v4, numberOf(addr))
	case addr.Is6():
		return holds(l.v6, numberOf(addr))
	default:
		return false
	}
}

// Empty reports whether the set contains nobody.
func (l List) Empty() bool { return len(l.prefixes) == 0 }

// Prefixes returns the set, sorted (IPv4 first) and disjoint: a prefix within a
// wider one is gone. Neighbours are not merged, so that each prefix is one that
// the operator wrote and finds again in the firewall's rules. The caller owns
// the slice.
func (l List) Prefixes() []netip.Prefix { return slices.Clone(l.prefixes) }

// PublicIPv4 returns the number of IPv4 addresses in those prefixes of the set
// that are not wholly private (see [Private]).
func (l List) PublicIPv4() int64 {
	var n int64
	for _, p := range l.prefixes {
		if p.Addr().Is4() && !isPrivate(p) {
			n += 1 << (32 - p.Bits())
		}
	}
	return n
}

// A number is an address as an integer. One form serves both families, and
// compares faster than a netip.Addr, which carries its zone along.
type number struct{ high, low uint64 }

func numberOf(addr netip.Addr) number {
	b := addr.As16()
	return number{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (n number) less(m number) bool {
	return n.high < m.high || n.high == m.high && n.low < m.low
}

// A span is the range of a prefix, both ends included.
type span struct{ first, last number }

func spanOf(p netip.Prefix) span {
	first := numberOf(p.Addr())
	hostBits := p.Addr().BitLen() - p.Bits()
	// A shift by 64 or more gives 0 in Go, so neither half needs a case of its own.
	high, low := uint64(1)<<max(hostBits-64, 0)-1, uint64(1)<<hostBits-1
	return span{first, number{first.high | high, first.low | low}}
}

// holds reports whether n lies in one of spans, which are sorted and disjoint.
func holds(spans []span, n number) bool {
	lo, hi := 0, len(spans) // those before lo begin at or before n, those from hi on after it
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if n.less(spans[mid].first) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo > 0 && !spans[lo-1].last.less(n)
}
