package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

// wantRefused checks what is said of one connection that was refused for r: a
// metric, an entry of the error log, and no line of the access log.
func (g *rig) wantRefused(r Reason, source, detail string) {
	g.t.Helper()
	entry := g.log.find(g.t, "msg", "connection refused")
	wantEntry(g.t, entry, map[string]any{"reason": string(r), "source": source, "hint": r.Hint()})
	if got, _ := entry["detail"].(string); !strings.Contains(got, detail) {
		g.t.Errorf("detail = %q, want %q in it", got, detail)
	}
	if n := g.metric("lqproxy_connections_refused_total", "reason", string(r)); n != 1 {
		g.t.Errorf("lqproxy_connections_refused_total{reason=%q} = %v, want 1", r, n)
	}
	if rest := g.access.rest(); len(rest) > 0 {
		g.t.Errorf("access log has %v, want nothing", rest)
	}
}

func TestARefusedSourceIsResetBeforeAByteIsRead(t *testing.T) {
	t.Parallel()
	g := start(t, netip.MustParseAddrPort("127.0.0.1:1"), with(func(o *Options) { o.Sources = sources("127.0.0.1/32") }))
	g.wantResetFor("127.0.0.2") // though it has sent nothing
	g.wantRefused(SourceRefused, "127.0.0.2", "")
}

// TestTheZeroListAdmitsNobody: closed by default.
func TestTheZeroListAdmitsNobody(t *testing.T) {
	t.Parallel()
	g := start(t, netip.MustParseAddrPort("127.0.0.1:1"), with(func(o *Options) { o.Sources = sources() }))
	g.wantResetFor("127.0.0.1")
}

func TestConnectionsBeyondTheLimitAreReset(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, with(func(o *Options) { o.Limits.Connections = 2 }))
	var open []*raw
	for range 2 {
		c := g.dial()
		c.send(call)
		c.answer()
		g.access.next(t)
		open = append(open, c)
	}
	g.wantResetFor("127.0.0.1")
	g.wantRefused(ConnectionLimit, "127.0.0.1", "")
	if n := g.metric("lqproxy_limit_reached_total", "limit", "connections"); n != 1 {
		t.Errorf("lqproxy_limit_reached_total{limit=connections} = %v, want 1", n)
	}
	open[0].Close() //nolint:errcheck // idle
	until(t, func() bool { return g.Server.Connections() == 1 })
	c := g.dial()
	c.send(call)
	wantStatus(t, c.answer(), 200)
}

// header returns a PROXY header of the second version, as the library writes it.
func header(t testing.TB, h *proxyproto.Header) string {
	t.Helper()
	h.Version = 2
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func tcp(addr string) *net.TCPAddr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)) }

// balanced has 127.0.0.1 be a load balancer for callers of 10.1.0.0/16, and
// 127.0.0.2 a caller of its own.
func balanced(o *Options) {
	o.Balancers, o.Sources = sources("127.0.0.1/32"), sources("10.1.0.0/16", "2001:db8::/48", "127.0.0.2/32")
}

func TestPROXYHeadersNameTheSource(t *testing.T) {
	t.Parallel()
	v2 := func(source, destination string) string {
		transport := proxyproto.TCPv4
		if strings.HasPrefix(source, "[") {
			transport = proxyproto.TCPv6
		}
		return header(t, &proxyproto.Header{Command: proxyproto.PROXY, TransportProtocol: transport, SourceAddr: tcp(source), DestinationAddr: tcp(destination)})
	}
	withTLV := &proxyproto.Header{Command: proxyproto.PROXY, TransportProtocol: proxyproto.TCPv4, SourceAddr: tcp("10.1.2.3:4444"), DestinationAddr: tcp("10.0.0.1:8864")}
	if err := withTLV.SetTLVs([]proxyproto.TLV{{Type: proxyproto.PP2_TYPE_UNIQUE_ID, Value: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, header, source string }{
		{"version 1, IPv4", "PROXY TCP4 10.1.2.3 10.0.0.1 4444 8864\r\n", "10.1.2.3"},
		{"version 1, IPv6", "PROXY TCP6 2001:db8::9 2001:db8::1 4444 8864\r\n", "2001:db8::9"},
		{"version 2, IPv4", v2("10.1.2.3:4444", "10.0.0.1:8864"), "10.1.2.3"},
		{"version 2, IPv6", v2("[2001:db8::9]:4444", "[2001:db8::1]:8864"), "2001:db8::9"},
		{"version 2 with a TLV", header(t, withTLV), "10.1.2.3"},
	}
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, with(balanced))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := g.dialFrom("127.0.0.1")
			c.send(test.header, call, call) // in one write: what follows the header is not lost
			for range 2 {
				wantText(t, "the answer", c.answer(), okPassed)
				wantText(t, "the upstream received", p.request(), callPassed)
				wantEntry(t, g.access.next(t), map[string]any{"source": test.source, "source_port": 4444.0, "peer": "127.0.0.1"})
			}
			c.send(call)
			c.answer()
			g.access.next(t)
			p.request()
		})
	}
	t.Run("byte for byte", func(t *testing.T) {
		c := g.dialFrom("127.0.0.1")
		if err := c.tcp.SetNoDelay(true); err != nil {
			t.Fatal(err)
		}
		for _, b := range []byte(tests[0].header + call) {
			c.send(string(b))
		}
		wantText(t, "the answer", c.answer(), okPassed)
		wantEntry(t, g.access.next(t), map[string]any{"source": "10.1.2.3"})
	})
}

func TestPROXYHeadersThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, header, detail string }{
		{"none", "POST /access/ HTTP/1.1\r\nHost: p\r\n\r\n", "PROXY"},
		{"a malformed one of version 1", "PROXY TCP4 10.1.2.3\r\n", "PROXY"},
		{"an address that is none", "PROXY TCP4 10.1.2.300 10.0.0.1 4444 8864\r\n", "PROXY"},
		{"one that never ends", "PROXY TCP4 " + strings.Repeat("1", 200), "PROXY"},
		{"a malformed one of version 2", "\r\n\r\n\x00\r\nQUIT\n\x51\x11\x00\x0c", "PROXY"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, answering(okAnswer))
			g := start(t, p.addr, with(balanced))
			c := g.dialFrom("127.0.0.1")
			c.send(test.header)
			c.wantReset()
			g.wantRefused(ProxyHeader, "127.0.0.1", test.detail)
			if n := p.connections.Load(); n != 0 {
				t.Errorf("%d connections upstream, want none", n)
			}
		})
	}
}

func TestASlowPROXYHeaderIsRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the 5 s that a load balancer has")
	}
	t.Parallel()
	g := start(t, netip.MustParseAddrPort("127.0.0.1:1"), with(balanced))
	c := g.dialFrom("127.0.0.1")
	c.send("PROXY TCP4 10.1")
	c.wantReset()
	g.wantRefused(ProxyHeader, "127.0.0.1", "waiting for the PROXY header")
}

func TestASourceThatABalancerNamesIsJudged(t *testing.T) {
	t.Parallel()
	g := start(t, netip.MustParseAddrPort("127.0.0.1:1"), with(balanced))
	c := g.dialFrom("127.0.0.1")
	c.send("PROXY TCP4 10.2.0.1 10.0.0.1 4444 8864\r\n")
	c.wantReset()
	g.wantRefused(SourceRefused, "10.2.0.1", "")
}

// TestPROXYHeadersWithoutASource are the balancer's own connections, to see
// whether we live: closed in good order, uncounted, unread.
func TestPROXYHeadersWithoutASource(t *testing.T) {
	t.Parallel()
	g := start(t, netip.MustParseAddrPort("127.0.0.1:1"), with(balanced))
	for name, h := range map[string]string{
		"UNKNOWN":                "PROXY UNKNOWN\r\n",
		"UNKNOWN with addresses": "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
		"UNSPEC of version 2":    header(t, &proxyproto.Header{Command: proxyproto.PROXY, TransportProtocol: proxyproto.UNSPEC}),
		"LOCAL":                  header(t, &proxyproto.Header{Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}),
		"LOCAL with addresses": header(t, &proxyproto.Header{
			Command: proxyproto.LOCAL, TransportProtocol: proxyproto.TCPv4, SourceAddr: tcp("10.1.2.3:4"), DestinationAddr: tcp("10.0.0.1:5"),
		}),
	} {
		t.Run(name, func(t *testing.T) {
			c := g.dialFrom("127.0.0.1")
			c.send(h)
			c.wantEnd()
		})
	}
	for _, r := range connectionReasons {
		if n := g.metric("lqproxy_connections_refused_total", "reason", string(r)); n != 0 {
			t.Errorf("lqproxy_connections_refused_total{reason=%q} = %v, want 0", r, n)
		}
	}
	if n := g.metric("lqproxy_connections_total"); n != 0 {
		t.Errorf("lqproxy_connections_total = %v, want 0", n)
	}
}

