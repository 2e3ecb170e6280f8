package allow

import "net/netip"

// How wide a public source may be. Private ones are bounded by their ranges:
// the widest are 10.0.0.0/8 and fc00::/7.
const (
	MinPublicBits4 = 24      // bits of a public IPv4 prefix
	MinPublicBits6 = 48      // bits of a public IPv6 prefix
	MaxPublicIPv4  = 1 << 16 // IPv4 addresses of all public sources together, at most
)

// private are the ranges that are not routed on the internet.
var private = NewList(
	netip.MustParsePrefix("10.0.0.0/8"),     // RFC 1918
	netip.MustParsePrefix("172.16.0.0/12"),  // RFC 1918
	netip.MustParsePrefix("192.168.0.0/16"), // RFC 1918
	netip.MustParsePrefix("100.64.0.0/10"),  // RFC 6598, carrier-grade NAT
	netip.MustParsePrefix("127.0.0.0/8"),    // RFC 1122, loopback
	netip.MustParsePrefix("169.254.0.0/16"), // RFC 3927, link-local
	netip.MustParsePrefix("::1/128"),        // RFC 4291, loopback
	netip.MustParsePrefix("fc00::/7"),       // RFC 4193, unique local
	netip.MustParsePrefix("fe80::/10"),      // RFC 4291, link-local
)

// Private reports whether addr is not routed on the internet: RFC 1918, RFC
// 6598 (100.64.0.0/10), loopback, link-local, and fc00::/7.
func Private(addr netip.Addr) bool { return private.Contains(addr) }

// isPrivate reports whether all of p, which is masked, is private.
func isPrivate(p netip.Prefix) bool {
	_, inside := privateRange(p)
	return inside
}

// privateRange returns the private range that p lies in, or else the only one
// that lies in p, or the zero Prefix. It takes p to be masked.
func privateRange(p netip.Prefix) (_ netip.Prefix, inside bool) {
	var found netip.Prefix
	for _, r := range private.prefixes {
		switch {
		case !r.Overlaps(p):
		case r.Bits() <= p.Bits():
			return r, true
		case found.IsValid():
			return netip.Prefix{}, false
		default:
			found = r
		}
	}
	return found, false
}

// CheckWidth returns a *[SourceError] if p, which ParseSource returned, is
// wider than a source may be: [MinPublicBits4] or [MinPublicBits6], unless all
// of it is private.
func CheckWidth(p netip.Prefix) error {
	limit := MinPublicBits4
	if p.Addr().Is6() {
		limit = MinPublicBits6
	}
	r, inside := privateRange(p)
	switch {
	case inside || p.Bits() >= limit:
		return nil
	case r.IsValid():
		return &SourceError{Mistake: BeyondPrivate, Source: p.String(), Proposal: r, Limit: limit}
	default:
		return &SourceError{Mistake: TooWide, Source: p.String(), Limit: limit}
	}
}

// CheckTotal returns a *[SourceError] if the public prefixes of l hold more
// than [MaxPublicIPv4] addresses together. Public IPv6 has no such bound.
func CheckTotal(l List) error {
	n := l.PublicIPv4()
	if n <= MaxPublicIPv4 {
		return nil
	}
	return &SourceError{Mistake: TooMany, Limit: MaxPublicIPv4, Count: n}
}
