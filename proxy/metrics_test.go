package proxy

import (
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestMetricsGolden pins name, type, labels and help of each time series:
// renaming one breaks dashboards.
func TestMetricsGolden(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, parts{})
	c := g.dial()
	c.send(call)
	c.answer()
	g.access.next(t)

	families, err := g.registry.Gather()
	if err != nil {
		t.Fatalf("Gather() failed: %v", err)
	}
	var got strings.Builder
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		fmt.Fprintf(&got, "%s %s {%s} %s\n", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, ", "), f.GetHelp())
	}
	const golden = "testdata/metrics.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("time series (-want +got):\n%s", diff)
	}
}

// TestClosedSetsStartAtZero: the first failure must be visible to rate().
func TestClosedSetsStartAtZero(t *testing.T) {
	t.Parallel()
	g := start(t, newPeer(t, answering(okAnswer)).addr, parts{})
	want := map[string][]string{
		"lqproxy_exchange_failures_total": {
			"bad_request", "body_too_large", "busy", "client_gone", "dial", "draining", "header_too_large", "identity", "internal",
			"method_refused", "path_refused", "request_timeout", "resolve", "source_refused", "tls", "unit_refused", "upstream_closed",
			"upstream_protocol", "upstream_timeout", "version_refused",
		},
		"lqproxy_connections_refused_total": {"connection_limit", "proxy_header", "source_refused", "tls_handshake"},
		"lqproxy_exchange_duration_seconds": {"auth", "control", "other", "production", "sandbox"},
		"lqproxy_limit_reached_total":       {"connections", "exchanges", "queue"},
		"lqproxy_limit_capacity":            {"connections", "exchanges", "queue"},
		"lqproxy_limit_current":             {"connections", "exchanges", "queue"},
	}
	families, err := g.registry.Gather()
	if err != nil {
		t.Fatalf("Gather() failed: %v", err)
	}
	got := make(map[string][]string)
	for _, f := range families {
		if _, wanted := want[f.GetName()]; !wanted {
			continue
		}
		for _, m := range f.GetMetric() {
			got[f.GetName()] = append(got[f.GetName()], m.GetLabel()[0].GetValue())
		}
		slices.Sort(got[f.GetName()])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values of labels (-want +got):\n%s", diff)
	}
}

// TestMetricsCountAnExchange looks at what one exchange changes.
func TestMetricsCountAnExchange(t *testing.T) {
	t.Parallel()
	body := `{"body":"{}","httpStatusCode":"4057"}`
	p := newPeer(t, answering(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)))
	g := start(t, p.addr, with(func(o *Options) { o.Units = []Unit{{ID: "91310000", Name: "headquarters"}} }))
	c := g.dial()
	request := strings.Replace(call, "Host", "jrdwptbh: 91310000\r\nHost", 1)
	c.send(request)
	answer := c.answer()
	g.access.next(t)
	type series struct {
		name   string
		labels []string
	}
	for want, list := range map[float64][]series{
		1: {
			{"lqproxy_exchanges_total", []string{"environment", "production", "service", "CXKYSL", "code", "200"}},
			{"lqproxy_exchange_duration_seconds", []string{"environment", "production"}},
			{"lqproxy_leqi_answers_total", []string{"environment", "production", "ability", "202007", "unit", "headquarters", "leqi_code", "4057"}},
			{"lqproxy_connections_total", nil},
			{"lqproxy_connections_open", nil},
			{"lqproxy_limit_current", []string{"limit", "connections"}},
			{"lqproxy_exchange_own_seconds", nil},
			{"lqproxy_upstream_phase_seconds", []string{"phase", "wait"}},
			{"lqproxy_upstream_connections", []string{"state", "idle"}},
		},
		0: {
			{"lqproxy_limit_current", []string{"limit", "exchanges"}},
			{"lqproxy_limit_current", []string{"limit", "queue"}},
			{"lqproxy_upstream_connections", []string{"state", "busy"}},
		},
		1000:                  {{"lqproxy_limit_capacity", []string{"limit", "exchanges"}}},
		float64(len(request)): {{"lqproxy_request_bytes_total", nil}},
		float64(len(answer)):  {{"lqproxy_response_bytes_total", nil}},
	} {
		for _, s := range list {
			if got := g.metric(s.name, s.labels...); got != want {
				t.Errorf("%s%q = %v, want %v", s.name, s.labels, got, want)
			}
		}
	}
}

// TestOwnTimeIsWhatTheUpstreamsLeaves compares the histogram with what the log
// says: the time of connecting and of waiting is the upstream's, and exchanges
// that it did not answer tell nothing.
func TestOwnTimeIsWhatTheUpstreamsLeaves(t *testing.T) {
	t.Parallel()
	const slow = 50 * time.Millisecond
	g := start(t, newPeer(t, func(p *peer, c *raw) {
		for p.take(c) {
			<-time.After(slow)
			c.send(okAnswer)
		}
	}).addr, parts{})
	c := g.dial()
	const exchanges = 2 // on a new connection, and on that one again
	own := 0.0
	for range exchanges {
		c.send(call)
		c.answer()
		line := g.access.next(t)
		if wait := line[keyWait].(float64); wait < float64(slow.Microseconds()) {
			t.Errorf("%s = %v, want at least %v", keyWait, wait, slow)
		}
		own += line[keyTotal].(float64) - line[keyConnect].(float64) - line[keyTLS].(float64) - line[keyWait].(float64)
	}
	c.send("POST /elsewhere HTTP/1.1\r\nHost: proxy\r\nContent-Length: 0\r\n\r\n")
	c.answer()
	g.access.next(t)

	sum, count := g.ownTime()
	const rounding = 4 * exchanges // of four numbers in the log, each
	if got := sum * 1e6; math.Abs(got-own) > rounding || count != exchanges {
		t.Errorf("own time = %v us of %d exchanges, want %v us of %d", got, count, own, exchanges)
	}
}

// ownTime reads the histogram of lqproxy's own share, in seconds.
func (g *rig) ownTime() (sum float64, count uint64) {
	g.t.Helper()
	families, err := g.registry.Gather()
	if err != nil {
		g.t.Fatalf("Gather() failed: %v", err)
	}
	for _, f := range families {
		if f.GetName() == "lqproxy_exchange_own_seconds" {
			h := f.GetMetric()[0].GetHistogram()
			return h.GetSampleSum(), h.GetSampleCount()
		}
	}
	g.t.Fatal("there is no histogram of the own time")
	return 0, 0
}

// TestLabelsAreBounded sends what no table knows.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, parts{})
	c := g.dial()
	for i := range 10 {
		c.send(fmt.Sprintf("POST /access/v2/invoke/9999%d/X%d HTTP/1.1\r\nHost: p\r\njrdwptbh: unit%d\r\nContent-Length: 0\r\n\r\n", i, i, i))
		c.answer()
		g.access.next(t)
	}
	if n := g.metric("lqproxy_exchanges_total", "environment", "production", "service", "other", "code", "200"); n != 10 {
		t.Errorf("lqproxy_exchanges_total = %v for services that are not known, want 10", n)
	}
	if n := g.metric("lqproxy_leqi_answers_total", "environment", "production", "ability", "other", "unit", "other", "leqi_code", "other"); n != 10 {
		t.Errorf("lqproxy_leqi_answers_total = %v for units that are not known, want 10", n)
	}
}
