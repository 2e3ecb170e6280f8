package leqisim

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCertificateWithoutNames(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	err := dial(t, s, &tls.Config{RootCAs: s.Roots(), ServerName: platformName}).Handshake()
	const want = "x509: certificate is not valid for any names, but wanted to match lqpt.chinatax.gov.cn"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("Handshake() = %v, want %s", err, want)
	}
	// The chain itself is good, and the pin is that of the key.
	c := dial(t, s)
	if err := c.Handshake(); err != nil {
		t.Fatalf("Handshake(): %v", err)
	}
	leaf := c.ConnectionState().PeerCertificates[0]
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: s.Roots()}); err != nil {
		t.Errorf("Verify(chain): %v", err)
	}
	if got := sha256.Sum256(leaf.RawSubjectPublicKeyInfo); got != s.Pin() || !leaf.Equal(s.Certificate()) {
		t.Errorf("pin on the wire = %x, Pin() = %x", got, s.Pin())
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.Issuer()) || !pool.Equal(s.Roots()) {
		t.Errorf("Issuer() = %s, want the certificate of Roots()", s.Issuer())
	}
}

func TestCertificateWithNames(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Leaf: Leaf{Names: []string{platformName, "127.0.0.1"}}})
	for _, name := range []string{platformName, "127.0.0.1"} {
		if err := dial(t, s, &tls.Config{RootCAs: s.Roots(), ServerName: name}).Handshake(); err != nil {
			t.Errorf("Handshake(%s): %v", name, err)
		}
	}
}

func TestExpiredCertificate(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Leaf: Leaf{Names: []string{platformName}, NotAfter: time.Now().AddDate(0, 0, -1)}})
	err := dial(t, s, &tls.Config{RootCAs: s.Roots(), ServerName: platformName}).Handshake()
	if bad, ok := errors.AsType[x509.CertificateInvalidError](err); !ok || bad.Reason != x509.Expired {
		t.Errorf("Handshake() = %v, want an expired certificate", err)
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	config := &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	resumed := func(want bool) {
		t.Helper()
		c := dial(t, s, config)
		c.ask(t, post(invoicePath, "x")) // the session ticket comes with the answer
		if got := c.ConnectionState().DidResume; got != want {
			t.Errorf("DidResume = %v, want %v", got, want)
		}
		c.Close()
	}
	resumed(false)
	resumed(true)
	before := s.Pin()
	if err := s.Rotate(Leaf{Names: []string{"other"}}); err != nil {
		t.Fatalf("Rotate(): %v", err)
	}
	if s.Pin() == before || s.Certificate().DNSNames[0] != "other" {
		t.Errorf("after Rotate() the key or the names are the old ones")
	}
	resumed(false)
	if got := s.Stats(); got.Resumed != 1 || got.Handshakes != 3 || !s.Exchanges()[1].Resumed {
		t.Errorf("Stats() = %+v, want 1 of 3 handshakes resumed", got)
	}
}

func TestRotateByRule(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Rules: []Rule{{Match{Times: 1}, Behaviour{Rotate: true}}}})
	before := s.Pin()
	c := dial(t, s)
	if r, _ := c.ask(t, post(invoicePath, "x")); !r.Close {
		t.Errorf("the answer does not end the connection")
	}
	if s.Pin() == before {
		t.Errorf("the pin is the old one")
	}
}

func TestRSAKeyExchange(t *testing.T) {
	t.Parallel()
	scenario, err := FindScenario("rsa-only")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, scenario.Options)
	if err := dial(t, s).Handshake(); err == nil {
		t.Errorf("Handshake() with the suites of crypto/tls succeeded, want a failure")
	}
	c := dial(t, s, &tls.Config{InsecureSkipVerify: true, CipherSuites: rsaSuites()})
	r, _ := c.ask(t, post(invoicePath, "x"))
	state := c.ConnectionState()
	if r.StatusCode != 200 || state.Version != tls.VersionTLS12 || !strings.HasPrefix(tls.CipherSuiteName(state.CipherSuite), "TLS_RSA_") {
		t.Errorf("status %d over %s with %s, want 200 over TLS 1.2 with RSA key exchange",
			r.StatusCode, tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite))
	}
}

func TestVersionsAndCurves(t *testing.T) {
	t.Parallel()
	s := start(t, Options{TLS: TLS{MinVersion: tls.VersionTLS13, Curves: []tls.CurveID{tls.CurveP384}, NoTickets: true}})
	if err := dial(t, s, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}).Handshake(); err == nil {
		t.Errorf("Handshake(TLS 1.2) succeeded, want a failure")
	}
	c := dial(t, s)
	if err := c.Handshake(); err != nil || c.ConnectionState().CurveID != tls.CurveP384 {
		t.Errorf("Handshake() = %v with curve %v, want P-384", err, c.ConnectionState().CurveID)
	}
}
