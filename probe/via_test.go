package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe/leqisim"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/allow"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

func TestParseVia(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "127.0.0.1:8864", "http://127.0.0.1", "ftp://127.0.0.1:8864", "http://:8864", "http://127.0.0.1:0", "http://127.0.0.1:65536",
		"http://a@127.0.0.1:8864", "http://127.0.0.1:8864/access/", "http://127.0.0.1:8864?x", "http://127.0.0.1:8864#x", "http://[::1:8864", "http://127.0.0.1:port",
	} {
		if v, err := ParseVia(s); !errors.Is(err, ErrVia) {
			t.Errorf("ParseVia(%q) = %v, %v, want %v", s, v, err, ErrVia)
		}
	}
	for s, want := range map[string]string{
		"http://127.0.0.1:8864":     "http://127.0.0.1:8864",
		"http://127.0.0.1:8864/":    "http://127.0.0.1:8864",
		"https://proxy.example:443": "https://proxy.example:443",
		"http://[::1]:8864":         "http://[::1]:8864",
	} {
		v, err := ParseVia(s)
		if err != nil || v.String() != want {
			t.Errorf("ParseVia(%q) = %v, %v, want %s", s, v, err, want)
		}
	}
}

// proxyOptions say where a proxy leads, and for whom.
type proxyOptions struct {
	platform netip.AddrPort
	from     string // the prefix of its callers
	secure   *tls.Config
}

// newProxy starts an lqproxy.
func newProxy(t *testing.T, p proxyOptions) *Via {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	metrics := upstream.NewMetrics(reg)
	o := options(p.platform).Upstream
	o.TLS.Verify, o.IdleTimeout = upstream.VerifyNone, time.Minute
	up, err := upstream.New(o, nil, metrics, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := proxy.New(proxy.Config{
		Options: proxy.Options{
			Sources: allow.NewList(netip.MustParsePrefix(p.from)), Paths: []string{"/access/"},
			HeaderTimeout: time.Second, BodyTimeout: time.Second, IdleTimeout: time.Minute, ResponseTimeout: 5 * time.Second,
			Limits: proxy.Limits{Connections: 10, Exchanges: 10, HeaderSize: 32 << 10, HeaderCount: 100, BodySize: 1 << 20},
		},
		Upstream: up, TLS: p.secure, Access: zap.NewNop(), Log: zap.NewNop(), Metrics: proxy.NewMetrics(reg, metrics),
	})
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(ctx, ln); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		s.Drain(ctx)
		up.Close()
	})
	return &Via{TLS: p.secure != nil, Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).AddrPort().Port()}
}

func TestThroughLqproxy(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	o := options(sim.Address())
	o.Via = newProxy(t, proxyOptions{platform: sim.Address(), from: "127.0.0.0/8"})
	o.Targets = []Target{{Environment: Sandbox, Unit: testUnit}}
	r := mustRun(t, o)
	if r.Verdict != Reached || r.Via != o.Via.String() || r.Calls[0].Attempts[0].Peer != o.Via.authority() {
		t.Errorf("Run() = %q via %q, %+v, want %q via %v", r.Verdict, r.Via, r.Calls, Reached, o.Via)
	}
}

func TestThroughLqproxyWithTLS(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	certFile, keyFile := writePair(t)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	o := options(sim.Address())
	o.Via = newProxy(t, proxyOptions{sim.Address(), "127.0.0.0/8", &tls.Config{Certificates: []tls.Certificate{pair}}})
	if r := mustRun(t, o); r.Verdict != Reached || !o.Via.TLS {
		t.Errorf("Run() = %q, %+v, want %q", r.Verdict, r.Calls, Reached)
	}
}

