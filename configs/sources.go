package configs

import (
	"errors"
	"net"
	"net/netip"
	"strconv"

	"github.com/lqproxy/lqproxy/proxy/allow"
)

// source is an address, which stands for itself alone, or a masked prefix, no
// wider than package allow permits.
func source() codec[netip.Prefix] {
	return codec[netip.Prefix]{parse: parseSource, format: formatSource}
}

func parseSource(s string) (netip.Prefix, *Mistake) {
	p, err := allow.ParseSource(s)
	if err == nil {
		err = allow.CheckWidth(p)
	}
	if err != nil {
		return netip.Prefix{}, sourceMistake(err)
	}
	return p, nil
}

// sourceKinds are the kinds of what package allow finds.
var sourceKinds = map[allow.Mistake]Kind{
	allow.Unreadable:    NotSource,
	allow.HostBits:      HostBits,
	allow.Mapped:        MappedSource,
	allow.Zoned:         ZonedSource,
	allow.Everyone:      Everyone,
	allow.Unspecified:   NobodysSource,
	allow.TooWide:       TooWide,
	allow.BeyondPrivate: BeyondPrivate,
	allow.TooMany:       TooManyPublic,
}

func sourceMistake(err error) *Mistake {
	e, ok := errors.AsType[*allow.SourceError](err)
	if !ok {
		panic("BUG: configs: package allow returned " + err.Error())
	}
	m := &Mistake{Kind: sourceKinds[e.Mistake]}
	if e.Proposal.IsValid() {
		m.Proposal = strconv.Quote(e.Proposal.String())
	}
	switch m.Kind {
	case TooWide, BeyondPrivate:
		m.Most = "/" + strconv.Itoa(e.Limit)
	case TooManyPublic:
		m.Value, m.Most = strconv.FormatInt(e.Count, 10), strconv.Itoa(e.Limit)
	}
	return m
}

// formatSource writes a prefix of one address without its length.
func formatSource(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// hostPort splits s into a host, which may be empty, and a port.
func hostPort(s string) (host string, port uint16, ok bool) {
	host, digits, err := net.SplitHostPort(s)
	if err != nil || !isDigits(digits) {
		return "", 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	return host, uint16(n), err == nil && n > 0
}

func joinHostPort(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
