package migrate

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lqproxy/lqproxy/firewall"
)

// ErrNoListing says that a file holds nothing of firewalld.
var ErrNoListing = errors.New("holds neither a listing of firewalld nor a zone")

// Sets returns the entries of an ipset of firewalld; not ok if it is not known.
type Sets func(name string) (entries []string, ok bool)

// A zone is a zone of firewalld, as it is listed.
type zone struct {
	name     string
	active   bool
	target   string
	bound    bool // to interfaces
	sources  []string
	services []string
	ports    []string // "8864/tcp"
	protos   []string
	forwards []string
	rules    []listed
	at       Place
}

// prefix is what stands before something of z, in a note.
func (z zone) prefix() string {
	if z.name == "" {
		return ""
	}
	return z.name + ": "
}

// A listed rule is a rich rule and where it is from.
type listed struct {
	text string
	at   Place
}

// FirewalldFile makes a draft of what a saved listing (firewall-cmd --list-all,
// --list-all-zones, --list-rich-rules), the file of a zone, or a folder of such
// files admits to port. The error is a *[ReadError].
func FirewalldFile(file string, port uint16) (Draft, error) {
	names := []string{file}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		names = zoneFiles(file)
	}
	r := &reader{root: folderOf(file)}
	var zones []zone
	for _, name := range names {
		text, err := r.text(name)
		if err != nil {
			return Draft{}, &ReadError{File: name, Err: cause(err)}
		}
		more, err := zonesOf(name, r.shown(name), text)
		if err != nil {
			return Draft{}, &ReadError{File: name, Err: err}
		}
		zones = append(zones, more...)
	}
	if len(zones) == 0 {
		return Draft{}, &ReadError{File: file, Err: ErrNoListing}
	}
	return draftOf(file, zones, setsBeside(file), port), nil
}

// zoneFiles returns the files of zones in a folder such as /etc/firewalld, whose
// other files are about other things, or in one of zones alone.
func zoneFiles(folder string) []string {
	zones := filepath.Join(folder, "zones")
	if info, err := os.Stat(zones); err == nil && info.IsDir() {
		folder = zones
	}
	names, _ := filepath.Glob(filepath.Join(globQuoted(folder), "*.xml")) // the pattern is well-formed
	return names
}

// zonesOf reads a listing or the file of a zone.
func zonesOf(name, shown string, text []byte) ([]zone, error) {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("<")) {
		z, err := readZoneFile(strings.TrimSuffix(filepath.Base(name), ".xml"), shown, text)
		return []zone{z}, err
	}
	return readListing(shown, string(text)), nil
}

// A Listing is what a firewalld that runs says.
type Listing struct {
	From    string // how it was asked
	Zones   string // firewall-cmd --list-all-zones
	Default string // the zone of packets that no other is for
	Sets    Sets
}

// Firewalld makes a draft of what l admits to port. The error is a *[ReadError].
func Firewalld(l Listing, port uint16) (Draft, error) {
	zones := readListing("", l.Zones)
	if len(zones) == 0 {
		return Draft{}, &ReadError{File: l.From, Err: ErrNoListing}
	}
	for i := range zones {
		zones[i].active = zones[i].active || zones[i].name == l.Default
		// firewalld lists rules in another order each time.
		slices.SortFunc(zones[i].rules, func(a, b listed) int { return strings.Compare(a.text, b.text) })
	}
	return draftOf(l.From, zones, l.Sets, port), nil
}

// draftOf takes the sources that zones admit.
func draftOf(from string, zones []zone, sets Sets, port uint16) Draft {
	im := &wall{d: &Draft{From: from}, port: port, sets: sets}
	some := slices.ContainsFunc(zones, func(z zone) bool { return z.active })
	for _, z := range zones {
		// Nobody's packets pass "trusted" unless it was given some, or is the default.
		idle := some || z.name == "trusted" && !z.bound && len(z.sources) == 0 && len(zones) > 1
		if idle && !z.active {
			im.inactive(z)
			continue
		}
		im.zone(z)
	}
	k := im.d.key("allow.sources")
	if !k.isSet() && len(im.d.Loud()) == 0 {
		im.d.note(k.Name, Note{Kind: NothingAdmits, Value: im.portText()})
	}
	return *im.d
}

// A wall makes a draft of what firewalld admits to a port.
type wall struct {
	d    *Draft
	port uint16
	sets Sets
}

func (im *wall) portText() string { return strconv.Itoa(int(im.port)) }

// note adds a note about something of a zone.
func (im *wall) note(k Kind, at Place, what, value string) {
	im.d.note("allow.sources", Note{Kind: k, At: at, What: printable(what), Value: value})
}

// inactive notes a zone that admits somebody, but no packet passes.
func (im *wall) inactive(z zone) {
	for _, r := range z.rules {
		if rule, ok := firewall.ReadRule(r.text, im.port); ok && rule.Accepts {
			im.note(ZoneInactive, r.at, z.prefix()+r.text, "")
		}
	}
	if im.opened(z) != "" {
		im.note(ZoneInactive, z.at, z.prefix()+im.opened(z), "")
	}
}

