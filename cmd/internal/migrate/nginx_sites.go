package migrate

import (
	"cmp"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A site is a server block of http or stream.
type site struct {
	outer  directive // http or stream
	server directive
	ways   []way
}

// A way is a place that forwards: proxy_pass in a location, or in a server of stream.
type way struct {
	chain  []directive // http or stream, the server, its locations; the innermost last
	pass   directive
	target target
}

// location returns the innermost location; the server if there is none.
func (w way) location() directive { return w.chain[len(w.chain)-1] }

func (s site) isStream() bool { return s.outer.name == "stream" }

// described returns s as it is listed for people.
func (s site) described() Server {
	d := Server{At: s.server.at}
	for _, l := range find(s.server.block, "listen") {
		d.Listen = append(d.Listen, strings.Join(l.args, " "))
	}
	for _, n := range find(s.server.block, "server_name") {
		d.Names = append(d.Names, n.args...)
	}
	return d
}

// sites returns the servers of a tree.
func sites(tree []directive) []site {
	var all []site
	for _, outer := range tree {
		if outer.name != "http" && outer.name != "stream" {
			continue
		}
		for _, server := range find(outer.block, "server") {
			s := site{outer: outer, server: server}
			s.addWays([]directive{outer, server})
			all = append(all, s)
		}
	}
	return all
}

// addWays finds what forwards in the innermost block of chain and below it.
func (s *site) addWays(chain []directive) {
	for _, d := range chain[len(chain)-1].block {
		switch {
		case d.name == "proxy_pass" && len(d.args) == 1:
			w := way{chain: slices.Clone(chain), pass: d}
			w.target = newVariables(w.chain).target(d.args[0], s.isStream())
			s.ways = append(s.ways, w)
		case d.name == "location":
			s.addWays(append(slices.Clip(chain), d))
		}
	}
}

// A target is where a way leads.
type target struct {
	scheme  string // http, https; tcp in stream
	host    string // a name, an address, or that of an upstream block; "": not known
	port    uint16 // 0: none is written
	path    string // what follows the host, as written; "": nothing
	dynamic bool   // nginx puts it together for each request
	varies  []string
	group   *directive // the upstream block
}

// String returns the target as a URL.
func (t target) String() string {
	host := cmp.Or(t.host, "?")
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if t.port != 0 {
		host += ":" + strconv.Itoa(int(t.port))
	}
	return t.scheme + "://" + host + t.path
}

// A member is a server of an upstream block, or the target itself.
type member struct {
	host   string
	port   uint16 // 0: that of the scheme
	params []string
	from   directive
}

// members returns the servers that t leads to.
func (t target) members(pass directive) []member {
	if t.group == nil {
		return []member{{host: t.host, port: t.port, from: pass}}
	}
	var all []member
	for _, d := range find(t.group.block, "server") {
		if len(d.args) == 0 {
			continue
		}
		host, port := splitHost(d.args[0])
		all = append(all, member{host, port, d.args[1:], d})
	}
	return all
}

// splitHost splits "host:port", "host", "[v6]:port" and "[v6]".
func splitHost(s string) (host string, port uint16) {
	if h, p, err := net.SplitHostPort(s); err == nil {
		if n, err := strconv.ParseUint(p, 10, 16); err == nil {
			return h, uint16(n)
		}
	}
	return strings.Trim(s, "[]"), 0
}

// variables are what the variables of a place hold.
type variables struct {
	values map[string]string
	others map[string][]string // the values that one may have besides
	groups map[string]directive
}

// newVariables reads the variables and upstream blocks that hold in chain.
func newVariables(chain []directive) variables {
	v := variables{map[string]string{}, map[string][]string{}, map[string]directive{}}
	for _, d := range find(chain[0].block, "upstream") {
		v.groups[d.arg(0)] = d
	}
	for _, d := range find(chain[0].block, "map") {
		v.addMap(d)
	}
	for _, level := range chain {
		for _, d := range find(level.block, "set") {
			if len(d.args) == 2 {
				v.values[d.args[0]] = v.expand(d.args[1])
			}
		}
	}
	return v
}

// addMap takes the default of a map, and what else it may become.
func (v variables) addMap(d directive) {
	name := d.arg(1)
	values := map[string]bool{}
	for _, line := range d.block {
		switch value := line.arg(0); {
		case line.name == "default":
			v.values[name] = value
		case len(line.args) == 1 && line.name != "include":
			values[value] = true
		}
	}
	delete(values, v.values[name])
	for value := range values {
		v.others[name] = append(v.others[name], value)
	}
	slices.Sort(v.others[name])
	if _, ok := v.values[name]; !ok && len(v.others[name]) > 0 {
		v.values[name] = v.others[name][0]
	}
}

var variable = regexp.MustCompile(`\$(?:\{(\w+)\}|(\w+))`)

// nameOf returns the variable that a match of that pattern is, as set names it.
func nameOf(match string) string { return "$" + strings.Trim(match, "${}") }

// expand replaces the variables that are known. Others stay.
func (v variables) expand(text string) string {
	return variable.ReplaceAllStringFunc(text, func(match string) string {
		if value, ok := v.values[nameOf(match)]; ok {
			return value
		}
		return match
	})
}

// varying returns what else the variables of text may be.
func (v variables) varying(text string) []string {
	var all []string
	for _, match := range variable.FindAllString(text, -1) {
		all = append(all, v.others[nameOf(match)]...)
	}
	return all
}

// target reads the argument of proxy_pass.
func (v variables) target(text string, stream bool) target {
	t := target{scheme: "tcp", varies: v.varying(text)}
	rest := v.expand(text)
	if !stream {
		scheme, after, _ := strings.Cut(rest, "://")
		t.scheme, rest = strings.ToLower(scheme), after
	}
	authority := rest
	if i := strings.IndexAny(rest, "/$?"); i >= 0 {
		authority, t.path = rest[:i], rest[i:]
	}
	t.dynamic = strings.Contains(text, "$")
	if strings.HasPrefix(authority, "unix:") {
		return t
	}
	t.host, t.port = splitHost(authority)
	if g, ok := v.groups[t.host]; ok && t.port == 0 {
		t.group = &g
	}
	return t
}

// leqi are the names of the platform's hosts, the provincial ones too.
var leqi = regexp.MustCompile(`(?i)^lqpt[^.]*(\.[^.]+)?\.chinatax\.gov\.cn$`)

// leadsToLeqi reports whether w leads to the platform, by any name that it has there.
func (w way) leadsToLeqi() bool {
	v := newVariables(w.chain)
	var names []string
	for _, m := range w.target.members(w.pass) {
		names = append(names, m.host)
	}
	force := inForce(w.chain)
	for _, d := range force {
		if d.name == "proxy_ssl_name" || d.name == "proxy_set_header" && strings.EqualFold(d.arg(0), "Host") {
			host, _ := splitHost(v.expand(d.arg(len(d.args) - 1)))
			names = append(names, host)
		}
	}
	return slices.ContainsFunc(names, leqi.MatchString)
}

// isAddress reports whether host is an IP address.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
