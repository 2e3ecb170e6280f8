package migrate

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Place is a line of a file that was read.
type Place struct {
	File string // as it is best shown: relative to the folder of the import
	Line int    // from 1; 0: the file as a whole
}

// String returns "conf.d/lqpt.conf:12".
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// An Element is a member of a list of the configuration.
type Element struct {
	Text string
	Note *Note // nil: there is nothing to say
	Out  bool  // it is left out, and shown as a comment only
}

// A Key is a key of the configuration.
type Key struct {
	Name     string // dotted: "listen.addresses"
	Value    string // of a key that is no list
	Elements []Element
	Notes    []Note
}

// isSet reports whether k has a value: else it has notes alone.
func (k *Key) isSet() bool {
	return k.Value != "" || slices.ContainsFunc(k.Elements, func(e Element) bool { return !e.Out })
}

// A Server is a server block that is not what was imported.
type Server struct {
	At     Place
	Listen []string // as written
	Names  []string
	Shares bool // it listens where the imported one does
}

// A Draft is a configuration in the making. It is never modified once it was
// returned.
type Draft struct {
	From   string // the file that was asked for, or the command
	Chosen Server // that was imported; its zero value when there are no servers
	Target string // where it leads: "https://lqpt.chinatax.gov.cn:8443"
	Notes  []Note // about the whole
	Keys   []Key  // in the order of the reference file
	Stays  []Server
}

// order is the order of the keys that an import may set or have notes about.
var order = []string{
	"listen.addresses", "listen.tls", "listen.cert_file", "listen.key_file", "listen.proxy_protocol_from",
	"listen.forwarded_for_from", "listen.header_timeout", "listen.body_timeout", "listen.idle_timeout",
	"allow.sources", "allow.paths",
	"upstream.address", "upstream.fixed_ips", "upstream.local_address", "upstream.drop_headers",
	"upstream.dial_timeout", "upstream.response_timeout", "upstream.idle_timeout",
	"upstream.tls.verify", "upstream.tls.ca_file", "upstream.tls.server_name",
	"upstream.tls.min_version", "upstream.tls.max_version",
	"limits.header_size", "limits.body_size",
	"log.access_file",
}

// key returns the key of that name, which is made if it is not there.
func (d *Draft) key(name string) *Key {
	at := slices.Index(order, name)
	if at < 0 {
		panic("BUG: migrate: no key " + name)
	}
	i, found := slices.BinarySearchFunc(d.Keys, at, func(k Key, at int) int { return slices.Index(order, k.Name) - at })
	if !found {
		d.Keys = slices.Insert(d.Keys, i, Key{Name: name})
	}
	return &d.Keys[i]
}

// note adds n beside the key of that name; "" is the whole.
func (d *Draft) note(name string, n Note) {
	if name == "" {
		d.Notes = append(d.Notes, n)
		return
	}
	k := d.key(name)
	k.Notes = append(k.Notes, n)
}

// Loud returns the notes that must be read before the draft is used.
func (d Draft) Loud() []Note {
	var loud []Note
	for n := range d.all {
		if n.Kind.Loud() {
			loud = append(loud, n)
		}
	}
	return loud
}

// Count returns the number of notes.
func (d Draft) Count() int {
	n := 0
	for range d.all {
		n++
	}
	return n
}

// all yields every note, those about the whole first.
func (d Draft) all(yield func(Note) bool) {
	for _, n := range d.Notes {
		if !yield(n) {
			return
		}
	}
	for _, k := range d.Keys {
		for _, n := range k.Notes {
			if !yield(n) {
				return
			}
		}
		for _, e := range k.Elements {
			if e.Note != nil && !yield(*e.Note) {
				return
			}
		}
	}
}

// Text returns d as a file. head are lines on top; say puts a note into words,
// as lines that fit behind "# ".
func (d Draft) Text(head []string, say func(Note) []string) []byte {
	var out bytes.Buffer
	comment(&out, head)
	for _, n := range d.Notes {
		out.WriteString("#\n")
		comment(&out, say(n))
	}
	last := ""
	for _, k := range d.Keys {
		table, name := k.Name[:strings.LastIndexByte(k.Name, '.')], k.Name[strings.LastIndexByte(k.Name, '.')+1:]
		if table != last {
			fmt.Fprintf(&out, "\n[%s]\n", table)
		}
		last = table
		for _, n := range k.Notes {
			comment(&out, say(n))
		}
		k.write(&out, name, say)
	}
	return out.Bytes()
}

// write writes the value of k, if it has one.
func (k *Key) write(out *bytes.Buffer, name string, say func(Note) []string) {
	switch {
	case k.Value != "":
		fmt.Fprintf(out, "%s = %s\n", name, quote(k.Value))
	case len(k.Elements) == 0:
	case !k.isSet():
		comment(out, []string{name + " = ["})
		k.writeElements(out, "", say)
		comment(out, []string{"]"})
	case k.plain():
		texts := make([]string, len(k.Elements))
		for i, e := range k.Elements {
			texts[i] = quote(e.Text)
		}
		fmt.Fprintf(out, "%s = [%s]\n", name, strings.Join(texts, ", "))
	default:
		fmt.Fprintf(out, "%s = [\n", name)
		k.writeElements(out, "  ", say)
		out.WriteString("]\n")
	}
}

// plain reports whether the elements fit a line, without notes.
func (k *Key) plain() bool {
	width := 0
	for _, e := range k.Elements {
		if e.Note != nil {
			return false
		}
		width += len(e.Text) + 4
	}
	return width < 60
}

// writeElements writes one element a line, its note above it.
func (k *Key) writeElements(out *bytes.Buffer, indent string, say func(Note) []string) {
	for _, e := range k.Elements {
		if e.Note != nil {
			for _, line := range say(*e.Note) {
				out.WriteString(indent)
				comment(out, []string{line})
			}
		}
		mark := ""
		if e.Out {
			mark = "# "
		}
		fmt.Fprintf(out, "%s%s%s,\n", indent, mark, quote(e.Text))
	}
}

// comment writes lines behind "# ". TOML wants no control characters there.
func comment(out *bytes.Buffer, lines []string) {
	for _, line := range lines {
		out.WriteString(strings.TrimRight("# "+printable(line), " ") + "\n")
	}
}

// printable returns s as one line of valid UTF-8 that steers no terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// quote writes s as a string of TOML.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "?") {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
