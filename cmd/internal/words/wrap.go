package words

import (
	"strings"
	"unicode"
)

// closing are the characters that must not begin a line of Chinese.
const closing = "，。；：、！？）】》”’"

// noBreak is a space at which a line is not broken: "45 ms". It is printed as a plain one.
const noBreak = "\u00a0"

// Wrap breaks text into lines of at most width columns of a terminal: at spaces, and beside Chinese characters, but not
// before a closing mark, nor at a no-break space, which becomes a plain one. What is too wide for a line, such as a pin,
// is cut. There is at least one line.
func Wrap(text string, width int) []string {
	var lines []string
	line, gap := "", ""
	for _, piece := range pieces(text) {
		if piece == " " {
			gap = " "
			continue
		}
		if line != "" && Width(line)+Width(gap)+Width(piece) > width {
			lines, line, gap = append(lines, line), "", ""
		}
		if line != "" {
			line += gap
		}
		line, gap = line+piece, ""
		for head := cut(line, width); len(head) < len(line); head = cut(line, width) {
			lines, line = append(lines, head), line[len(head):]
		}
	}
	lines = append(lines, line)
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], noBreak, " ")
	}
	return lines
}

// Keep returns text with spaces at which Wrap does not break it.
func Keep(text string) string { return strings.ReplaceAll(text, " ", noBreak) }

// pieces splits text where a line may be broken: a space is a piece of its own.
func pieces(text string) []string {
	var all []string
	open := false // the last piece may go on
	for _, r := range text {
		s := string(r)
		switch {
		case unicode.IsSpace(r) && s != noBreak:
			all, open = append(all, " "), false
		case len(all) > 0 && strings.ContainsRune(closing, r):
			all[len(all)-1] += s
			open = false
		case Width(s) > 1:
			all, open = append(all, s), false
		case open:
			all[len(all)-1] += s
		default:
			all, open = append(all, s), true
		}
	}
	return all
}

// cut returns as much of s as width columns hold, at least a character.
func cut(s string, width int) string {
	n := 0
	for i, r := range s {
		if n += Width(string(r)); n > width && i > 0 {
			return s[:i]
		}
	}
	return s
}
