package firewall

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var writeGolden = flag.Bool("update", false, "write the golden files anew")

// A hostModel is a host as data: it carries out steps as a host would, one by
// one, so that what lies between can be looked at.
type hostModel struct{ State }

func (h *hostModel) do(t *testing.T, s Step) {
	t.Helper()
	switch s.Verb {
	case AddRule, RemoveRule, AddPort, RemovePort, UpdateZone:
		i := slices.IndexFunc(h.Zones, func(z Zone) bool { return z.Name == s.Zone })
		h.Zones[i] = changedZone(h.Zones[i], s)
		return
	}
	i := slices.IndexFunc(h.Chains, func(c Chain) bool { return c.Family == s.Family })
	c := &h.Chains[i]
	switch s.Verb {
	case LoadChain:
		c.Exists, c.Rules = true, slices.Clone(s.Rules)
	case PlaceJump:
		if !c.Exists {
			t.Errorf("%v: there is no chain to jump to", s)
		}
		c.Jumps, c.First = []string{s.Text}, true
	case RemoveJumps:
		c.Jumps, c.First = nil, false
	case RemoveChain:
		if len(c.Jumps) > 0 {
			t.Errorf("%v: something still jumps there", s)
		}
		c.Exists, c.Rules = false, nil
	}
}

func changedZone(z Zone, s Step) Zone {
	edited := func(r Rules, add, remove, addPorts, removePorts []string) Rules {
		return Rules{
			Rich:  edit(r.Rich, richOf(add), richOf(remove), func(r Rich) string { return r.Text }),
			Ports: edit(r.Ports, addPorts, removePorts, func(p string) string { return p }),
		}
	}
	one := []string{s.Text}
	switch s.Verb {
	case AddRule:
		z.Runtime = edited(z.Runtime, one, nil, nil, nil)
	case RemoveRule:
		z.Runtime = edited(z.Runtime, nil, one, nil, nil)
	case AddPort:
		z.Runtime = edited(z.Runtime, nil, nil, one, nil)
	case RemovePort:
		z.Runtime = edited(z.Runtime, nil, nil, nil, one)
	case UpdateZone:
		z.Permanent = edited(z.Permanent, s.Add, s.Remove, s.AddPorts, s.RemovePorts)
	}
	return z
}

func richOf(texts []string) []Rich {
	var all []Rich
	for _, text := range texts {
		all = append(all, Rich{Text: text})
	}
	return all
}

// String is what the host would list: sorted where it has no order.
func (h hostModel) String() string {
	var b strings.Builder
	for _, z := range h.Zones {
		for _, side := range []struct {
			name  string
			rules Rules
		}{{"runtime", z.Runtime}, {"permanent", z.Permanent}} {
			lines := slices.Concat(texts(side.rules.Rich), side.rules.Ports)
			slices.Sort(lines)
			fmt.Fprintf(&b, "zone %s, %s\n  %s\n", z.Name, side.name, strings.Join(lines, "\n  "))
		}
	}
	for _, c := range h.Chains {
		fmt.Fprintf(&b, "%s %s exists %v first %v\n  %s\n", c.Family, c.Name, c.Exists, c.First,
			strings.Join(slices.Concat(c.Jumps, c.Rules), "\n  "))
	}
	return b.String()
}

// open reports whether the model lets a reach its port. A chain without a jump
// decides nothing: before the first apply others do.
func (h hostModel) open(a Admission) bool {
	for _, z := range h.Zones {
		for _, r := range z.Runtime.Rich {
			if b, ok := parseRich(r.Text).admission(); ok && b.Port == a.Port && holds(b.Source, a.Source) {
				return true
			}
		}
	}
	for _, c := range h.Chains {
		for _, rule := range c.Rules {
			if b, ok := chainAdmission(rule); ok && b.Port == a.Port && holds(b.Source, a.Source) {
				return true
			}
		}
	}
	return false
}

