package certs

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// pebble builds the ACME server once for all tests, with the module file of
// the tools.
var pebble = sync.OnceValues(func() (string, error) {
	file := filepath.Join(scratch, "pebble")
	cmd := exec.Command("go", "build", "-modfile=.ci/tools.mod", "-o", file, "github.com/letsencrypt/pebble/v2/cmd/pebble")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building pebble: %w: %s", err, out)
	}
	return file, nil
})

// scratch is a folder for the whole run.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "certs-test-"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(scratch)
	return m.Run()
}

// An authority is a pebble that may be down.
type authority struct {
	address   string
	directory string
	roots     *x509.CertPool // of its own TLS
	file      string         // its configuration
	names     string         // address of its DNS server
}

// newAuthority returns an authority that is not started, asks for proofs at the
// port of challenges, and gives certificates for so long.
func newAuthority(t *testing.T, challenges net.Addr, validity time.Duration) *authority {
	t.Helper()
	dir := t.TempDir()
	a := &authority{address: freeAddress(t), roots: x509.NewCertPool(), file: filepath.Join(dir, "pebble.json"), names: answerNames(t)}
	a.directory = "https://" + a.address + "/dir"
	p := newServerPair(t)
	a.roots.AppendCertsFromPEM(p.cert)
	writeFile(t, filepath.Join(dir, "cert.pem"), p.cert)
	writeFile(t, filepath.Join(dir, "key.pem"), p.key)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": a.address,
		"certificate":   filepath.Join(dir, "cert.pem"),
		"privateKey":    filepath.Join(dir, "key.pem"),
		"httpPort":      challenges.(*net.TCPAddr).Port,
		"tlsPort":       1,
		"keyAlgorithm":  "ecdsa",
		"profiles":      map[string]any{"default": map[string]any{"description": "test", "validityPeriod": int(validity.Seconds())}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, a.file, config)
	return a
}

// start starts it, and returns once it is there. It is stopped by the result,
// or by the end of the test.
func (a *authority) start(t *testing.T) (stop func()) {
	t.Helper()
	program, err := pebble()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-config", a.file, "-dnsserver", a.names)
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=0")
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if testing.Verbose() {
		cmd.Stdout = &lines{t: t}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(stop)
	await(t, "pebble listens", func() bool {
		c, err := net.Dial("tcp", a.address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return stop
}

// lines are the log of a test.
type lines struct{ t *testing.T }

func (l *lines) Write(p []byte) (int, error) {
	s := bufio.NewScanner(strings.NewReader(string(p)))
	for s.Scan() {
		l.t.Log(s.Text())
	}
	return len(p), nil
}

// newServerPair makes a certificate of 127.0.0.1 that vouches for itself.
func newServerPair(t *testing.T) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "authority"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{cert: encoded(blockCertificate, der), key: encoded(blockPKCS8, secret)}
}

func writeFile(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// freeAddress returns an address of loopback where nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln := listen(t)
	defer ln.Close()
	return ln.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// answerNames serves DNS over TCP, as pebble asks, on the address that it
// returns: every name is 127.0.0.1.
func answerNames(t *testing.T) string {
	t.Helper()
	ln := listen(t)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { answerName(conn) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		running.Wait()
	})
	return ln.Addr().String()
}

// answerName answers one question; each message has its length before it.
func answerName(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return
	}
	query := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, query); err != nil {
		return
	}
	answer := nameAnswer(query)
	conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
}

// nameAnswer answers one question of DNS (RFC 1035, section 4): 127.0.0.1 for
// type A, nothing for others.
func nameAnswer(query []byte) []byte {
	const head, typeA, classIN = 12, 1, 1
	end := head
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the root label, type and class
	if len(query) < end {
		return nil
	}
	answer := append([]byte(nil), query[:end]...)
	answer[2], answer[3] = 0x85, 0x80 // an authoritative answer
	copy(answer[4:head], []byte{0, 1, 0, 0, 0, 0, 0, 0})
	if binary.BigEndian.Uint16(query[end-4:]) != typeA {
		return answer
	}
	answer[7] = 1
	answer = append(answer, 0xc0, head, 0, typeA, 0, classIN, 0, 0, 0, 0, 0, 4)
	return append(answer, 127, 0, 0, 1)
}

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not so within 30 s: %s", what)
		}
	}
}