// TestPROXYHeadersOfOthersAreNoHeaders: a caller cannot name itself.
func TestPROXYHeadersOfOthersAreNoHeaders(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, with(balanced))
	for name, h := range map[string]string{
		"version 1": "PROXY TCP4 10.1.2.3 10.0.0.1 4444 8864\r\n",
		"version 2": header(t, &proxyproto.Header{Command: proxyproto.PROXY, TransportProtocol: proxyproto.TCPv4, SourceAddr: tcp("10.1.2.3:4"), DestinationAddr: tcp("10.0.0.1:5")}),
	} {
		t.Run(name, func(t *testing.T) {
			c := g.dialFrom("127.0.0.2")
			c.send(h, call)
			c.answer()
			wantEntry(t, g.access.next(t), map[string]any{"source": "127.0.0.2", "delivered": "no"})
			p.wantNothing()
		})
	}
}

// TestForwardedChains judges X-Forwarded-For behind devices. What stands left of
// the first address that is no device's anyone may have written.
func TestForwardedChains(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fields []string
		source string // "": refused
	}{
		{"one address", []string{"10.1.0.1"}, "10.1.0.1"},
		{"a device behind it", []string{"10.1.0.1, 10.9.0.1"}, "10.1.0.1"},
		{"several devices behind it", []string{"10.1.0.1,10.9.0.1 ,\t127.0.0.1"}, "10.1.0.1"},
		{"several fields", []string{"10.1.0.1", "10.9.0.1", "10.9.0.2"}, "10.1.0.1"},
		{"a port", []string{"10.1.0.1:5555"}, "10.1.0.1"},
		{"IPv6", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 with a port", []string{"[2001:db8::1]:5555"}, "2001:db8::1"},
		{"IPv4 written as IPv6", []string{"::ffff:10.1.0.1"}, "10.1.0.1"},
		{"a forged left part", []string{"10.1.0.1, 10.2.0.1"}, ""},
		{"a forged field before", []string{"10.1.0.1", "10.2.0.1"}, ""},
		{"a forged left part that does not count", []string{"10.2.0.1, garbage, 10.1.0.1"}, "10.1.0.1"},
		{"devices only", []string{"10.9.0.1, 10.9.0.2"}, ""},
		{"none", nil, ""},
		{"an empty one", []string{""}, ""},
		{"an empty last element", []string{"10.1.0.1,"}, ""},
		{"unknown", []string{"10.1.0.1, unknown"}, ""},
		{"a name", []string{"caller.test"}, ""},
		{"a prefix", []string{"10.1.0.0/16"}, ""},
		{"two in one element", []string{"10.1.0.1 10.1.0.1"}, ""},
	}
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, with(func(o *Options) {
		o.Devices, o.Sources = sources("127.0.0.1/32", "10.9.0.0/16"), sources("10.1.0.0/16", "2001:db8::/48")
	}))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := g.dialFrom("127.0.0.1")
			c.send("POST /access/ HTTP/1.1\r\nHost: p\r\n")
			for i, f := range test.fields {
				c.send([]string{"X-Forwarded-For: ", "x-forwarded-FOR: "}[i%2], f, "\r\n")
			}
			c.send("Content-Length: 0\r\n\r\n")
			answer, line := c.answer(), g.access.next(t)
			if test.source == "" {
				wantStatus(t, answer, 400)
				wantEntry(t, line, map[string]any{"reason": "source_refused"})
				p.wantNothing()
				return
			}
			wantStatus(t, answer, 200)
			wantText(t, "the upstream received", p.request(), "POST /access/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n")
			wantEntry(t, line, map[string]any{"source": test.source, "source_port": nil, "peer": "127.0.0.1"})
		})
	}
}

// TestForwardedForOfCallersIsNotBelieved: only devices vouch.
func TestForwardedForOfCallersIsNotBelieved(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, parts{})
	c := g.dial()
	c.send("POST /access/ HTTP/1.1\r\nHost: p\r\nX-Forwarded-For: 10.1.0.1\r\nContent-Length: 0\r\n\r\n")
	c.answer()
	wantEntry(t, g.access.next(t), map[string]any{"source": "127.0.0.1", "peer": nil})
}

// TestEachRequestOfADeviceIsJudged: one connection carries many callers.
func TestEachRequestOfADeviceIsJudged(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, with(func(o *Options) {
		o.Devices, o.Sources = sources("127.0.0.1/32"), sources("10.1.0.0/16")
	}))
	c := g.dial()
	for i, want := range []int{200, 400, 200} {
		c.send(fmt.Sprintf("POST /access/ HTTP/1.1\r\nHost: p\r\nX-Forwarded-For: 10.%d.0.1\r\nContent-Length: 0\r\n\r\n", 1+i%2))
		wantStatus(t, c.answer(), want)
	}
	g.reload(func(o *Options) { o.Sources = sources("10.2.0.0/16") })
	for i, want := range []int{400, 200} {
		c.send(fmt.Sprintf("POST /access/ HTTP/1.1\r\nHost: p\r\nX-Forwarded-For: 10.%d.0.1\r\nContent-Length: 0\r\n\r\n", 1+i%2))
		wantStatus(t, c.answer(), want)
	}
}

