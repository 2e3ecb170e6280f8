package configs

import (
	"net/netip"
	"slices"
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
