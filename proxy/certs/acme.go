package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// lookAtMost bounds how long ACME waits without a look at the clock, which may
// be set, and which stands still while a machine sleeps.
const lookAtMost = time.Hour

// orderTimeout bounds one attempt to get a certificate.
const orderTimeout = 5 * time.Minute

// pauses are how long the authority is left alone after each failure in a row,
// the last for all that follow. Public ones count failures by the hour.
var pauses = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour}

// ACMEOptions say where the certificate is from.
type ACMEOptions struct {
	Directory string         // URL of the authority's directory
	Email     string         // of the account; "": none
	Names     []string       // DNS names and IP addresses that the certificate is for
	Roots     *x509.CertPool // who vouches for the directory; nil: the system's authorities
	Folder    string         // the certificate, its key and the account are kept there, for the owner alone

	// Challenges is the address where [ServeChallenges] listens: ":8880".
	Challenges string
}

// ACME is a certificate from an authority that speaks ACME (RFC 8555), with
// proof by HTTP-01 alone. It is one certificate for all names. Safe for
// concurrent use.
type ACME struct {
	current
	o      ACMEOptions
	issuer *certmagic.ACMEIssuer
	wake   chan struct{} // has room for one
	pauses []time.Duration

	// Of Run alone.
	failures int       // in a row
	next     time.Time // when the authority is asked next
}

// OpenACME takes the certificate that Run stored last, or makes one that is
// signed by nobody until Run has a better one. It asks nobody and starts nothing.
func OpenACME(a ACMEOptions, o Options) (*ACME, error) {
	m := &ACME{o: a, wake: make(chan struct{}, 1), pauses: pauses}
	m.prepare(o)
	issuer, err := newIssuer(a, m.log)
	if err != nil {
		return nil, err
	}
	m.issuer = issuer
	if err := m.restore(time.Now()); err != nil {
		return nil, err
	}
	return m, nil
}

// restore takes what is stored, if it is of any use.
func (m *ACME) restore(now time.Time) error {
	pair, directory, problem := m.load()
	if problem != nil {
		m.settle(problem, now)
	}
	if pair == nil {
		return m.selfSign(now)
	}
	m.use(pair, FromACME, m.o.Directory)
	if directory == m.o.Directory && len(notCovered(pair.Leaf, m.o.Names)) == 0 {
		m.next = renewal(pair.Leaf.NotBefore, pair.Leaf.NotAfter)
	}
	m.schedule(time.Time{}, m.next)
	return nil
}

// Run gets a certificate if there is none, and renews it in time, until ctx is
// done. It returns nil, and must be called once. Whatever the authority does,
// it only ever ends with ctx.
func (m *ACME) Run(ctx context.Context) error {
	m.metrics.show(&m.current)
	defer m.metrics.hide(&m.current)
	m.announce(time.Now())
	if p := m.State().Problem; p != nil {
		m.log.Error("the stored listener certificate is lost", zap.Error(p), zap.String(keyHint, p.Chinese()))
	}
	for ctx.Err() == nil {
		m.tend(ctx, time.Now())
		select {
		case <-ctx.Done():
		case <-m.wake:
			if m.failures > 0 {
				m.next = time.Time{}
			}
		case <-time.After(min(max(time.Until(m.next), 0), lookAtMost)):
		}
	}
	return nil
}

// Refresh asks the authority again at once if it failed last, without waiting for it.
func (m *ACME) Refresh() {
	select {
	case m.wake <- struct{}{}:
	default: // it is on its way
	}
}

// tend does what is due at now.
func (m *ACME) tend(ctx context.Context, now time.Time) {
	if !now.Before(m.next) {
		m.attempt(ctx, now)
	}
	if m.State().Source != SelfSigned {
		if m.failures > 0 { // one that is renewed in time may well be short
			m.warn(now)
		}
		return
	}
	if now.After(m.Leaf().NotAfter.Add(-selfSignedFor / 2)) {
		if err := m.selfSign(now); err != nil {
			m.log.Error("no certificate could be made", zap.Error(err))
		}
	}
}

