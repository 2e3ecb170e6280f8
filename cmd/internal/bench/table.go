package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A table is text in rows and columns; the first column stands to the left,
// the others to the right. All rows are as long as the head.
type table struct {
	head []string
	rows [][]string
}

// text prints t with aligned columns.
func (t table) text(w io.Writer) error {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	writeAligned(&out, t.head, widths)
	fmt.Fprintln(&out, strings.Repeat("-", sum(widths)+2*(len(widths)-1)))
	for _, row := range t.rows {
		writeAligned(&out, row, widths)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func writeAligned(out *strings.Builder, row []string, widths []int) {
	var line strings.Builder
	for i, cell := range row {
		if i == 0 {
			fmt.Fprintf(&line, "%-*s", widths[i], cell)
			continue
		}
		fmt.Fprintf(&line, "  %*s", widths[i], cell)
	}
	fmt.Fprintln(out, strings.TrimRight(line.String(), " "))
}

// markdown prints t as GitHub reads it.
func (t table) markdown(w io.Writer) error {
	var out strings.Builder
	writeBarred(&out, t.head)
	out.WriteString("|---" + strings.Repeat("|---:", len(t.head)-1) + "|\n")
	for _, row := range t.rows {
		writeBarred(&out, row)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func writeBarred(out *strings.Builder, row []string) {
	for _, cell := range row {
		fmt.Fprintf(out, "| %s ", strings.ReplaceAll(cell, "|", `\|`))
	}
	out.WriteString("|\n")
}

func sum(values []int) int {
	total := 0
	for _, v := range values {
		total += v
	}
	return total
}
