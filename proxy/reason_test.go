package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// A provocation makes an exchange end with a reason.
type provocation struct {
	name      string
	reason    Reason
	status    int
	delivered string
	parts     parts
	script    func(*peer, *raw)      // of the upstream; nil: it answers
	tls       *tls.Config            // of the upstream; nil: as usual
	provoke   func(*rig, *peer) *raw // returns who gets the answer
	detail    string                 // a part of it, in the log
	fields    map[string]string      // of the answer, besides those of every one
}

func writing(texts ...string) func(*rig, *peer) *raw {
	return func(g *rig, _ *peer) *raw {
		c := g.dial()
		c.send(texts...)
		return c
	}
}

// calling is an ordinary call.
var calling = writing(call)

func with(change func(*Options)) parts { return parts{options: change} }

func reaching(change func(*upstream.Options)) parts { return parts{upstream: change} }

func request(lines ...string) func(*rig, *peer) *raw {
	return writing(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

var provocations = []provocation{
	{
		name: "a malformed request", reason: BadRequest, status: 400, delivered: "no",
		provoke: request("POST /access/ HTTP/1.1", "Host: p", "Content-Length: 1", "Transfer-Encoding: chunked"),
		detail:  "Content-Length with Transfer-Encoding",
	}, {
		name: "an unknown expectation", reason: BadRequest, status: 417, delivered: "no",
		provoke: request("POST /access/ HTTP/1.1", "Host: p", "Expect: more", "Content-Length: 0"),
		detail:  `Expect "more"`,
	}, {
		name: "a request that ends before it is whole", reason: BadRequest, status: 400, delivered: "no",
		provoke: func(g *rig, _ *peer) *raw {
			c := g.dial()
			c.send("POST /access/ HTTP/1.1\r\nHost: p\r\nContent-Length: 3\r\n\r\n{}")
			c.halfClose()
			return c
		},
		detail: "ended its request before it was whole",
	}, {
		name: "a head with too many bytes", reason: HeaderTooLarge, status: 431, delivered: "no",
		parts:   with(func(o *Options) { o.Limits.HeaderSize = 200 }),
		provoke: request("POST /access/ HTTP/1.1", "Host: p", "A: "+strings.Repeat("a", 200)),
	}, {
		name: "a head with too many fields", reason: HeaderTooLarge, status: 431, delivered: "no",
		parts:   with(func(o *Options) { o.Limits.HeaderCount = 3 }),
		provoke: request("POST /access/ HTTP/1.1", "Host: p", "A: 1", "B: 2", "C: 3"),
		detail:  "too many fields",
	}, {
		name: "a length over the limit", reason: BodyTooLarge, status: 413, delivered: "no",
		parts:   with(func(o *Options) { o.Limits.BodySize = 10 }),
		provoke: request("POST /access/ HTTP/1.1", "Host: p", "Content-Length: 11"),
		detail:  "Content-Length",
	}, {
		name: "chunks over the limit", reason: BodyTooLarge, status: 413, delivered: "no",
		parts:   with(func(o *Options) { o.Limits.BodySize = 10 }),
		provoke: writing("POST /access/ HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n", chunked("01234567890", 6)),
	}, {
		name: "CONNECT", reason: MethodRefused, status: 405, delivered: "no",
		provoke: request("CONNECT lqpt.test:8443 HTTP/1.1", "Host: lqpt.test:8443"),
	}, {
		name: "TRACE", reason: MethodRefused, status: 405, delivered: "no",
		provoke: request("TRACE /access/ HTTP/1.1", "Host: p"),
	}, {
		name: "the preface of HTTP/2", reason: VersionRefused, status: 505, delivered: "no",
		provoke: writing("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	}, {
		name: "a path beside allow.paths", reason: PathRefused, status: 404, delivered: "no",
		provoke: request("POST /accesses HTTP/1.1", "Host: p", "Content-Length: 0"),
	}, {
		name: "a path that leads out again", reason: PathRefused, status: 404, delivered: "no",
		provoke: request("POST /access/%2e%2e/x HTTP/1.1", "Host: p", "Content-Length: 0"),
	}, {
		name: "no unit", reason: UnitRefused, status: 400, delivered: "no",
		parts:   with(func(o *Options) { o.AllowedUnits = []string{"u1"} }),
		provoke: calling,
	}, {
		name: "another unit", reason: UnitRefused, status: 400, delivered: "no",
		parts:   with(func(o *Options) { o.AllowedUnits = []string{"u1"} }),
		provoke: request("POST /access/ HTTP/1.1", "Host: p", "jrdwptbh: u2"),
	}, {
		name: "two units", reason: UnitRefused, status: 400, delivered: "no",
		parts:   with(func(o *Options) { o.AllowedUnits = []string{"u1"} }),
		provoke: request("POST /access/ HTTP/1.1", "Host: p", "jrdwptbh: u1", "Jrdwptbh: u1"),
	}, {
		name: "a head that does not end", reason: RequestTimeout, status: 408, delivered: "no",
		parts:   with(func(o *Options) { o.HeaderTimeout = 50 * time.Millisecond }),
		provoke: writing("POST /access/ HT"),
	}, {
		name: "a body that does not begin", reason: RequestTimeout, status: 408, delivered: "no",
		parts:   with(func(o *Options) { o.BodyTimeout = 50 * time.Millisecond }),
		provoke: request("POST /access/ HTTP/1.1", "Host: p", "Content-Length: 3"),
	}, {
		name: "a long body that stops", reason: RequestTimeout, status: 408, delivered: "unknown",
		parts:   with(func(o *Options) { o.BodyTimeout = 50 * time.Millisecond }),
		provoke: writing("POST /access/ HTTP/1.1\r\nHost: p\r\nContent-Length: 100000\r\n\r\n", strings.Repeat("x", 50_000)),
	}, {
		name: "a source behind a device that is in no list", reason: SourceRefused, status: 400, delivered: "no",
		parts:   with(func(o *Options) { o.Devices, o.Sources = sources("127.0.0.1/32"), sources("10.0.0.1/32") }),
		provoke: request("POST /access/ HTTP/1.1", "Host: p", "X-Forwarded-For: 10.0.0.2"),
	}, {
		name: "a device that names nobody", reason: SourceRefused, status: 400, delivered: "no",
		parts:   with(func(o *Options) { o.Devices = sources("127.0.0.1/32") }),
		provoke: calling,
		detail:  "no X-Forwarded-For",
	}, {
		name: "a monitor that calls", reason: SourceRefused, status: 400, delivered: "no",
		parts: with(func(o *Options) {
			o.Sources, o.Monitors = sources("10.0.0.1/32"), sources("127.0.0.1/32")
		}),
		provoke: calling,
		detail:  "GET /readyz only",
	}, {
		name: "a name that does not resolve", reason: Resolve, status: 502, delivered: "no",
		// No resolver is asked for a name that none can be.
		parts: reaching(func(o *upstream.Options) {
			o.Host, o.FixedIPs = strings.Repeat("a", 64)+".test", nil
		}),
		provoke: calling,
	}, {
		name: "nobody who listens", reason: Dial, status: 502, delivered: "no",
		parts:   reaching(func(o *upstream.Options) { o.FixedIPs = []netip.Addr{netip.MustParseAddr("127.0.0.99")} }),
		provoke: calling,
	}, {
		name: "another version of TLS", reason: TLS, status: 502, delivered: "no",
		parts:   reaching(func(o *upstream.Options) { o.TLS.MaxVersion = tls.VersionTLS12 }),
		tls:     &tls.Config{MinVersion: tls.VersionTLS13},
		provoke: calling,
	}, {
		name: "a certificate of nobody known", reason: Identity, status: 502, delivered: "no",
		parts: reaching(func(o *upstream.Options) {
			o.TLS.Verify, o.TLS.Roots = upstream.VerifyFull, x509.NewCertPool()
		}),
		provoke: calling,
	}, {
		name: "an upstream that closes", reason: UpstreamClosed, status: 502, delivered: "unknown",
		script:  func(p *peer, c *raw) { p.take(c) },
		provoke: calling,
	}, {
		name: "an answer with two readings", reason: UpstreamProtocol, status: 502, delivered: "unknown",
		script:  answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"),
		provoke: calling,
		detail:  "Content-Length with Transfer-Encoding",
	}, {
		name: "101 (Switching Protocols)", reason: UpstreamProtocol, status: 502, delivered: "unknown",
		script:  answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
		provoke: calling,
		detail:  "101",
	}, {
		name: "nine interim answers", reason: UpstreamProtocol, status: 502, delivered: "unknown",
		script:  answering(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", maxInterim+1) + okAnswer),
		provoke: calling,
		detail:  "1xx",
	}, {
		name: "an upstream that does not answer", reason: UpstreamTimeout, status: 504, delivered: "unknown",
		parts:   with(func(o *Options) { o.ResponseTimeout = 50 * time.Millisecond }),
		script:  func(p *peer, c *raw) { p.take(c); p.stall() },
		provoke: calling,
	}, {
		name: "more at once than there are slots", reason: Busy, status: 503, delivered: "no",
		parts: with(func(o *Options) {
			o.Limits.Exchanges, o.Limits.QueueTimeout = 1, 50*time.Millisecond
		}),
		script: func(p *peer, c *raw) { p.take(c); p.stall() },
		provoke: func(g *rig, p *peer) *raw {
			calling(g, p)
			p.request()
			return calling(g, p)
		},
		fields: map[string]string{"Retry-After": "5"},
	}, {
		name: "a drain that finds a request in the queue", reason: Draining, status: 503, delivered: "no",
		parts:  with(func(o *Options) { o.Limits.Exchanges = 1 }),
		script: func(p *peer, c *raw) { p.take(c); p.stall() },
		provoke: func(g *rig, p *peer) *raw {
			calling(g, p)
			p.request()
			c := calling(g, p)
			until(g.t, func() bool { _, waiting := g.slots.usage(); return waiting == 1 })
			g.end()
			return c
		},
		fields: map[string]string{"Retry-After": "5"},
	}, {
		name: "a drain that finds no answer", reason: Draining, status: 503, delivered: "unknown",
		script: func(p *peer, c *raw) { p.take(c); p.stall() },
		provoke: func(g *rig, p *peer) *raw {
			c := calling(g, p)
			p.request()
			g.end()
			return c
		},
		detail: "drain_timeout",
	}, {
		name: "a mistake of ours", reason: Internal, status: 500, delivered: "no",
		provoke: func(g *rig, p *peer) *raw {
			broken := *g.live.Load()
			broken.upstream = nil
			g.live.Store(&broken)
			return calling(g, p)
		},
		detail: "nil pointer",
	}, {
		name: "a caller that resets before its request is whole", reason: ClientGone, status: 499, delivered: "no",
		provoke: func(g *rig, _ *peer) *raw {
			c := g.dial()
			c.send("POST /access/ HTTP/1.1\r\nHost: p\r\nContent-Length: 3\r\n\r\n{")
			until(g.t, func() bool { return g.metric("lqproxy_connections_total") == 1 })
			c.reset()
			return nil
		},
	},
}

// until waits for something that nobody tells.
func until(t testing.TB, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !happened(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what was waited for did not happen")
		}
	}
}

// TestReasons provokes each reason of an exchange, and looks at all that is said
// of it: the answer, the log, the metrics. Nothing of what is refused leaves.
func TestReasons(t *testing.T) {
	t.Parallel()
	for _, r := range exchangeReasons() {
		if !slices.ContainsFunc(provocations, func(p provocation) bool { return p.reason == r }) {
			t.Errorf("nothing provokes %q", r)
		}
	}
	for _, test := range provocations {
		t.Run(string(test.reason)+" by "+test.name, func(t *testing.T) {
			t.Parallel()
			p := newPeerTLS(t, test.upstreamTLS(), test.upstreamScript())
			g := start(t, p.addr, test.parts)
			c := test.provoke(g, p)
			if c != nil {
				test.checkAnswer(t, g, c)
				return
			}
			test.checkLog(t, g)
		})
	}
}

func (p *provocation) upstreamScript() func(*peer, *raw) {
	if p.script != nil {
		return p.script
	}
	return answering(okAnswer)
}

func (p *provocation) upstreamTLS() *tls.Config {
	config := serverTLS()
	if p.tls != nil {
		config.MinVersion = p.tls.MinVersion
	}
	return config
}

// checkAnswer looks at what the caller got, and at the log.
func (p *provocation) checkAnswer(t *testing.T, g *rig, c *raw) {
	t.Helper()
	answer := c.answer()
	wantStatus(t, answer, p.status)
	fields := map[string]string{
		"X-Lqproxy-Reason": string(p.reason),
		"Content-Type":     "application/json; charset=utf-8",
	}
	maps.Copy(fields, p.fields)
	for name, want := range fields {
		if got, _ := field(answer, name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	date, _ := field(answer, "Date")
	if _, err := http.ParseTime(date); err != nil {
		t.Errorf("Date = %q: %v", date, err)
	}
	_, text, _ := strings.Cut(answer, "\r\n\r\n")
	var body answerBody
	if err := json.Unmarshal([]byte(text), &body); err != nil {
		t.Fatalf("body %q: %v", text, err)
	}
	e := body.Error
	if e.Reason != p.reason || e.Delivered != p.delivered || e.Message != p.reason.Message() || e.Hint != p.reason.Hint() {
		t.Errorf("body says %+v, want %q, delivered %q", e, p.reason, p.delivered)
	}
	if line := p.checkLog(t, g); line["id"] != e.ID {
		t.Errorf("log has id %v, the answer %q", line["id"], e.ID)
	}
}

// checkLog looks at the line of the exchange and at the metrics, and returns
// the line.
func (p *provocation) checkLog(t *testing.T, g *rig) map[string]any {
	t.Helper()
	line := g.access.find(t, "delivered", p.delivered)
	for line["reason"] != string(p.reason) { // of who holds the slot
		line = g.access.find(t, "delivered", p.delivered)
	}
	wantEntry(t, line, map[string]any{"status": float64(p.status)})
	if detail, _ := line["detail"].(string); !strings.Contains(detail, p.detail) {
		t.Errorf("detail = %q, want %q in it", detail, p.detail)
	}
	if n := g.metric("lqproxy_exchange_failures_total", "reason", string(p.reason)); n < 1 {
		t.Errorf("lqproxy_exchange_failures_total{reason=%q} = %v, want 1", p.reason, n)
	}
	environment, service := "other", "other"
	if path, _ := line["path"].(string); strings.HasPrefix(path, "/access/v2/") {
		environment, service = "production", "CXKYSL"
	}
	if n := g.metric("lqproxy_exchanges_total", "environment", environment, "service", service, "code", strconv.Itoa(p.status)); n < 1 {
		t.Errorf("lqproxy_exchanges_total{%s, %s, %d} = %v, want 1", environment, service, p.status, n)
	}
	return line
}

// TestRefusedRequestsDoNotReachTheUpstream provokes again what is refused before
// a connection upstream is needed: there is none.
func TestRefusedRequestsDoNotReachTheUpstream(t *testing.T) {
	t.Parallel()
	for _, test := range provocations {
		if test.delivered != "no" || test.reason.Status() >= 500 && test.reason != VersionRefused || test.provoke == nil {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, answering(okAnswer))
			g := start(t, p.addr, test.parts)
			if c := test.provoke(g, p); c != nil {
				c.answer()
			}
			g.access.next(t)
			p.wantNothing()
			if n := p.connections.Load(); n != 0 {
				t.Errorf("%d connections upstream, want none", n)
			}
		})
	}
}

// TestEveryReasonIsExplained holds the texts together with the list.
func TestEveryReasonIsExplained(t *testing.T) {
	t.Parallel()
	if len(Reasons) != len(reasonTexts) {
		t.Errorf("%d reasons, %d texts", len(Reasons), len(reasonTexts))
	}
	for _, r := range Reasons {
		if r.Message() == "" || r.Hint() == "" {
			t.Errorf("%q: Message() = %q, Hint() = %q, want words", r, r.Message(), r.Hint())
		}
	}
}