// Both together tell that the path works and the proxy does not.
func TestAProxyThatFails(t *testing.T) {
	t.Parallel()
	nowhere := netip.MustParseAddrPort("127.0.0.1:1") // tcpmux, which nobody has
	for _, tt := range []struct {
		name    string
		change  func(*proxyOptions)
		wantTLS bool
		reason  string
		cut     bool
	}{
		{"its upstream is another", func(o *proxyOptions) { o.platform = nowhere }, false, "dial", false},
		{"it does not admit us", func(o *proxyOptions) { o.from = "10.0.0.0/8" }, false, "", true},
		{"it does not run", nil, false, "", false},
		{"it has no TLS", func(*proxyOptions) {}, true, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sim := newSim(t, leqisim.Options{})
			o := options(sim.Address())
			o.Via = &Via{Host: "127.0.0.1", Port: 1}
			if tt.change != nil {
				p := proxyOptions{platform: sim.Address(), from: "127.0.0.0/8"}
				tt.change(&p)
				o.Via = newProxy(t, p)
			}
			o.Via.TLS = tt.wantTLS
			r := mustRun(t, o)
			c := r.Calls[0]
			if r.Verdict != ProxyFailed || len(c.Direct) != 1 || c.Direct[0].Verdict != Reached {
				t.Fatalf("Run() = %q, %+v, want %q and a direct call that succeeds", r.Verdict, c, ProxyFailed)
			}
			if a := c.Attempts[0]; a.Reason != tt.reason || a.Cut != tt.cut || a.Reason == "" && a.Error == "" {
				t.Errorf("attempt = %+v, want reason %q, cut %v, or the error", a, tt.reason, tt.cut)
			}
		})
	}
}

// What Leqi says through the proxy is Leqi's.
func TestForbiddenThroughAProxy(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{Rules: []leqisim.Rule{{Match: leqisim.Match{Times: 2}, Behaviour: leqisim.Behaviour{Status: 403}}}})
	o := options(sim.Address())
	o.Via = newProxy(t, proxyOptions{platform: sim.Address(), from: "127.0.0.0/8"})
	if r := mustRun(t, o); r.Verdict != Reached || len(r.Calls[0].Attempts) != 3 {
		t.Errorf("Run() = %q, %+v, want %q at the third attempt", r.Verdict, r.Calls, Reached)
	}
}

// A caller's machine has no way to Leqi of its own.
func TestThroughAProxyElsewhere(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	o := options(netip.MustParseAddrPort("127.0.0.1:1"))
	o.Via = newProxy(t, proxyOptions{platform: sim.Address(), from: "127.0.0.0/8"})
	if r := mustRun(t, o); r.Verdict != Reached || r.Connect[0].Verdict != ConnectRefused {
		t.Errorf("Run() = %q, %+v, want %q although nothing connects directly", r.Verdict, r.Connect, Reached)
	}
	o.Via = &Via{Host: "127.0.0.1", Port: 1}
	if r := mustRun(t, o); r.Verdict != ConnectRefused {
		t.Errorf("Run() = %q, want %q: there is no way at all", r.Verdict, ConnectRefused)
	}
}

// guideConf is the configuration that the deployment guide installs, in a
// process without rights.
const guideConf = `
daemon off;
master_process off;
pid %[1]s/pid;
error_log %[1]s/error.log;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen 127.0.0.1:%[2]d;
		server_name localhost;
		location / {
			proxy_pass https://%[3]s;
			proxy_http_version 1.1; # which is all that leqisim reads
		}
	}
}
`

// newNginx runs nginx in front of platform.
func newNginx(t *testing.T, platform netip.AddrPort) *Via {
	t.Helper()
	program := need(t, "nginx")
	dir := t.TempDir()
	port := freePort(t)
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, guideConf, dir, port, platform), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-c", conf, "-e", filepath.Join(dir, "error.log"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // it was killed
	})
	v := &Via{Host: "127.0.0.1", Port: port}
	awaitListener(t, v.authority())
	return v
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).AddrPort().Port()
}

// awaitListener returns when somebody listens on address.
func awaitListener(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody listens on %s: %v", address, err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestThroughNginx(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{Rules: []leqisim.Rule{{Match: leqisim.Match{Times: 1}, Behaviour: leqisim.Behaviour{Status: 403}}}})
	o := options(sim.Address())
	o.Via = newNginx(t, sim.Address())
	o.Targets = []Target{{Environment: Sandbox, Unit: testUnit}}
	r := mustRun(t, o)
	if r.Verdict != Reached || len(r.Calls[0].Attempts) != 2 {
		t.Errorf("Run() = %q, %+v, want %q after one 403", r.Verdict, r.Calls, Reached)
	}
}

func TestThroughNginxThatGoesNowhere(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	o := options(sim.Address())
	o.Via = newNginx(t, netip.MustParseAddrPort("127.0.0.1:1"))
	r := mustRun(t, o)
	if a := r.Calls[0].Attempts[0]; r.Verdict != ProxyFailed || a.Status != 502 || a.Text == "" {
		t.Errorf("Run() = %q, %+v, want %q with nginx's 502", r.Verdict, a, ProxyFailed)
	}
}
