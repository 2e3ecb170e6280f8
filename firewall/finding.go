package firewall

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A FindingKind says what a finding is.
type FindingKind string

// The kinds. The first ones open a port to sources outside of the policy; the
// last ones may keep sources of the policy out.
const (
	OpenPort      FindingKind = "open_port"       // of a zone, for everyone
	OpenRange     FindingKind = "open_range"      // a range that holds the port
	OpenService   FindingKind = "open_service"    // a service that holds the port
	OpenProtocol  FindingKind = "open_protocol"   // all of TCP
	OpenFromPort  FindingKind = "open_from_port"  // whatever comes from a source port
	RichAccept    FindingKind = "rich_accept"     // a rich rule
	Forward       FindingKind = "forward"         // another port leads to ours
	TargetAccept  FindingKind = "target_accept"   // a zone or policy that accepts everything
	DirectAccept  FindingKind = "direct_accept"   // a direct rule or passthrough of firewalld
	IPTableAccept FindingKind = "iptables_accept" // a rule of iptables before firewalld's
	Redirect      FindingKind = "redirect"        // a NAT rule leads another port to ours
	RulesLost     FindingKind = "rules_lost"      // somebody flushed what firewalld had loaded
	NoIPv6Filter  FindingKind = "no_ipv6_filter"  // IPv6 is up, and ip6tables is not there

	ChainDrops    FindingKind = "chain_drops"    // a native nftables chain
	FirewalldRuns FindingKind = "firewalld_runs" // beside the iptables backend
	Unreadable    FindingKind = "unreadable"     // what there is could not be read
)

// A Finding is something foreign that concerns a port of the policy.
type Finding struct {
	Kind     FindingKind `json:"kind"`
	Port     uint16      `json:"port,omitempty"`
	Where    string      `json:"where,omitempty"` // "zone public", "policy lan", "nft inet filter input"
	When     string      `json:"when,omitempty"`  // firewalld: "runtime", "permanent", "runtime and permanent"
	What     string      `json:"what"`            // the port, service or rule, as the host writes it
	Commands []string    `json:"commands,omitempty"`

	// Leftover: apply can remove it, if asked to. It is what the deployment
	// guide has one type, or what it says to remove.
	Leftover bool `json:"leftover,omitempty"`
}

// Opens reports whether f lets sources in that are outside of the policy.
func (f Finding) Opens() bool {
	return f.Kind != ChainDrops && f.Kind != FirewalldRuns && f.Kind != Unreadable
}

// String returns f in one line of English, for errors and the record.
func (f Finding) String() string {
	text := fmt.Sprintf("%s %s", f.Kind, f.What)
	if f.Where != "" {
		text += " in " + f.Where
	}
	if f.When != "" {
		text += " (" + f.When + ")"
	}
	return text
}

// merged returns findings sorted, with those of the runtime and the permanent
// side in one.
func merged(findings []Finding) []Finding {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.Port, b.Port), cmp.Compare(a.Where, b.Where),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.What, b.What),
		)
	})
	var all []Finding
	for _, f := range findings {
		last := len(all) - 1
		if last >= 0 && all[last].same(f) {
			all[last].When = joinSides(all[last].When, f.When)
			all[last].Commands = append(all[last].Commands, f.Commands...)
			continue
		}
		all = append(all, f)
	}
	return all
}

func joinSides(a, b string) string {
	if a == b {
		return a
	}
	return a + " and " + b
}

func (f Finding) same(g Finding) bool {
	return f.Kind == g.Kind && f.Port == g.Port && f.Where == g.Where && f.What == g.What
}

// quoted returns text as one word of a shell.
func quoted(text string) string {
	if text != "" && !strings.ContainsAny(text, " \t\"'\\$`!*?[](){}<>|&;~#") {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
