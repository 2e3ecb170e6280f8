package upstream

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

// A Judgement says what each way of judging makes of a certificate; nil: it passes.
type Judgement struct {
	Leaf             *x509.Certificate
	Key              Pin // of Leaf
	Full, Chain, Pin error
}

// Judge judges the certificates of a finished handshake by o's roots, name and
// pins, whatever o.Verify is. Without o.ServerName the name is the one that was
// sent to the server; a host that is an address must be named, as it is not sent.
func Judge(state tls.ConnectionState, o TLS) (Judgement, error) {
	if len(state.PeerCertificates) == 0 {
		return Judgement{}, errors.New("no certificate was shown")
	}
	leaf := state.PeerCertificates[0]
	j := Judgement{Leaf: leaf, Key: PinOf(leaf)}
	j.Chain = verifyChain(state.PeerCertificates, o.Roots)
	j.Full = cmp.Or(j.Chain, leaf.VerifyHostname(cmp.Or(o.ServerName, state.ServerName)))
	if !slices.Contains(o.Pins, j.Key) {
		j.Pin = fmt.Errorf("key %v is none of the %d pins", j.Key, len(o.Pins))
	}
	return j, nil
}

// Passing returns those of full, chain and pin that pass.
func (j Judgement) Passing() []Verify {
	var passing []Verify
	for _, x := range []struct {
		mode Verify
		err  error
	}{{VerifyFull, j.Full}, {VerifyChain, j.Chain}, {VerifyPin, j.Pin}} {
		if x.err == nil {
			passing = append(passing, x.mode)
		}
	}
	return passing
}

// verifyChain returns why certs do not lead to one of roots.
func verifyChain(certs []*x509.Certificate, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, c := range certs[1:] {
		between.AddCert(c)
	}
	_, err := certs[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}

// An identityError refuses a certificate.
type identityError struct {
	mode Verify
	j    Judgement
	err  error
}

// Error says why, what the certificate shows, and what would let it pass.
func (e *identityError) Error() string {
	var would []string
	for _, mode := range e.j.Passing() {
		would = append(would, string(mode))
	}
	passing := strings.Join(would, " and ")
	switch len(would) {
	case 0:
		passing = "none of full, chain and pin passes"
	case 1:
		passing += " passes"
	default:
		passing += " pass"
	}
	return fmt.Sprintf("verify %q: %v (%s; %s)", e.mode, e.err, describe(e.j.Leaf), passing)
}

func (e *identityError) Unwrap() error { return e.err }

// describe puts what cert shows into words.
func describe(cert *x509.Certificate) string {
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	valid := strings.Join(names, ", ")
	if valid == "" {
		valid = "no names"
	}
	return fmt.Sprintf("it shows subject %q, issuer %q, %s, until %s, key %v",
		cert.Subject, cert.Issuer, valid, cert.NotAfter.Format(time.DateOnly), PinOf(cert))
}

// errUnknownKey refuses a key under OnChangeRefuse.
var errUnknownKey = errors.New(`the key is not accepted yet ("lqproxy trust accept")`)

// verify is asked at the end of each handshake, also of a resumed one.
func (u *Upstream) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("no certificate was shown")
	}
	leaf := state.PeerCertificates[0]
	u.leaf.Store(leaf)
	u.gauges.setNotAfter(leaf.NotAfter)

	err := u.judge(state.PeerCertificates)
	if err == nil {
		return nil
	}
	o := u.o.TLS
	j, _ := Judge(state, o) // there is a certificate
	return &identityError{o.Verify, j, err}
}

// judge applies the mode that is in force, and only that.
func (u *Upstream) judge(certs []*x509.Certificate) error {
	o := u.o.TLS
	switch o.Verify {
	case VerifyNone:
		return nil
	case VerifyFirstUse:
		return u.judgeKey(certs[0])
	case VerifyPin:
		// Only the leaf: the rest of an unverified chain proves nothing.
		if key := PinOf(certs[0]); !slices.Contains(o.Pins, key) {
			return fmt.Errorf("key %v is none of the pins", key)
		}
		return nil
	}
	err := verifyChain(certs, o.Roots)
	if err == nil && o.Verify == VerifyFull {
		err = certs[0].VerifyHostname(o.ServerName)
	}
	return err
}

// judgeKey compares leaf's key with the record, which takes it in if it is new.
func (u *Upstream) judgeKey(leaf *x509.Certificate) error {
	key, news := u.keys.see(leaf, time.Now())
	switch {
	case news && key.Accepted:
		u.log.Info("upstream key recorded", keyFields(key)...)
	case news:
		u.log.Error("upstream certificate changed", append(keyFields(key), event(eventCertificateChanged))...)
	}
	if !key.Accepted && u.o.TLS.OnChange == OnChangeRefuse {
		return errUnknownKey
	}
	return nil
}

func keyFields(k KnownKey) []zap.Field {
	return []zap.Field{
		zap.Stringer(keyPin, k.Pin), zap.String(keySubject, k.Subject), zap.String(keyIssuer, k.Issuer),
		zap.Time(keyNotAfter, k.NotAfter), zap.Time(keyFirstSeen, k.FirstSeen),
	}
}

// certificateChanged reports whether a key of the record waits to be accepted.
func (u *Upstream) certificateChanged() bool {
	return u.o.TLS.Verify == VerifyFirstUse && u.keys.waiting()
}
