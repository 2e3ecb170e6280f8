package firewall

import (
	"net/netip"
	"slices"
	"strings"
)

// An iptRule is what a rule of iptables matches, as far as it matters here.
type iptRule struct {
	target    string
	protocol  string
	ports     []string // destination ports, "8864" or "8860:8870"
	source    string
	inward    string   // interface
	states    []string // of conntrack
	toPorts   string   // REDIRECT
	to        string   // DNAT
	inversion bool     // something is inverted: what it matches is not known
}

// parseIPT reads the words of a rule, with or without "-A CHAIN" before them.
func parseIPT(args []string) iptRule {
	var r iptRule
	for i := range args {
		value := ""
		if i+1 < len(args) {
			value = args[i+1]
		}
		switch args[i] {
		case "!":
			r.inversion = true
		case "-j", "--jump", "-g", "--goto":
			r.target = value
		case "-p", "--protocol", "--proto":
			r.protocol = value
		case "--dport", "--dports", "--destination-port", "--destination-ports", "--ports":
			r.ports = strings.Split(value, ",")
		case "-s", "--source", "--src":
			r.source = value
		case "-i", "--in-interface":
			r.inward = value
		case "--ctstate", "--state":
			r.states = strings.Split(value, ",")
		case "--to-ports":
			r.toPorts = value
		case "--to-destination":
			r.to = value
		}
	}
	return r
}

// opensPort reports whether a rule accepts new connections to port from others
// than p does.
func opensPort(args []string, port uint16, p Policy) bool {
	r := parseIPT(args)
	if r.target != "ACCEPT" || r.inward == "lo" || !r.isTCP() || !r.hasPort(port) {
		return false
	}
	if len(r.states) > 0 && !slices.Contains(r.states, "NEW") {
		return false
	}
	source, ok := parsePrefix(r.source)
	return !ok || r.inversion || !p.covers(Admission{source, port})
}

func (r iptRule) isTCP() bool {
	return slices.Contains([]string{"", "tcp", "6", "all", "0"}, r.protocol)
}

func (r iptRule) hasPort(port uint16) bool {
	return len(r.ports) == 0 || r.inversion || slices.ContainsFunc(r.ports, func(text string) bool {
		least, most, ok := portRange(text, ":")
		return ok && least <= port && port <= most
	})
}

// leadsTo reports whether a NAT rule leads packets to port of this host, which
// has the addresses local.
func (r iptRule) leadsTo(port uint16, local []netip.Addr) bool {
	if !r.isTCP() {
		return false
	}
	if r.target == "REDIRECT" {
		return r.toPorts == portText(port)
	}
	to, err := netip.ParseAddrPort(r.to)
	return r.target == "DNAT" && err == nil && to.Port() == port && slices.Contains(local, to.Addr())
}
