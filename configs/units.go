package configs

import "github.com/lqproxy/lqproxy/proxy"

// units binds key to tables, one for each unit. A table that says nothing is
// the reference file's, not yet filled in.
func units(key string, p *[]proxy.Unit) field {
	return field{
		key: key,
		read: func(r *reader, value any) {
			n, ok := tablesIn(value)
			if !ok {
				r.bad(Mistake{Kind: NotTables, Proposal: key})
				return
			}
			seen := map[string]string{} // ids and names, to the keys that have them
			for i := range n {
				if u, ok := readUnit(r, element(key, i), seen); ok {
					*p = append(*p, u)
				}
			}
		},
		write: func() any {
			if len(*p) == 0 {
				return nil
			}
			tables := make([]map[string]string, len(*p))
			for i, u := range *p {
				tables[i] = map[string]string{"id": u.ID, "name": u.Name}
			}
			return tables
		},
	}
}

// readUnit reads the table at key; not ok if there is nothing good in it.
func readUnit(r *reader, key string, seen map[string]string) (u proxy.Unit, ok bool) {
	r.fields(key, unitKeys(key, &u))
	if u.ID == "" && u.Name != "" && r.well(key+".id") {
		r.badAt(key+".id", Mistake{Kind: Empty})
	}
	r.once(key+".id", u.ID, seen)
	r.once(key+".name", u.Name, seen)
	return u, u.ID != ""
}

// unitKeys are the keys of one of [[units]].
func unitKeys(key string, u *proxy.Unit) []field {
	return []field{
		one(key+".id", &u.ID, optional(unit())),
		one(key+".name", &u.Name, label()),
	}
}

// once notes that key has a value which another key of its name has already.
func (r *reader) once(key, value string, seen map[string]string) {
	if value == "" {
		return
	}
	_, name := split(key)
	if other, twice := seen[name+" "+value]; twice {
		r.badAt(key, Mistake{Kind: Duplicate, Value: shown(value), Other: other})
		return
	}
	seen[name+" "+value] = key
}
