package leqisim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// platformName is the name that callers expect. The certificate does not have it by default, not even
// as its common name: clients would say so of the real one ("relies on legacy Common Name field"), and
// what they say is "is not valid for any names".
const platformName = "lqpt.chinatax.gov.cn"

// A Leaf says which certificate the server presents. The zero Leaf resembles the real thing: it is
// not valid for any name. Its key is new each time; its issuer is the same as long as the server runs.
type Leaf struct {
	Names    []string  // DNS names and addresses it is valid for
	NotAfter time.Time // default: a year from now
	RSA      bool      // an RSA key of 2048 bits; default: ECDSA P-256
}

// TLS says what the server speaks.
type TLS struct {
	MinVersion uint16        // as in crypto/tls; default 1.2
	MaxVersion uint16        // default 1.3
	Suites     []uint16      // of TLS 1.2 and below; default: those of crypto/tls
	Curves     []tls.CurveID // default: classical ones
	NoTickets  bool          // sessions cannot be resumed
}

// An identity is what the handshakes of some time share. It is never modified.
type identity struct {
	leaf   *x509.Certificate
	config *tls.Config
}

// An issuer signs the certificates of one server.
type issuer struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func newIssuer() (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the issuer's key: %w", err)
	}
	t := template("leqisim", time.Time{})
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign
	certificate, err := sign(t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making the issuer's certificate: %w", err)
	}
	return &issuer{certificate, key}, nil
}

// issue returns a certificate with a new key.
func (i *issuer) issue(l Leaf) (tls.Certificate, error) {
	key, err := newKey(l.RSA)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := template("leqi", l.NotAfter)
	t.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range l.Names {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	leaf, err := sign(t, i.certificate, key.Public(), i.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

func newKey(useRSA bool) (crypto.Signer, error) {
	if useRSA {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func template(commonName string, notAfter time.Time) *x509.Certificate {
	now := time.Now()
	if notAfter.IsZero() {
		notAfter = now.AddDate(1, 0, 0)
	}
	notBefore := now.Add(-time.Hour)
	if notAfter.Before(notBefore) {
		notBefore = notAfter.Add(-time.Hour)
	}
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    notBefore,
		NotAfter:     notAfter,
	}
}

func sign(t, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, parent, pub, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Rotate makes the next handshakes use a new certificate. Earlier sessions cannot be resumed after
// it, and open connections go on.
func (s *Server) Rotate(l Leaf) error {
	certificate, err := s.issuer.issue(l)
	if err != nil {
		return fmt.Errorf("making a certificate: %w", err)
	}
	s.identity.Store(&identity{certificate.Leaf, s.options.TLS.config(certificate)})
	return nil
}

func (t TLS) config(certificate tls.Certificate) *tls.Config {
	c := &tls.Config{
		Certificates:           []tls.Certificate{certificate},
		MinVersion:             tls.VersionTLS12,
		MaxVersion:             tls.VersionTLS13,
		CipherSuites:           t.Suites,
		CurvePreferences:       t.Curves,
		SessionTicketsDisabled: t.NoTickets,
	}
	if t.MinVersion != 0 {
		c.MinVersion = t.MinVersion
	}
	if t.MaxVersion != 0 {
		c.MaxVersion = t.MaxVersion
	}
	if t.Curves == nil {
		c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384}
	}
	return c
}

// Pin returns the SHA-256 of the SubjectPublicKeyInfo of the certificate in use.
func (s *Server) Pin() [sha256.Size]byte {
	return sha256.Sum256(s.Certificate().RawSubjectPublicKeyInfo)
}

// Issuer returns the certificate that signed all others, as PEM: what a ca_file holds.
func (s *Server) Issuer() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.issuer.certificate.Raw})
}

// Roots returns a pool with the issuer alone.
func (s *Server) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.issuer.certificate)
	return pool
}
