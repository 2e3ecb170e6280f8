package migrate

import (
	"slices"
	"strings"
)

// NGINX makes a draft of the nginx whose configuration is file, or is in the
// folder of that name. The error is a *[ReadError], a *[SyntaxError] or a
// *[ChoiceError].
func NGINX(file string, c Choice) (Draft, error) {
	r, tree, err := readNginx(file)
	if err != nil {
		return Draft{}, err
	}
	if !isNginx(tree) {
		return Draft{}, notNginx(file)
	}
	tree, complete := whole(tree)
	all := sites(tree)
	chosen, ways, err := choose(all, c)
	if err != nil {
		return Draft{}, err
	}
	im := &importer{
		d: &Draft{From: file, Chosen: chosen.described(), Target: ways[0].target.String()}, root: r.root,
		site: chosen, ways: ways, main: ways[0], force: inForce(ways[0].chain), vars: newVariables(ways[0].chain),
	}
	im.readings(r, complete)
	im.build()
	im.others(all)
	im.d.dropDefaults()
	return *im.d, nil
}

// An importer makes a draft of one server of an nginx.
type importer struct {
	d     *Draft
	root  string // of relative names
	site  site
	ways  []way // that are imported
	main  way   // the first of them, whose settings are
	force []directive
	vars  variables

	needless []directive // that lqproxy does without
}

// readings notes what was odd about the files themselves.
func (im *importer) readings(r *reader, complete bool) {
	if !complete {
		n := Note{Kind: Fragment, At: Place{File: im.site.server.at.File}}
		if main := r.root + "/nginx.conf"; exists(main) {
			n.Value = main
		}
		im.d.note("", n)
	}
	for _, p := range r.recoded {
		im.d.note("", Note{Kind: NotUTF8, At: p})
	}
	for _, d := range r.barren {
		im.d.note("", im.noted(NothingFound, d))
	}
}

// build fills the draft.
func (im *importer) build() {
	im.listen()
	im.devices()
	im.access()
	im.upstream()
	im.identity()
	if im.site.isStream() {
		im.d.note("listen.tls", im.noted(PassThrough, im.main.pass))
	} else {
		im.paths()
		im.rewriting()
		im.headers()
		im.otherWays()
	}
	readers := im.readers()
	for _, d := range im.force {
		im.rule(readers, d)
	}
	im.needlessNote()
	im.d.note("", Note{Kind: Defaults})
}

// rule does what becomes of d.
func (im *importer) rule(readers map[string]func(directive), d directive) {
	r, known := rules[d.name]
	read, ok := readers[d.name]
	switch {
	case ok:
		read(d)
	case !known:
		im.d.note("", im.noted(NoCounterpart, d))
	case r.kind == NotNeeded:
		im.needless = append(im.needless, d)
	case r.kind != "":
		im.d.note(r.key, im.noted(r.kind, d))
	}
}

// noted returns a note about d.
func (im *importer) noted(k Kind, d directive) Note {
	return Note{Kind: k, At: d.at, What: d.text()}
}

// with returns n about value.
func (n Note) with(value string) Note {
	n.Value = value
	return n
}

// one returns the directive of that name that is in force, if there is one.
func (im *importer) one(name string) (d directive, ok bool) {
	all := find(im.force, name)
	if len(all) == 0 {
		return d, false
	}
	return all[len(all)-1], true
}

// value returns the first argument of the directive of that name, without
// variables that are known; "" if there is none.
func (im *importer) value(name string) string {
	d, _ := im.one(name)
	return im.vars.expand(d.arg(0))
}

// needlessNote lists what lqproxy does without.
func (im *importer) needlessNote() {
	var texts []string
	for _, d := range im.needless {
		if t := d.name + " (" + d.at.String() + ")"; !slices.Contains(texts, t) {
			texts = append(texts, t)
		}
	}
	if len(texts) > 0 {
		im.d.note("", Note{Kind: NotNeeded, Value: strings.Join(texts, ", ")})
	}
}

// others lists the servers that must stay in nginx.
func (im *importer) others(all []site) {
	for _, s := range all {
		if s.server.id == im.site.server.id {
			continue
		}
		d := s.described()
		d.Shares = slices.ContainsFunc(s.listeners(), func(l listener) bool {
			return slices.ContainsFunc(im.site.listeners(), l.meets)
		})
		im.d.Stays = append(im.d.Stays, d)
	}
}

// otherWays notes the locations that lead elsewhere, and settings that differ
// between those that are imported.
func (im *importer) otherWays() {
	used := func(d directive) bool {
		return slices.ContainsFunc(im.ways, func(w way) bool {
			return slices.ContainsFunc(w.chain, func(c directive) bool { return c.id == d.id })
		})
	}
	for _, d := range find(im.site.server.block, "location") {
		if !used(d) {
			im.d.note("allow.paths", im.noted(OtherLocation, d))
		}
	}
	for _, w := range im.ways[1:] {
		for _, d := range inForce(w.chain) {
			if _, gate := im.gate(d); d.name == "if" && !gate {
				im.noteOnce("", im.noted(Conditional, d))
				continue
			}
			r, known := rules[d.name]
			matters := known && r.kind != NotNeeded && r.differs()
			same := func(m directive) bool { return m.name == d.name && slices.Equal(m.args, d.args) }
			if matters && !slices.ContainsFunc(im.force, same) {
				im.d.note("", im.noted(Differs, d).with(w.location().text()))
			}
		}
	}
}
