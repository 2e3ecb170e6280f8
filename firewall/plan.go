package firewall

import (
	"fmt"
	"slices"
	"strings"
)

// A Verb is what a step does.
type Verb uint8

// The verbs.
const (
	AddRule     Verb = iota // of a zone, runtime
	RemoveRule              //
	AddPort                 // of a zone, runtime: open to everyone, only as a way back
	RemovePort              //
	UpdateZone              // all changes of the permanent side of a zone
	LoadChain               // replace our chain's rules at once
	PlaceJump               // as the first rule of INPUT; other jumps of ours go
	RemoveJumps             // all to our chain
	RemoveChain             //
)

// A Step is one change of the host.
type Step struct {
	Verb Verb

	Zone string
	Text string // AddRule, RemoveRule: the rich rule. AddPort, RemovePort: the port. PlaceJump: the jump

	// UpdateZone
	Add, Remove           []string // rich rules
	AddPorts, RemovePorts []string

	// Chains
	Family Family
	Chain  string
	Rules  []string // LoadChain: all of them
}

// String returns the step as a phrase: "add to zone public: rule …".
func (s Step) String() string {
	switch s.Verb {
	case AddRule:
		return fmt.Sprintf("add to zone %s: %s", s.Zone, s.Text)
	case RemoveRule:
		return fmt.Sprintf("remove from zone %s: %s", s.Zone, s.Text)
	case AddPort:
		return fmt.Sprintf("open port %s in zone %s", s.Text, s.Zone)
	case RemovePort:
		return fmt.Sprintf("close port %s in zone %s", s.Text, s.Zone)
	case UpdateZone:
		return "update permanent zone " + s.Zone + ":" + strings.Join(s.updates(), "")
	case LoadChain:
		return fmt.Sprintf("load %s chain %s: %d rules", s.Family, s.Chain, len(s.Rules))
	case PlaceJump:
		return fmt.Sprintf("place %s jump first: %s", s.Family, s.Text)
	case RemoveJumps:
		return fmt.Sprintf("remove %s jumps to %s", s.Family, s.Chain)
	case RemoveChain:
		return fmt.Sprintf("remove %s chain %s", s.Family, s.Chain)
	default:
		panic(fmt.Sprintf("BUG: firewall: verb %d", s.Verb))
	}
}

func (s Step) updates() []string {
	var all []string
	for _, change := range []struct {
		sign  string
		texts []string
	}{{"+", s.Add}, {"-", s.Remove}, {"+port ", s.AddPorts}, {"-port ", s.RemovePorts}} {
		for _, text := range change.texts {
			all = append(all, "\n  "+change.sign+text)
		}
	}
	return all
}

// Plan returns the steps from have to want, which is about the same zones and
// chains. It is pure; Plan(s, s) is empty. What is admitted comes before what
// is taken away, so that a source in both is never kept out.
func Plan(have, want State) []Step {
	var adds, updates, removes []Step
	for i, z := range have.Zones {
		w := want.Zones[i]
		gone, come := difference(z.Runtime, w.Runtime)
		adds = append(adds, runtimeSteps(z.Name, AddRule, come.Rich, AddPort, come.Ports)...)
		removes = append(removes, runtimeSteps(z.Name, RemoveRule, gone.Rich, RemovePort, gone.Ports)...)
		updates = append(updates, updateZone(z.Name, z.Permanent, w.Permanent)...)
	}
	steps := slices.Concat(adds, updates, removes)
	for i, c := range have.Chains {
		steps = append(steps, planChain(c, want.Chains[i])...)
	}
	return steps
}

// difference returns what is only in have, and only in want.
func difference(have, want Rules) (gone, come Rules) {
	return without(have, want), without(want, have)
}

// without returns what of r is not in s.
func without(r, s Rules) Rules {
	var rest Rules
	for _, rule := range r.Rich {
		if !slices.ContainsFunc(s.Rich, func(other Rich) bool { return other.Text == rule.Text }) {
			rest.Rich = append(rest.Rich, rule)
		}
	}
	for _, port := range r.Ports {
		if !slices.Contains(s.Ports, port) {
			rest.Ports = append(rest.Ports, port)
		}
	}
	return rest
}

func runtimeSteps(zone string, rule Verb, rules []Rich, port Verb, ports []string) []Step {
	var steps []Step
	for _, r := range rules {
		steps = append(steps, Step{Verb: rule, Zone: zone, Text: r.Text})
	}
	for _, p := range ports {
		steps = append(steps, Step{Verb: port, Zone: zone, Text: p})
	}
	return steps
}

func updateZone(zone string, have, want Rules) []Step {
	gone, come := difference(have, want)
	if len(gone.Rich)+len(gone.Ports)+len(come.Rich)+len(come.Ports) == 0 {
		return nil
	}
	return []Step{{
		Verb: UpdateZone, Zone: zone,
		Add: texts(come.Rich), Remove: texts(gone.Rich), AddPorts: come.Ports, RemovePorts: gone.Ports,
	}}
}

func texts(rules []Rich) []string {
	var all []string
	for _, r := range rules {
		all = append(all, r.Text)
	}
	return all
}

// planChain loads the chain before a jump leads there, and takes the jump away
// before the chain.
func planChain(have, want Chain) []Step {
	step := func(v Verb) Step { return Step{Verb: v, Family: have.Family, Chain: have.Name} }
	var steps []Step
	if want.Exists && (!have.Exists || !slices.Equal(have.Rules, want.Rules)) {
		load := step(LoadChain)
		load.Rules = want.Rules
		steps = append(steps, load)
	}
	switch {
	case len(want.Jumps) == 0 && len(have.Jumps) > 0:
		steps = append(steps, step(RemoveJumps))
	case len(want.Jumps) > 0 && (!have.First || !slices.Equal(have.Jumps, want.Jumps)):
		place := step(PlaceJump)
		place.Text = want.Jumps[0]
		steps = append(steps, place)
	}
	if have.Exists && !want.Exists {
		steps = append(steps, step(RemoveChain))
	}
	return steps
}
