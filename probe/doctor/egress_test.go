package doctor

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

func TestParseEcho(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		body   string
		want   string // "": refused
	}{
		{200, "203.0.113.7", "203.0.113.7"},
		{200, "203.0.113.7\r\n", "203.0.113.7"},
		{200, " 2001:db8::7\n", "2001:db8::7"},
		{200, "::ffff:203.0.113.7", "203.0.113.7"},
		{200, "", ""},
		{200, "203.0.113.7, 203.0.113.8", ""},
		{200, "<html>203.0.113.7</html>", ""},
		{200, "fe80::1%eth0", ""},
		{200, strings.Repeat(" ", echoSize) + "203.0.113.7", ""},
		{302, "203.0.113.7", ""},
	} {
		got, err := parseEcho(tt.status, tt.body)
		if tt.want == "" && err == nil || tt.want != "" && got.String() != tt.want {
			t.Errorf("parseEcho(%d, %q) = %v, %v, want %q", tt.status, tt.body, got, err, tt.want)
		}
	}
}

func TestEchoIsAskedFromTheProxysAddress(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer := netip.MustParseAddrPort(r.RemoteAddr)
		io.WriteString(w, peer.Addr().String()+"\n")
	}))
	defer s.Close()
	got, err := askEcho(t.Context(), s.URL, netip.MustParseAddr("127.0.0.9"))
	if err != nil || got.String() != "127.0.0.9" {
		t.Errorf("askEcho = %v, %v, want 127.0.0.9", got, err)
	}
}

func TestEchoFollowsNobody(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusFound))
	defer s.Close()
	if got, err := askEcho(t.Context(), s.URL, netip.Addr{}); err == nil {
		t.Errorf("askEcho = %v, want an error", got)
	}
	s.Close()
	if got, err := askEcho(t.Context(), s.URL, netip.Addr{}); err == nil {
		t.Errorf("askEcho of nobody = %v, want an error", got)
	}
}

func TestLocalAddress(t *testing.T) {
	t.Parallel()
	loopback := &probe.Resolve{Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}
	for _, tt := range []struct {
		name string
		own  string
		seen probe.Report
		want string // "": an error
	}{
		{"of a connection", "", probe.Report{Connect: []probe.Connect{{}, {Local: netip.MustParseAddrPort("10.0.0.5:4000")}}}, "10.0.0.5"},
		{"of a route", "", probe.Report{Resolve: loopback}, "127.0.0.1"},
		{"configured", "127.0.0.9", probe.Report{Resolve: loopback}, "127.0.0.9"},
		{"not ours", "192.0.2.77", probe.Report{Resolve: loopback}, ""},
		{"without a host", "192.0.2.77", probe.Report{}, "192.0.2.77"},
	} {
		var o Options
		o.Probe.Upstream = upstream.Options{Port: 8443}
		if tt.own != "" {
			o.Probe.Upstream.LocalAddress = netip.MustParseAddr(tt.own)
		}
		got, err := localAddress(context.Background(), &o, &tt.seen)
		if tt.want == "" && err == nil || tt.want != "" && got.String() != tt.want {
			t.Errorf("localAddress(%s) = %v, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}
