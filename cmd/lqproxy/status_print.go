package main

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"golang.org/x/term"
)

// What terminals are told.
const (
	homeAndClear = "\x1b[H\x1b[2J"
	bold         = "\x1b[1m"
	plain        = "\x1b[0m"
)

// levelColours are those of the verdict.
var levelColours = [...]string{admin.OK: "\x1b[32m", admin.Warning: "\x1b[33m", admin.Critical: "\x1b[31m"}

// markWidth is the column that holds the mark of what is wrong.
const markWidth = 2

// printView prints v in the width of a terminal: the judgement, what is wrong
// and what to do, the facts.
func printView(c *console, v admin.View) {
	p := viewPrinter{c, c.paints(), levelColours[max(v.Level, admin.Warning)]}
	p.paragraph(p.paint(levelColours[v.Level], v.Verdict)+"  ", words.Width(v.Verdict)+2, v.Headline)
	for _, complaint := range v.Problems {
		level := admin.Warning
		if complaint.Critical {
			level = admin.Critical
		}
		p.paragraph(p.paint(levelColours[level], "!")+" ", markWidth, complaint.Fact)
		p.paragraph("  -> ", markWidth+3, complaint.Remedy)
	}
	names := 0
	for _, s := range v.Sections {
		for _, r := range s.Rows {
			names = max(names, words.Width(r.Name))
		}
	}
	for _, s := range v.Sections {
		p.print("")
		for _, r := range s.Rows {
			p.row(r, names)
		}
	}
}

// A viewPrinter prints parts of a view.
type viewPrinter struct {
	*console
	colour bool
	alarm  string // the colour of facts that stand out
}

// row prints a row whose name is padded to the width of names.
func (p viewPrinter) row(r admin.Row, names int) {
	mark, name := "  ", padTo(r.Name, names+gutter)
	if r.Alarm {
		mark, name = p.paint(p.alarm, "!")+" ", p.paint(bold, name)
	}
	column := markWidth + names + gutter
	first := mark + name
	for _, line := range p.fill(r.Items, reportWidth-column) {
		p.print(first + line)
		first = strings.Repeat(" ", column)
	}
}

// fill puts items on lines of at most width columns, whole ones if it can.
func (p viewPrinter) fill(items []string, width int) []string {
	joint := " "
	if p.Lang == words.Chinese { // whose marks have a space of their own
		joint = ""
	}
	var lines []string
	for _, item := range items {
		if last := len(lines) - 1; last >= 0 && words.Width(lines[last]+joint+item) <= width {
			lines[last] += joint + item
			continue
		}
		lines = append(lines, words.Wrap(item, width)...)
	}
	return lines
}

// gutter is the space between a name and its value.
const gutter = 2

// paragraph prints text behind first, which takes width columns; its further
// lines begin in the same column.
func (p viewPrinter) paragraph(first string, width int, text string) {
	for _, line := range words.Wrap(text, reportWidth-width) {
		p.print(strings.TrimRight(first+line, " "))
		first = strings.Repeat(" ", width)
	}
}

func (p viewPrinter) paint(colour, text string) string {
	if !p.colour {
		return text
	}
	return colour + text + plain
}

// paints reports whether stdout may have colour.
func (c *console) paints() bool { return c.onTerminal() && c.getenv("NO_COLOR") == "" }

// onTerminal reports whether stdout is a terminal that understands more than
// lines.
func (c *console) onTerminal() bool {
	return words.IsTerminal(c.stdout) && c.getenv("TERM") != "dumb"
}

// block returns a console like c whose output, errors too, goes to stdout at
// once with flush: on a terminal in place of the one before, and no longer than
// the screen.
func (c *console) block() (block *console, flush func()) {
	var b bytes.Buffer
	printer := *c.Printer
	printer.Out, printer.Err, printer.Color = &b, &b, false
	inner := &console{&printer, c.process, c.flag}
	return inner, func() {
		text := b.String()
		if c.onTerminal() {
			text = homeAndClear + fit(text, c.height())
		}
		io.WriteString(c.Out, text) //nolint:errcheck // there is nobody to tell
	}
}

// height is the number of lines of the terminal; 0 if it is not known.
func (c *console) height() int {
	f, ok := c.stdout.(*os.File)
	if !ok {
		return 0
	}
	_, height, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return height
}

// fit makes text fit a screen of that height, the line of the cursor included:
// first the blank lines go, then the end, as the worst comes first.
func fit(text string, height int) string {
	lines := strings.SplitAfter(strings.TrimRight(text, "\n")+"\n", "\n")
	lines = lines[:len(lines)-1] // what is behind the last end of a line
	if height <= 1 || len(lines) < height {
		return strings.Join(lines, "")
	}
	lines = slices.DeleteFunc(lines, func(line string) bool { return line == "\n" })
	if len(lines) >= height {
		lines = append(lines[:height-2], "...\n")
	}
	return strings.Join(lines, "")
}