// emptyHosts are the hosts on which nothing is ours yet.
func emptyHosts() map[string]State {
	return map[string]State{
		"firewalld": {Zones: []Zone{{Name: "dmz", Serves: true}, {Name: "old"}, {Name: "public", Serves: true}}},
		"iptables":  {Chains: []Chain{{Family: IPv4, Name: "LQPROXY"}, {Family: IPv6, Name: "LQPROXY"}}},
		"no-ipv6":   {Chains: []Chain{{Family: IPv4, Name: "LQPROXY-a"}}},
	}
}

func somePolicies() []Policy {
	return []Policy{
		policyOf("49.4.80.61"),
		policyOf("49.4.80.61", "10.0.0.0/8", "2001:db8::/32"),
		policyOf("49.4.80.0/24", "10.0.0.0/16"),
		policyOf("2001:db8::61"),
		NewPolicy(Admit{8864, sources("49.4.80.61")}, Admit{9864, sources("10.0.0.0/24")}),
		NewPolicy(Admit{8865, sources("49.4.80.61")}),
	}
}

// reach brings the model from where it is to what p wants, and looks at every
// state between.
func reach(t *testing.T, h *hostModel, p Policy) {
	t.Helper()
	before := hostModel{h.State}
	was := map[Admission]bool{}
	for _, q := range append(somePolicies(), p) {
		for _, a := range q.Admissions() {
			was[a] = before.open(a)
		}
	}
	want := Want(p, h.State)
	h.Zones, h.Chains = slices.Clone(h.Zones), slices.Clone(h.Chains)
	for _, s := range Plan(h.State, want) {
		h.do(t, s)
		for a, was := range was {
			switch open, will := h.open(a), p.covers(a); {
			case open && !was && !will:
				t.Errorf("after %v: %v may reach %d, who neither could nor shall", s, a.Source, a.Port)
			case !open && was && will:
				t.Errorf("after %v: %v may not reach %d, who could and shall", s, a.Source, a.Port)
			}
		}
	}
	if rest := Plan(h.State, Want(p, h.State)); len(rest) > 0 {
		t.Errorf("Plan once more = %v, want nothing", rest)
	}
}

func TestPlanBetweenAllPolicies(t *testing.T) {
	t.Parallel()
	for name, empty := range emptyHosts() {
		var b strings.Builder
		for _, from := range somePolicies() {
			h := hostModel{empty}
			reach(t, &h, from)
			for _, to := range somePolicies() {
				fmt.Fprintf(&b, "# %v\n# -> %v\n", from, to)
				for _, s := range Plan(h.State, Want(to, h.State)) {
					fmt.Fprintln(&b, strings.Join(append([]string{s.String()}, s.Rules...), "\n  "))
				}
				there := h
				reach(t, &there, to)
			}
		}
		golden(t, "plan-"+name, b.String())
	}
}

// golden compares text with the file of that name.
func golden(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *writeGolden {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestRandomWalkEndsWhereTheDirectWayDoes(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2)) // fixed: a failure must reproduce
	policies := somePolicies()
	for name, empty := range emptyHosts() {
		h := hostModel{empty}
		for step := range 300 {
			p := policies[rng.IntN(len(policies))]
			reach(t, &h, p)
			direct := hostModel{empty}
			reach(t, &direct, p)
			if diff := cmp.Diff(direct.String(), h.String()); diff != "" {
				t.Fatalf("%s, step %d: the host after %v (-direct +walked):\n%s", name, step, p, diff)
			}
		}
		h.Zones, h.Chains = slices.Clone(h.Zones), slices.Clone(h.Chains)
		for _, s := range Plan(h.State, Without(h.State)) {
			h.do(t, s)
		}
		if diff := cmp.Diff(hostModel{empty}.String(), h.String()); diff != "" {
			t.Errorf("%s: the host without us (-want +got):\n%s", name, diff)
		}
	}
}

