package certs

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The versions of a hello, and of TLS records.
var versions = map[string]uint16{"SSL 3.0": 0x0300, "TLS 1.0": 0x0301, "TLS 1.1": 0x0302, "TLS 1.2": 0x0303, "TLS 1.3": 0x0304}

// suiteIDs are the identifiers that are assigned, by their first byte: to RSA
// and export suites, TLS 1.3, ECDHE and CCM, ChaCha20.
func suiteIDs() []uint16 {
	var ids []uint16
	for _, high := range []uint16{0x00, 0x13, 0xc0, 0xcc} {
		for low := range uint16(0x100) {
			ids = append(ids, high<<8|low)
		}
	}
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if !slices.Contains(ids, s.ID) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// prefixed returns data with its length before it, in that many bytes.
func prefixed(size int, data []byte) []byte {
	length := binary.BigEndian.AppendUint64(nil, uint64(len(data)))
	return append(length[8-size:], data...)
}

func extension(id uint16, data []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, id), prefixed(2, data)...)
}

// hello returns a ClientHello (RFC 5246, section 7.4.1.2) of one version with
// one suite, and with the groups and signatures that any server knows.
func hello(version, suite uint16) []byte {
	legacy := min(version, tls.VersionTLS12)
	body := binary.BigEndian.AppendUint16(nil, legacy)
	body = append(body, make([]byte, 32)...) // random
	body = append(body, prefixed(1, nil)...) // session
	body = append(body, prefixed(2, binary.BigEndian.AppendUint16(nil, suite))...)
	body = append(body, prefixed(1, []byte{0})...) // compression
	groups := prefixed(2, []byte{0, 23, 0, 29, 0, 24})
	signatures := prefixed(2, []byte{4, 3, 8, 4, 4, 1, 5, 1, 2, 1, 2, 3})
	extensions := slices.Concat(extension(10, groups), extension(11, []byte{1, 0}), extension(13, signatures))
	if version == tls.VersionTLS13 {
		extensions = append(extensions, extension(43, []byte{2, 3, 4})...)
		extensions = append(extensions, extension(51, prefixed(2, nil))...) // no key share: a retry is an answer, too
	}
	body = append(body, prefixed(2, extensions)...)
	message := append([]byte{1}, prefixed(3, body)...)
	return append([]byte{22, byte(legacy >> 8), byte(legacy)}, prefixed(2, message)...)
}

// answered reports whether a server of c answers a hello with its own.
func answered(t *testing.T, c *tls.Config, hello []byte) bool {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		tls.Server(there, c).Handshake()
		there.Close()
	}()
	go here.Write(hello)
	var head [6]byte // of a record, and the type of its message
	_, err := io.ReadFull(here, head[:])
	here.Close()
	<-done
	const handshake, serverHello = 22, 2
	return err == nil && head[0] == handshake && head[5] == serverHello
}

// ofRSA returns a pair whose key is RSA, which could exchange keys by itself.
func ofRSA(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return chainOf(issue(t, x509.Certificate{DNSNames: []string{"a"}}, nil, key))
}

