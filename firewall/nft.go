package firewall

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// An nftItem is a member of what "nft -j list ruleset" prints, as far as it
// matters here.
type nftItem struct {
	Chain *nftChain `json:"chain"`
	Rule  *nftRule  `json:"rule"`
}

// An nftChain is a chain of nftables; without Hook, one that others jump to.
type nftChain struct {
	Family, Table, Name string
	Type, Hook, Policy  string
}

// An nftRule is a rule of nftables. An expression is an object with one member,
// which names its kind.
type nftRule struct {
	Family, Table, Chain string
	Handle               int
	Expr                 []map[string]json.RawMessage
}

// foreignNFT returns the native base chains of nftables that drop what is for
// the ports of p, and the native rules that redirect to them. An accept in one
// base chain does not override a drop in another, so these count beside ours.
func foreignNFT(ctx context.Context, p Policy, run runner) []Finding {
	command, ok := lookCommand("nft")
	if !ok {
		return nil // a host of iptables-legacy
	}
	out, err := run(ctx, "", command, "-j", "list", "ruleset")
	if err != nil {
		return []Finding{{Kind: Unreadable, Where: "nft", What: err.Error()}}
	}
	found, err := findNFT(out, p)
	if err != nil {
		return []Finding{{Kind: Unreadable, Where: "nft", What: err.Error()}}
	}
	return found
}

// findNFT is foreignNFT for a listing.
func findNFT(listing string, p Policy) ([]Finding, error) {
	var ruleset struct {
		Items []nftItem `json:"nftables"`
	}
	if err := json.Unmarshal([]byte(listing), &ruleset); err != nil {
		return nil, fmt.Errorf("reading nft list ruleset: %w", err)
	}
	var all []Finding
	for _, item := range ruleset.Items {
		if c := item.Chain; c != nil && c.foreign() && c.Hook != "" {
			all = append(all, c.findings(ruleset.Items, p)...)
		}
	}
	return all, nil
}

// foreign reports whether the chain is neither firewalld's nor one of iptables,
// which are looked through by other means.
func (c nftChain) foreign() bool {
	tables := []string{"filter", "nat", "mangle", "raw", "security"}
	ofIPTables := (c.Family == "ip" || c.Family == "ip6") && slices.Contains(tables, c.Table) &&
		slices.Contains([]string{"INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING"}, c.Name)
	return c.Table != "firewalld" && !ofIPTables
}

// findings returns what c does to the ports of p. It follows no jumps.
func (c nftChain) findings(items []nftItem, p Policy) []Finding {
	var all []Finding
	for _, port := range p.Ports() {
		if c.Type == "filter" && c.Hook == "input" && c.drops(items, port) {
			all = append(all, Finding{
				Kind: ChainDrops, Port: port, Where: c.place(), What: "policy " + c.Policy,
				Commands: []string{fmt.Sprintf("nft insert rule %s tcp dport %d accept", c.address(), port)},
			})
		}
		if c.Type != "nat" || c.Hook != "prerouting" {
			continue
		}
		for _, r := range c.rules(items) {
			if r.redirects(port) {
				all = append(all, Finding{
					Kind: Redirect, Port: port, Where: c.place(), What: fmt.Sprintf("handle %d", r.Handle),
					Commands: []string{fmt.Sprintf("nft delete rule %s handle %d", c.address(), r.Handle)},
				})
			}
		}
	}
	return all
}

func (c nftChain) address() string { return c.Family + " " + c.Table + " " + c.Name }
func (c nftChain) place() string   { return "nft " + c.address() }

func (c nftChain) rules(items []nftItem) []nftRule {
	var all []nftRule
	for _, i := range items {
		if r := i.Rule; r != nil && r.Family == c.Family && r.Table == c.Table && r.Chain == c.Name {
			all = append(all, *r)
		}
	}
	return all
}

// drops reports whether the end of c, or one of its rules, drops what is for
// port. A rule before it may accept some.
func (c nftChain) drops(items []nftItem, port uint16) bool {
	return c.Policy == "drop" || slices.ContainsFunc(c.rules(items), func(r nftRule) bool {
		return (r.has("drop") || r.has("reject")) && (!r.has("match") || r.matches(port))
	})
}

func (r nftRule) has(kind string) bool {
	return slices.ContainsFunc(r.Expr, func(e map[string]json.RawMessage) bool {
		_, ok := e[kind]
		return ok
	})
}

// matches reports whether r names port as the destination.
func (r nftRule) matches(port uint16) bool {
	for _, e := range r.Expr {
		var m struct {
			Left struct {
				Payload struct{ Field string }
			}
			Right json.RawMessage
		}
		if json.Unmarshal(e["match"], &m) == nil && m.Left.Payload.Field == "dport" {
			return holdsPort(m.Right, port)
		}
	}
	return false
}

// holdsPort reports whether the right side of a match is the port, or a set or
// range with it.
func holdsPort(right json.RawMessage, port uint16) bool {
	var one uint16
	if json.Unmarshal(right, &one) == nil {
		return one == port
	}
	var many struct {
		Set   []json.RawMessage
		Range []uint16
	}
	if json.Unmarshal(right, &many) != nil {
		return false // the name of a set: what is in it changes
	}
	if len(many.Range) == 2 {
		return many.Range[0] <= port && port <= many.Range[1]
	}
	return slices.ContainsFunc(many.Set, func(member json.RawMessage) bool { return holdsPort(member, port) })
}

// redirects reports whether r leads packets to port of this host.
func (r nftRule) redirects(port uint16) bool {
	for _, e := range r.Expr {
		var to struct{ Port uint16 }
		if json.Unmarshal(e["redirect"], &to) == nil && to.Port == port {
			return true
		}
	}
	return false
}
