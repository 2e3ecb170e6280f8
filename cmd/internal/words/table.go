package words

import (
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// cells measures what a terminal shows: Chinese takes two columns a character. Characters of ambiguous width count as
// one, whatever the locale, so that output can be compared between machines.
var cells = runewidth.Condition{StrictEmojiNeutral: true}

// Width returns the number of columns that a terminal gives to s.
func Width(s string) int { return cells.StringWidth(s) }

// A Table is rows of cells that are printed in columns, aligned by display width. Rows may be of different lengths. The
// zero Table is empty.
type Table struct {
	Indent int // columns before the first cell
	rows   [][]string
}

const gutter = 2 // columns between cells

// Row adds a row.
func (t *Table) Row(cells ...string) { t.rows = append(t.rows, cells) }

// WriteTo implements io.WriterTo. The last cell of a row is not padded.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	widths := t.widths()
	var b strings.Builder
	for _, row := range t.rows {
		for i, cell := range row {
			if i == 0 {
				b.WriteString(strings.Repeat(" ", t.Indent))
			}
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-Width(cell)+gutter))
			}
		}
		b.WriteByte('\n')
	}
	n, err := io.WriteString(w, b.String())
	if err != nil {
		return int64(n), fmt.Errorf("printing table: %w", err)
	}
	return int64(n), nil
}

// widths returns the width of each column. A last cell does not widen its column: text may follow on.
func (t *Table) widths() []int {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if i < len(row)-1 {
				widths[i] = max(widths[i], Width(cell))
			}
		}
	}
	return widths
}