// TestScanFindsNothingOld offers every suite in every version, each alone.
func TestScanFindsNothingOld(t *testing.T) {
	t.Parallel()
	for name, pair := range map[string]*tls.Certificate{
		"RSA":   ofRSA(t),
		"ECDSA": chainOf(issue(t, x509.Certificate{DNSNames: []string{"a"}}, nil, nil)),
	} {
		var c current
		c.pair.Store(pair)
		config := c.TLS()
		want := []string{"TLS 1.3 TLS_AES_128_GCM_SHA256", "TLS 1.3 TLS_AES_256_GCM_SHA384", "TLS 1.3 TLS_CHACHA20_POLY1305_SHA256"}
		for _, id := range suites {
			if s := tls.CipherSuiteName(id); strings.Contains(s, "_"+name+"_") {
				want = append(want, "TLS 1.2 "+s)
			}
		}
		var got []string
		for version, number := range versions {
			for _, id := range suiteIDs() {
				if answered(t, config, hello(number, id)) {
					got = append(got, version+" "+tls.CipherSuiteName(id))
				}
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("suites with a key of %s (-want +got):\n%s", name, diff)
		}
		if answered(t, config, sslv2) {
			t.Error("a hello of SSL 2.0 was answered")
		}
	}
}

// sslv2 is a ClientHello of SSL 2.0 with RC4 and 3DES, and 16 bytes of challenge.
var sslv2 = append([]byte{0x80, 0x1f, 1, 0, 2, 0, 6, 0, 0, 0, 16, 1, 0, 0x80, 7, 0, 0xc0}, make([]byte, 16)...)

// TestOpenSSLFindsNothingOld asks another implementation, which knows other suites.
func TestOpenSSLFindsNothingOld(t *testing.T) {
	t.Parallel()
	need(t, "openssl")
	var c current
	c.pair.Store(ofRSA(t))
	ln := tls.NewListener(listen(t), c.TLS())
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				conn.SetDeadline(time.Now().Add(10 * time.Second))
				io.Copy(io.Discard, conn)
				conn.Close()
			}()
		}
	}()
	const all = "-cipher ALL:COMPLEMENTOFALL:@SECLEVEL=0"
	for _, tt := range []struct {
		offer string
		want  bool
	}{
		{"-tls1 " + all, false},
		{"-tls1_1 " + all, false},
		{"-tls1_2 -cipher ALL:!AESGCM:!CHACHA20:@SECLEVEL=0", false},
		{"-tls1_2 -cipher kRSA:@SECLEVEL=0", false},
		{"-tls1_2 -cipher kDHE:@SECLEVEL=0", false},
		{"-tls1_2 -cipher aNULL:eNULL:@SECLEVEL=0", false},
		{"-tls1_2", true},
		{"-tls1_3", true},
		{"-tls1_3 -alpn http/1.1", true},
		{"-tls1_3 -alpn h2", false},
	} {
		args := append([]string{"s_client", "-connect", ln.Addr().String()}, strings.Fields(tt.offer)...)
		out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput() // its input is empty: it ends at once
		if got := err == nil; got != tt.want {
			t.Errorf("openssl s_client %s: accepted = %v, want %v\n%s", tt.offer, got, tt.want, out)
		}
	}
}

func TestCallerThatOnlySpeaksHTTP2IsToldSo(t *testing.T) {
	t.Parallel()
	now := time.Now()
	f := open(t, newPair(t, "a", now.Add(-day), now.Add(year)))
	_, err := handshake(t, f, &tls.Config{NextProtos: []string{"h2"}})
	const want = "remote error: tls: no application protocol"
	if alert, ok := errors.AsType[*net.OpError](err); !ok || alert.Error() != want {
		t.Errorf("handshake with h2 alone = %v, want %s", err, want)
	}
	if state, err := handshake(t, f, &tls.Config{}); err != nil || state.NegotiatedProtocol != "" {
		t.Errorf("handshake without protocols = %q, %v, want success", state.NegotiatedProtocol, err)
	}
}

// TestRefresh looks at the files at once.
func TestRefresh(t *testing.T) {
	t.Parallel()
	now := time.Now()
	f := open(t, newPair(t, "old", now.Add(-day), now.Add(year)))
	f.write(t, pair{cert: []byte("half"), key: []byte("half")})
	f.files.Refresh()
	bad := f.files.State()
	if bad.Problem == nil || bad.Problem.Kind != NotPEM || bad.Problem.File != f.cert || bad.Since.IsZero() || f.shown(t) != "old" {
		t.Errorf("state with a bad file = %+v (%v), shown %s, want the old one and %s", bad, bad.Problem, f.shown(t), NotPEM)
	}
	f.write(t, newPair(t, "new", now.Add(-day), now.Add(year)))
	f.files.Refresh()
	good := f.files.State()
	if good.Problem != nil || !good.Since.IsZero() || !slices.Equal(good.Names, []string{"new"}) || good.Source != FromFiles {
		t.Errorf("state with good files = %+v, want the new one", good)
	}
	if got := filepath.Base(good.File); got != "cert.pem" {
		t.Errorf("file = %s, want cert.pem", got)
	}
}

// TestAnExpiredCertificateIsShownLoudly is what a start with one leads to.
func TestAnExpiredCertificateIsShownLoudly(t *testing.T) {
	t.Parallel()
	now := time.Now()
	f := open(t, newPair(t, "old", now.Add(-2*day), now.Add(-day)))
	f.files.announce(now)
	entries := f.log.All()
	if len(entries) != 1 || !strings.Contains(fmt.Sprint(entries[0].ContextMap()[keyHint]), "过期") {
		t.Errorf("log = %v, want one line with a hint", entries)
	}
}
