package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/rogpeppe/go-internal/diff"
)

// printDiff prints what --diff asks for.
func (f *configFlags) printDiff(c *console) error {
	from, to, ok := numbersIn(f.diff)
	if !ok {
		return c.usage(c.In(words.ConfigNumber, f.diff), c.In(words.ConfigList))
	}
	_, history, err := f.kept(c)
	if err != nil {
		return err
	}
	for _, n := range []int{to, from} {
		if n > len(history) {
			text := c.In(words.ConfigNoneOf, n, len(history))
			if n == to+1 && to == len(history) {
				text = c.In(words.ConfigOldest, to)
			}
			return &failure{code: exitFailed, text: text, hints: []string{c.In(words.ConfigList)}}
		}
	}
	label := func(n int) string {
		past := history[n-1]
		return fmt.Sprintf("%d (%s, %s)", n, moment(past.Since), originText(c, past.By))
	}
	lines := diffLines(label(from), history[from-1], label(to), history[to-1])
	if len(lines) == 0 {
		c.Say(words.ConfigSame, from, to)
		return nil
	}
	if words.MayColor(c.stdout, c.getenv) {
		colour(lines)
	}
	c.print(lines...)
	return nil
}

// numbersIn reads the value of --diff: "N" is what N changed, so from the one
// before it, and "N..M" from N to M.
func numbersIn(text string) (from, to int, ok bool) {
	first, second, two := strings.Cut(text, "..")
	from, err := strconv.Atoi(first)
	if err != nil || from < 1 {
		return 0, 0, false
	}
	if !two {
		return from + 1, from, true
	}
	to, err = strconv.Atoi(second)
	return from, to, err == nil && to > 0
}

// diffLines returns the unified difference from one configuration to another;
// none if there is none.
func diffLines(fromLabel string, from daemon.Past, toLabel string, to daemon.Past) []string {
	text := diff.Diff(fromLabel, from.Text, toLabel, to.Text)
	_, text, _ = bytes.Cut(text, []byte("\n")) // the line "diff A B" has nothing that the next two have not
	if len(text) == 0 {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for i, line := range lines {
		if found := hunk.FindStringSubmatch(line); found != nil {
			begins, _ := strconv.Atoi(found[1]) // it is digits
			lines[i] += tableAt(to.Text, begins, lines[i+1:])
		}
	}
	return lines
}

// hunk is the first line of one; the group is where it begins in the new text.
var hunk = regexp.MustCompile(`^@@ -\d+,\d+ \+(\d+),\d+ @@$`)

// tableAt returns the table of the first change in a hunk, " [upstream]", that
// begins at that line of text: "idle_timeout" alone does not say whose it is.
func tableAt(text []byte, begins int, hunk []string) (table string) {
	n := 0
	for line := range strings.Lines(string(text)) {
		if n++; n >= begins {
			break
		}
		if strings.HasPrefix(line, "[") {
			table = " " + strings.TrimSpace(line)
		}
	}
	for _, line := range hunk {
		if !strings.HasPrefix(line, " ") { // the change
			break
		}
		if strings.HasPrefix(line, " [") {
			table = line
		}
	}
	return table
}

// colour colours the lines of a difference.
func colour(lines []string) {
	const red, green, cyan, plain = "\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[0m"
	for i, line := range lines {
		switch line[:min(1, len(line))] {
		case "-":
			lines[i] = red + line + plain
		case "+":
			lines[i] = green + line + plain
		case "@":
			lines[i] = cyan + line + plain
		}
	}
}
