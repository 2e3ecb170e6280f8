package packaging

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe/leqisim"
)

// The binary of the package for arm64, run by qemu.
func TestARM64(t *testing.T) {
	t.Parallel()
	need(t, "qemu-aarch64-static", "dpkg-deb")
	folder := t.TempDir()
	makePackages(t, "..", nil, "-version", "v"+older, "-arch", "arm64", "-format", "deb", "-out", folder)
	deb := filepath.Join(folder, "lqproxy_"+older+"_arm64.deb")
	if got := strings.TrimSpace(output(t, "dpkg-deb", "--field", deb, "Architecture")); got != "arm64" {
		t.Errorf("architecture of the deb = %s, want arm64", got)
	}
	output(t, "dpkg-deb", "--extract", deb, folder)
	lqproxy := []string{"qemu-aarch64-static", filepath.Join(folder, "usr/bin/lqproxy"), "--lang", "en"}
	wantText(t, "version", output(t, append(lqproxy, "version")...), older, "linux/arm64")

	sim, err := leqisim.Start(leqisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	listener, status := freePort(t), freePort(t)
	file := filepath.Join(folder, "lqproxy.toml")
	text := fmt.Sprintf("state_dir = %q\n[listen]\naddresses = [%q]\n[allow]\nsources = [\"127.0.0.1\"]\n[upstream]\naddress = %q\n"+
		"[log]\naccess_file = \"off\"\nerror_file = \"\"\n[admin]\naddresses = [%q]\n", folder, listener, sim.Address(), status)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	output(t, append(lqproxy, "check", "-c", file)...)

	serve := exec.Command(lqproxy[0], append(lqproxy[1:], "serve", "--allow-root", "-c", file)...)
	var said strings.Builder
	serve.Stderr = &said
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		serve.Process.Signal(syscall.SIGTERM)
		if err := serve.Wait(); err != nil {
			t.Errorf("serve ended with %v\n%s", err, said.String())
		}
	}()
	conn := connect(t, listener)
	defer conn.Close()
	if _, err := call(bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn)), "1"); err != nil {
		t.Errorf("call through the arm64 binary: %v", err)
	}
}

// freePort returns an address that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// connect dials until somebody listens, for a minute at most.
func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-ticker.C {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
