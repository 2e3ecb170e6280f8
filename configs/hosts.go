package configs

import (
	"net/netip"
	"slices"
)

// PublicHosts returns the public addresses that callers are likely to have in
// their URLs, as far as c knows them: those that are filed, which most often
// lead in as well as out, and those that are listened on.
func (c Config) PublicHosts() []string {
	var all []string
	add := func(addr netip.Addr) {
		if s := addr.String(); isPublic(addr) && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	for _, addr := range c.Probe.FiledIPs {
		add(addr)
	}
	for _, l := range c.FirewallListen() {
		add(l.Addr())
	}
	return all
}

func isPublic(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate()
}