func TestMonitorsGetReadiness(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, with(func(o *Options) {
		o.Sources, o.Monitors = sources("127.0.0.1/32"), sources("127.0.0.0/8")
	}))
	c := g.dialFrom("127.0.0.2")
	const question = "GET /readyz HTTP/1.1\r\nHost: p\r\n\r\n"
	c.send(question)
	answer := c.answer()
	wantStatus(t, answer, 200)
	if !strings.HasSuffix(answer, "ready\n") {
		t.Errorf("answer %q, want ready", answer)
	}
	g.dialFrom("127.0.0.2").Close() //nolint:errcheck // it may connect and close

	g.Stop()
	c.send(question)
	answer = c.answer()
	wantStatus(t, answer, 503)
	if _, own := field(answer, "X-Lqproxy-Reason"); own || !strings.HasSuffix(answer, "stopping\n") {
		t.Errorf("answer %q, want stopping, and no reason", answer)
	}
	c.send("POST /readyz HTTP/1.1\r\nHost: p\r\nContent-Length: 0\r\n\r\n")
	wantStatus(t, c.answer(), 400)
	wantEntry(t, g.access.next(t), map[string]any{"reason": "source_refused"}) // the first line: the others are uncounted

	caller := g.dialFrom("127.0.0.1") // who is a source too is a caller
	caller.send(question)
	wantStatus(t, caller.answer(), 404)
}

// TestAReloadEndsTheConnectionsOfARemovedSource removes it in each state in which
// a connection can be; another source notices nothing.
func TestAReloadEndsTheConnectionsOfARemovedSource(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	p := newPeer(t, func(p *peer, c *raw) {
		for {
			head, err := readHead(c.r)
			if err != nil {
				return
			}
			p.received <- head
			if v, _ := field(head, "Content-Length"); v != "2" {
				p.stall() // of a body that will not be whole
				return
			}
			if _, err := c.r.Discard(2); err != nil {
				return
			}
			if _, held := field(head, "X-Hold"); held {
				<-release
			}
			c.send(okAnswer)
		}
	})
	g := start(t, p.addr, with(func(o *Options) { o.Sources = sources("127.0.0.2/32", "127.0.0.3/32") }))
	dial := func(texts ...string) *raw {
		c := g.dialFrom("127.0.0.2")
		c.send(texts...)
		return c
	}
	const held = "POST /access/ HTTP/1.1\r\nHost: p\r\nX-Hold: 1\r\nContent-Length: 2\r\n\r\n{}"
	idle := dial(call)
	idle.answer()
	fresh := dial()
	halfHead := dial("POST /acc")
	halfBody := dial("POST /access/ HTTP/1.1\r\nHost: p\r\nContent-Length: 3\r\n\r\n{")
	long := dial("POST /access/ HTTP/1.1\r\nHost: p\r\nContent-Length: 100000\r\n\r\n", strings.Repeat("x", 50_000))
	sent := dial(held)
	other := g.dialFrom("127.0.0.3")
	other.send(held)
	for range 4 { // those that reach the upstream: idle's, long's and both that are held
		p.request()
	}
	until(t, func() bool { return g.metric("lqproxy_connections_total") == 7 })

	g.reload(func(o *Options) { o.Sources = sources("127.0.0.3/32") })
	began := time.Now()
	idle.wantEnd()
	fresh.wantEnd()
	if d := time.Since(began); d > time.Second {
		t.Errorf("idle connections ended after %v, want within 1s", d)
	}
	halfHead.wantReset()
	halfBody.wantReset()
	long.wantReset()
	close(release)
	wantText(t, "the answer to what was sent", sent.answer(), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
	sent.wantEnd()
	for range 2 {
		wantText(t, "the answer to another source", other.answer(), okPassed)
		other.send(call)
	}
	g.wantResetFor("127.0.0.2")
}

// TestAnIdleConnectionIsServedByWhatIsInForce: a reload counts from the next
// request on, also for who was connected before.
func TestAnIdleConnectionIsServedByWhatIsInForce(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, parts{})
	c := g.dial()
	c.send(call)
	wantStatus(t, c.answer(), 200)
	until(t, func() bool { return g.idle() == 1 })
	g.reload(func(o *Options) { o.Paths = []string{"/elsewhere/"} })
	c.send(call)
	wantStatus(t, c.answer(), 404)
}

// idle returns how many connections wait for a request.
func (g *rig) idle() (n int) {
	g.each(func(c *caller) {
		if c.sock.idle.Load() {
			n++
		}
	})
	return n
}