// Damaged and foreign states, each of which must end as the direct way does.
func TestPlanRepairs(t *testing.T) {
	t.Parallel()
	p := policyOf("49.4.80.61", "2001:db8::61")
	right := Want(p, emptyHosts()["iptables"])
	rule := Rich{Text: formatRich(p.Admissions()[0])}
	stray := Rich{Text: formatRich(Admission{sources("203.0.113.9")[0].Prefix, 8864})}
	long := Rich{Text: strings.Replace(rule.Text, "49.4.80.61", "49.4.80.61/32", 1), Adopted: true}
	tables := func(change func(c *Chain)) State {
		s := State{Chains: slices.Clone(right.Chains)}
		change(&s.Chains[0])
		return s
	}
	zone := func(runtime, permanent Rules) State {
		return State{Zones: []Zone{{Name: "public", Serves: true, Runtime: runtime, Permanent: permanent}}}
	}
	states := []struct {
		name string
		have State
	}{
		{"nothing wrong", right},
		{"chain emptied", tables(func(c *Chain) { c.Rules = nil })},
		{"chain gone, jump gone", tables(func(c *Chain) { *c = Chain{Family: c.Family, Name: c.Name} })},
		{"a rule more", tables(func(c *Chain) { c.Rules = append(slices.Clone(c.Rules), "-A LQPROXY -j ACCEPT") })},
		{"other order", tables(func(c *Chain) { c.Rules = append(c.Rules[1:len(c.Rules):len(c.Rules)], c.Rules[0]) })},
		{"jump not first", tables(func(c *Chain) { c.First = false })},
		{"jump twice", tables(func(c *Chain) { c.Jumps = append(slices.Clone(c.Jumps), c.Jumps[0]) })},
		{"jump of another policy", tables(func(c *Chain) { c.Jumps = []string{jumpTo("LQPROXY", []uint16{8863})} })},
		{"runtime lost", zone(Rules{}, Rules{Rich: []Rich{rule}})},
		{"permanent lost", zone(Rules{Rich: []Rich{rule}}, Rules{})},
		{"a source more", zone(Rules{Rich: []Rich{rule, stray}}, Rules{Rich: []Rich{stray}})},
		{"written otherwise", zone(Rules{Rich: []Rich{long}}, Rules{Rich: []Rich{long, rule}})},
		{"open port", zone(Rules{Ports: []string{"8864/tcp"}}, Rules{Ports: []string{"8864/tcp"}})},
	}
	var b strings.Builder
	for _, s := range states {
		want := Want(p, s.have)
		fmt.Fprintf(&b, "# %s\n", s.name)
		for _, step := range Plan(s.have, want) {
			fmt.Fprintln(&b, step)
		}
		for _, c := range Changes(s.have, want, p) {
			fmt.Fprintf(&b, "  %v\n", c)
		}
		h := hostModel{State{Zones: slices.Clone(s.have.Zones), Chains: slices.Clone(s.have.Chains)}}
		for _, step := range Plan(s.have, want) {
			h.do(t, step)
		}
		if rest := Plan(h.State, Want(p, h.State)); len(rest) > 0 {
			t.Errorf("%s: Plan after its own steps = %v, want nothing", s.name, rest)
		}
	}
	golden(t, "repairs", b.String())
}

func TestWithoutKeepsWhatWasAdopted(t *testing.T) {
	t.Parallel()
	mine, theirs := Rich{Text: "mine"}, Rich{Text: "theirs", Adopted: true}
	have := State{Zones: []Zone{{Name: "public", Runtime: Rules{Rich: []Rich{mine, theirs}}}}}
	if got := Plan(have, Without(have)); len(got) != 1 || got[0].Verb != RemoveRule || got[0].Text != "mine" {
		t.Errorf("Plan(have, Without(have)) = %v, want the removal of ours", got)
	}
}

func TestChainOfFitsIPTables(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, name := range []string{"", "a", "declaration", "province-of-guangdong-in-the-south", "province-of-guangdong-in-the-north"} {
		chain := ChainOf(name)
		if len(chain) > mostChainName || seen[chain] != "" {
			t.Errorf("ChainOf(%q) = %q, want one of its own of %d characters at most", name, chain, mostChainName)
		}
		seen[chain] = name
	}
}
