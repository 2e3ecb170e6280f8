package doctor

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// A Format is how a report is written.
type Format string

// The formats; each is also the ending of a file.
const (
	Markdown Format = "md"
	Text     Format = "txt"
	HTML     Format = "html"
)

// FormatOf returns the format that the ending of a file asks for, in any case.
func FormatOf(file string) (Format, bool) {
	switch f := Format(strings.ToLower(strings.TrimPrefix(filepath.Ext(file), "."))); f {
	case Markdown, Text, HTML:
		return f, true
	}
	return "", false
}

// Write writes e in that format, in UTF-8.
func (e *Evidence) Write(w io.Writer, f Format) error {
	d := e.document()
	var err error
	switch f {
	case HTML:
		err = writeHTML(w, d)
	case Markdown:
		_, err = io.WriteString(w, markdown(d))
	case Text:
		_, err = io.WriteString(w, text(d))
	default:
		panic("BUG: doctor: unknown format " + string(f))
	}
	if err != nil {
		return fmt.Errorf("writing report: %w", err)
	}
	return nil
}
