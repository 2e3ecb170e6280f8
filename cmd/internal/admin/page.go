package admin

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"go.uber.org/zap"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// A view is the page in one language: all its words are chosen.
type view struct {
	Lang     words.Lang
	Other    words.Lang // the language that the link at the top leads to
	OtherIs  string     // its name
	State    State
	StateIs  string
	Sections []section
}

// A section is a titled table.
type section struct {
	Title string
	Rows  []row
}

// A row is one fact. An alarm is shown in red.
type row struct {
	Name, Value string
	Alarm       bool
}

func (s Source) page(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, newView(s.Status(), language(r))); err != nil {
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

func newView(s Status, l words.Lang) view {
	v := view{Lang: l, Other: words.Chinese, OtherIs: words.PageOther.In(l), State: s.State}
	if l == words.Chinese {
		v.Other = words.English
	}
	v.StateIs = states[s.State].In(l)
	v.Sections = []section{
		upstreamSection(s, l), trafficSection(s.Traffic, l), limitSection(s.Traffic, l),
		callerSection(s, l), programSection(s, l),
	}
	return v
}

func upstreamSection(s Status, l words.Lang) section {
	u := s.Upstream
	out := newSection(words.PageUpstream, l)
	out.add(words.PageHost, s.Target)
	switch {
	case u.Since.IsZero():
		out.add(words.PageConnect, words.PageNever.In(l))
	case u.Up:
		out.add(words.PageConnect, words.PageUp.In(l, clock(u.Since)))
	default:
		out.alarm(words.PageConnect, words.PageDown.In(l, clock(u.Since)))
	}
	out.alarm(words.PageError, u.Error)
	out.alarm(words.PageLookup, u.Lookup)
	var addresses []string
	for _, a := range u.Addresses {
		addresses = append(addresses, fmt.Sprintf("%v (%s)", a.Addr, addressStates[a.State].In(l)))
	}
	out.add(words.PageAddresses, strings.Join(addresses, ", "))
	if u.Shown != nil {
		out.add(words.PageCertificate, clock(u.Shown.NotAfter))
		out.add(words.PagePin, u.Shown.Pin.String())
	}
	if u.Changed {
		out.alarm(words.PageKey, words.PageKeyWaits.In(l))
	}
	out.add(words.PageConnections, words.PagePool.In(l, u.Idle, u.Busy))
	return out.section
}

// The words for closed sets.
var (
	states = map[State]words.Text{
		StateReady:    words.PageReady,
		StateStopping: words.PageStopping,
		StateDraining: words.PageDraining,
	}
	addressStates = map[upstream.AddressState]words.Text{
		upstream.AddressUnused:  words.PageUnused,
		upstream.AddressUp:      words.PageReached,
		upstream.AddressFailed:  words.PageUnreached,
		upstream.AddressNoRoute: words.PageNoRoute,
	}
	limits = map[string]words.Text{
		"connections": words.PageLimitConnections,
		"exchanges":   words.PageLimitExchanges,
		"queue":       words.PageLimitQueue,
	}
)

func trafficSection(t Traffic, l words.Lang) section {
	out := newSection(words.PageTraffic, l)
	out.add(words.PageExchanges, strconv.FormatInt(t.Exchanges, 10))
	if len(t.Failures) == 0 {
		out.add(words.PageFailures, words.PageNone.In(l))
	}
	var failures []string
	for _, reason := range slices.Sorted(maps.Keys(t.Failures)) {
		failures = append(failures, fmt.Sprintf("%s %d", reason, t.Failures[reason]))
	}
	out.alarm(words.PageFailures, strings.Join(failures, ", "))
	out.add(words.PageForbidden, strconv.FormatInt(t.Forbidden, 10))
	out.add(words.PageAdmitted, strconv.FormatInt(t.Connections, 10))
	out.add(words.PageRejected, strconv.FormatInt(t.Refused, 10))
	return out.section
}

func limitSection(t Traffic, l words.Lang) section {
	out := newSection(words.PageLimits, l)
	for _, limit := range t.Limits {
		out.add(limits[limit.Name], words.PageOf.In(l, limit.Current, limit.Capacity))
	}
	return out.section
}

func callerSection(s Status, l words.Lang) section {
	out := newSection(words.PageCallers, l)
	out.add(words.PageListen, strings.Join(s.Listen.Addresses, ", "))
	tls := s.Listen.TLS
	if s.Listen.NotAfter != nil {
		tls = words.PageUntil.In(l, tls, clock(*s.Listen.NotAfter))
	}
	out.add(words.PageTLS, tls)
	out.add(words.PageSources, words.PagePrefixes.In(l, s.Sources.Prefixes))
	if len(s.Sources.Presets) > 0 {
		out.add(words.PageSources, words.PagePresets.In(l, strings.Join(s.Sources.Presets, ", ")))
	}
	out.firewall(s.Firewall)
	return out.section
}

// firewall adds the line of the firewall, if anything is known of it.
func (b *builder) firewall(f *Firewall) {
	if f == nil {
		return
	}
	text := words.PageInStep.In(b.lang, f.Backend, clock(f.Checked))
	if !f.InSync {
		text = words.PageOutOfStep.In(b.lang, f.Backend, clock(f.Checked), strings.Join(f.Problems, "; "))
	}
	if f.Pending != "" {
		text += words.PagePending.In(b.lang, f.Pending)
	}
	b.row(words.PageFirewall, text, !f.InSync || f.Pending != "")
}

func programSection(s Status, l words.Lang) section {
	out := newSection(words.PageProgram, l)
	out.add(words.PageVersion, strings.TrimSpace(s.Version+" "+s.Revision))
	out.add(words.PagePID, strconv.Itoa(s.PID))
	out.add(words.PageStarted, clock(s.Started))
	out.add(words.PageInstance, s.Instance)
	out.add(words.PageFile, s.File)
	out.add(words.PageReload, clock(s.Reload.At))
	out.alarm(words.PageRefused, s.Reload.Error)
	return out.section
}

// A builder makes a section in one language. What has no value is left out.
type builder struct {
	section
	lang words.Lang
}

func newSection(title words.Text, l words.Lang) *builder {
	return &builder{section{Title: title.In(l)}, l}
}

func (b *builder) add(name words.Text, value string) { b.row(name, value, false) }

func (b *builder) alarm(name words.Text, value string) { b.row(name, value, true) }

func (b *builder) row(name words.Text, value string, alarm bool) {
	if value != "" {
		b.Rows = append(b.Rows, row{name.In(b.lang), value, alarm})
	}
}

func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 -07:00") }
