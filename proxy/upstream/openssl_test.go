package upstream

import (
	"bufio"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An openssl is an s_server, which unlike crypto/tls sends what it is told to.
type openssl struct {
	addr  netip.AddrPort
	stdin io.Writer
	lines *bufio.Scanner
}

func newOpenSSL(t *testing.T) *openssl {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("openssl is not installed")
	}
	cert, key := writePair(t)
	cmd := exec.CommandContext(t.Context(), "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-key", key, "-tls1_3")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	s := &openssl{stdin: stdin, lines: bufio.NewScanner(r)}
	s.addr = netip.MustParseAddrPort(strings.TrimPrefix(s.wait(t, "ACCEPT 127.0.0.1:"), "ACCEPT "))
	return s
}

func writePair(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	pair := newIssuer(t).issue(t, time.Now().Add(time.Hour), testHost)
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write("cert.pem", "CERTIFICATE", pair.Certificate[0]), write("key.pem", "PRIVATE KEY", key)
}

// wait returns the next line that holds text.
func (s *openssl) wait(t *testing.T, text string) string {
	t.Helper()
	for s.lines.Scan() {
		if strings.Contains(s.lines.Text(), text) {
			return s.lines.Text()
		}
	}
	t.Fatalf("s_server ended without %q: %v", text, s.lines.Err())
	return ""
}

func (s *openssl) say(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(s.stdin, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// exchange has the server answer a line with a line.
func (s *openssl) exchange(t *testing.T, c *Conn) {
	t.Helper()
	if _, err := io.WriteString(c, "question\n"); err != nil {
		t.Fatal(err)
	}
	s.wait(t, "question")
	s.say(t, "answer")
	b := make([]byte, 7)
	if n, err := io.ReadFull(c, b); string(b) != "answer\n" {
		t.Fatalf("Read() = %q, %v, want the answer", b[:n], err)
	}
}

// K asks for an update in return, which is sent from within the look at the
// idle connection, after the write deadline of the exchange.
func TestKeyUpdatesOnIdleConnections(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"k", "K"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			s := newOpenSSL(t)
			u := newUpstream(t, options(s.addr))
			c := mustGet(t, u)
			s.exchange(t, c)
			for range 3 {
				c.Put(0)
				s.say(t, command)
				waitReadable(t, c)
				c.SetWriteDeadline(time.Unix(1, 0))
				if got := mustGet(t, u); got != c {
					t.Fatal("Get() = a new connection, want the old one: a key update is no answer")
				}
				c.SetWriteDeadline(time.Time{})
				s.exchange(t, c)
			}
			c.Close()
		})
	}
}

// waitReadable returns when bytes wait in the socket of c.
func waitReadable(t *testing.T, c *Conn) {
	t.Helper()
	if err := c.sock.raw.Read(func(fd uintptr) bool {
		n, _ := peek(int(fd), make([]byte, 1))
		return n > 0
	}); err != nil {
		t.Fatal(err)
	}
}
