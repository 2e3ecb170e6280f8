package configs

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Edits are new values of keys, by their dotted names: strings, truth values
// and lists of strings. "units[0].id" is a key of the first of [[units]].
type Edits map[string]any

// ErrForm says that a text has its keys where Edit does not find them: in a
// table written in one line. What Effective returns never has.
var ErrForm = errors.New("a table is written in one line")

// Edit returns text with edits made. All else stays as it was written, comments
// too; a key that text lacks is added to its table, and a table at the end.
// Whether the values are good ones is for Parse to say. The error is [Mistakes]
// if text is no TOML, or ErrForm.
func Edit(text []byte, edits Edits) ([]byte, error) {
	old, mistake := decode(text)
	if mistake != nil {
		return nil, Mistakes{*mistake}
	}
	want := old.leaves()
	for key, value := range edits {
		want[key] = decoded(value)
	}
	out := bytes.Clone(text)
	for _, key := range slices.Sorted(maps.Keys(edits)) {
		out = edit(out, key, literal(edits[key]))
	}
	// The text says what it is to say, or it is not used.
	if now, mistake := decode(out); mistake != nil || !reflect.DeepEqual(now.leaves(), want) {
		return nil, ErrForm
	}
	return out, nil
}

// ParseInstance is Parse for the instance of that name, as LoadInstance is Load.
func ParseInstance(data []byte, name string) (Config, error) { return parse(data, name) }

// decoded returns value as decoding makes it.
func decoded(value any) any {
	list, ok := value.([]string)
	if !ok {
		return value
	}
	elements := make([]any, len(list))
	for i, s := range list {
		elements[i] = s
	}
	return elements
}

// leaves returns the values that are no tables.
func (d document) leaves() map[string]any {
	all := map[string]any{}
	for key, value := range d.values {
		n, tables := tablesIn(value)
		if !isTable(value) && (!tables || n == 0) {
			all[key] = value
		}
	}
	return all
}

// widestList is how many bytes a list may have before it gets a line for each
// element.
const widestList = 90

// literal returns value as it stands in a file.
func literal(value any) string {
	list, ok := value.([]string)
	if ok && len(list) == 0 {
		return "[]"
	}
	var out bytes.Buffer
	encodeKey(&out, "x", value)
	text := strings.TrimSuffix(strings.TrimPrefix(out.String(), "x = "), "\n")
	if !ok || len(text) <= widestList {
		return text
	}
	var lines strings.Builder
	for _, s := range list {
		fmt.Fprintf(&lines, "  %s,\n", literal(s))
	}
	return "[\n" + lines.String() + "]"
}

// A statement is a key with its value, as a part of a text.
type statement struct {
	key        string // dotted, from the top
	table      string // of the header above
	start, end int    // the lines that it takes
	value      int    // where its value begins
}

// A layout is where the statements and the tables of a text are.
type layout struct {
	statements []statement
	tables     map[string]int // to where a statement may be added
}

// layOut finds the statements of text, which is TOML. Of a text that is laid out
// in a way of its own it may find too few.
func layOut(text []byte) layout {
	l := layout{tables: map[string]int{"": 0}}
	table, arrays := "", map[string]int{}
	for at := 0; at < len(text); {
		end := at + lineLength(text[at:])
		line := bytes.TrimSpace(text[at:end])
		switch {
		case len(line) == 0 || line[0] == '#':
		case line[0] == '[':
			table = header(line, arrays)
			l.tables[table] = end
		default:
			end = statementEnd(text, at)
			key, value := keyOf(text[at:end])
			l.statements = append(l.statements, statement{joinedKeys(table, key), table, at, end, at + value})
			l.tables[table] = end
		}
		at = end
	}
	return l
}

func lineLength(text []byte) int {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return i + 1
	}
	return len(text)
}

// header returns the table that a line begins; arrays counts those of one name.
func header(line []byte, arrays map[string]int) string {
	d, _ := decode(line)
	name := ""
	for key := range d.values {
		if len(key) > len(name) && !strings.HasSuffix(key, "]") {
			name = key
		}
	}
	if !bytes.HasPrefix(line, []byte("[[")) {
		return name
	}
	arrays[name]++
	return element(name, arrays[name]-1)
}

// statementEnd returns where the statement at start ends: after the fewest lines
// that are TOML by themselves.
func statementEnd(text []byte, start int) int {
	for end := start; end < len(text); {
		end += lineLength(text[end:])
		if _, mistake := decode(text[start:end]); mistake == nil {
			return end
		}
	}
	return len(text)
}

// keyOf returns the dotted key of a statement, and where its value begins.
func keyOf(statement []byte) (key string, value int) {
	for i, b := range statement {
		if b != '=' {
			continue
		}
		d, mistake := decode(append(bytes.Clone(statement[:i]), "= 0"...))
		if mistake != nil {
			continue // within quotes
		}
		for k := range d.leaves() {
			key = k
		}
		rest := statement[i+1:]
		return key, i + 1 + len(rest) - len(bytes.TrimLeft(rest, " \t"))
	}
	return "", 0
}

func joinedKeys(table, key string) string { return strings.TrimPrefix(table+"."+key, ".") }

// edit gives key the value in text.
func edit(text []byte, key, value string) []byte {
	l := layOut(text)
	for _, s := range l.statements {
		if s.key == key {
			end := s.value + valueLength(text[s.value:s.end])
			return spliced(text, s.value, end, value)
		}
	}
	table, name := split(key)
	if at, ok := l.tables[table]; ok {
		return added(text, at, name+" = "+value+"\n")
	}
	for _, s := range slices.Backward(l.statements) {
		if in, _ := split(s.key); in == table && s.table == "" { // written as table.name
			return added(text, s.end, key+" = "+value+"\n")
		}
	}
	head := "[" + table + "]"
	if i := strings.LastIndexByte(table, '['); i > 0 { // an element of a list of tables
		head = "[[" + table[:i] + "]]"
	}
	return added(text, len(text), "\n"+head+"\n"+name+" = "+value+"\n")
}

// valueLength returns the length of the value with which text begins; a comment
// may follow it.
func valueLength(text []byte) int {
	parse := func(n int) (any, bool) {
		d, mistake := decode(append([]byte("x = "), text[:n]...))
		return d.values["x"], mistake == nil
	}
	whole, _ := parse(len(text))
	for n := 1; n < len(text); n++ {
		if !bytes.ContainsRune([]byte(" \t\r\n#"), rune(text[n])) {
			continue
		}
		if value, ok := parse(n); ok && reflect.DeepEqual(value, whole) {
			return n
		}
	}
	return len(text)
}

// added returns text with lines at a place between two of its own.
func added(text []byte, at int, lines string) []byte {
	if at > 0 && text[at-1] != '\n' {
		lines = "\n" + lines
	}
	return spliced(text, at, at, lines)
}

func spliced(text []byte, start, end int, middle string) []byte {
	return slices.Concat(text[:start], []byte(middle), text[end:])
}

// Values returns what c has at every key, as Edit takes it; numbers are numbers.
func (c Config) Values() Edits {
	all := Edits{}
	for _, f := range schema(&c) {
		switch value := f.write().(type) {
		case nil:
		case []map[string]string:
			for i, table := range value {
				for name, text := range table {
					all[element(f.key, i)+"."+name] = text
				}
			}
		case map[string][]string:
			for name, list := range value {
				all[joined(f.key, name)] = list
			}
		default:
			all[f.key] = value
		}
	}
	return all
}
