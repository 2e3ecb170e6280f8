package migrate

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/lqproxy/lqproxy/proxy/allow"
)

// A grant is a prefix that nginx admits, and why.
type grant struct {
	prefix netip.Prefix
	note   *Note // nil: the line says it all
	from   directive
}

// grants are who is admitted to a way.
type grants struct {
	all  []grant
	open bool // everyone else is admitted too
}

// access takes who may connect, as the first rule that fits decides.
func (im *importer) access() {
	const key = "allow.sources"
	if slices.ContainsFunc(im.d.key("listen.proxy_protocol_from").Notes, func(n Note) bool { return n.Kind == BalancerRules }) {
		return // the rules are about balancers
	}
	var all, closed []grants
	for _, w := range im.ways {
		g := im.grants(w)
		all = append(all, g)
		if g.open {
			im.noteOnce(key, im.openNote(w))
		} else {
			closed = append(closed, g)
		}
	}
	for _, g := range all {
		im.addGrants(g, closed)
	}
	im.withoutDevices()
}

// openNote says that w lets everyone in.
func (im *importer) openNote(w way) Note {
	for _, d := range inherited(w.chain, "if") {
		if _, ok := im.gate(d); ok {
			return im.noted(VariableOpen, d)
		}
	}
	rules := inherited(w.chain, "allow")
	if len(rules) == 0 {
		return im.noted(NoRules, w.location())
	}
	return im.noted(OpenToAll, rules[len(rules)-1])
}

// addGrants adds those of g as elements; as comments where one of others does
// not admit them.
func (im *importer) addGrants(g grants, others []grants) {
	for _, one := range g.all {
		text := sourceText(one.prefix)
		n := im.noted(Refused, one.from)
		k := im.d.key("allow.sources")
		before := len(k.Elements)
		im.d.addSource(k.Name, text, n)
		if len(k.Elements) == before || k.Elements[before].Out {
			continue
		}
		e := &k.Elements[before]
		e.Note = one.note
		for _, o := range others {
			if left, ok := without([]netip.Prefix{one.prefix}, o.set()); !ok || len(left) > 0 {
				n.Kind = OneList
				e.Out, e.Note = true, &n
			}
		}
	}
}

// set returns the prefixes of g.
func (g grants) set() []netip.Prefix {
	var all []netip.Prefix
	for _, one := range g.all {
		all = append(all, one.prefix)
	}
	return allow.NewList(all...).Prefixes()
}

// withoutDevices leaves out sources that vouch for others: a call of theirs has
// the source that they name.
func (im *importer) withoutDevices() {
	var devices []netip.Prefix
	for _, e := range im.d.key("listen.forwarded_for_from").Elements {
		if p, err := allow.ParseSource(e.Text); err == nil && !e.Out {
			devices = append(devices, p)
		}
	}
	k := im.d.key("allow.sources")
	for i, e := range k.Elements {
		p, err := allow.ParseSource(e.Text)
		if err != nil || e.Out {
			continue
		}
		if left, _ := without([]netip.Prefix{p}, devices); len(left) == 0 {
			k.Elements[i].Out = true
			k.Elements[i].Note = &Note{Kind: DeviceItself, What: e.Text}
		}
	}
}

// admitted returns who is admitted to w; everyone if it is open.
func (im *importer) admitted(w way) (set []netip.Prefix, open bool) {
	g := im.grants(w)
	if g.open {
		return everyone, true
	}
	return g.set(), false
}

// grants judges the rules and gates of w.
func (im *importer) grants(w way) grants {
	g := im.byRules(inherited(w.chain, "allow"))
	for _, d := range inherited(w.chain, "if") {
		if gate, ok := im.gate(d); ok {
			g = g.through(gate, im.noted(FromVariable, d), d)
		}
	}
	return g
}

// byRules judges allow and deny in their order.
func (im *importer) byRules(rules []directive) grants {
	var g grants
	var denied []netip.Prefix
	for _, d := range rules {
		set, ok := ruleSet(im.vars.expand(d.arg(0)))
		switch {
		case !ok:
			im.noteOnce("allow.sources", im.noted(Unread, d))
		case d.name == "deny" && holdsAll(set):
			return g
		case d.name == "deny":
			denied = append(denied, set...)
		case holdsAll(set) && len(set) == len(everyone):
			g.open = true
			return g
		default:
			im.grant(&g, d, set[0], denied)
		}
	}
	g.open = true
	return g
}

// ruleSet reads the argument of allow and deny. nginx ignores host bits.
func ruleSet(text string) (set []netip.Prefix, ok bool) {
	if text == "all" {
		return everyone, true
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap().WithZone("")
		return []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}, true
	}
	p, err := netip.ParsePrefix(text)
	return []netip.Prefix{p.Masked()}, err == nil
}

// grant adds p, of the rule d, less what is denied before it.
func (im *importer) grant(g *grants, d directive, p netip.Prefix, denied []netip.Prefix) {
	left, ok := without([]netip.Prefix{p}, denied)
	var note *Note
	switch n := im.noted(Carved, d); {
	case !ok:
		im.noteOnce("allow.sources", im.noted(Unread, d))
		return
	case len(left) == 0:
		im.noteOnce("allow.sources", im.noted(Shadowed, d))
		return
	case len(left) > 1 || left[0] != p:
		n.Value = sourceText(p)
		note = &n
	case strings.Contains(d.arg(0), "/") && sourceText(p) != d.arg(0) && p.String() != d.arg(0):
		n.Kind, n.Value = Masked, d.arg(0)
		note = &n
	}
	for i, piece := range left {
		if i > 0 {
			note = nil // said once
		}
		g.all = append(g.all, grant{piece, note, d})
	}
}

