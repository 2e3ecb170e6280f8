package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// A certificateWatch is which certificates callers were shown.
type certificateWatch struct {
	mu    sync.Mutex // guards all below
	last  int64      // serial number
	shown []int64    // every one once, in the order in which they were first seen
}

// config returns how callers speak TLS: without resumption, so that each new
// connection is shown the certificate of its moment.
func (w *certificateWatch) config() *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			serial := state.PeerCertificates[0].SerialNumber.Int64()
			w.mu.Lock()
			defer w.mu.Unlock()
			w.last = serial
			if !slices.Contains(w.shown, serial) {
				w.shown = append(w.shown, serial)
			}
			return nil
		},
	}
}

func (w *certificateWatch) current() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// certify puts a certificate into the files, the key first.
func (r *liveRig) certify(cert, key []byte) {
	r.t.Helper()
	r.replace(filepath.Join(r.dir, "key.pem"), key, 0o600)
	r.replace(filepath.Join(r.dir, "cert.pem"), cert, 0o600)
}

// liveCertificates changes the listener's certificate under callers with new
// and with kept connections: by a reload, by the change of the files alone, and
// to worse ones, which are refused.
func liveCertificates(r *liveRig) {
	good := newLiveCertificate(r.t, 100, time.Now().Add(100*24*time.Hour))
	r.certify(good.cert, good.key)
	r.settings.more = fmt.Sprintf("listen.tls = \"files\"\nlisten.cert_file = %q\nlisten.key_file = %q",
		filepath.Join(r.dir, "cert.pem"), filepath.Join(r.dir, "key.pem"))
	var watch certificateWatch
	r.crowd.tls = watch.config()
	byFiles := int64(119) // 120 is the last
	if *soak == 0 {
		byFiles = 120
	}
	r.come("nothing, over TLS")
	r.during("certificate change, reload", func() {
		for serial := int64(101); serial < byFiles; serial++ {
			next := newLiveCertificate(r.t, serial, time.Now().Add(100*24*time.Hour))
			r.certify(next.cert, next.key)
			r.reloadBySignal()
			awaitLive(r.t, "new connections show the new certificate", func() bool { return watch.current() == serial })
		}
	})
	r.during("certificate change, files alone", func() {
		for serial := byFiles; serial <= 120; serial++ {
			good = newLiveCertificate(r.t, serial, time.Now().Add(100*24*time.Hour))
			r.certify(good.cert, good.key)
			awaitLive(r.t, "new connections show the new certificate", func() bool { return watch.current() == serial })
		}
	})
	r.during("worse certificate, refused", func() { r.worsen(good) })
	r.certify(good.cert, good.key)
	if got := watch.current(); got != 120 {
		r.t.Errorf("after worse files callers are shown certificate %d, want 120", got)
	}
	r.end()
	if len(watch.shown) != 21 {
		r.t.Errorf("callers were shown the certificates %v, want 100 to 120", watch.shown)
	}
}

// worsen puts worse files in the place of good, each of which is refused.
func (r *liveRig) worsen(good liveCertificate) {
	r.t.Helper()
	expired := newLiveCertificate(r.t, 200, time.Now().Add(-time.Hour))
	other := newLiveCertificate(r.t, 201, time.Now().Add(100*24*time.Hour))
	for _, worse := range []struct {
		what      string
		cert, key []byte
	}{
		{"an expired one", expired.cert, expired.key},
		{"one with another's key", other.cert, good.key},
		{"one cut in the middle", other.cert[:len(other.cert)/2], other.key},
		{"an empty one", nil, other.key},
	} {
		r.certify(worse.cert, worse.key)
		said := r.refusals()
		r.run("reload") // whichever way it ends, the certificate in force goes on serving
		awaitLive(r.t, "it is said that the certificate is not replaced by "+worse.what, func() bool { return r.refusals() > said })
		r.settle()
	}
	if err := os.Remove(filepath.Join(r.dir, "cert.pem")); err != nil {
		r.t.Fatal(err)
	}
	r.run("reload")
	r.settle()
}

// refusals returns how often it was said that a certificate is refused, as such
// or with the whole of a reload.
func (r *liveRig) refusals() int {
	return r.said("not replaced") + r.said("reload refused")
}

// A liveCertificate is one with its files' contents.
type liveCertificate struct {
	pair      tls.Certificate
	cert, key []byte // PEM
}

// newLiveCertificate returns a certificate that ends then.
func newLiveCertificate(t testing.TB, serial int64, notAfter time.Time) liveCertificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: "lqpt.test"},
		NotBefore:    time.Now().Add(-48 * time.Hour), NotAfter: notAfter,
		DNSNames:    []string{"lqpt.test"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return liveCertificate{
		pair: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	}
}
