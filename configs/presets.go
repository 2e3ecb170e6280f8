package configs

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
)

// A Preset is a named set of sources: one of Kingdee's as documented on Date,
// or one of the file's own.
type Preset struct {
	Name      string
	Addresses []netip.Prefix
	Date      string // when its source was published, as 2006-01-02; "": defined in the file
	Purpose   string // "": defined in the file
}

// everyPreset is the name of the union of the other built-in sets.
const everyPreset = "kingdee-all"

// kingdeeDate is the date of the deployment guide that lists the addresses.
const kingdeeDate = "2025-05-27"

// builtIn returns Kingdee's egress addresses, by purpose.
func builtIn() []Preset {
	sets := []Preset{
		kingdee("kingdee-group-sandbox", "Kingdee group, sandbox (集团沙箱)", "49.4.80.61", "124.70.28.68"),
		kingdee("kingdee-group-production", "Kingdee group, production (集团生产)", "49.4.83.185", "121.36.53.241"),
		kingdee("fpy-sandbox", "Kingdee invoice cloud, sandbox (发票云沙箱)", "68.79.14.3", "82.156.30.248"),
		kingdee("fpy-production", "Kingdee invoice cloud, production (发票云生产)", "52.82.125.155", "82.157.180.203"),
	}
	return append(sets, union(sets))
}

func kingdee(name, purpose string, addresses ...string) Preset {
	p := Preset{Name: name, Date: kingdeeDate, Purpose: purpose}
	for _, a := range addresses {
		addr := netip.MustParseAddr(a)
		p.Addresses = append(p.Addresses, netip.PrefixFrom(addr, addr.BitLen()))
	}
	return p
}

// union returns the set of all of sets.
func union(sets []Preset) Preset {
	all := kingdee(everyPreset, "all of Kingdee's sets (金蝶全部)")
	for _, p := range sets {
		all.Addresses = append(all.Addresses, p.Addresses...)
	}
	return all
}

// withOwn returns the built-in sets with the file's own added, or in the place
// of the built-in ones of their names. The union follows the sets it is of.
func withOwn(own []Preset) []Preset {
	sets := builtIn()
	last := len(sets) - 1
	for _, p := range own {
		if i := slices.IndexFunc(sets, named(p.Name)); i >= 0 {
			sets[i] = p
		} else {
			sets = append(sets, p)
		}
	}
	if sets[last].Date != "" {
		sets[last] = union(sets[:last])
	}
	return sets
}

// own returns the sets that the file defined.
func own(sets []Preset) []Preset {
	return slices.DeleteFunc(slices.Clone(sets), func(p Preset) bool { return p.Date != "" })
}

func named(name string) func(Preset) bool {
	return func(p Preset) bool { return p.Name == name }
}

func find(sets []Preset, name string) (Preset, bool) {
	i := slices.IndexFunc(sets, named(name))
	if i < 0 {
		return Preset{}, false
	}
	return sets[i], true
}

func names(sets []Preset) []string {
	var all []string
	for _, p := range sets {
		all = append(all, p.Name)
	}
	return all
}

var setName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// presets binds key to the table of the file's own sets.
func presets(key string, p *[]Preset) field {
	return field{
		key: key,
		read: func(r *reader, value any) {
			table, ok := value.(map[string]any)
			if !ok {
				r.bad(Mistake{Kind: NotTable, Proposal: key})
				return
			}
			var sets []Preset
			for _, name := range slices.Sorted(maps.Keys(table)) {
				if set, ok := readPreset(r, joined(key, name), name, table[name]); ok {
					sets = append(sets, set)
				}
			}
			*p = withOwn(sets)
		},
		write: func() any {
			sets := map[string][]string{}
			for _, set := range own(*p) {
				sets[set.Name] = formatList(set.Addresses, source())
			}
			if len(sets) == 0 {
				return nil
			}
			return sets
		},
	}
}

// readPreset reads the set of that name at key.
func readPreset(r *reader, key, name string, value any) (Preset, bool) {
	r.key = key
	if !setName.MatchString(name) {
		r.bad(Mistake{Kind: NotSetName, Value: strconv.Quote(name)})
		return Preset{}, false
	}
	addresses, ok := readList(r, key, value, source())
	if ok && len(addresses) == 0 && r.well(key) {
		r.badAt(key, Mistake{Kind: Empty})
	}
	return Preset{Name: name, Addresses: addresses}, ok
}
