package configs

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// unknown notes the keys in table that are not known; of those that are, known
// tells which are tables. What is in an unknown table, or in a value, is not
// looked at.
func (r *reader) unknown(table string, known map[string]bool) {
	for _, key := range r.doc.inside[table] {
		switch wantTable, ok := known[key]; {
		case !ok:
			r.badAt(key, unknownKey(key, slices.Sorted(maps.Keys(known))))
		case wantTable && isTable(r.doc.values[key]):
			r.unknown(key, known)
		case wantTable:
			r.badAt(key, Mistake{Kind: NotTable, Proposal: key})
		}
	}
}

// tablesAndKeys returns the keys of fields and of the tables they are in, and
// of each whether it is a table.
func tablesAndKeys(fields []field) map[string]bool {
	known := map[string]bool{}
	for _, f := range fields {
		known[f.key] = false
		for table, _ := split(f.key); table != ""; table, _ = split(table) {
			known[table] = true
		}
	}
	return known
}

// unknownKey returns the mistake of a key that is none of known. What may have
// been meant is a key of the same table with a name like it, or the same name
// in another table.
func unknownKey(key string, known []string) Mistake {
	table, name := split(key)
	var siblings []string
	var elsewhere string
	for _, k := range known {
		switch in, n := split(k); {
		case in == table:
			siblings = append(siblings, n)
		case n == name:
			elsewhere = k
		}
	}
	if near, ok := nearest(name, siblings); ok {
		return Mistake{Kind: MisspeltKey, Proposal: strconv.Quote(strings.TrimPrefix(table+"."+near, "."))}
	}
	if elsewhere != "" {
		return Mistake{Kind: MisspeltKey, Proposal: strconv.Quote(elsewhere)}
	}
	return Mistake{Kind: UnknownKey}
}
