package doctor

import (
	"strings"

	"golang.org/x/text/width"
)

// lineWidth is how wide a plain text may be, in columns.
const lineWidth = 80

// text returns d as a plain text whose columns are aligned where Chinese takes
// two.
func text(d document) string {
	var b strings.Builder
	b.WriteString(d.Title + "\n" + strings.Repeat("=", columns(d.Title)) + "\n")
	writeWrapped(&b, "", d.Subtitle)
	for _, s := range d.Sections {
		b.WriteString("\n" + s.Heading + "\n" + strings.Repeat("-", columns(s.Heading)) + "\n")
		for _, block := range s.Blocks {
			textBlock(&b, block)
		}
	}
	return b.String()
}

func textBlock(b *strings.Builder, block block) {
	textFacts(b, block.Facts)
	if block.Note != "" {
		b.WriteByte('\n')
		writeWrapped(b, "", block.Note)
	}
	if block.Table != nil {
		textTable(b, block.Table)
	}
	for _, line := range block.Console {
		b.WriteString("    " + line + "\n")
	}
	for _, label := range block.Blank {
		b.WriteString("\n" + label + "：" + strings.Repeat("_", 30) + "\n")
	}
}

func textFacts(b *strings.Builder, facts []fact) {
	widest := 0
	for _, f := range facts {
		widest = max(widest, columns(f.Label))
	}
	for _, f := range facts {
		value := f.Value
		if f.Mark != "" {
			value += "  [" + f.Mark + "]"
		}
		writeWrapped(b, f.Label+"："+strings.Repeat(" ", widest-columns(f.Label)), value)
	}
}

// writeWrapped writes a paragraph behind first; further lines are indented as far.
func writeWrapped(b *strings.Builder, first, paragraph string) {
	indent := columns(first)
	b.WriteString(first)
	for i, line := range wrap(paragraph, lineWidth-indent) {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", indent))
		}
		b.WriteString(line + "\n")
	}
}

// textTable writes a table; columns with numbers end flush.
func textTable(b *strings.Builder, t *table) {
	rows := append([][]string{t.Head}, t.Rows...)
	widths := make([]int, len(t.Head))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], columns(cell))
		}
	}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-columns(cell))
			if t.IsNumber(i) {
				cells[i] = pad + cell
			} else {
				cells[i] = cell + pad
			}
		}
		b.WriteString(strings.TrimRight("    "+strings.Join(cells, "  "), " ") + "\n")
	}
}

// columns returns how many columns s takes.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += columnsOf(r)
	}
	return n
}

func columnsOf(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// wrap breaks s into lines of at most limit columns: at spaces and between Chinese
// characters, but not before a closing mark. What cannot be broken is longer.
func wrap(s string, limit int) []string {
	var lines []string
	line, used := "", 0
	for _, piece := range pieces(s) {
		n := columns(piece)
		if used+columns(strings.TrimRight(piece, " ")) > limit && line != "" {
			lines = append(lines, strings.TrimRight(line, " "))
			line, used = "", 0
		}
		line += piece
		used += n
	}
	return append(lines, strings.TrimRight(line, " "))
}

// closing are the marks that may not begin a line.
const closing = "，。；：、？！）】》”’"

// pieces cuts s where a line may be broken.
func pieces(s string) []string {
	var all []string
	piece := ""
	var last rune
	for _, r := range s {
		breakable := last == ' ' || piece != "" && (columnsOf(r) == 2 || columnsOf(last) == 2) && !strings.ContainsRune("（【《“‘", last)
		if breakable && r != ' ' && !strings.ContainsRune(closing, r) {
			all = append(all, piece)
			piece = ""
		}
		piece += string(r)
		last = r
	}
	return append(all, piece)
}
