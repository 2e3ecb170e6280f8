package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/allow"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is a Source that is ready if ready is true.
func source(ready bool) Source {
	reg := prometheus.NewPedanticRegistry()
	proxy.NewMetrics(reg, upstream.NewMetrics(reg))
	return Source{Metrics: reg, Ready: func() bool { return ready }, Status: ill, Log: zap.NewNop()}
}

func TestHandlerAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method, target string
		ready          bool
		code           int
		text           string // somewhere in the body
	}{
		{"GET", "/healthz", false, 200, "ok\n"},
		{"GET", "/readyz", true, 200, "ready\n"},
		{"GET", "/readyz", false, 503, "not ready\n"},
		{"HEAD", "/readyz", true, 200, ""},
		{"GET", "/metrics", true, 200, "lqproxy_connections_total 0\n"},
		{"GET", "/status", true, 200, `"exchanges": 12345`},
		{"GET", "/", true, 200, "<!DOCTYPE html>"},
		{"POST", "/", true, 405, ""},
		{"DELETE", "/metrics", true, 405, ""},
		{"GET", "/debug/pprof/", true, 404, ""},
		{"GET", "/metrics/", true, 404, ""},
		{"GET", "//metrics", true, 404, ""},
		{"POST", "/nowhere", true, 404, ""},
	} {
		w := httptest.NewRecorder()
		Handler(source(tt.ready)).ServeHTTP(w, httptest.NewRequest(tt.method, "http://x"+tt.target, nil))
		if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.text) {
			t.Errorf("%s %s (ready: %v) = %d %q, want %d with %q", tt.method, tt.target, tt.ready, w.Code, w.Body, tt.code, tt.text)
		}
		if got := w.Header().Get("Allow"); (got == "GET, HEAD") != (tt.code == 405) {
			t.Errorf("%s %s: Allow = %q", tt.method, tt.target, got)
		}
	}
}

func TestStatusIsWhole(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	Handler(source(true)).ServeHTTP(w, httptest.NewRequest("GET", "/status", nil))
	var got Status
	d := json.NewDecoder(w.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ill(), got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("/status (-want +got):\n%s", diff)
	}
}

func TestPageSpeaksTheLanguageOfTheReader(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ query, accept, lang string }{
		{"", "", "en"},
		{"", "zh-CN,zh;q=0.9,en;q=0.8", "zh"},
		{"", "en-GB,zh;q=0.9", "en"},
		{"?lang=zh", "en", "zh"},
		{"?lang=en", "zh", "en"},
		{"?lang=%3Cscript%3E", "zh", "en"},
	} {
		r := httptest.NewRequest("GET", "/"+tt.query, nil)
		r.Header.Set("Accept-Language", tt.accept)
		w := httptest.NewRecorder()
		Handler(source(true)).ServeHTTP(w, r)
		page := w.Body.String()
		if !strings.Contains(page, `<html lang="`+tt.lang+`">`) {
			t.Errorf("GET /%s, Accept-Language %q: not in %s", tt.query, tt.accept, tt.lang)
		}
		if got := strings.Contains(page, "注意") || strings.Contains(page, "故障"); got != (tt.lang == "zh") {
			t.Errorf("GET /%s, Accept-Language %q: in Chinese: %v", tt.query, tt.accept, got)
		}
	}
}

