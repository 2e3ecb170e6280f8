package migrate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Choice says which server of an nginx is meant. Its zero value is the one
// that leads to Leqi.
type Choice struct {
	Server string // one of its names
	Listen string // an address or a port that it listens at: "8864", "10.0.0.5:8864"
}

// A Candidate is a server that forwards, and where to.
type Candidate struct {
	Server
	Targets []string
}

// A ChoiceError says that it is not clear which server is meant.
type ChoiceError struct {
	Asked      Choice
	Fit        int // how many of Candidates fit
	Candidates []Candidate
}

// Error implements error.
func (e *ChoiceError) Error() string {
	return fmt.Sprintf("%d of %d servers that forward fit", e.Fit, len(e.Candidates))
}

// choose returns the one server that is meant, and those of its ways that are.
func choose(all []site, c Choice) (s site, ways []way, err error) {
	var fit []site
	e := &ChoiceError{Asked: c}
	for _, s := range all {
		if len(s.ways) == 0 {
			continue
		}
		e.Candidates = append(e.Candidates, s.candidate())
		if c.fits(s) {
			fit = append(fit, s)
		}
	}
	if e.Fit = len(fit); e.Fit != 1 {
		return site{}, nil, e
	}
	return fit[0], fit[0].meant(), nil
}

func (s site) candidate() Candidate {
	c := Candidate{Server: s.described()}
	for _, w := range s.ways {
		if t := w.target.String(); !slices.Contains(c.Targets, t) {
			c.Targets = append(c.Targets, t)
		}
	}
	return c
}

// fits reports whether s is one that c means.
func (c Choice) fits(s site) bool {
	if c == (Choice{}) {
		return slices.ContainsFunc(s.ways, way.leadsToLeqi)
	}
	d := s.described()
	return (c.Server == "" || slices.Contains(d.Names, c.Server)) &&
		(c.Listen == "" || slices.ContainsFunc(s.listeners(), func(l listener) bool { return l.is(c.Listen) }))
}

// meant returns the ways of s that lead to where the first to Leqi leads; if
// none leads there, where the first leads.
func (s site) meant() []way {
	first := max(slices.IndexFunc(s.ways, way.leadsToLeqi), 0)
	same := func(w way) bool {
		a, b := w.target, s.ways[first].target
		return a.scheme == b.scheme && a.host == b.host && a.port == b.port
	}
	ways := []way{s.ways[first]}
	for i, w := range s.ways {
		if i != first && same(w) {
			ways = append(ways, w)
		}
	}
	return ways
}

// A listener is a listen directive, as nginx reads it.
type listener struct {
	host   string // "" is every IPv4 address, "[::]" is written "::"
	port   uint16
	unix   bool
	params []string
	from   directive
}

// listeners returns where s listens. Without a listen that is port 80.
func (s site) listeners() []listener {
	var all []listener
	for _, d := range find(s.server.block, "listen") {
		if len(d.args) > 0 {
			all = append(all, newListener(d))
		}
	}
	if len(all) == 0 {
		all = append(all, listener{port: 80, from: s.server})
	}
	return all
}

func newListener(d directive) listener {
	l := listener{params: d.args[1:], from: d, port: 80}
	address := d.args[0]
	if n, err := strconv.ParseUint(address, 10, 16); err == nil {
		l.port = uint16(n)
		return l
	}
	l.unix = strings.HasPrefix(address, "unix:")
	host, port := splitHost(address)
	if port != 0 {
		l.port = port
	}
	if host != "*" && host != "0.0.0.0" {
		l.host = host
	}
	return l
}

// has reports whether l has a parameter.
func (l listener) has(param string) bool { return slices.Contains(l.params, param) }

// is reports whether text, an address or a port, means l.
func (l listener) is(text string) bool {
	text = strings.TrimPrefix(text, ":")
	return text == strconv.Itoa(int(l.port)) || text == l.from.arg(0) || text == l.address()
}

// address returns l as lqproxy writes it.
func (l listener) address() string {
	host := l.host
	switch {
	case host == "":
		host = "0.0.0.0"
	case host == "localhost":
		host = "127.0.0.1"
	case strings.Contains(host, ":"):
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(l.port))
}

// meets reports whether l and m listen at an address in common.
func (l listener) meets(m listener) bool {
	return l.port == m.port && !l.unix && !m.unix && (l.host == m.host || l.host == "" || m.host == "" || l.host == "::" || m.host == "::")
}
