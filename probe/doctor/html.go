package doctor

import (
	_ "embed"
	"html/template"
	"io"
)

//go:embed report.html
var reportPage string

// writeHTML writes d as a page that stands alone and is made for A4.
func writeHTML(w io.Writer, d document) error {
	page, err := template.New("report").Parse(reportPage)
	if err != nil {
		return err
	}
	return page.Execute(w, d)
}
