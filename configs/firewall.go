package configs

import (
	"net/netip"

	"github.com/lqproxy/lqproxy/firewall"
)

// FirewallPolicy returns what c wants from the packet filter of the host: for
// the ports that others can reach, everyone who has business there, each with
// the place where c names him.
func (c Config) FirewallPolicy() firewall.Policy {
	var admits []firewall.Admit
	callers := c.callers()
	for _, l := range c.FirewallListen() {
		admits = append(admits, firewall.Admit{Port: l.Port(), Sources: callers})
	}
	admins := namedSources("admin.allow", c.Admin.Sources)
	for _, l := range beyondLoopback(c.Admin.Addresses) {
		admits = append(admits, firewall.Admit{Port: l.Port(), Sources: admins})
	}
	return firewall.NewPolicy(admits...)
}

// FirewallListen returns the addresses of the listener that others can reach.
func (c Config) FirewallListen() []netip.AddrPort { return beyondLoopback(c.Listen.Addresses) }

// callers returns who may connect to the listener.
func (c Config) callers() []firewall.Source {
	var all []firewall.Source
	for _, set := range c.InForce() {
		all = append(all, namedSources("preset "+set.Name, set.Addresses)...)
	}
	all = append(all, namedSources("allow.sources", c.Allow.Sources)...)
	all = append(all, namedSources("proxy_protocol_from", c.Listen.ProxyProtocolFrom)...)
	all = append(all, namedSources("forwarded_for_from", c.Listen.ForwardedForFrom)...)
	return append(all, namedSources("health_from", c.Listen.HealthFrom)...)
}

func namedSources(from string, prefixes []netip.Prefix) []firewall.Source {
	var all []firewall.Source
	for _, p := range prefixes {
		all = append(all, firewall.Source{Prefix: p, From: from})
	}
	return all
}

// beyondLoopback returns good listen addresses without those that only this
// machine reaches. One without an IP address is [::].
func beyondLoopback(addresses []string) []netip.AddrPort {
	var all []netip.AddrPort
	for _, a := range addresses {
		host, port, _ := hostPort(a)
		addr, err := netip.ParseAddr(host)
		if err != nil {
			addr = netip.IPv6Unspecified()
		}
		if !addr.IsLoopback() {
			all = append(all, netip.AddrPortFrom(addr, port))
		}
	}
	return all
}
