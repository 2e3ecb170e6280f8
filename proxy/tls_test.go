package proxy

import (
	"context"
	"crypto/tls"
	"net/netip"
	"strings"
	"testing"
)

func TestExchangesOverTLS(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, parts{tls: serverTLS()})
	c := g.dial()
	for range 3 {
		c.send(call)
		wantText(t, "the answer", c.answer(), okPassed)
		wantText(t, "the upstream received", p.request(), callPassed)
		until(t, func() bool { return g.idle() == 1 })
	}
	body := strings.Repeat("x", 1_000_000)
	c.send("POST /access/ HTTP/1.1\r\nHost: p\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\n", body)
	wantText(t, "the answer", c.answer(), okClosing)
	wantText(t, "the upstream received", p.request(), "POST /access/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1000000\r\n\r\n"+body)
	c.wantEnd() // with close_notify, or crypto/tls would call it unexpected
}

// TestAnIdleTLSConnectionEndsByReload has it wait, as a plain one does.
func TestAnIdleTLSConnectionEndsByReload(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, parts{tls: serverTLS()})
	c := g.dial()
	c.send(call)
	c.answer()
	until(t, func() bool { return g.idle() == 1 })
	g.reload(func(o *Options) { o.Sources = sources() })
	c.wantEnd()
}

// TestTruncatedAnswersOverTLS: without a close_notify the caller knows.
func TestTruncatedAnswersOverTLS(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(p *peer, c *raw) {
		if p.take(c) {
			c.send("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 20_000))
			c.drop()
		}
	})
	g := start(t, p.addr, parts{tls: serverTLS()})
	c := g.dial()
	c.send("POST /access/ HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
	if got, err := c.rest(); err == nil {
		t.Errorf("the caller received %d bytes and an orderly end: a whole answer", len(got))
	}
}

// TestPlainHTTPOnTheTLSPort is told so, in the words of an own answer.
func TestPlainHTTPOnTheTLSPort(t *testing.T) {
	t.Parallel()
	g := start(t, netip.MustParseAddrPort("127.0.0.1:1"), parts{tls: serverTLS()})
	c := g.dialFrom("127.0.0.1")
	c.send(call)
	answer := c.answer()
	wantStatus(t, answer, 400)
	if reason, _ := field(answer, "X-Lqproxy-Reason"); reason != "tls_handshake" {
		t.Errorf("X-Lqproxy-Reason = %q, want tls_handshake", reason)
	}
	c.wantEnd()
	g.wantRefused(TLSHandshake, "127.0.0.1", "https://")
}

// TestTLSOnThePlainPort is closed: nothing that could be written would be
// understood.
func TestTLSOnThePlainPort(t *testing.T) {
	t.Parallel()
	g := start(t, netip.MustParseAddrPort("127.0.0.1:1"), parts{})
	c := g.dialFrom("127.0.0.1")
	err := tls.Client(c, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(context.Background()) //nolint:gosec // it fails before
	if err == nil {
		t.Fatal("a handshake on the plain port succeeded")
	}
	g.wantRefused(TLSHandshake, "127.0.0.1", "http://")
}

// TestTLSBehindABalancerOnThePlainPort has the ClientHello follow a PROXY header.
func TestTLSBehindABalancerOnThePlainPort(t *testing.T) {
	t.Parallel()
	g := start(t, netip.MustParseAddrPort("127.0.0.1:1"), with(balanced))
	c := g.dialFrom("127.0.0.1")
	c.send("PROXY TCP4 10.1.2.3 10.0.0.1 4444 8864\r\n\x16\x03\x01\x00\x05hello")
	c.wantEnd()
	g.wantRefused(TLSHandshake, "10.1.2.3", "http://")
}

func TestHandshakesThatFail(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string]string{"garbage": "\x00\x01\x02\x03\x04\x05\x06\x07", "half a hello": "\x16\x03\x01\x02\x00\x01"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := start(t, netip.MustParseAddrPort("127.0.0.1:1"), parts{tls: serverTLS()})
			c := g.dialFrom("127.0.0.1")
			c.send(sent)
			c.halfClose()
			c.rest() //nolint:errcheck // an alert, or nothing
			g.wantRefused(TLSHandshake, "127.0.0.1", "")
		})
	}
}

// TestAMonitorMayConnectAndCloseOnTheTLSPort: that is no failed handshake.
func TestAMonitorMayConnectAndCloseOnTheTLSPort(t *testing.T) {
	t.Parallel()
	g := start(t, netip.MustParseAddrPort("127.0.0.1:1"), parts{tls: serverTLS(), options: func(o *Options) {
		o.Sources, o.Monitors = sources("10.0.0.1/32"), sources("127.0.0.1/32")
	}})
	c := g.dialFrom("127.0.0.1")
	c.halfClose()
	c.wantEnd()
	if n := g.metric("lqproxy_connections_refused_total", "reason", "tls_handshake"); n != 0 {
		t.Errorf("lqproxy_connections_refused_total{reason=tls_handshake} = %v, want 0", n)
	}
}
