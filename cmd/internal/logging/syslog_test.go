package logging

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// message is the grammar of RFC 5424, section 6, as far as we use it.
var message = regexp.MustCompile(`^<(\d+)>1 (\S+) (\S+) lqproxy (\d+) (\S+) - (\{.*\})$`)

// parsed is what a test looks at in a message.
type parsed struct{ pri, id, msg string }

func parseMessage(t *testing.T, text string) parsed {
	t.Helper()
	m := message.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("message %q does not match %v", text, message)
	}
	if _, err := time.Parse(time.RFC3339Nano, m[2]); err != nil {
		t.Errorf("time of message %q: %v", text, err)
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(m[6]), &line); err != nil {
		t.Fatalf("MSG of %q: %v", text, err)
	}
	return parsed{m[1], m[5], line["msg"].(string)}
}

// readFrame reads an octet-counted message.
func readFrame(r *bufio.Reader) (string, error) {
	var n int
	if _, err := fmt.Fscanf(r, "%d ", &n); err != nil {
		return "", err
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return string(b), err
}

// logThree logs two lines that syslog wants and others that it does not.
func logThree(l *Logs) {
	log := l.Error.Named("x")
	log.Info("no event")
	log.Info("begun", zap.String(KeyEvent, EventStarted))
	log.Debug("no event")
	log.With(zap.String(KeyEvent, "upstream_down")).Error("broken")
	log.Warn("no event, but a warning")
}

var threeMessages = []parsed{
	{"30", "started", "begun"},
	{"27", "upstream_down", "broken"},
	{"28", "-", "no event, but a warning"},
}

func TestSyslogOverUDP(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	l, stop := start(t, Options{AccessFile: off, Level: "error", Syslog: "udp://" + conn.LocalAddr().String()})
	defer stop()
	logThree(l)

	var got []parsed
	b := make([]byte, 64<<10)
	for range threeMessages {
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, parseMessage(t, string(b[:n])))
	}
	if diff := cmp.Diff(threeMessages, got, cmp.AllowUnexported(parsed{})); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestSyslogOverStreams(t *testing.T) {
	t.Parallel()
	certificate, roots := selfSigned(t)
	for _, network := range []string{"tcp", "tls"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			listener := listen(t, "127.0.0.1:0")
			if network == "tls" {
				listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}})
			}
			l := open(t, Options{AccessFile: off, Syslog: network + "://" + listener.Addr().String()})
			l.syslog.roots = roots
			stop := run(t, l)
			defer stop()
			logThree(l)

			r := bufio.NewReader(accept(t, listener))
			var got []parsed
			for range threeMessages {
				text, err := readFrame(r)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, parseMessage(t, text))
			}
			if diff := cmp.Diff(threeMessages, got, cmp.AllowUnexported(parsed{})); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// accept returns the next connection, with a deadline.
func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// selfSigned returns a certificate for 127.0.0.1 and the pool that trusts it.
func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func TestSyslogReconnects(t *testing.T) {
	t.Parallel()
	first := listen(t, "127.0.0.1:0")
	address := first.Addr().String()
	var stderr screen
	l, stop := start(t, Options{AccessFile: off, Stderr: &stderr, Syslog: "tcp://" + address})
	defer stop()
	l.Error.Warn("one")
	conn := accept(t, first)
	if text, err := readFrame(bufio.NewReader(conn)); err != nil || parseMessage(t, text).msg != "one" {
		t.Fatalf("first message = %q, %v", text, err)
	}
	first.Close()
	conn.Close()
	second := listen(t, address)

	// A message that leaves while the connection is being closed may be lost with it: hence several.
	received := make(chan string, 1)
	go func() {
		defer close(received)
		conn, err := second.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if text, err := readFrame(bufio.NewReader(conn)); err == nil {
			received <- text
		}
	}()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	timeout := time.After(patience)
	for {
		select {
		case text := <-received:
			if got := parseMessage(t, text).msg; got != "two" {
				t.Errorf("message after the reconnect = %q, want two", got)
			}
			return
		case <-again.C:
			l.Error.Warn("two")
		case <-timeout:
			t.Fatalf("no message after the reconnect; stderr:\n%s", stderr.String())
		}
	}
}

