package configs

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// unknown notes the keys and tables in table that fields do not have. What is
// in an unknown table, or in a value, is not looked at.
func (r *reader) unknown(table string, fields []field) {
	tables := tablesAndKeys(fields)
	known := slices.Sorted(maps.Keys(tables))
	var seen []string
	for _, key := range slices.Sorted(maps.Keys(r.doc.values)) {
		inSeen := func(outer string) bool { return within(key, outer) }
		if table != "" && !within(key, table) || slices.ContainsFunc(seen, inSeen) {
			continue
		}
		switch table, ok := tables[key]; {
		case table && isTable(r.doc.values[key]):
			continue
		case table:
			r.badAt(key, Mistake{Kind: NotTable, Proposal: key})
		case !ok:
			r.badAt(key, unknownKey(key, known))
		}
		seen = append(seen, key)
	}
}

// tablesAndKeys returns the keys of fields and of the tables they are in, and
// of each whether it is a table.
func tablesAndKeys(fields []field) map[string]bool {
	tables := map[string]bool{}
	for _, f := range fields {
		tables[f.key] = false
		for table, _ := split(f.key); table != ""; table, _ = split(table) {
			tables[table] = true
		}
	}
	return tables
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
