package certs

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Keys of log fields, and the event that alarms are bound to.
const (
	keyEvent    = "event"
	keyFile     = "file"
	keySubject  = "subject"
	keyNames    = "names"
	keyNotAfter = "not_after"
	keyDays     = "days"
	keyHint     = "hint"
	keyNext     = "next_try"

	eventExpiring = "certificate_expiring"
)

// A Source is where the certificate in use comes from.
type Source string

// The sources.
const (
	FromFiles  Source = "files"
	FromACME   Source = "acme"
	SelfSigned Source = "self-signed" // the authority never gave one
)

// A State is what is known of the listener's certificate. It is never modified
// after publication.
type State struct {
	Source              Source
	File                string   // that it was read from, or the authority's directory
	Names               []string // that it is for: DNS names, then addresses
	Subject, Issuer     string
	NotBefore, NotAfter time.Time
	Warnings            []*Problem // what callers may dislike in it

	// Problem is why a newer one could not take its place: the files as they
	// are now were refused, or the authority gave none. nil: nothing did.
	Problem *Problem
	Since   time.Time // when that began; zero if nothing is wrong

	// Of ACME alone.
	Tried time.Time // when the authority was asked last; zero: not yet
	Next  time.Time // when it is asked next
}

// Renewal returns when a newer certificate should take the place of this one;
// zero if none should be shown that long, as it is signed by nobody.
func (s State) Renewal() time.Time {
	if s.Source == SelfSigned {
		return time.Time{}
	}
	return renewal(s.NotBefore, s.NotAfter)
}

// Options are what both sources need.
type Options struct {
	Wanted  []string    // of Files: names and addresses in the URLs of callers, as far as they are known
	Metrics *Metrics    // nil: they are not measured
	Log     *zap.Logger // nil: nothing is logged
}

// A current is the certificate in use, and what is known of it. Safe for
// concurrent use.
type current struct {
	wanted  []string
	metrics *Metrics
	log     *zap.Logger
	pair    atomic.Pointer[tls.Certificate] // with its Leaf

	lock   sync.Mutex // guards state and warned
	state  State
	warned int // the threshold of which certificate_expiring was said last
}

// prepare fills in what o leaves out.
func (c *current) prepare(o Options) {
	c.wanted, c.metrics, c.log = o.Wanted, o.Metrics, o.Log
	if c.metrics == nil {
		c.metrics = &Metrics{}
	}
	if c.log == nil {
		c.log = zap.NewNop()
	}
}

// Leaf returns the certificate in use. It must not be modified.
func (c *current) Leaf() *x509.Certificate { return c.pair.Load().Leaf }

// State returns what is known of the certificate now.
func (c *current) State() State {
	c.lock.Lock()
	defer c.lock.Unlock()
	s := c.state
	s.Names, s.Warnings = slices.Clone(s.Names), slices.Clone(s.Warnings)
	return s
}

// use shows pair from now on. file is where it comes from.
func (c *current) use(pair *tls.Certificate, source Source, file string) {
	c.pair.Store(pair)
	leaf := pair.Leaf
	c.lock.Lock()
	defer c.lock.Unlock()
	c.warned = 0
	c.state.Source, c.state.File = source, file
	c.state.Names, c.state.Subject, c.state.Issuer = namesOf(leaf), leaf.Subject.String(), leaf.Issuer.String()
	c.state.NotBefore, c.state.NotAfter = leaf.NotBefore, leaf.NotAfter
	c.state.Warnings = nil
	if source == FromFiles { // an authority knows its chain, and the names were asked for
		c.state.Warnings = Warnings(pair, file, c.wanted)
	}
}

// settle notes p, or that nothing is wrong, and reports whether that is news.
func (c *current) settle(p *Problem, now time.Time) (news bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	news = !p.same(c.state.Problem)
	switch {
	case p == nil:
		c.state.Since = time.Time{}
	case c.state.Problem == nil:
		c.state.Since = now
	}
	c.state.Problem = p
	return news
}

// schedule notes when the authority was asked, and when it is asked again.
func (c *current) schedule(tried, next time.Time) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if !tried.IsZero() {
		c.state.Tried = tried
	}
	c.state.Next = next
}

// announce says what is wrong with the certificate that is in use from now on.
func (c *current) announce(now time.Time) {
	s := c.State()
	if p := outOfDate(c.Leaf(), s.File, now); p != nil {
		c.log.Error("the listener's certificate is not valid; it is shown all the same", zap.Error(p), zap.String(keyHint, p.Chinese()))
	}
	for _, p := range s.Warnings {
		c.log.Warn("callers may refuse the listener's certificate", zap.Error(p), zap.String(keyHint, p.Chinese()))
	}
}

// replaced says that another certificate is in use, and what is wrong with it.
func (c *current) replaced(now time.Time) {
	s := c.State()
	c.log.Info("listener certificate replaced", zap.String(keyFile, s.File), zap.String(keySubject, s.Subject),
		zap.Strings(keyNames, s.Names), zap.Time(keyNotAfter, s.NotAfter))
	c.announce(now)
}

// namesOf returns the names that c is for.
func namesOf(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}