func TestPageShowsTroubleAndNothingForeign(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	Handler(source(true)).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	page := w.Body.String()
	for _, want := range []string{
		"connection refused", "dial 7", "12345", "192.0.2.1", "1024 of 1024", "must name at least one",
		"not accepted yet", "fpy-production", "iptables, out of step", "-10.0.0.0/8", "/etc/lqproxy/&lt;b&gt;.toml",
		`class="alarm"`, `class="verdict critical">CRITICAL`, `<li class="critical">`, `<li class="warning">`, "lqproxy probe -c /etc/lqproxy/&lt;b&gt;.toml -i branch",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{"<script", "src=", `href="http`, "url(", "ZgotmplZ"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") {
		t.Errorf("Content-Security-Policy = %q, want nothing loaded", got)
	}
}

func TestReadTraffic(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	counter := func(name, label string, values map[string]float64) {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: "As of package proxy."}, []string{label})
		for value, n := range values {
			v.WithLabelValues(value).Add(n)
		}
		reg.MustRegister(v)
	}
	counter("lqproxy_exchanges_total", "code", map[string]float64{"200": 5, "502": 2})
	counter("lqproxy_exchange_failures_total", "reason", map[string]float64{"dial": 2, "busy": 0})
	counter("lqproxy_connections_refused_total", "reason", map[string]float64{"source_refused": 3})
	counter("lqproxy_limit_reached_total", "limit", map[string]float64{"queue": 5})
	current := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lqproxy_limit_current", Help: "As of package proxy."}, []string{"limit"})
	current.WithLabelValues("queue").Set(1)
	capacity := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lqproxy_limit_capacity", Help: "As of package proxy."}, []string{"limit"})
	capacity.WithLabelValues("queue").Set(9)
	reg.MustRegister(current, capacity)

	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	activity := proxy.Activity{
		LastMinute: proxy.Minute{Exchanges: 4},
		Failures:   map[proxy.Reason]time.Time{proxy.Dial: at},
		Limits:     map[string]time.Time{"queue": at},
		IPNotFiled: proxy.Occurrences{Count: 2, Last: at},
	}
	got, err := ReadTraffic(reg, activity)
	if err != nil {
		t.Fatal(err)
	}
	want := Traffic{
		Refused: 3, Exchanges: 7, Failures: map[string]int64{"dial": 2},
		Limits:     []Limit{{Name: "queue", Current: 1, Capacity: 9, Reached: 5, LastReached: at}},
		Failed:     map[proxy.Reason]time.Time{proxy.Dial: at},
		Leqi:       Leqi{IPNotFiled: proxy.Occurrences{Count: 2, Last: at}},
		LastMinute: proxy.Minute{Exchanges: 4},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ReadTraffic() (-want +got):\n%s", diff)
	}
}

// fromListener is a listener whose connections come from wherever the test says.
type fromListener struct {
	net.Listener
	from net.Addr
}

type fromConn struct {
	net.Conn
	from net.Addr
}

func (l fromListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return fromConn{Conn: c, from: l.from}, nil
}

func (c fromConn) RemoteAddr() net.Addr { return c.from }

// serve serves h on loopback, to connections that seem to come from from, and
// returns the address and the server.
func serve(t *testing.T, from string) (*Server, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Handler(source(true)), zap.NewNop())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.Serve(ctx, fromListener{ln, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve() = %v, want nil", err)
		}
	})
	return s, ln.Addr().String()
}

// ask asks for /healthz on c and returns the status.
func ask(c net.Conn) (string, error) {
	if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return "", err
	}
	b := make([]byte, 4096)
	n, err := c.Read(b)
	line, _, _ := strings.Cut(string(b[:n]), "\r\n")
	return line, err
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestServeAdmitsOnlyWhoIsNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from  string
		admit bool
	}{
		{"127.0.0.1:1000", true},
		{"[::1]:1000", true},
		{"[::ffff:127.0.0.1]:1000", true},
		{"10.0.0.7:1000", true},
		{"[::ffff:10.0.0.7]:1000", true},
		{"10.0.0.8:1000", false},
		{"[2001:db8::1]:1000", false},
	} {
		s, address := serve(t, tt.from)
		s.Admit(allow.NewList(netip.MustParsePrefix("10.0.0.7/32")))
		got, err := ask(dial(t, address))
		if admitted := got == "HTTP/1.1 200 OK"; admitted != tt.admit {
			t.Errorf("from %s: %q, %v, want admitted: %v", tt.from, got, err, tt.admit)
		}
	}
}

func TestServeDisconnectsWhoIsNoLongerNamed(t *testing.T) {
	t.Parallel()
	s, address := serve(t, "10.0.0.7:1000")
	s.Admit(allow.NewList(netip.MustParsePrefix("10.0.0.7/32")))
	c := dial(t, address)
	if got, err := ask(c); got != "HTTP/1.1 200 OK" {
		t.Fatalf("while named: %q, %v, want 200", got, err)
	}
	s.Admit(allow.List{})
	if got, err := ask(c); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("afterwards: %q, %v, want the end of the connection", got, err)
	}
}

func TestServeFailsWithItsListener(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := New(http.NotFoundHandler(), zap.NewNop()).Serve(t.Context(), ln); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve(closed listener) = %v, want net.ErrClosed", err)
	}
}
