package firewall

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A State is what a host has of ours, or should have: zones of firewalld, or
// chains of iptables. The other list is empty.
type State struct {
	Zones  []Zone  // sorted by name
	Chains []Chain // IPv4 first
}

// A Zone is our part of a zone of firewalld.
type Zone struct {
	Name      string
	Serves    bool  // packets for the listener pass it; else only old rules of ours are in it
	Runtime   Rules // in force
	Permanent Rules // after the next start of firewalld
}

// Rules are what is ours in a zone, or shall be closed in it.
type Rules struct {
	Rich  []Rich
	Ports []string // open for everyone, as firewalld writes them: "8864/tcp"; only those that shall be closed
}

// A Rich is a rich rule of exactly our shape.
type Rich struct {
	Text    string
	Adopted bool // it was there before us, and stays when ours go
}

// A Family is a version of the Internet protocol.
type Family uint8

// The families.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// String returns "IPv4" or "IPv6".
func (f Family) String() string { return "IPv" + strconv.Itoa(int(f)) }

// A Chain is our chain of iptables in one family, and the rules of INPUT that
// jump to it. Rules are as "iptables -S" writes them.
type Chain struct {
	Family Family
	Name   string
	Exists bool
	Rules  []string
	Jumps  []string
	First  bool // nothing but jumps of other instances comes before the first jump in INPUT
}

// Want returns what the host that is in the state have should be like for p. A
// rule that is there and admits the right source is kept as it is written.
func Want(p Policy, have State) State {
	var want State
	for _, z := range have.Zones {
		w := Zone{Name: z.Name, Serves: z.Serves}
		if z.Serves {
			w.Runtime, w.Permanent = wantRules(p, z.Runtime), wantRules(p, z.Permanent)
		}
		want.Zones = append(want.Zones, w)
	}
	for _, c := range have.Chains {
		want.Chains = append(want.Chains, wantChain(p, c.Family, c.Name))
	}
	return want
}

func wantRules(p Policy, have Rules) Rules {
	there := map[Admission]Rich{}
	for _, r := range have.Rich {
		if a, ok := parseRich(r.Text).admission(); ok {
			if _, twice := there[a]; !twice {
				there[a] = r
			}
		}
	}
	var want Rules
	for _, a := range p.Admissions() {
		r, ok := there[a]
		if !ok {
			r = Rich{Text: formatRich(a)}
		}
		want.Rich = append(want.Rich, r)
	}
	return want
}

// Without returns what the host should be like without us: what we added is
// gone, what we adopted stays.
func Without(have State) State {
	var want State
	for _, z := range have.Zones {
		want.Zones = append(want.Zones, Zone{
			Name: z.Name, Serves: z.Serves, Runtime: adopted(z.Runtime), Permanent: adopted(z.Permanent),
		})
	}
	for _, c := range have.Chains {
		want.Chains = append(want.Chains, Chain{Family: c.Family, Name: c.Name})
	}
	return want
}

func adopted(r Rules) Rules {
	return Rules{Rich: slices.DeleteFunc(slices.Clone(r.Rich), func(r Rich) bool { return !r.Adopted })}
}

// wantChain returns the chain of p: established and loopback, the sources, and
// nobody else.
func wantChain(p Policy, f Family, name string) Chain {
	rules := []string{
		"-A " + name + " -i lo -j ACCEPT",
		"-A " + name + " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
	}
	for _, a := range p.Admissions() {
		if familyOf(a.Source) == f {
			rules = append(rules, "-A "+name+" -s "+a.Source.String()+" -p tcp -m tcp --dport "+portText(a.Port)+" -j ACCEPT")
		}
	}
	return Chain{
		Family: f, Name: name, Exists: true, First: true,
		Rules: append(rules, "-A "+name+" -j DROP"),
		Jumps: []string{jumpTo(name, p.Ports())},
	}
}

// jumpTo is the rule of INPUT that leads packets for ports to our chain.
func jumpTo(chain string, ports []uint16) string {
	list := make([]string, len(ports))
	for i, port := range ports {
		list[i] = portText(port)
	}
	return "-A INPUT -p tcp -m multiport --dports " + strings.Join(list, ",") + " -j " + chain
}

// chainAdmission reads a rule of our chain that lets a source pass.
func chainAdmission(rule string) (a Admission, ok bool) {
	w := strings.Fields(rule)
	if len(w) != 12 || w[2] != "-s" || w[8] != "--dport" || w[11] != "ACCEPT" {
		return a, false
	}
	source, err := netip.ParsePrefix(w[3])
	port, err2 := strconv.ParseUint(w[9], 10, 16)
	return Admission{source, uint16(port)}, err == nil && err2 == nil
}

func familyOf(p netip.Prefix) Family {
	if p.Addr().Is4() {
		return IPv4
	}
	return IPv6
}

func portText(port uint16) string { return strconv.Itoa(int(port)) }

// sourceText writes a prefix of one address without its length.
func sourceText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// admissions returns who is let through by what is ours, and where.
func (s State) admissions() map[Admission][]string {
	all := map[Admission][]string{}
	add := func(where string, rules Rules) {
		for _, r := range rules.Rich {
			if a, ok := parseRich(r.Text).admission(); ok {
				all[a] = append(all[a], where)
			}
		}
	}
	for _, z := range s.Zones {
		add("zone "+z.Name+", runtime", z.Runtime)
		add("zone "+z.Name+", permanent", z.Permanent)
	}
	for _, c := range s.Chains {
		for _, rule := range c.Rules {
			if a, ok := chainAdmission(rule); ok {
				all[a] = append(all[a], "chain "+c.Name+", "+c.Family.String())
			}
		}
	}
	return all
}
