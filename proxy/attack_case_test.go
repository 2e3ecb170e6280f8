package proxy_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An attackCase is one entry of a file in testdata/attacks, whose form the
// files themselves explain.
type attackCase struct {
	family, name string
	line         int
	options      map[string]string
	pieces       [][]byte // what is sent, each in a write of its own
	expect       []attackOutcome
}

// An attackOutcome is what a case expects of one answer.
type attackOutcome struct {
	status int // 0: none
	words  []string
	bytes  []byte // the receiver's bytes; nil: not said
}

// attackWords are those that may follow a status; another one is a reason.
const attackWords = " stays closes reset closed unchanged aborted truncated reused retired own gone "

func (o attackOutcome) is(word string) bool {
	return slices.Contains(o.words, word)
}

// reason returns the one that is expected, "" for an answer of the upstream.
func (o attackOutcome) reason() string {
	for _, w := range o.words {
		if !strings.Contains(attackWords, " "+w+" ") {
			return w
		}
	}
	return ""
}

// sent returns all that the case sends.
func (c *attackCase) sent() []byte {
	var all []byte
	for _, p := range c.pieces {
		all = append(all, p...)
	}
	return all
}

// readAttackCases reads a file of testdata/attacks.
func readAttackCases(t *testing.T, file string) []*attackCase {
	t.Helper()
	text, err := os.ReadFile("testdata/attacks/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var all []*attackCase
	family, names := "", map[string]bool{}
	for i, line := range strings.Split(string(text), "\n") {
		var c *attackCase
		if len(all) > 0 {
			c = all[len(all)-1]
		}
		switch {
		case strings.HasPrefix(line, "## "):
			family = strings.TrimSpace(strings.TrimPrefix(line, "## "))
			family, _, _ = strings.Cut(family, ":")
		case strings.HasPrefix(line, "# "), line == "#":
		case strings.HasPrefix(line, "-- "):
			c = newAttackCase(family, line[3:], i+1)
			if names[c.name] {
				t.Fatalf("%s:%d: %q is there twice", file, i+1, c.name)
			}
			names[c.name] = true
			all = append(all, c)
		case strings.HasPrefix(line, "=>"):
			c.expect = append(c.expect, parseAttackOutcome(line[2:]))
		case c == nil:
		case len(c.expect) == 0:
			c.add(line)
		case strings.HasPrefix(line, ">"):
			last := &c.expect[len(c.expect)-1]
			last.bytes = append(last.bytes, unescapeAttack(strings.TrimPrefix(line[1:], " "))...)
		case line != "":
			t.Fatalf("%s:%d: %q is neither => nor >", file, i+1, line)
		}
	}
	return all
}

func newAttackCase(family, heading string, line int) *attackCase {
	parts := strings.Split(heading, " | ")
	c := &attackCase{family: family, name: strings.TrimSpace(parts[0]), line: line, options: map[string]string{}, pieces: [][]byte{nil}}
	for _, p := range parts[1:] {
		if key, value, ok := strings.Cut(strings.TrimSpace(p), "="); ok {
			c.options[key] = value
		}
	}
	return c
}

// add adds a line of what is sent; \| begins another piece.
func (c *attackCase) add(line string) {
	for i, part := range strings.Split(line, `\|`) {
		if i > 0 {
			c.pieces = append(c.pieces, nil)
		}
		last := &c.pieces[len(c.pieces)-1]
		if i < strings.Count(line, `\|`) {
			part += `\`
		}
		*last = append(*last, unescapeAttack(part)...)
	}
}

func parseAttackOutcome(text string) attackOutcome {
	words := strings.Fields(text)
	var o attackOutcome
	if n, err := strconv.Atoi(words[0]); err == nil {
		o.status, words = n, words[1:]
	}
	o.words = words
	return o
}

var (
	attackRepeat = regexp.MustCompile(`\\\((.*?)\*([0-9]+)\)`)
	attackEscape = regexp.MustCompile(`\\(x[0-9a-fA-F]{2}|.)`)
)

// unescapeAttack returns the bytes of a line.
func unescapeAttack(line string) []byte {
	line, bare := strings.CutSuffix(line, `\`)
	line = attackRepeat.ReplaceAllStringFunc(line, func(s string) string {
		m := attackRepeat.FindStringSubmatch(s)
		n, _ := strconv.Atoi(m[2])
		return strings.Repeat(m[1], n)
	})
	line = attackEscape.ReplaceAllStringFunc(line, func(s string) string {
		switch s[1] {
		case 'r', 'n', 't', 's', '0', '\\':
			return map[byte]string{'r': "\r", 'n': "\n", 't': "\t", 's': " ", '0': "\x00", '\\': `\`}[s[1]]
		case 'x':
			n, _ := strconv.ParseUint(s[2:], 16, 8)
			return string([]byte{byte(n)})
		}
		panic(fmt.Sprintf("BUG: attack: the escape %q is none", s))
	})
	if !bare {
		line += "\r\n"
	}
	return []byte(line)
}

// An attackTally counts what became of the cases of each family.
type attackTally struct {
	families []string
	counts   map[string]*attackCount
}

type attackCount struct{ cases, refused, passed, ambiguous int }

func (y *attackTally) family(name string) *attackCount {
	if y.counts == nil {
		y.counts = map[string]*attackCount{}
	}
	if y.counts[name] == nil {
		y.families = append(y.families, name)
		y.counts[name] = &attackCount{}
	}
	return y.counts[name]
}

// log prints the table.
func (y *attackTally) log(t *testing.T) {
	t.Helper()
	var b strings.Builder
	var sum attackCount
	row := func(name string, c attackCount) {
		fmt.Fprintf(&b, "\n%-44s %7d %8d %7d %10d", name, c.cases, c.refused, c.passed, c.ambiguous)
	}
	fmt.Fprintf(&b, "\n%-44s %7s %8s %7s %10s", "family", "cases", "refused", "passed", "ambiguous")
	for _, name := range y.families {
		c := *y.counts[name]
		row(name, c)
		sum.cases += c.cases
		sum.refused += c.refused
		sum.passed += c.passed
		sum.ambiguous += c.ambiguous
	}
	row("all", sum)
	t.Log(b.String())
}
