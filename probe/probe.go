// Package probe walks the way to Leqi step by step and says where it ends.
//
// It takes the proxy's own way: the same resolver, source address, TLS settings
// and fixed addresses, through package upstream, and the same bytes, through
// package h1. The stages of a [Run], each with a file:
//
//  1. resolve.go: every address of the host, and where it comes from;
//  2. connect.go: TCP to each address, which is the guide's telnet;
//  3. tls.go: the handshake, the certificate and what would accept it; where
//     no handshake succeeds, which setting would change that;
//  4. platform.go: the guide's call without a body, whose answer proves the
//     way; via.go sends it through a running proxy. attempts.go repeats what
//     is answered with 403, at a growing distance.
//
// What was seen is a [Report]: data, in the order of the stages. verdict.go
// judges it without any effects; meanings and remedies in the languages of
// people are the command's. background.go does the same for the daemon, at a
// pace of its own; memory.go remembers the last 403 for the command.
//
// There is one connection at a time, and Run writes no file.
package probe

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/lqproxy/lqproxy/proxy/upstream"
	"go.uber.org/zap"
)

// The bounds and defaults of a probe.
const (
	DefaultAttempts = 5
	MaxAttempts     = 10
	DefaultWait     = 3 * time.Second
	DefaultAbility  = "202007"

	// UnitLength is the length of a unit's id: another one is probably a typing
	// error.
	UnitLength = 20

	// DefaultAnswerTimeout is how long the answer to the empty call may take in
	// all. The platform answers it within a second, if it does.
	DefaultAnswerTimeout = 30 * time.Second
)

// Options say what is probed and how.
type Options struct {
	Upstream upstream.Options    // as the proxy's
	Known    *upstream.KnownKeys // the record of keys; nil: it could not be read. It is not written here
	Address  netip.Addr          // probe this address alone, in place of all that the host has

	Targets  []Target      // the calls of stage 4; none: stages 1 to 3 alone
	Via      *Via          // the running proxy that stage 4 goes through; nil: none
	Ability  string        // of the call; "": DefaultAbility
	Attempts int           // of a call that is answered with 403; 0: DefaultAttempts
	Wait     time.Duration // before the second attempt, longer before each further one; 0: DefaultWait

	AnswerTimeout time.Duration // of one call, from its first byte to the last of the answer; 0: DefaultAnswerTimeout

	// LastForbidden is when the upstream was last forbidden, if that is less
	// than Silence ago: there is one attempt then, and a warning.
	LastForbidden time.Time

	// TryTLS lets a failed handshake be tried with other settings. AcceptSHA1,
	// if set, is called before the one that needs SHA-1 signatures, which are a
	// setting of the process.
	TryTLS     bool
	AcceptSHA1 func()

	Observe func(Progress) // if set, is told what is about to happen
	Log     *zap.Logger    // of package upstream; nil: none
}

// Environment is a part of the platform that can be probed.
type Environment string

// The environments.
const (
	Sandbox    Environment = "sandbox"
	Production Environment = "production"
)

// Scope names the environments to probe, as in probe.environment and --env.
type Scope string

// The scopes.
const (
	OnlySandbox    Scope = "sandbox"
	OnlyProduction Scope = "production"
	Both           Scope = "both"
)

// Scopes are all scopes. It is never modified.
var Scopes = []Scope{OnlySandbox, OnlyProduction, Both}

// Environments returns the environments of s; none for one that is no scope.
func (s Scope) Environments() []Environment {
	switch s {
	case OnlySandbox:
		return []Environment{Sandbox}
	case OnlyProduction:
		return []Environment{Production}
	case Both:
		return []Environment{Sandbox, Production}
	}
	return nil
}

// A Target is what stage 4 calls as.
type Target struct {
	Environment Environment
	Unit        string // jrdwptbh
	UsingUnit   string // sydwptbh; "": Unit
	Name        string // of Unit, for people
}

