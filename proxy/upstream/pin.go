package upstream

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
)

const pinPrefix = "sha256/"

// A Pin is the SHA-256 of a SubjectPublicKeyInfo (RFC 7469 section 2.4).
type Pin [sha256.Size]byte

// ParsePin reads "sha256/BASE64".
func ParsePin(s string) (Pin, error) {
	text, ok := strings.CutPrefix(s, pinPrefix)
	if !ok {
		return Pin{}, fmt.Errorf("%q does not begin with %q", s, pinPrefix)
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return Pin{}, fmt.Errorf("reading pin %q: %w", s, err)
	}
	if len(sum) != sha256.Size || strings.ContainsAny(text, "\r\n") {
		return Pin{}, fmt.Errorf("%q is not the base64 of %d bytes", s, sha256.Size)
	}
	return Pin(sum), nil
}

// PinOf returns the pin of cert's key.
func PinOf(cert *x509.Certificate) Pin { return sha256.Sum256(cert.RawSubjectPublicKeyInfo) }

// String returns p as ParsePin reads it.
func (p Pin) String() string { return pinPrefix + base64.StdEncoding.EncodeToString(p[:]) }

// MarshalText implements encoding.TextMarshaler, for the record and for Status.
func (p Pin) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Pin) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePin(string(text))
	return err
}