// attempt asks the authority once.
func (m *ACME) attempt(ctx context.Context, now time.Time) {
	pair, problem := m.obtain(ctx)
	if ctx.Err() != nil && pair == nil {
		return // it was cut short, which says nothing
	}
	if pair != nil {
		m.failures = 0
		m.next = latest(renewal(pair.Leaf.NotBefore, pair.Leaf.NotAfter), time.Now().Add(m.pauses[0]))
	} else {
		m.next = time.Now().Add(m.pauses[min(m.failures, len(m.pauses)-1)])
		m.failures++
	}
	m.schedule(now, m.next)
	m.settle(problem, now)
	if pair != nil {
		m.use(pair, FromACME, m.o.Directory)
		m.replaced(time.Now())
	}
	if problem != nil {
		m.complain(problem)
	}
}

// complain says after each failure what callers are shown meanwhile. Attempts
// are rare enough for that.
func (m *ACME) complain(p *Problem) {
	message := "listener certificate not renewed: the old one goes on serving"
	switch {
	case m.failures == 0:
		message = "listener certificate not stored: it is lost at the next start"
	case m.State().Source == SelfSigned:
		message = "no listener certificate: callers are shown one that is signed by nobody"
	}
	m.log.Error(message, zap.Error(p), zap.String(keyHint, p.Chinese()), zap.Strings(keyNames, m.o.Names),
		zap.Time(keyNotAfter, m.Leaf().NotAfter), zap.Time(keyNext, m.next))
}

// obtain returns a new certificate, and what went wrong: both if it could not
// be stored.
func (m *ACME) obtain(ctx context.Context) (*tls.Certificate, *Problem) {
	if p := m.writable(); p != nil {
		return nil, p // before the authority counts an order
	}
	ctx, cancel := context.WithTimeout(ctx, orderTimeout)
	defer cancel()
	ctx, hangUp := connected(ctx)
	defer hangUp()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, m.failure(err)
	}
	csr, err := requestFor(m.o.Names, key)
	if err != nil {
		return nil, m.failure(err)
	}
	if err := m.issuer.PreCheck(ctx, m.o.Names, false); err != nil {
		return nil, m.failure(err)
	}
	issued, err := m.issuer.Issue(unlimited(ctx), csr)
	if err != nil {
		return nil, m.failure(err)
	}
	return m.accept(issued.Certificate, key)
}

// accept judges and stores what the authority sent.
func (m *ACME) accept(chain []byte, key *ecdsa.PrivateKey) (*tls.Certificate, *Problem) {
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, m.failure(err)
	}
	keyPEM := encoded(blockPKCS8, secret)
	pair, problem := parse(m.o.Directory, chain, m.o.Directory, keyPEM)
	if problem == nil {
		problem = outOfDate(pair.Leaf, m.o.Directory, time.Now())
	}
	if problem != nil {
		return nil, problem
	}
	if missing := notCovered(pair.Leaf, m.o.Names); len(missing) > 0 {
		return nil, m.failure(fmt.Errorf("the certificate is not for %v", missing))
	}
	return pair, m.store(chain, keyPEM)
}

// requestFor returns the request for a certificate for names.
func requestFor(names []string, key *ecdsa.PrivateKey) (*x509.CertificateRequest, error) {
	template := &x509.CertificateRequest{}
	template.DNSNames, template.IPAddresses = split(names)
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, fmt.Errorf("requesting a certificate for %v: %w", names, err)
	}
	return x509.ParseCertificateRequest(der)
}

// split tells the addresses among names from the DNS names.
func split(names []string) (hosts []string, addresses []net.IP) {
	for _, name := range names {
		if addr, err := netip.ParseAddr(name); err == nil {
			addresses = append(addresses, addr.AsSlice())
		} else {
			hosts = append(hosts, name)
		}
	}
	return hosts, addresses
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
