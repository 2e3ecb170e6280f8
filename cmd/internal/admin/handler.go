package admin

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// A Source is what the pages are made of. Its functions are called by several
// goroutines at once.
type Source struct {
	Metrics prometheus.Gatherer
	Ready   func() bool
	Status  func() Status
	Log     *zap.Logger
}

// Handler returns all pages. What is not one of them is not found, and nothing
// but GET and HEAD is a method.
func Handler(s Source) http.Handler {
	return pages{
		"/": http.HandlerFunc(s.page),
		"/metrics": promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{
			ErrorLog:      stdLog(s.Log),
			ErrorHandling: promhttp.ContinueOnError, // one bad collector must not hide the others
		}),
		"/healthz": http.HandlerFunc(healthz),
		"/readyz":  http.HandlerFunc(s.readyz),
		"/status":  http.HandlerFunc(s.status),
	}
}

// pages finds a page by its exact path: unlike http.ServeMux it redirects nobody.
type pages map[string]http.Handler

// ServeHTTP implements http.Handler.
func (p pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page, ok := p[r.URL.Path]
	switch {
	case !ok:
		http.NotFound(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
	default:
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		page.ServeHTTP(w, r)
	}
}

func healthz(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") }

func (s Source) readyz(w http.ResponseWriter, _ *http.Request) {
	if s.Ready() {
		answer(w, http.StatusOK, "ready")
		return
	}
	answer(w, http.StatusServiceUnavailable, "not ready")
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	io.WriteString(w, text+"\n") //nolint:errcheck // who asked has gone
}

func (s Source) status(w http.ResponseWriter, _ *http.Request) {
	text, err := json.MarshalIndent(s.Status(), "", "  ")
	if err != nil {
		panic("BUG: admin: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(text, '\n')) //nolint:errcheck // who asked has gone
}