// zone takes what z admits. What it denies comes before all that it accepts.
func (im *wall) zone(z zone) {
	var denied []netip.Prefix
	var accepted []listed
	for _, r := range z.rules {
		rule, ok := firewall.ReadRule(r.text, im.port)
		switch {
		case !ok:
			im.unread(z, r)
		case rule.Accepts:
			accepted = append(accepted, r)
		case rule.ForAll():
			im.denyOthers(z, r, rule)
			return
		default:
			denied = append(denied, im.prefixes(rule, r)...)
		}
	}
	for _, r := range accepted {
		rule, _ := firewall.ReadRule(r.text, im.port)
		if rule.ForAll() {
			im.note(RuleForAll, r.at, z.prefix()+r.text, "")
			continue
		}
		im.admit(im.prefixes(rule, r), denied, Note{At: r.at, What: r.text})
	}
	im.openings(z, denied)
}

// unread notes a rule that may be about the port and is not understood.
func (im *wall) unread(z zone, r listed) {
	about := strings.Contains(r.text, im.portText()) || strings.Contains(r.text, "service")
	if about && strings.Contains(r.text, "accept") {
		im.note(RuleUnread, r.at, z.prefix()+r.text, "")
	}
}

// denyOthers is for a rule that keeps everyone out, or all but some.
func (im *wall) denyOthers(z zone, r listed, rule firewall.Rule) {
	if !rule.Others {
		im.note(RuleUnread, r.at, z.prefix()+r.text, "")
		return
	}
	im.admit(im.prefixes(rule, r), nil, Note{At: r.at, What: r.text})
}

// prefixes returns the sources of a rule.
func (im *wall) prefixes(rule firewall.Rule, r listed) []netip.Prefix {
	if rule.Set == "" {
		return []netip.Prefix{rule.Source}
	}
	return im.entries(rule.Set, r)
}

// entries returns the addresses of a set.
func (im *wall) entries(name string, r listed) []netip.Prefix {
	texts, ok := im.sets(name)
	if !ok {
		im.note(SetUnread, r.at, r.text, name)
	}
	var all []netip.Prefix
	for _, text := range texts {
		if set, ok := ruleSet(strings.TrimSpace(text)); ok {
			all = append(all, set[0])
		}
	}
	return all
}

// admit adds prefixes, less what is denied.
func (im *wall) admit(prefixes, denied []netip.Prefix, n Note) {
	n.Kind, n.What = Refused, printable(n.What)
	for _, p := range prefixes {
		left, ok := without([]netip.Prefix{p}, denied)
		if !ok || len(left) == 0 {
			im.note(Shadowed, n.At, n.What, "")
			continue
		}
		for i, piece := range left {
			k := im.d.key("allow.sources")
			before := len(k.Elements)
			im.d.addSource(k.Name, sourceText(piece), n)
			if piece != p && i == 0 && len(k.Elements) > before && !k.Elements[before].Out {
				carved := n
				carved.Kind, carved.Value = Carved, sourceText(p)
				k.Elements[before].Note = &carved
			}
		}
	}
}

// opened returns what of z opens the port as such; "" if nothing does.
func (im *wall) opened(z zone) string {
	if z.target == "ACCEPT" {
		return "target: ACCEPT"
	}
	for _, p := range z.ports {
		if spans(p, im.port) {
			return "ports: " + p
		}
	}
	if slices.Contains(z.protos, "tcp") {
		return "protocols: tcp"
	}
	return ""
}

// spans reports whether "8864/tcp" or "8000-9000/tcp" holds port.
func spans(text string, port uint16) bool {
	numbers, proto, _ := strings.Cut(text, "/")
	from, to, isRange := strings.Cut(numbers, "-")
	if !isRange {
		to = from
	}
	least, err := strconv.Atoi(from)
	most, err2 := strconv.Atoi(to)
	return err == nil && err2 == nil && proto == "tcp" && least <= int(port) && int(port) <= most
}

// usual are services that are open on most hosts, and have nothing to do with us.
var usual = []string{"ssh", "dhcpv6-client", "mdns", "cockpit", "samba-client", "dhcp", "dns", "ipp-client", "http", "https"}

// openings notes what of z opens the port, to everyone or to the sources of z.
func (im *wall) openings(z zone, denied []netip.Prefix) {
	what := im.opened(z)
	switch {
	case what == "":
	case len(z.sources) > 0 && !z.bound:
		im.zoneSources(z, denied)
	case z.target == "ACCEPT":
		im.note(TargetAccept, z.at, z.prefix()+what, im.portText())
	default:
		im.note(OpenPort, z.at, z.prefix()+what, im.portText())
	}
	others := slices.DeleteFunc(slices.Clone(z.services), func(s string) bool { return slices.Contains(usual, s) })
	if what == "" && len(others) > 0 {
		im.note(OpenService, z.at, z.prefix()+strings.Join(others, " "), im.portText())
	}
	for _, f := range z.forwards {
		if strings.Contains(f, "proto=tcp") && strings.Contains(f, "toport="+im.portText()+":") {
			im.note(Forwarded, z.at, z.prefix()+f, im.portText())
		}
	}
}

// zoneSources takes the sources that z is bound to: the port is open to them.
func (im *wall) zoneSources(z zone, denied []netip.Prefix) {
	im.note(ZoneSources, z.at, z.prefix()+strings.Join(z.sources, " "), "")
	for _, text := range z.sources {
		if name, isSet := strings.CutPrefix(text, "ipset:"); isSet {
			im.admit(im.entries(name, listed{text, z.at}), denied, Note{At: z.at, What: text})
		} else if set, ok := ruleSet(text); ok {
			im.admit(set, denied, Note{At: z.at, What: text})
		} else {
			im.note(RuleUnread, z.at, z.prefix()+text, "")
		}
	}
}
