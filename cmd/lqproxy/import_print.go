package main

import (
	"errors"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/migrate"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
)

// commentWidth is what is left of a line of the file behind "  # ".
const commentWidth = reportWidth - 4

// draftText returns d as a file, with its notes in the language of c.
func draftText(c *console, d migrate.Draft) []byte {
	return d.Text(draftHead(c, d), func(n migrate.Note) []string {
		return words.Wrap(words.ImportNoteText(c.Lang, n), commentWidth)
	})
}

// draftHead is what stands on top of the file.
func draftHead(c *console, d migrate.Draft) []string {
	lines := words.Wrap(c.In(words.ImportHead, d.From), commentWidth)
	if d.Target != "" {
		lines = append(lines, words.Wrap(c.In(words.ImportOf, d.Chosen.At.String(), d.Target), commentWidth)...)
	}
	lines = append(lines, words.Wrap(c.In(words.ImportKeys), commentWidth)...)
	if len(d.Loud()) > 0 {
		lines = append(lines, words.Wrap(c.In(words.ImportMark), commentWidth)...)
	}
	if len(d.Stays) == 0 {
		return lines
	}
	lines = append(append(lines, ""), words.Wrap(c.In(words.ImportStay), commentWidth)...)
	for _, s := range d.Stays {
		for _, line := range words.Wrap(serverLine(c, s), commentWidth-2) {
			lines = append(lines, "  "+line)
		}
	}
	return lines
}

// serverLine is a server block in one line.
func serverLine(c *console, s migrate.Server) string {
	line := s.At.String()
	if len(s.Listen) > 0 {
		line += "  listen " + strings.Join(s.Listen, ", ")
	}
	if len(s.Names) > 0 {
		line += "  server_name " + strings.Join(s.Names, " ")
	}
	if s.Shares {
		line += "  ! " + c.In(words.ImportThis)
	}
	return line
}

// sumUp says on stderr what must be read before the draft is used, and what is
// missing in it.
func sumUp(c *console, d migrate.Draft, text []byte) {
	loud := d.Loud()
	c.noteLines("", c.In(words.ImportDone, d.From, d.Count(), len(loud)))
	for _, n := range loud {
		c.noteLines("  ", words.ImportNoteText(c.Lang, n))
	}
	for i, s := range d.Stays {
		if i == 0 {
			c.Note(words.ImportStay)
		}
		c.noteLines("  ", serverLine(c, s))
	}
	_, err := configs.Parse(text)
	if mistakes, ok := errors.AsType[configs.Mistakes](err); ok {
		c.Note(words.ImportMistakes, len(mistakes))
		for _, line := range mistakeLines(c, mistakes) {
			c.noteLines("  ", line)
		}
	}
}

// noteLines notes text in lines that fit a terminal.
func (c *console) noteLines(indent, text string) {
	for i, line := range words.Wrap(text, reportWidth-2*len(indent)) {
		if i > 0 {
			line = indent + line
		}
		c.Note(words.Verbatim, indent+line)
	}
}