// noteOnce adds n unless it is there: several ways may inherit one line.
func (im *importer) noteOnce(key string, n Note) {
	notes := im.d.Notes
	if key != "" {
		notes = im.d.key(key).Notes
	}
	if !slices.ContainsFunc(notes, func(o Note) bool { return o.Kind == n.Kind && o.At == n.At && o.What == n.What }) {
		im.d.note(key, n)
	}
}

// through returns what of g passes a gate.
func (g grants) through(gate gate, n Note, d directive) grants {
	if gate.open {
		return g.less(gate.refused)
	}
	var passed grants
	if g.open {
		for i, p := range gate.set {
			one := grant{prefix: p, from: d}
			if i == 0 {
				one.note = &n
			}
			passed.all = append(passed.all, one)
		}
		return passed
	}
	for _, one := range g.all {
		for _, p := range within([]netip.Prefix{one.prefix}, gate.set) {
			passed.all = append(passed.all, grant{p, one.note, one.from})
		}
	}
	return passed
}

// less returns g without those who are refused.
func (g grants) less(refused []netip.Prefix) grants {
	passed := grants{open: g.open}
	for _, one := range g.all {
		left, _ := without([]netip.Prefix{one.prefix}, refused)
		for _, p := range left {
			passed.all = append(passed.all, grant{p, one.note, one.from})
		}
	}
	return passed
}

// A gate is an "if" that refuses by the caller's address.
type gate struct {
	set, refused []netip.Prefix // who passes, and who does not
	open         bool           // all others pass
}

// gate reads an "if" whose block is one return of an error, and whose condition
// is about an address or a variable made from it.
func (im *importer) gate(d directive) (g gate, ok bool) {
	if len(d.block) != 1 || d.block[0].name != "return" || !refuses(d.block[0].arg(0)) {
		return g, false
	}
	hits, ok := comparison(d.args)
	if !ok {
		return g, false
	}
	areas, ok := im.areas(d.arg(0), d.arg(2))
	if !ok {
		return g, false
	}
	for _, a := range areas {
		hit := hits(a.value)
		if holdsAll(a.wide) {
			g.open = g.open || !hit
			continue
		}
		left, ok := without(a.wide, a.holes)
		if !ok {
			return g, false
		}
		if hit {
			g.refused = append(g.refused, left...)
		} else {
			g.set = append(g.set, left...)
		}
	}
	g.set = allow.NewList(g.set...).Prefixes()
	return g, true
}

// refuses reports whether a status is one of refusing.
func refuses(status string) bool { return len(status) == 3 && (status[0] == '4' || status[0] == '5') }

// comparison reads "$x", "$x = v" and "$x != v".
func comparison(args []string) (hits func(string) bool, ok bool) {
	switch {
	case len(args) == 1:
		return func(v string) bool { return v != "" && v != "0" }, true
	case len(args) == 3 && args[1] == "=":
		return func(v string) bool { return v == args[2] }, true
	case len(args) == 3 && args[1] == "!=":
		return func(v string) bool { return v != args[2] }, true
	}
	return nil, false
}

// An area is the addresses for which a variable has a value.
type area struct {
	wide, holes []netip.Prefix
	value       string
}

// callerVariables hold the address of the caller.
var callerVariables = []string{"$remote_addr", "$binary_remote_addr"}

// areas returns the values of a variable by address. A comparison of the address
// itself has two: that one, and the rest.
func (im *importer) areas(name, compared string) ([]area, bool) {
	if slices.Contains(callerVariables, name) {
		addr, err := netip.ParseAddr(compared)
		if err != nil {
			return nil, false
		}
		one := []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}
		return []area{{wide: one, value: compared}, {wide: everyone, holes: one}}, true
	}
	for _, d := range im.main.chain[0].block {
		isGeo := d.name == "geo" && (len(d.args) == 1 || slices.Contains(callerVariables, d.arg(0)))
		isMap := d.name == "map" && slices.Contains(callerVariables, d.arg(0))
		if (isGeo || isMap) && d.args[len(d.args)-1] == name {
			return tableAreas(d)
		}
	}
	return nil, false
}

// tableAreas reads a geo, or a map of addresses.
func tableAreas(d directive) ([]area, bool) {
	rest := area{wide: everyone}
	var all []area
	for _, line := range d.block {
		set, ok := ruleSet(line.name)
		switch {
		case line.name == "default" && len(line.args) == 1:
			rest.value = line.args[0]
		case !ok || len(line.args) != 1 || line.name == "all" || d.name == "map" && strings.Contains(line.name, "/"):
			return nil, false
		default:
			all = append(all, area{wide: set, value: line.args[0]})
		}
	}
	for i := range all {
		for j := range all {
			p, q := all[i].wide[0], all[j].wide[0]
			if q.Bits() > p.Bits() && p.Overlaps(q) {
				all[i].holes = append(all[i].holes, q)
			}
		}
	}
	return append(all, rest), true
}