func TestSyslogCollectorThatDoesNotReadCostsMessagesAndNoTime(t *testing.T) {
	t.Parallel()
	listener := listen(t, "127.0.0.1:0")
	var failed failures
	l, stop := start(t, Options{AccessFile: off, Syslog: "tcp://" + listener.Addr().String(), OnFailure: failed.count})
	l.Error.Warn("to connect")
	accept(t, listener)

	done := make(chan struct{})
	go func() {
		defer close(done)
		padding := zap.String("padding", strings.Repeat("x", 7000))
		for failed.n.Load() == 0 { // until the kernel's buffers and ours are full
			l.Error.Warn("flood", padding)
		}
	}()
	for _, wait := range []func(){func() { <-done }, stop} {
		finished := make(chan struct{})
		go func() { defer close(finished); wait() }()
		select {
		case <-finished:
		case <-time.After(patience):
			t.Fatal("logging or stopping waits for the collector")
		}
	}
}

func TestSyslogThatIsRefusedIsSaidOnce(t *testing.T) {
	t.Parallel()
	listener := listen(t, "127.0.0.1:0")
	address := listener.Addr().String()
	listener.Close()
	var stderr screen
	failed := make(chan struct{}, 100)
	l, stop := start(t, Options{
		AccessFile: off, Stderr: &stderr, Syslog: "tcp://" + address,
		OnFailure: func(string) { failed <- struct{}{} },
	})
	for range 20 {
		l.Error.Info("begun", zap.String(KeyEvent, EventStarted))
	}
	for range 2 {
		select {
		case <-failed:
		case <-time.After(patience):
			t.Fatal("OnFailure is not called at each attempt")
		}
	}
	stop()
	if got := stderr.count(eventWriteFailed); got != 1 {
		t.Errorf("%s was said %d times, want 1; stderr:\n%s", eventWriteFailed, got, stderr.String())
	}
	if want := `unsent {"file": "syslog", "lost": 20,`; !strings.Contains(stderr.String(), want) {
		t.Errorf("stderr has no %q:\n%s", want, stderr.String())
	}
}

func TestSyslogDatagramsThatAreRefusedAreSaidOnce(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	var stderr screen
	var failed failures
	l, stop := start(t, Options{
		AccessFile: off, Stderr: &stderr, Syslog: "udp://" + conn.LocalAddr().String(), OnFailure: failed.count,
	})
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	timeout := time.After(patience)
	for failed.n.Load() < 2 {
		select {
		case <-again.C:
			l.Error.Info("begun", zap.String(KeyEvent, EventStarted))
		case <-timeout:
			t.Fatal("no datagram is refused")
		}
	}
	stop()
	if said, ended := stderr.count(eventWriteFailed), stderr.count("sent again"); said != 1 || ended != 0 {
		t.Errorf("failure said %d times, recovery %d times, want 1 and 0; stderr:\n%s", said, ended, stderr.String())
	}
}

func TestFormatCutsAtACharacter(t *testing.T) {
	t.Parallel()
	e := zapcore.Entry{Level: zapcore.InfoLevel, Time: time.Now()}
	for shift := range 3 {
		line := append(bytes.Repeat([]byte("x"), shift), bytes.Repeat([]byte("税"), 4000)...)
		got := format("host", e, "", line)
		if len(got) > syslogMessage || len(got) < syslogMessage-2 || !utf8.Valid(got) {
			t.Errorf("format() of %d bytes = %d bytes, valid %v, want %d or a little less, valid", len(line), len(got), utf8.Valid(got), syslogMessage)
		}
	}
}
