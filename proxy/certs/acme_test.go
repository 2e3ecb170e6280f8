package certs

import (
	"cmp"
	"context"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// A subject is an ACME under test, its challenge listener, and its log.
type subject struct {
	*ACME
	o    ACMEOptions
	log  *observer.ObservedLogs
	stop func() // ends Run and the challenges
}

var names = []string{"proxy.example.cn", "127.0.0.1"}

// acmeOptions returns options for a, whose challenges are asked for at ln.
func acmeOptions(t *testing.T, a *authority, ln net.Listener) ACMEOptions {
	t.Helper()
	return ACMEOptions{
		Directory: a.directory, Email: "ops@example.cn", Names: names, Roots: a.roots,
		Folder: filepath.Join(t.TempDir(), "acme"), Challenges: ln.Addr().String(),
	}
}

// openACME opens o, to be tried again after pauses that suit a test.
func openACME(t *testing.T, o ACMEOptions) *subject {
	t.Helper()
	core, log := observer.New(zapcore.DebugLevel)
	m, err := OpenACME(o, Options{Metrics: NewMetrics(prometheus.NewPedanticRegistry()), Log: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	m.pauses = []time.Duration{100 * time.Millisecond}
	return &subject{ACME: m, o: o, log: log}
}

// run runs it, and its challenges on ln unless that is nil.
func (s *subject) run(t *testing.T, ln net.Listener) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, 2)
	n := 1
	go func() { results <- s.Run(ctx) }()
	if ln != nil {
		n++
		go func() { results <- ServeChallenges(ctx, ln, s, nil) }()
	}
	var stopped atomic.Bool
	s.stop = func() {
		if stopped.Swap(true) {
			return
		}
		cancel()
		for range n {
			if err := <-results; err != nil {
				t.Errorf("Run or ServeChallenges = %v, want nil", err)
			}
		}
	}
	t.Cleanup(s.stop)
}

// await waits for a state.
func (s *subject) await(t *testing.T, what string, so func(State) bool) State {
	t.Helper()
	defer func() {
		if !so(s.State()) {
			t.Logf("state = %+v", s.State())
			for _, e := range s.log.All() {
				t.Log(e.Level, e.LoggerName, e.Message, e.ContextMap())
			}
		}
	}()
	await(t, what, func() bool { return so(s.State()) })
	return s.State()
}

func certified(s State) bool { return s.Source == FromACME && s.Problem == nil }

func TestACMEIssuesAndRenews(t *testing.T) {
	ln := listen(t)
	a := newAuthority(t, ln.Addr(), 4*time.Second)
	stop := a.start(t)
	leaks := goleak.IgnoreCurrent() // pebble's and its DNS server's
	s := openACME(t, acmeOptions(t, a, ln))
	if got := s.State().Source; got != SelfSigned {
		t.Errorf("source before Run = %s, want %s", got, SelfSigned)
	}
	s.run(t, ln)
	first := s.await(t, "the first certificate", certified)
	if diff := gocmp.Diff(names, first.Names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if first.Tried.IsZero() || !first.Next.After(first.Tried) || !first.Next.Before(first.NotAfter) {
		t.Errorf("tried %v, next %v, want a renewal before %v", first.Tried, first.Next, first.NotAfter)
	}
	served := s.TLS()
	s.await(t, "the renewal", func(now State) bool { return now.NotAfter.After(first.NotAfter) })
	c, err := served.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Leaf.NotAfter.After(first.NotAfter) {
		t.Errorf("shown after the renewal: until %v, want after %v", c.Leaf.NotAfter, first.NotAfter)
	}
	s.stop()
	goleak.VerifyNone(t, leaks)
	stop()

	again := openACME(t, s.o)
	if got := again.State(); got.Source != FromACME || !got.NotAfter.Equal(s.State().NotAfter) {
		t.Errorf("after a restart = %+v, want the certificate until %v", got, s.State().NotAfter)
	}
	checkModes(t, s.o.Folder)
}

// checkModes wants everything in folder to be its owner's alone.
func checkModes(t *testing.T, folder string) {
	t.Helper()
	err := filepath.Walk(folder, func(file string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("mode of %s = %v, want nothing for others", file, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// last returns the last line of that level, with its hint.
func (s *subject) last(t *testing.T, level zapcore.Level) (message, hint string) {
	t.Helper()
	entries := s.log.Filter(func(e observer.LoggedEntry) bool { return e.Level == level && e.LoggerName == "" }).All()
	if len(entries) == 0 {
		t.Fatalf("no line of level %v", level)
	}
	e := entries[len(entries)-1]
	hint, _ = e.ContextMap()[keyHint].(string)
	return e.Message, hint
}

func TestACMEWithoutTheAuthority(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	a := newAuthority(t, ln.Addr(), time.Hour)
	s := openACME(t, acmeOptions(t, a, ln))
	s.run(t, ln)
	down := s.await(t, "a problem", func(now State) bool { return now.Problem != nil })
	if down.Source != SelfSigned || down.Problem.Kind != AuthorityUnreachable || down.Since.IsZero() || !down.Next.After(down.Tried) {
		t.Errorf("state while the authority is down = %+v (%v), want a self-signed certificate and %s", down, down.Problem, AuthorityUnreachable)
	}
	if diff := gocmp.Diff(names, down.Names); diff != "" {
		t.Errorf("names of the self-signed certificate (-want +got):\n%s", diff)
	}
	message, hint := s.last(t, zap.ErrorLevel)
	if !strings.Contains(message, "signed by nobody") || !strings.Contains(hint, "无法连接证书颁发机构") {
		t.Errorf("log = %q, hint %q", message, hint)
	}
	stop := a.start(t)
	s.await(t, "a certificate once the authority is back", certified)
	s.stop()
	stop()

	t.Run("with a stored certificate", func(t *testing.T) {
		o := s.o
		o.Names = append(slices.Clone(names), "other.example.cn") // so that a new one is wanted at once
		again := openACME(t, o)
		again.run(t, nil)
		down := again.await(t, "a problem", func(now State) bool { return now.Problem != nil })
		if down.Source != FromACME || !down.NotAfter.Equal(s.State().NotAfter) {
			t.Errorf("state while the authority is down = %+v, want the stored certificate", down)
		}
		if message, _ := again.last(t, zap.ErrorLevel); !strings.Contains(message, "the old one goes on serving") {
			t.Errorf("log = %q", message)
		}
	})
}

// failing returns options for an authority that gives every request that answer.
func failing(t *testing.T, status int, kind, body string) ACMEOptions {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are refused
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return ACMEOptions{Directory: server.URL, Names: names, Roots: roots, Folder: t.TempDir(), Challenges: "127.0.0.1:1"}
}

func TestACMESaysWhyThereIsNoCertificate(t *testing.T) {
	t.Parallel()
	const problem = "application/problem+json"
	other := x509.NewCertPool()
	other.AppendCertsFromPEM(newServerPair(t).cert)
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, nil)
	for _, tt := range []struct {
		name       string
		status     int
		kind, body string
		change     ACMEOptions // what differs
		want       Kind
		text       string
	}{
		{name: "the authority answers 500", status: 500, kind: "text/html", body: "<html>\noops" + strings.Repeat(" sorry", 1000), want: AuthorityFailed, text: "500"},
		{name: "it says what is wrong with it", status: 500, kind: problem, body: `{"type":"urn:ietf:params:acme:error:serverInternal","detail":"database is down"}`, want: AuthorityFailed, text: "database is down"},
		{name: "it has had enough", status: 429, kind: problem, body: `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"come back tomorrow"}`, want: AuthorityLimits, text: "come back tomorrow"},
		{name: "it does not want us", status: 403, kind: problem, body: `{"type":"urn:ietf:params:acme:error:externalAccountRequired","detail":"who are you"}`, want: AuthorityRefused, text: "who are you"},
		{name: "a directory that is none", status: 200, kind: "text/html", body: "<html>hello</html>", want: AuthorityFailed},
		{name: "wrong ca_file", status: 500, kind: "text/plain", change: ACMEOptions{Roots: other}, want: AuthorityUntrusted, text: "listen.acme.ca_file"},
		{name: "the state folder is a file", status: 500, kind: "text/plain", change: ACMEOptions{Folder: file}, want: NotStored, text: "cannot be written"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := failing(t, tt.status, tt.kind, tt.body)
			o.Folder = cmp.Or(tt.change.Folder, o.Folder)
			o.Roots = cmp.Or(tt.change.Roots, o.Roots)
			s := openACME(t, o)
			s.run(t, nil)
			got := s.await(t, "a problem", func(now State) bool { return now.Problem != nil && !now.Tried.IsZero() })
			if text := got.Problem.Error(); got.Problem.Kind != tt.want || !strings.Contains(text, tt.text) || len(text) > 800 {
				t.Errorf("problem = %s: %s (%#v), want %s with %q", got.Problem.Kind, text, got.Problem.Err, tt.want, tt.text)
			}
			if _, err := s.TLS().GetCertificate(nil); err != nil || got.Source != SelfSigned {
				t.Errorf("shown = %s, %v, want a self-signed certificate", got.Source, err)
			}
		})
	}
}

func TestACMEWhenAnotherHasTheChallengeAddress(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	a := newAuthority(t, ln.Addr(), time.Hour)
	a.start(t)
	s := openACME(t, acmeOptions(t, a, ln))
	other := &http.Server{Handler: http.NotFoundHandler()}
	go other.Serve(ln)
	t.Cleanup(func() { other.Close() })
	s.run(t, nil)
	got := s.await(t, "a problem", func(now State) bool { return now.Problem != nil })
	if got.Problem.Kind != ChallengeFailed || !strings.Contains(got.Problem.Error(), "listen.acme.http_address") {
		t.Errorf("problem = %v (%#v), want %s", got.Problem, got.Problem.Err, ChallengeFailed)
	}
}

func TestRefreshAsksAgainAfterAFailure(t *testing.T) {
	t.Parallel()
	s := openACME(t, failing(t, 500, "text/plain", ""))
	s.pauses = []time.Duration{time.Hour}
	s.run(t, nil)
	first := s.await(t, "a problem", func(now State) bool { return now.Problem != nil })
	s.Refresh()
	s.await(t, "another attempt", func(now State) bool { return now.Tried.After(first.Tried) })
	if got := s.State().Since; !got.Equal(first.Since) {
		t.Errorf("since = %v, want %v as before", got, first.Since)
	}
}

func TestServeChallengesServesNothingElse(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	s := openACME(t, failing(t, 500, "text/plain", ""))
	s.run(t, ln)
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: proxy.example.cn\r\n\r\n",
		"GET /.well-known/acme-challenge/token HTTP/1.1\r\nHost: proxy.example.cn\r\n\r\n",
		"GET /.well-known/acme-challenge/../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
		"POST /.well-known/acme-challenge/token HTTP/1.1\r\nHost: proxy.example.cn\r\nContent-Length: 0\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: proxy.example.cn\r\n\r\n",
		"CONNECT example.cn:443 HTTP/1.1\r\nHost: example.cn:443\r\n\r\n",
		"GET http://proxy.example.cn/access/v2/x HTTP/1.1\r\nHost: proxy.example.cn\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, request)
		answer, err := io.ReadAll(conn) // to its end: the connection is closed
		conn.Close()
		head, body, _ := strings.Cut(string(answer), "\r\n\r\n")
		if err != nil || !strings.HasPrefix(head, "HTTP/1.1 404 ") || body != "" {
			t.Errorf("%q = %q, %v, want 404 without a body", request, answer, err)
		}
	}
}

func TestServeChallengesKeepsToItsLimits(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	s := openACME(t, failing(t, 500, "text/plain", ""))
	s.run(t, ln)
	var idle []net.Conn
	for range challengeConnections + 1 {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		idle = append(idle, c)
	}
	started := time.Now()
	last := idle[len(idle)-1]
	io.WriteString(last, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if answer, err := io.ReadAll(last); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 404") {
		t.Errorf("one connection too many = %q, %v, want 404 in its turn", answer, err)
	}
	if waited := time.Since(started); waited < challengeTime/2 || waited > 3*challengeTime {
		t.Errorf("one connection too many waited %v, want about %v", waited, challengeTime)
	}
}

func TestStoredCertificateIsWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	o := failing(t, 500, "text/plain", "")
	writeFile(t, filepath.Join(o.Folder, storedName), []byte("half writ"))
	s := openACME(t, o)
	if got := s.State(); got.Source != SelfSigned || got.Problem == nil || got.Problem.Kind != NotPEM {
		t.Errorf("state with a damaged file = %+v, want a self-signed certificate and %s", got, NotPEM)
	}
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ life, want time.Duration }{
		{90 * day, 60 * day},
		{6 * day, 3 * day},
		{time.Hour, 30 * time.Minute},
	} {
		s := State{Source: FromACME, NotBefore: start, NotAfter: start.Add(tt.life)}
		if got := s.Renewal().Sub(start); got != tt.want {
			t.Errorf("Renewal() of a life of %v = after %v, want %v", tt.life, got, tt.want)
		}
	}
	if got := (State{Source: SelfSigned, NotBefore: start, NotAfter: start.Add(day)}).Renewal(); !got.IsZero() {
		t.Errorf("Renewal() of a self-signed one = %v, want none", got)
	}
}

func TestPausesGrow(t *testing.T) {
	t.Parallel()
	if !slices.IsSorted(pauses) || pauses[0] < time.Minute {
		t.Errorf("pauses = %v, want a minute and more", pauses)
	}
}
