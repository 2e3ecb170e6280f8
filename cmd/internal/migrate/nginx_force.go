package migrate

import "slices"

// cumulative are directives that run at every level, where others replace those
// of the levels around.
var cumulative = []string{"set", "if", "rewrite", "return", "break", "rewrite_log"}

// family returns what a directive is inherited with: allow and deny are one list.
func family(name string) string {
	if name == "deny" {
		return "allow"
	}
	return name
}

// structure are blocks that are no settings of the level that they stand in.
var structure = []string{"server", "location", "upstream", "map", "geo", "types", "split_clients", "charset_map", "#"}

// inForce returns the directives that are in force in the innermost block of
// chain, those of the outer levels first. Of the outermost level, where there is
// much for other servers, it returns only what has a rule.
func inForce(chain []directive) []directive {
	var levels [][]directive
	taken := map[string]bool{}
	for i, outer := range slices.Backward(chain) {
		var level []directive
		here := map[string]bool{}
		for _, d := range outer.block {
			_, known := rules[d.name]
			replaced := taken[family(d.name)] && !slices.Contains(cumulative, d.name)
			if slices.Contains(structure, d.name) || replaced || i == 0 && !known {
				continue
			}
			here[family(d.name)] = true
			level = append(level, d)
		}
		for name := range here {
			taken[name] = true
		}
		levels = append(levels, level)
	}
	slices.Reverse(levels)
	return slices.Concat(levels...)
}

// inherited returns the directives of that name that are in force in chain.
func inherited(chain []directive, name string) []directive {
	return slices.DeleteFunc(inForce(chain), func(d directive) bool { return family(d.name) != name })
}
