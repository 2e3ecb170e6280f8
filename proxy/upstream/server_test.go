package upstream

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testHost = "upstream.test"

// An issuer is a certificate authority made at run time.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Root"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{cert, key}
}

func (i *issuer) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(i.cert)
	return pool
}

// issue returns a certificate with a new key, valid for names and until
// notAfter.
func (i *issuer) issue(t testing.TB, notAfter time.Time, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return i.sign(t, key, key.Public(), notAfter, names)
}

func (i *issuer) issueRSA(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return i.sign(t, key, key.Public(), time.Now().Add(time.Hour), []string{testHost})
}

func (i *issuer) sign(t testing.TB, key, public any, notAfter time.Time, names []string) tls.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "leaf"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter, DNSNames: names,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, i.cert, public, i.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// A peer is a raw TLS server on loopback.
type peer struct {
	addr     netip.AddrPort
	accepted atomic.Int32 // connections, whether their handshake ended or not
	ln       net.Listener
	wg       sync.WaitGroup

	mu   sync.Mutex // guards what follows
	open []net.Conn
}

// newPeer listens on addr and has serve handle each connection, whose end it
// waits for when the test ends.
func newPeer(t testing.TB, addr string, config *tls.Config, serve func(*tls.Conn)) *peer {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{addr: ln.Addr().(*net.TCPAddr).AddrPort(), ln: ln}
	p.wg.Go(func() { p.accept(config, serve) })
	t.Cleanup(p.stop)
	return p
}

func (p *peer) accept(config *tls.Config, serve func(*tls.Conn)) {
	for {
		raw, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.accepted.Add(1)
		p.mu.Lock()
		p.open = append(p.open, raw)
		p.mu.Unlock()
		p.wg.Go(func() {
			defer raw.Close()
			c := tls.Server(raw, config)
			if c.Handshake() == nil {
				serve(c)
			}
		})
	}
}

func (p *peer) stop() {
	p.ln.Close()
	p.mu.Lock()
	for _, c := range p.open {
		c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// echo answers each byte with itself.
func echo(c *tls.Conn) { _, _ = io.Copy(c, c) }

// testConfig is what a peer needs, with a certificate for testHost.
func testConfig(t testing.TB) *tls.Config {
	t.Helper()
	return &tls.Config{Certificates: []tls.Certificate{newIssuer(t).issue(t, time.Now().Add(time.Hour), testHost)}}
}

// options point to addr, and judge nothing.
func options(addr netip.AddrPort) Options {
	return Options{
		Host: testHost, Port: addr.Port(), FixedIPs: []netip.Addr{addr.Addr()},
		DialTimeout: 5 * time.Second, TLSTimeout: 5 * time.Second,
		IdleTimeout: time.Minute, MaxAge: time.Hour,
		TLS: TLS{Verify: VerifyNone, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13},
	}
}

// newUpstream returns the upstream of o, and closes it when the test ends.
func newUpstream(t testing.TB, o Options) *Upstream {
	t.Helper()
	return newLogged(t, o, nil, nil, nil)
}

func newLogged(t testing.TB, o Options, known *KnownKeys, m *Metrics, log *zap.Logger) *Upstream {
	t.Helper()
	u, err := New(o, known, m, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

func mustGet(t testing.TB, u *Upstream) *Conn {
	t.Helper()
	c, err := u.Get(t.Context())
	if err != nil {
		t.Fatalf("Get() failed: %v", err)
	}
	return c
}

// exchange sends one byte and reads the echo.
func exchange(t testing.TB, c *Conn) {
	t.Helper()
	b := [16]byte{'a'}
	if _, err := c.Write(b[:1]); err != nil {
		t.Fatalf("Write() failed: %v", err)
	}
	if n, err := c.Read(b[:]); n != 1 || err != nil || b[0] != 'a' {
		t.Fatalf("Read() = %d %q, %v, want the echo", n, b[:n], err)
	}
}

// wantPhase checks that err is an *Error of phase; "" is no error.
func wantPhase(t testing.TB, err error, phase Phase) *Error {
	t.Helper()
	if phase == "" {
		if err != nil {
			t.Fatalf("error = %v, want none", err)
		}
		return nil
	}
	failure, ok := errors.AsType[*Error](err)
	if !ok || failure.Phase != phase {
		t.Fatalf("error = %v, want one of phase %s", err, phase)
	}
	return failure
}

// advance lets d pass in a bubble, and what happens then come to rest.
func advance(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // of virtual time
	synctest.Wait()
}
