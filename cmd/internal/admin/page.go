package admin

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"go.uber.org/zap"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// A page is a View with the way to the other language.
type page struct {
	View
	Class   string     // of the verdict
	Other   words.Lang // that the link at the top leads to
	OtherIs string     // its name
}

// classes are the names of levels in the style sheet.
var classes = [...]string{OK: "ok", Warning: "warning", Critical: "critical"}

func newPage(v View) page {
	other := words.Chinese
	if v.Lang == words.Chinese {
		other = words.English
	}
	return page{v, classes[v.Level], other, words.PageOther.In(v.Lang)}
}

func (s Source) page(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, newPage(NewView(s.Status(), nil, language(r)))); err != nil {
		s.Log.Error("the page cannot be made", zap.Error(err))
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	w.Write(b.Bytes()) //nolint:errcheck // who asked has gone
}

// language is that of ?lang=, else the one the browser likes most.
func language(r *http.Request) words.Lang {
	most, _, _ := strings.Cut(r.Header.Get("Accept-Language"), ",")
	none := func(string) string { return "" }
	return words.Detect(r.URL.Query().Get("lang"), none, strings.TrimSpace(most))
}
