package daemon

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lqproxy/lqproxy/configs"
)

// changes returns the keys in which next differs from old, each as
// `key: old -> new`, in the order of the file.
func changes(old, next configs.Config) []string {
	before, after := values(old), values(next)
	var all []string
	for _, s := range merged(before, after) {
		was, is := before.of(s), after.of(s)
		if was != is {
			all = append(all, fmt.Sprintf("%s: %s -> %s", s, was, is))
		}
	}
	return all
}

// A setting is one key with its value, as the file has it.
type setting struct{ key, value string }

type settings []setting

// of returns the value of key; "none" if there is none.
func (all settings) of(key string) string {
	for _, s := range all {
		if s.key == key {
			return s.value
		}
	}
	return "none"
}

// merged returns the keys of a and b, those of b alone at the end of theirs.
func merged(a, b settings) []string {
	var keys []string
	seen := make(map[string]bool)
	for _, s := range append(slices.Clip(a), b...) {
		if !seen[s.key] {
			seen[s.key] = true
			keys = append(keys, s.key)
		}
	}
	return keys
}

// values returns all settings of c. What Effective writes has a line for each
// key; the tables of a list are numbered from 0.
func values(c configs.Config) settings {
	var all settings
	table, count := "", make(map[string]int)
	for line := range strings.Lines(string(c.Effective())) {
		line = strings.TrimSpace(line)
		if list, ok := strings.CutPrefix(line, "[["); ok {
			list = strings.TrimSuffix(list, "]]")
			table = fmt.Sprintf("%s[%d].", list, count[list])
			count[list]++
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok {
			table = strings.TrimSuffix(name, "]") + "."
			continue
		}
		if key, value, ok := strings.Cut(line, " = "); ok {
			all = append(all, setting{table + key, value})
		}
	}
	return all
}
