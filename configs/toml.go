package configs

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// A document is a decoded file: its keys by dotted name, "units[1].id" within
// lists of tables. Tables and lists are there as a whole and with each key in
// them.
type document struct {
	values map[string]any
	lines  map[string]int      // 0: not known
	inside map[string][]string // the keys in a table; those of the file under ""
}

// decode reads the syntax of a file and nothing more.
func decode(data []byte) (document, *Mistake) {
	if !utf8.Valid(data) {
		return document{}, &Mistake{Kind: NotUTF8, Line: lineOfOther(data)}
	}
	var top map[string]toml.Primitive
	md, err := toml.Decode(string(data), &top)
	if err != nil {
		return document{}, syntaxMistake(err)
	}
	d := document{values: map[string]any{}, lines: map[string]int{}, inside: map[string][]string{}}
	d.addTable(&md, "", top, true)
	return d, nil
}

// lineOfOther returns the first line of data that is not UTF-8.
func lineOfOther(data []byte) int {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if !utf8.Valid(line) {
			break
		}
	}
	return n
}

func syntaxMistake(err error) *Mistake {
	m := &Mistake{Kind: Syntax, Err: err}
	if p, ok := errors.AsType[toml.ParseError](err); ok {
		m.Line, m.Err = p.Position.Line, errors.New(oneLine(strings.TrimSuffix(p.Message, ".")))
	}
	return m
}

// oneLine replaces what would break a line or steer a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// addTable takes the keys of table, which stands at key, with lines if the
// decoder knows them, and returns the line of the first of them.
func (d document) addTable(md *toml.MetaData, key string, table map[string]toml.Primitive, lines bool) int {
	first := 0
	for name, primitive := range table {
		inner := joined(key, name)
		d.inside[key] = append(d.inside[key], inner)
		line := d.add(md, inner, primitive, lines)
		if first == 0 || line > 0 && line < first {
			first = line
		}
	}
	slices.Sort(d.inside[key])
	return first
}

// add takes key and what is in it, and returns its line.
func (d document) add(md *toml.MetaData, key string, primitive toml.Primitive, lines bool) int {
	value, line := valueOf(md, primitive, lines)
	d.values[key] = value

	var table map[string]toml.Primitive
	var tables []map[string]toml.Primitive
	_, inTables := tablesIn(value)
	switch {
	case isTable(value) && md.PrimitiveDecode(primitive, &table) == nil:
		first := d.addTable(md, key, table, lines)
		line = cmp.Or(line, first) // [upstream.tls] makes a table upstream, which has no line of its own
	case inTables && md.PrimitiveDecode(primitive, &tables) == nil:
		for i, t := range tables {
			// Of several tables the decoder knows the lines of the last one only.
			d.addTable(md, element(key, i), t, lines && len(tables) == 1)
		}
	}
	d.lines[key] = line
	return line
}

// valueOf returns the value and, if it is asked for, the line of a key.
func valueOf(md *toml.MetaData, primitive toml.Primitive, wantLine bool) (value any, line int) {
	if !wantLine {
		// A destination of type any takes every value.
		_ = md.PrimitiveDecode(primitive, &value)
		return value, 0
	}
	var at located
	if p, ok := errors.AsType[toml.ParseError](md.PrimitiveDecode(primitive, &at)); ok {
		line = p.Position.Line
	}
	return at.value, line
}

func isTable(value any) bool {
	_, ok := value.(map[string]any)
	return ok
}

// tablesIn returns how many tables value is a list of: [[units]], or inline.
func tablesIn(value any) (n int, ok bool) {
	if tables, ok := value.([]map[string]any); ok {
		return len(tables), true
	}
	elements, ok := value.([]any)
	notTable := func(e any) bool { return !isTable(e) }
	return len(elements), ok && !slices.ContainsFunc(elements, notTable)
}

// located takes any value, and refuses it: the decoder tells a key's line in
// its errors only.
type located struct{ value any }

var errLocated = errors.New("located")

func (l *located) UnmarshalTOML(value any) error {
	l.value = value
	return errLocated
}

// line returns the line of a key, or of the list that the key is an element
// of; 0 if it is not known.
func (d document) line(key string) int {
	if line, ok := d.lines[key]; ok {
		return line
	}
	list, _, _ := strings.Cut(key, "[")
	if strings.HasSuffix(key, "]") {
		return d.lines[list]
	}
	return 0
}

// joined returns the dotted key of name in table.
func joined(table, name string) string {
	key := toml.Key{name}.String()
	if table == "" {
		return key
	}
	return table + "." + key
}

// encode writes fields as a file.
func encode(fields []field) []byte {
	var out bytes.Buffer
	last := ""
	for _, f := range fields {
		value := f.write()
		if value == nil {
			continue
		}
		table, name := split(f.key)
		if table != last && table != "" {
			fmt.Fprintf(&out, "\n[%s]\n", table)
		}
		last = table
		encodeKey(&out, name, value)
	}
	return out.Bytes()
}

// encodeKey writes one key, or the whole table or tables that a key stands for.
func encodeKey(out *bytes.Buffer, name string, value any) {
	switch value.(type) {
	case map[string][]string, []map[string]string:
		out.WriteByte('\n')
	}
	e := toml.NewEncoder(out)
	e.Indent = ""
	if err := e.Encode(map[string]any{name: value}); err != nil {
		panic("BUG: configs: " + err.Error())
	}
}

// split returns the table of a dotted key of the schema, and its name there.
func split(key string) (table, name string) {
	i := strings.LastIndexByte(key, '.')
	return key[:max(i, 0)], key[i+1:]
}
