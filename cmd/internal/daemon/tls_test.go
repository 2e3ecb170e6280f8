package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certify writes a certificate and its key into dir, and returns the keys of a
// file that names them.
func certify(t *testing.T, dir string, notAfter time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		cert:    {Type: "CERTIFICATE", Bytes: der},
		keyFile: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("listen.tls = \"files\"\nlisten.cert_file = %q\nlisten.key_file = %q\n", cert, keyFile)
}

// shakeHands reports whether callers can speak TLS.
func (i *instance) shakeHands() error {
	c, err := tls.Dial("tcp", i.Addresses()[0], &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return err
	}
	return c.Close()
}

const notAfterLine = "\nlqproxy_listener_certificate_not_after_timestamp_seconds "

func TestReloadTurnsTLSOnAndOff(t *testing.T) {
	i := newInstance(t, admitted)
	i.run(t)
	if err := i.shakeHands(); err == nil {
		t.Error("a plain listener speaks TLS")
	}
	end := time.Unix(2_000_000_000, 0)
	i.write(t, admitted+certify(t, i.dir, end))
	if err := i.Reload(); err != nil {
		t.Fatalf("Reload() = %v, want nil", err)
	}
	if err := i.shakeHands(); err != nil {
		t.Errorf("handshake = %v, want nil", err)
	}
	if got := i.Status().Listen; got.TLS != "files" || got.NotAfter == nil || !got.NotAfter.Equal(end) {
		t.Errorf("Status().Listen = %+v, want the certificate until %v", got, end)
	}
	i.awaitMetrics(t, func(text string) bool { return strings.Contains(text, notAfterLine+"2e+09\n") })
	certificate := i.current.Load().certificate
	i.write(t, admitted+certify(t, i.dir, end)+"limits.exchanges = 7\n")
	if err := i.Reload(); err != nil {
		t.Fatalf("Reload() = %v, want nil", err)
	}
	if i.current.Load().certificate != certificate {
		t.Error("a certificate whose files did not change was replaced")
	}
	i.write(t, admitted)
	if err := i.Reload(); err != nil {
		t.Fatalf("Reload() = %v, want nil", err)
	}
	if err := i.shakeHands(); err == nil {
		t.Error("TLS was not turned off")
	}
	i.awaitMetrics(t, func(text string) bool { return !strings.Contains(text, notAfterLine) })
}

// awaitMetrics waits until the metrics are as they should.
func (i *instance) awaitMetrics(t *testing.T, good func(string) bool) {
	t.Helper()
	for deadline := time.Now().Add(soon); ; {
		_, text := i.ask(t, "/metrics")
		if good(text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("metrics = %s", text)
		}
	}
}

func TestAcceptSHA1KeepsOtherSettings(t *testing.T) {
	for _, tt := range []struct{ before, after string }{
		{"", "tlssha1=1"},
		{"madvdontneed=1", "madvdontneed=1,tlssha1=1"},
		{"tlssha1=1", "tlssha1=1"},
	} {
		t.Setenv("GODEBUG", tt.before)
		AcceptSHA1()
		if got := os.Getenv("GODEBUG"); got != tt.after {
			t.Errorf("AcceptSHA1() with %q = %q, want %q", tt.before, got, tt.after)
		}
	}
}
