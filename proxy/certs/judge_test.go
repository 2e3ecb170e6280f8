package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A link is a certificate that can issue others.
type link struct {
	*x509.Certificate
	key crypto.Signer
}

// issue makes a certificate of template, issued by by; by itself if that is nil.
func issue(t *testing.T, template x509.Certificate, by *link, key crypto.Signer) *link {
	t.Helper()
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-day), time.Now().Add(year)
	if key == nil {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	parent, signer := &template, key
	if by != nil {
		parent, signer = by.Certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &link{c, key}
}

func chainOf(links ...*link) *tls.Certificate {
	pair := &tls.Certificate{Leaf: links[0].Certificate, PrivateKey: links[0].key}
	for _, l := range links {
		pair.Certificate = append(pair.Certificate, l.Raw)
	}
	return pair
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	ca := func(name string, by *link) *link {
		return issue(t, x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true}, by, nil)
	}
	root := ca("root", nil)
	between := ca("between", root)
	site := x509.Certificate{DNSNames: []string{"proxy.example.cn"}, IPAddresses: []net.IP{net.IPv4(203, 0, 113, 7), net.ParseIP("2001:db8::7")}}
	published := site
	published.IssuingCertificateURL = []string{"http://ca.example.cn/between.cer"}
	leaf := issue(t, site, between, nil)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	old := issue(t, site, root, nil)
	old.SignatureAlgorithm = x509.SHA1WithRSA // as parsed: crypto/x509 makes none
	for _, tt := range []struct {
		name   string
		pair   *tls.Certificate
		wanted []string
		want   []Kind
	}{
		{"whole chain", chainOf(leaf, between, root), nil, nil},
		{"chain in another order", chainOf(leaf, root, between), nil, nil},
		{"without the root, which is not known here", chainOf(leaf, between), nil, []Kind{IssuerUnknown}},
		{"without the intermediate", chainOf(leaf, root), nil, []Kind{IssuerUnknown}},
		{"its issuer is published", chainOf(issue(t, published, between, nil)), nil, []Kind{IssuerPublished}},
		{"signed by itself", chainOf(issue(t, site, nil, nil)), nil, nil},
		{"its names", chainOf(leaf, between, root), []string{"203.0.113.7", "2001:db8::7", "proxy.example.cn"}, nil},
		{"another address", chainOf(leaf, between, root), []string{"203.0.113.7", "203.0.113.8"}, []Kind{OtherNames}},
		{"weak key", chainOf(issue(t, site, nil, weak)), nil, []Kind{WeakKey}},
		{"weak signature", chainOf(old, root), nil, []Kind{WeakSignature}},
	} {
		var got []Kind
		for _, p := range Warnings(tt.pair, "cert.pem", tt.wanted) {
			got = append(got, p.Kind)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Warnings(%s) (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestWarningsNameWhatIsMissing(t *testing.T) {
	t.Parallel()
	c := issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "old.example.cn"}}, nil, nil)
	got := Warnings(chainOf(c), "cert.pem", []string{"203.0.113.8"})
	want := "cert.pem: callers that use https://203.0.113.8 will refuse the certificate, which is for CN=old.example.cn"
	if len(got) != 1 || got[0].Error() != want {
		t.Errorf("Warnings = %v, want %q", got, want)
	}
}

func TestWorse(t *testing.T) {
	t.Parallel()
	now := time.Now()
	good := &x509.Certificate{NotBefore: now.Add(-day), NotAfter: now.Add(day)}
	expired := &x509.Certificate{NotBefore: now.Add(-2 * day), NotAfter: now.Add(-day)}
	early := &x509.Certificate{NotBefore: now.Add(day), NotAfter: now.Add(2 * day)}
	for _, tt := range []struct {
		current, next *x509.Certificate
		want          bool
	}{
		{good, good, false},
		{good, expired, true},
		{good, early, true},
		{expired, early, false},
		{expired, expired, false},
	} {
		if err := Worse(tt.current, tt.next, "cert.pem"); (err != nil) != tt.want {
			t.Errorf("Worse(%v, %v) = %v, want an error: %v", tt.current.NotAfter, tt.next.NotAfter, err, tt.want)
		}
	}
}