// Progress is what a Run is about to do.
type Progress struct {
	Stage    Stage
	Address  string    // of whom: the host in StageResolve
	Settings []Setting // other TLS settings that are tried
	Target   Target    // in StagePlatform, as what follows

	Attempt, Attempts int
	Wait              time.Duration // before that attempt; 0: it is made now
}

// Stage is a part of a probe.
type Stage string

// The stages.
const (
	StageResolve  Stage = "resolve"
	StageConnect  Stage = "connect"
	StageTLS      Stage = "tls"
	StagePlatform Stage = "platform"
)

// A prober carries out one Run.
type prober struct {
	o       Options
	up      *upstream.Upstream
	keys    []upstream.KnownKey // as recorded before this Run
	report  *Report
	address netip.AddrPort // of the host, that stage 4 calls
}

// Run probes until it has a verdict, or until ctx is done: the report then has
// what was learnt so far, and no verdict. The error is one of the options.
func Run(ctx context.Context, o Options) (*Report, error) {
	p, err := newProber(o)
	if err != nil {
		return nil, err
	}
	defer p.up.Close()
	p.walk(ctx)
	p.report.Took = Took(time.Since(p.report.Began))
	return p.report, nil
}

func newProber(o Options) (*prober, error) {
	o.Ability = cmp.Or(o.Ability, DefaultAbility)
	o.Attempts = min(cmp.Or(o.Attempts, DefaultAttempts), MaxAttempts)
	o.Wait = cmp.Or(o.Wait, DefaultWait)
	o.AnswerTimeout = cmp.Or(o.AnswerTimeout, DefaultAnswerTimeout)
	if o.Observe == nil {
		o.Observe = func(Progress) {}
	}
	if !o.LastForbidden.IsZero() {
		o.Attempts = 1
	}
	if o.Address.IsValid() {
		o.Upstream.FixedIPs = []netip.Addr{o.Address}
	}
	p := &prober{o: o, report: newReport(o)}
	if o.Known != nil {
		p.keys = o.Known.List()
	}
	if !o.LastForbidden.IsZero() {
		p.warn(WarnForbidden, o.LastForbidden.Format(time.RFC3339))
	}
	var err error
	if p.up, err = upstream.New(o.Upstream, o.Known, nil, o.Log); err != nil {
		return nil, fmt.Errorf("preparing the probe: %w", err)
	}
	return p, nil
}

func newReport(o Options) *Report {
	r := &Report{
		Upstream: net.JoinHostPort(o.Upstream.Host, strconv.Itoa(int(o.Upstream.Port))),
		Began:    time.Now(),
		Connect:  []Connect{},
		TLS:      []Handshake{},
		Calls:    []Call{},
		Warnings: []Warning{},
	}
	if o.Via != nil {
		r.Via = o.Via.String()
	}
	return r
}

// walk goes through the stages. A proxy is asked also where the direct way does
// not lead anywhere: it may stand elsewhere.
func (p *prober) walk(ctx context.Context) {
	path := p.path(ctx)
	if ctx.Err() != nil {
		return
	}
	if len(p.o.Targets) == 0 || path != PathOpen && p.o.Via == nil {
		p.report.Verdict = path
		return
	}
	for _, t := range p.o.Targets {
		p.report.Calls = append(p.report.Calls, p.call(ctx, t, path))
		if ctx.Err() != nil {
			return
		}
	}
	p.report.Verdict = worst(p.report.Calls)
}

// path is stages 1 to 3.
func (p *prober) path(ctx context.Context) Verdict {
	if !p.resolve(ctx) {
		return Unresolved
	}
	p.connect(ctx)
	p.handshakes(ctx)
	return judgePath(p.report.Connect, p.report.TLS)
}

// warn adds a warning, once.
func (p *prober) warn(k WarningKind, value string) {
	if w := (Warning{k, value}); !slices.Contains(p.report.Warnings, w) {
		p.report.Warnings = append(p.report.Warnings, w)
	}
}
