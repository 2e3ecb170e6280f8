package allow

import (
	"fmt"
	"net/netip"
	"strings"
)

// A Mistake is what can be wrong with a source, or with all of them together.
type Mistake uint8

// The mistakes. Those of one source name it in [SourceError.Source].
const (
	Unreadable    Mistake = iota // neither an address nor a prefix
	HostBits                     // a prefix with host bits set; Proposal is the masked one
	Mapped                       // an IPv4 prefix written as IPv6; Proposal is the IPv4 prefix
	Zoned                        // an address or prefix with a zone
	Everyone                     // a /0
	Unspecified                  // 0.0.0.0 or ::, which is nobody's source
	TooWide                      // a public prefix wider than /Limit
	BeyondPrivate                // the same, but around the private range Proposal, which was probably meant
	TooMany                      // all public prefixes together hold Count IPv4 addresses, more than Limit
)

// A SourceError is a mistake in a source that an operator wrote. Fields that
// the mistake does not mention are zero.
type SourceError struct {
	Mistake  Mistake
	Source   string       // as written
	Proposal netip.Prefix // what was probably meant
	Limit    int          // of TooWide and BeyondPrivate: bits of a prefix; of TooMany: addresses
	Count    int64        // addresses found
}

// Error says in English what is wrong and what to write instead.
func (e *SourceError) Error() string {
	switch e.Mistake {
	case HostBits:
		return fmt.Sprintf("%q has host bits set; did you mean %q?", e.Source, e.Proposal)
	case Mapped:
		return fmt.Sprintf("%q is an IPv4 prefix written as IPv6 and would match nothing; did you mean %q?", e.Source, e.Proposal)
	case Zoned:
		return fmt.Sprintf("%q has a zone; write it without", e.Source)
	case Everyone:
		return fmt.Sprintf("%q is everyone; name the callers", e.Source)
	case Unspecified:
		return fmt.Sprintf("%q is no caller's address; name the callers", e.Source)
	case TooWide:
		return fmt.Sprintf("%q is too wide; a public prefix is at most a /%d", e.Source, e.Limit)
	case BeyondPrivate:
		return fmt.Sprintf("%q reaches beyond the private %q, and a public prefix is at most a /%d", e.Source, e.Proposal, e.Limit)
	case TooMany:
		return fmt.Sprintf("public sources hold %d addresses together; the most is %d", e.Count, e.Limit)
	default:
		return fmt.Sprintf("%q is neither an address nor a prefix", e.Source)
	}
}

// ParseSource reads one source: a prefix, or a bare address that stands for
// itself alone. A bare v4-mapped address becomes the IPv4 address. The error is
// a *[SourceError]; how wide a prefix may be is the question of [CheckWidth].
func ParseSource(text string) (netip.Prefix, error) {
	if strings.Contains(text, "%") {
		return refuse(Zoned, text)
	}
	p, ok := parse(text)
	switch {
	case !ok:
		return refuse(Unreadable, text)
	// In this order, so that what is proposed would not be refused in turn.
	case p.Bits() == 0 || isMapped(p) && p.Bits() == 96:
		return refuse(Everyone, text)
	case p.IsSingleIP() && p.Addr().Unmap().IsUnspecified():
		return refuse(Unspecified, text)
	case isMapped(p):
		return propose(Mapped, text, unmapped(p))
	case p.Masked() != p:
		return propose(HostBits, text, p.Masked())
	}
	return p, nil
}

func parse(text string) (_ netip.Prefix, ok bool) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	return p, err == nil
}

// isMapped reports whether p holds v4-mapped addresses alone. A shorter prefix
// around ::ffff:0:0/96 has other addresses and is a plain IPv6 one.
func isMapped(p netip.Prefix) bool { return p.Addr().Is4In6() && p.Bits() >= 96 }

func unmapped(p netip.Prefix) netip.Prefix {
	return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked()
}

func refuse(m Mistake, text string) (netip.Prefix, error) {
	return netip.Prefix{}, &SourceError{Mistake: m, Source: text}
}

func propose(m Mistake, text string, proposal netip.Prefix) (netip.Prefix, error) {
	return netip.Prefix{}, &SourceError{Mistake: m, Source: text, Proposal: proposal}
}
