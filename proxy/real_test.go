package proxy

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe/leqisim"
)

// program returns the path of a program that the test needs. A machine without
// it may go on, the one that decides may not.
func program(t *testing.T, name string, places ...string) string {
	t.Helper()
	for _, place := range append([]string{name}, places...) {
		if found, err := exec.LookPath(place); err == nil {
			return found
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// guideLines are the two calls of the deployment guide, without curl itself.
var guideLines = []struct{ environment, path, mark string }{
	{"sandbox", "/access/newsandbox/v2/invoke/202007/CXKYSL", "sxcsbz:1"},
	{"production", "/access/v2/invoke/202007/CXKYSL", ""},
}

// curl makes a call of the guide at the proxy, and returns what it prints.
func (g *rig) curl(path, mark string) string {
	g.t.Helper()
	args := []string{
		"-s", "-S", "-q", "--noproxy", "*", "--max-time", "10", "-k", "-X", "POST",
		"-H", "Content-Type: application/json", "-H", "jrdwptbh:12345678901234567890", "-H", "sydwptbh:12345678901234567890",
	}
	if mark != "" {
		args = append(args, "-H", mark)
	}
	out, err := exec.CommandContext(g.t.Context(), "curl", append(args, "http://"+g.addr.String()+path)...).CombinedOutput() //nolint:gosec // arguments of the test
	if err != nil {
		g.t.Errorf("curl: %v: %s", err, out)
	}
	return string(out)
}

// TestTheGuidesCallsReachLeqi runs both curl lines through the proxy to the
// simulated Leqi.
func TestTheGuidesCallsReachLeqi(t *testing.T) {
	t.Parallel()
	program(t, "curl")
	sim, err := leqisim.Start(leqisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() }) //nolint:errcheck // the end of the test
	g := start(t, sim.Address(), parts{})
	for _, line := range guideLines {
		if got := g.curl(line.path, line.mark); !strings.Contains(got, "json数据格式不正确") {
			t.Errorf("the call to %s answered %q, want json数据格式不正确", line.environment, got)
		}
		wantEntry(t, g.access.next(t), map[string]any{
			"environment": line.environment, "service": "CXKYSL", "unit": "12345678901234567890", "leqi_code": "bad_json", "status": 200.0,
		})
	}
	for _, x := range sim.Exchanges() {
		if x.Malformed != "" || !x.Whole {
			t.Errorf("Leqi received %s: %s, whole %v", x, x.Malformed, x.Whole)
		}
	}
}

// TestTheGuidesCallsReachNginx runs both curl lines through the proxy to a real
// nginx, twice, so that a connection is used again.
func TestTheGuidesCallsReachNginx(t *testing.T) {
	t.Parallel()
	program(t, "curl")
	g := start(t, startNginx(t), parts{})
	for i, line := range append(guideLines, guideLines...) {
		if got, want := g.curl(line.path, line.mark), "POST "+line.path+" json数据格式不正确\n"; got != want {
			t.Errorf("the call to %s answered %q, want %q", line.environment, got, want)
		}
		wantEntry(t, g.access.next(t), map[string]any{"status": 200.0, "leqi_code": "bad_json", "reused": i > 0})
	}
}

// startNginx starts an nginx with TLS that answers as Leqi answers the guide's
// calls, and ends it with the test.
func startNginx(t *testing.T) netip.AddrPort {
	t.Helper()
	nginx := program(t, "nginx", "/usr/sbin/nginx")
	dir := t.TempDir()
	writeCertificate(t, dir)
	addr := freeAddress(t)
	conf := strings.NewReplacer("DIR", dir, "ADDR", addr.String()).Replace(`
daemon off; master_process off; pid DIR/pid; error_log DIR/error.log;
events {}
http {
	access_log off; client_body_temp_path DIR/body; proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
	server {
		listen ADDR ssl;
		ssl_certificate DIR/cert.pem; ssl_certificate_key DIR/key.pem;
		location / { return 200 "$request_method $request_uri json数据格式不正确\n"; }
	}
}
`)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, nginx, "-c", file, "-e", filepath.Join(dir, "error.log")) //nolint:gosec // arguments of the test
	server.Cancel = func() error { return server.Process.Signal(syscall.SIGTERM) }
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		server.Wait() //nolint:errcheck // it was told to end
	})
	until(t, func() bool {
		c, err := net.DialTimeout("tcp", addr.String(), time.Second)
		if err == nil {
			c.Close() //nolint:errcheck // it listens
		}
		return err == nil
	})
	return addr
}

// freeAddress returns one on which nobody listens.
func freeAddress(t *testing.T) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // loopback
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() //nolint:errcheck // nobody came
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

// writeCertificate writes cert.pem and key.pem.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	c := testCertificate()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: c.Certificate[0]},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(fmt.Errorf("writing %s: %w", name, err))
		}
	}
}
