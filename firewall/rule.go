package firewall

import "net/netip"

// A Rule is what a rich rule of firewalld does to packets for one port.
type Rule struct {
	Accepts bool // else it drops or rejects
	Source  netip.Prefix
	Set     string // the ipset that holds the sources; Source is invalid then
	Others  bool   // it is for everyone but Source or Set
}

// ForAll reports whether r is for everyone, or for all but some.
func (r Rule) ForAll() bool { return r.Others || !r.Source.IsValid() && r.Set == "" }

// ReadRule reads a rich rule, as people type it or as firewalld lists it. It is
// not ok if the rule does not concern packets for the TCP port, decides nothing
// about them, or names a source that is none. Services are not looked into.
func ReadRule(text string, port uint16) (r Rule, ok bool) {
	rich := parseRich(text)
	denies := rich.has("drop") || rich.has("reject")
	if !rich.has("rule") || rich.has("service") || rich.accepts() == denies || !(opener{port: port}).matches(rich) {
		return r, false
	}
	r.Accepts = rich.accepts()
	source, named := rich.part("source")
	r.Others, r.Set = source.inverted, source.attributes["ipset"]
	if address := source.attributes["address"]; address != "" {
		r.Source, ok = parsePrefix(address)
		return r, ok
	}
	return r, !named || r.Set != ""
}
