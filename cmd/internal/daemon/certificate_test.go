package daemon

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/proxy/certs"
)

// acmeKeys are the keys of a certificate from an authority that is not there,
// with challenges at address.
func acmeKeys(address, domain string) string {
	return fmt.Sprintf("listen.tls = \"acme\"\nlisten.acme.directory = \"https://127.0.0.1:1/dir\"\n"+
		"listen.acme.domains = [%q]\nlisten.acme.http_address = %q\n", domain, address)
}

// awaitCertificate waits until what is known of the certificate is as it should.
func (i *instance) awaitCertificate(t *testing.T, good func(certs.State) bool) certs.State {
	t.Helper()
	for deadline := time.Now().Add(soon); ; {
		if c := i.current.Load().certificate; c != nil && good(c.State()) {
			return c.State()
		}
		if time.Now().After(deadline) {
			t.Fatalf("no such certificate; log:\n%s", i.stderr)
		}
	}
}

// An authority that fails keeps nobody out, and can be reloaded away.
func TestReloadToAnAuthorityThatIsDown(t *testing.T) {
	i := newInstance(t, admitted)
	i.run(t)
	challenges, _ := freeAddresses(t)
	i.write(t, admitted+acmeKeys(challenges, "proxy.example.cn"))
	if err := i.Reload(); err != nil {
		t.Fatalf("Reload() = %v, want nil", err)
	}
	if err := i.shakeHands(); err != nil {
		t.Errorf("handshake = %v, want nil: with a certificate that is signed by nobody", err)
	}
	s := i.awaitCertificate(t, func(s certs.State) bool { return s.Problem != nil })
	if s.Source != certs.SelfSigned || s.Problem.Kind != certs.AuthorityUnreachable {
		t.Errorf("certificate = %+v (%v), want %s because of %s", s, s.Problem, certs.SelfSigned, certs.AuthorityUnreachable)
	}
	i.awaitMetrics(t, func(text string) bool {
		return strings.Contains(text, "\nlqproxy_listener_certificate_renewal_failed 1\n")
	})
	if got := askForChallenge(t, challenges); got != http.StatusNotFound {
		t.Errorf("challenge = %d, want 404", got)
	}
	i.write(t, admitted+acmeKeys(challenges, "other.example.cn"))
	if err := i.Reload(); err != nil {
		t.Fatalf("Reload() with another domain = %v, want nil", err)
	}
	i.awaitCertificate(t, func(s certs.State) bool { return strings.Join(s.Names, " ") == "other.example.cn" })
	i.write(t, admitted)
	if err := i.Reload(); err != nil {
		t.Fatalf("Reload() without TLS = %v, want nil", err)
	}
	for deadline := time.Now().Add(soon); ; {
		conn, err := net.Dial("tcp", challenges)
		if err != nil {
			break
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("challenges are still served")
		}
	}
	if err := i.stop(); err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
}

func askForChallenge(t *testing.T, address string) int {
	t.Helper()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + address + "/.well-known/acme-challenge/x")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestReloadRefusesTheChallengeAddressOfAnother(t *testing.T) {
	i := newInstance(t, admitted)
	i.run(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	i.write(t, admitted+acmeKeys(taken.Addr().String(), "proxy.example.cn"))
	if err := i.Reload(); err == nil || !strings.Contains(err.Error(), "listen.acme.http_address") {
		t.Errorf("Reload() = %v, want that listen.acme.http_address is taken", err)
	}
	if i.current.Load().certificate != nil {
		t.Error("TLS is on after a reload that was refused")
	}
}

func TestReloadRefusesOtherFilesThatAreWorse(t *testing.T) {
	first := t.TempDir()
	i := newInstance(t, admitted)
	i.run(t)
	good := admitted + certify(t, first, time.Now().Add(time.Hour))
	i.write(t, good)
	if err := i.Reload(); err != nil {
		t.Fatalf("Reload() = %v, want nil", err)
	}
	i.write(t, admitted+certify(t, t.TempDir(), time.Now().Add(-time.Minute)))
	if err := i.Reload(); err == nil || !strings.Contains(err.Error(), "the certificate expired on") {
		t.Errorf("Reload() with other files = %v, want that they expired", err)
	}

	// The same files are not a matter of the reload: the old certificate serves.
	i.write(t, good)
	certify(t, first, time.Now().Add(-time.Minute))
	if err := i.Reload(); err != nil {
		t.Errorf("Reload() with the same files = %v, want nil", err)
	}
	s := i.awaitCertificate(t, func(s certs.State) bool { return s.Problem != nil })
	if s.Problem.Kind != certs.Expired || !s.NotAfter.After(time.Now()) {
		t.Errorf("certificate = %+v (%v), want the old one, and %s", s, s.Problem, certs.Expired)
	}
}

func TestReloadReadsTheCertificateAgainAmongOtherChanges(t *testing.T) {
	dir := t.TempDir()
	i := newInstance(t, admitted)
	keys := certify(t, dir, time.Now().Add(time.Hour))
	i.write(t, admitted+keys)
	i.run(t)
	if err := i.Reload(); err != nil {
		t.Fatal(err)
	}
	before := i.current.Load().certificate.Leaf()
	certify(t, dir, time.Now().Add(2*time.Hour))
	i.write(t, admitted+keys+"limits.exchanges = 7\n")
	if err := i.Reload(); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(i.current.Load().certificate.Leaf().Raw, before.Raw) {
		t.Error("a reload that changed something else did not read the certificate again")
	}
}

func TestAcmeFolderIsTheOwnersAlone(t *testing.T) {
	challenges, _ := freeAddresses(t)
	i := newInstance(t, admitted+acmeKeys(challenges, "proxy.example.cn"))
	i.run(t)
	i.awaitCertificate(t, func(s certs.State) bool { return s.Problem != nil })
	info, err := os.Stat(i.dir + "/" + acmeFolder)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder of the certificate: %v, %v, want mode 0700", info, err)
	}
}
