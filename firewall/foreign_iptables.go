package firewall

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coreos/go-iptables/iptables"
)

// Foreign implements Backend. As our jump is the first rule, no other rule of
// iptables opens the ports; what can is another packet filter, or none.
func (b *iptablesBackend) Foreign(ctx context.Context) ([]Finding, error) {
	all := foreignNFT(ctx, b.scope.Policy, b.run)
	drops := slices.DeleteFunc(all, func(f Finding) bool { return f.Kind == Redirect })
	if !slices.ContainsFunc(b.tables, func(t familyTable) bool { return t.family == IPv6 }) && hasIPv6Address() {
		drops = append(drops, Finding{Kind: NoIPv6Filter, What: "ip6tables"})
	}
	if bus, err := connectBus(); err == nil {
		defer bus.close() //nolint:errcheck // nothing was left unsaid
		if bus.running(ctx) {
			drops = append(drops, Finding{Kind: FirewalldRuns, What: "firewalld", Commands: []string{"systemctl disable --now firewalld"}})
		}
	}
	return drops, nil
}

// Concerning implements Backend: the rules of INPUT that name a port.
func (b *iptablesBackend) Concerning(context.Context) ([]string, error) {
	var all []string
	for _, t := range b.tables {
		rules, err := t.rules(inputChain)
		if err != nil {
			return nil, fmt.Errorf("reading %s rules: %w", t.family, err)
		}
		for _, rule := range rules {
			r := parseIPT(strings.Fields(rule))
			if len(r.ports) > 0 && slices.ContainsFunc(b.scope.Policy.Ports(), r.hasPort) {
				all = append(all, t.family.String()+" "+rule)
			}
		}
	}
	return all, nil
}

// hasIPv6Address reports whether somebody can reach this host over IPv6.
func hasIPv6Address() bool {
	return slices.ContainsFunc(localAddresses(), func(a netip.Addr) bool {
		return a.Is6() && !a.IsLoopback() && !a.IsLinkLocalUnicast()
	})
}

// localAddresses returns the addresses of this host; none if it does not say.
func localAddresses() []netip.Addr {
	var all []netip.Addr
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p.Addr())
		}
	}
	return all
}

// foreignTables returns what lies beside firewalld: rules of iptables before
// its own, if it works with iptables too, and NAT rules, whose packets it lets
// pass.
func foreignTables(ctx context.Context, p Policy, run runner, onIPTables bool) []Finding {
	var all []Finding
	for _, f := range []Family{IPv4, IPv6} {
		ipt, command, err := openTables(f)
		if err != nil || ipt == nil {
			continue
		}
		all = append(all, redirects(ipt, p, command)...)
		if onIPTables {
			all = append(all, acceptsBefore(ipt, p, command)...)
		}
	}
	return append(all, foreignNFT(ctx, p, run)...)
}

// redirects returns the NAT rules that lead other ports to those of p.
func redirects(ipt *iptables.IPTables, p Policy, command string) []Finding {
	var all []Finding
	local := localAddresses()
	for _, rule := range listed(ipt, "nat", "") {
		r := parseIPT(strings.Fields(rule))
		for _, port := range p.Ports() {
			if r.leadsTo(port, local) {
				all = append(all, tableFinding(Redirect, port, command, "nat", rule))
			}
		}
	}
	return all
}

// acceptsBefore returns the rules of INPUT that accept what is for the ports
// of p. Those of firewalld accept by zones, in chains of their own.
func acceptsBefore(ipt *iptables.IPTables, p Policy, command string) []Finding {
	var all []Finding
	for _, rule := range listed(ipt, filterTable, inputChain) {
		for _, port := range p.Ports() {
			if opensPort(strings.Fields(rule), port, p) {
				all = append(all, tableFinding(IPTableAccept, port, command, filterTable, rule))
			}
		}
	}
	return all
}

func tableFinding(k FindingKind, port uint16, command, table, rule string) Finding {
	name := filepath.Base(command)
	deletion := fmt.Sprintf("%s -t %s -D %s", name, table, strings.TrimPrefix(rule, "-A "))
	return Finding{Kind: k, Port: port, Where: name + " " + table, What: rule, Commands: []string{deletion}}
}

// listed returns the rules of a table, or of one chain of it; none of a table
// that this kernel does not have.
func listed(ipt *iptables.IPTables, table, chain string) []string {
	if chain != "" {
		lines, _ := ipt.List(table, chain)
		return lines
	}
	var all []string
	chains, _ := ipt.ListChains(table)
	for _, name := range chains {
		lines, _ := ipt.List(table, name)
		all = append(all, lines...)
	}
	return all
}
