package firewall

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// A Source is a prefix that may connect, and where it was named.
type Source struct {
	Prefix netip.Prefix `json:"prefix"`
	From   string       `json:"from"` // "preset kingdee-group-sandbox", "allow.sources"
}

// An Admit lets Sources, and nobody else, reach Port.
type Admit struct {
	Port    uint16   `json:"port"`
	Sources []Source `json:"sources"` // canonical: sorted, disjoint
}

// A Policy is everything lqproxy wants from the host firewall. [NewPolicy]
// makes a canonical one. It is never modified.
type Policy struct {
	Admits []Admit `json:"admits"` // sorted by port, each port once
}

// An Admission lets one source reach one TCP port.
type Admission struct {
	Source netip.Prefix
	Port   uint16
}

// String returns a as people write it: "49.4.80.61 → 8864/tcp".
func (a Admission) String() string { return sourceText(a.Source) + " → " + portText(a.Port) + "/tcp" }

// ErrEmptyPolicy says that a policy admits nobody: applying it would close the
// ports to all.
var ErrEmptyPolicy = errors.New("the policy admits nobody")

// NewPolicy returns the canonical policy of admits: ports are named once, a
// source within another is left out, and so is loopback, which no packet filter
// here keeps out.
func NewPolicy(admits ...Admit) Policy {
	byPort := map[uint16][]Source{}
	for _, a := range admits {
		byPort[a.Port] = append(byPort[a.Port], a.Sources...)
	}
	var p Policy
	for port, sources := range byPort {
		p.Admits = append(p.Admits, Admit{port, canonical(sources)})
	}
	slices.SortFunc(p.Admits, func(a, b Admit) int { return int(a.Port) - int(b.Port) })
	return p
}

// canonical returns sources sorted and disjoint. One that is named twice bears
// both names.
func canonical(sources []Source) []Source {
	all := make([]Source, 0, len(sources))
	for _, s := range sources {
		s.Prefix = unmapped(s.Prefix)
		if s.Prefix.IsValid() && !s.Prefix.Addr().IsLoopback() {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b Source) int { return a.Prefix.Compare(b.Prefix) })
	kept := all[:0]
	for _, s := range all { // whatever holds s sorts before it
		last := len(kept) - 1
		switch {
		case last >= 0 && kept[last].Prefix == s.Prefix:
			kept[last].From = joinNames(kept[last].From, s.From)
		case last >= 0 && holds(kept[last].Prefix, s.Prefix):
		default:
			kept = append(kept, s)
		}
	}
	return slices.Clip(kept)
}

// unmapped returns p masked, and an IPv4 prefix written as IPv6 as what it is.
func unmapped(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// holds reports whether all of q is in p.
func holds(p, q netip.Prefix) bool {
	return p.Bits() <= q.Bits() && p.Contains(q.Addr())
}

func joinNames(names, name string) string {
	if name == "" || slices.Contains(strings.Split(names, ", "), name) {
		return names
	}
	return names + ", " + name
}

// Empty reports whether p names no port, or a port for nobody.
func (p Policy) Empty() bool {
	return len(p.Admits) == 0 || slices.ContainsFunc(p.Admits, func(a Admit) bool { return len(a.Sources) == 0 })
}

// closed returns a policy about the same ports that admits nobody.
func (p Policy) closed() Policy {
	var c Policy
	for _, port := range p.Ports() {
		c.Admits = append(c.Admits, Admit{Port: port})
	}
	return c
}

// Ports returns the ports of p in their order.
func (p Policy) Ports() []uint16 {
	ports := make([]uint16, len(p.Admits))
	for i, a := range p.Admits {
		ports[i] = a.Port
	}
	return ports
}

// Allows reports whether addr may reach port.
func (p Policy) Allows(addr netip.Addr, port uint16) bool {
	addr = addr.Unmap().WithZone("")
	return p.covers(Admission{netip.PrefixFrom(addr, addr.BitLen()), port})
}

// covers reports whether all of a.Source may reach a.Port.
func (p Policy) covers(a Admission) bool {
	for _, admit := range p.Admits {
		if admit.Port == a.Port {
			return slices.ContainsFunc(admit.Sources, func(s Source) bool { return holds(s.Prefix, a.Source) })
		}
	}
	return false
}

// hasPort reports whether p is about port.
func (p Policy) hasPort(port uint16) bool { return slices.Contains(p.Ports(), port) }

// Admissions returns every pair of source and port, by port and source.
func (p Policy) Admissions() []Admission {
	var all []Admission
	for _, a := range p.Admits {
		for _, s := range a.Sources {
			all = append(all, Admission{s.Prefix, a.Port})
		}
	}
	return all
}

// from returns where the source of a was named; "" if p does not have it.
func (p Policy) from(a Admission) string {
	for _, admit := range p.Admits {
		for _, s := range admit.Sources {
			if admit.Port == a.Port && s.Prefix == a.Source {
				return s.From
			}
		}
	}
	return ""
}

// Equal reports whether p and q admit the same sources to the same ports,
// wherever these were named.
func (p Policy) Equal(q Policy) bool {
	return slices.Equal(p.Ports(), q.Ports()) && slices.Equal(p.Admissions(), q.Admissions())
}

// String returns "8864: 10.0.0.0/8 49.4.80.61; 9864: ..." for tests and errors.
func (p Policy) String() string {
	var b strings.Builder
	for i, a := range p.Admits {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(portText(a.Port) + ":")
		for _, s := range a.Sources {
			b.WriteString(" " + sourceText(s.Prefix))
		}
	}
	return b.String()
}
