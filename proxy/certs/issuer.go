package certs

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newIssuer returns what speaks with the authority. It has an account, orders
// and challenges in a.Folder, so that after an upgrade either process answers
// a challenge of the other. Neither certmagic's cache nor its maintenance is
// used: there is one certificate, Run tends it, and nothing outlives Run.
func newIssuer(a ACMEOptions, log *zap.Logger) (*certmagic.ACMEIssuer, error) {
	host, text, err := net.SplitHostPort(a.Challenges)
	if err != nil {
		return nil, fmt.Errorf("reading challenge address %q: %w", a.Challenges, err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("reading challenge address %q: %w", a.Challenges, err)
	}
	log = zap.New(quieter{log.Core()}).Named(log.Name()).Named("acme")
	config := &certmagic.Config{
		Storage:    storage{&certmagic.FileStorage{Path: a.Folder}},
		OCSP:       certmagic.OCSPConfig{DisableStapling: true},
		DisableARI: true,
		Logger:     log,
	}
	issuer := certmagic.NewACMEIssuer(config, certmagic.ACMEIssuer{
		CA:                      a.Directory,
		Email:                   a.Email,
		Agreed:                  true,
		DisableTLSALPNChallenge: true,
		ListenHost:              host,
		AltHTTPPort:             port, // it is taken by ServeChallenges, so that certmagic binds nothing
		TrustedRoots:            a.Roots,
		HTTPProxy:               direct,
		Logger:                  log,
	})
	issuer.TestCA = "" // certmagic knows one for a certain authority
	config.Issuers = []certmagic.Issuer{issuer}
	return issuer, nil
}

// A storage is certmagic's without its lock files, each of which keeps a
// goroutine for seconds after its end. There is one Run at a time.
type storage struct{ *certmagic.FileStorage }

// Lock implements certmagic.Locker.
func (storage) Lock(context.Context, string) error { return nil }

// Unlock implements certmagic.Locker.
func (storage) Unlock(context.Context, string) error { return nil }

// direct is that requests to the authority go through no HTTP proxy, whatever
// the environment says.
func direct(*http.Request) (*url.URL, error) { return nil, nil }

// connected returns ctx for requests to the authority, and what closes the
// connections that they used: certmagic keeps its client to itself, and an idle
// connection would outlive Run.
func connected(ctx context.Context) (_ context.Context, hangUp func()) {
	var lock sync.Mutex // guards used
	used := map[net.Conn]bool{}
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		lock.Lock()
		defer lock.Unlock()
		used[info.Conn] = true
	}}
	return httptrace.WithClientTrace(ctx, trace), func() {
		lock.Lock()
		defer lock.Unlock()
		for c := range used {
			c.Close() //nolint:errcheck // all answers were read
		}
	}
}

// unlimited returns ctx for an order past certmagic's own rate limiter, whose
// goroutine has no end: as if this were not the first attempt. Run asks far
// less often than that would allow.
func unlimited(ctx context.Context) context.Context {
	return context.WithValue(ctx, certmagic.AttemptsCtxKey, new(1))
}

// A quieter core takes what certmagic says a level lower: what it comes to in
// the end is said by Run, with a remedy.
type quieter struct{ zapcore.Core }

func lower(l zapcore.Level) zapcore.Level { return max(l-1, zapcore.DebugLevel) }

// Enabled implements zapcore.Core.
func (q quieter) Enabled(l zapcore.Level) bool { return q.Core.Enabled(lower(l)) }

// With implements zapcore.Core.
func (q quieter) With(fields []zapcore.Field) zapcore.Core { return quieter{q.Core.With(fields)} }

// Check implements zapcore.Core.
func (q quieter) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	e.Level = lower(e.Level)
	return q.Core.Check(e, c)
}
