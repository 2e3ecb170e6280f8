package firewall

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// A Change is what steps do to the admission of one source, or, without a
// source, a repair.
type Change struct {
	Add    bool         `json:"add"`
	Source netip.Prefix `json:"source,omitzero"`
	Port   uint16       `json:"port,omitempty"`
	From   string       `json:"from,omitempty"`  // where the source was named, if it is added
	Where  []string     `json:"where,omitempty"` // zones or chains
	Repair string       `json:"repair,omitempty"`
	Step   Step         `json:"-"` // of a repair
}

// Changes returns what the steps from have to want do, for people: which
// sources are admitted (from p) or no longer so, then repairs.
func Changes(have, want State, p Policy) []Change {
	was, is := have.admissions(), want.admissions()
	all := append(changesOf(was, is, false, p), changesOf(is, was, true, p)...)
	slices.SortFunc(all, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), a.Source.Compare(b.Source))
	})
	for _, s := range Plan(have, want) {
		if s.repairs(len(all) > 0) {
			all = append(all, Change{Add: true, Repair: s.repair(), Step: s})
		}
	}
	return all
}

// changesOf returns what is in there and not in others.
func changesOf(there, others map[Admission][]string, add bool, p Policy) []Change {
	var all []Change
	for a, places := range there {
		where := slices.DeleteFunc(slices.Clone(places), func(w string) bool { return slices.Contains(others[a], w) })
		if len(where) == 0 {
			continue
		}
		c := Change{Add: add, Source: a.Source, Port: a.Port, Where: where}
		if add {
			c.From = p.from(a)
		}
		all = append(all, c)
	}
	return all
}

// repairs reports whether the change of sources, if there is one, does not
// already say what s does.
func (s Step) repairs(sources bool) bool {
	switch s.Verb {
	case AddPort, RemovePort, PlaceJump, RemoveJumps, RemoveChain:
		return true
	case UpdateZone:
		return len(s.AddPorts)+len(s.RemovePorts) > 0
	default:
		return s.Verb == LoadChain && !sources
	}
}

// repair returns the part of s that is no change of a source, as a phrase.
func (s Step) repair() string {
	if s.Verb != UpdateZone {
		return s.String()
	}
	s.Add, s.Remove = nil, nil
	return strings.ReplaceAll(s.String(), "\n ", "")
}

// Pending returns what changes when want follows applied: "+52.83.1.1
// -10.0.0.0/8". It is empty when they admit the same sources.
func Pending(applied, want Policy) string {
	var changes []string
	list := func(sign string, p, other Policy) {
		for _, admit := range p.Admits {
			for _, s := range admit.Sources {
				if !other.names(Admission{s.Prefix, admit.Port}) {
					changes = append(changes, sign+sourceText(s.Prefix))
				}
			}
		}
	}
	list("+", want, applied)
	list("-", applied, want)
	slices.Sort(changes)
	return strings.Join(slices.Compact(changes), " ")
}

// names reports whether p has exactly the source of a for its port.
func (p Policy) names(a Admission) bool { return slices.Contains(p.Admissions(), a) }

// Admission returns what c adds or takes away, unless it is a repair.
func (c Change) Admission() Admission { return Admission{c.Source, c.Port} }

// String returns c as a line: "+ admit 49.4.80.61 → 8864/tcp (preset …)".
func (c Change) String() string {
	if c.Repair != "" {
		return "~ " + c.Repair
	}
	text := "- admit " + c.Admission().String()
	if c.Add {
		text = "+" + text[1:]
	}
	if c.From != "" {
		text += " (" + c.From + ")"
	}
	return text
}
