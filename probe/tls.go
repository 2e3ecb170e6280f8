package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"net/netip"
	"time"

	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// expiresSoon is how long before its end a certificate is worth a warning.
const expiresSoon = 30 * 24 * time.Hour

// handshakes is stage 3: a handshake with each address that accepts
// connections. When none succeeds, other settings are tried with the first.
func (p *prober) handshakes(ctx context.Context) {
	for _, c := range p.report.Connect {
		if c.Verdict != PathOpen {
			continue
		}
		h := p.handshake(ctx, c.Address)
		if ctx.Err() != nil {
			return
		}
		p.report.TLS = append(p.report.TLS, h)
		if h.Verdict == PathOpen && !p.address.IsValid() {
			p.address = c.Address
		}
	}
	if p.o.TryTLS && !p.address.IsValid() {
		p.findSettings(ctx)
	}
}

func (p *prober) handshake(ctx context.Context, to netip.AddrPort) Handshake {
	h := Handshake{Address: to, Verify: p.o.Upstream.TLS.Verify, Verdict: PathOpen}
	p.o.Observe(Progress{Stage: StageTLS, Address: to.String()})
	link, err := p.up.Dial(ctx, to.Addr())
	if err != nil {
		h.Verdict, h.Error = judgeDial(err), bare(err)
		return h
	}
	start := time.Now()
	conn, err := link.Handshake(ctx)
	h.Took = Took(time.Since(start))
	p.describe(&h, link.State())
	if err != nil {
		h.Verdict, h.Error = judgeHandshake(err, upstream.Refused(err)), bare(err)
		return h
	}
	conn.Close()
	return h
}

// describe fills in what the host agreed on and showed.
func (p *prober) describe(h *Handshake, state tls.ConnectionState) {
	j, err := upstream.Judge(state, p.o.Upstream.TLS)
	if err != nil {
		return // it did not come so far
	}
	h.Version, h.Suite = tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite)
	if state.CurveID != 0 {
		h.Curve = state.CurveID.String()
	}
	h.Certificate = certificate(j)
	if left := time.Until(j.Leaf.NotAfter); left < expiresSoon {
		p.warn(WarnExpires, j.Leaf.NotAfter.Format(time.DateOnly))
	}
	if h.Verify != upstream.VerifyFirstUse {
		return
	}
	h.Key = p.keyState(j.Key)
	switch {
	case h.Key == KeyUnread:
		p.warn(WarnKeyUnread, j.Key.String())
	case !h.Key.expected() && p.o.Upstream.TLS.OnChange != upstream.OnChangeRefuse: // else it is the verdict
		p.warn(WarnKeyChanged, j.Key.String())
	}
}

func certificate(j upstream.Judgement) *Certificate {
	c := &Certificate{
		Subject: j.Leaf.Subject.String(), Issuer: j.Leaf.Issuer.String(),
		Names: append([]string{}, j.Leaf.DNSNames...), NotAfter: j.Leaf.NotAfter, Pin: j.Key,
		Full: text(j.Full), Chain: text(j.Chain), Pins: text(j.Pin),
	}
	for _, ip := range j.Leaf.IPAddresses {
		c.Names = append(c.Names, ip.String())
	}
	return c
}

// text returns what err says, "" for none.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// keyState looks key up in the record as it was before this Run.
func (p *prober) keyState(key upstream.Pin) KeyState {
	switch {
	case p.o.Known == nil:
		return KeyUnread
	case len(p.keys) == 0:
		return KeyFirst
	}
	for _, k := range p.keys {
		if k.Pin == key && k.Accepted {
			return KeyKnown
		}
		if k.Pin == key {
			return KeyWaiting
		}
	}
	return KeyNew
}

// trialTimeout bounds each handshake with other settings: a host that answers
// at all does so sooner.
const trialTimeout = 5 * time.Second

// findSettings tries the first address whose handshake failed, not for its
// certificate, with other settings, and notes those that work.
func (p *prober) findSettings(ctx context.Context) {
	for i := range p.report.TLS {
		h := &p.report.TLS[i]
		if h.Verdict != TLSFailed && h.Verdict != Reset {
			continue
		}
		for _, t := range trials(p.o.Upstream.TLS) {
			if p.try(ctx, h.Address, t) {
				h.Verdict, h.Remedy = TLSFailed, t.settings
				return
			}
		}
		return
	}
}

// try reports whether a handshake with the settings of t succeeds. Whose
// certificate it is does not matter for that.
func (p *prober) try(ctx context.Context, to netip.AddrPort, t trial) bool {
	if ctx.Err() != nil {
		return false
	}
	p.o.Observe(Progress{Stage: StageTLS, Address: to.String(), Settings: t.settings})
	o := p.o.Upstream
	o.FixedIPs = []netip.Addr{to.Addr()}
	o.TLSTimeout = min(cmp.Or(o.TLSTimeout, trialTimeout), trialTimeout)
	o.TLS = t.tls
	o.TLS.Verify = upstream.VerifyNone
	if o.TLS.Legacy && p.o.AcceptSHA1 != nil {
		p.o.AcceptSHA1()
	}
	up, err := upstream.New(o, nil, nil, nil)
	if err != nil {
		return false
	}
	defer up.Close()
	link, err := up.Dial(ctx, to.Addr())
	if err != nil {
		return false
	}
	conn, err := link.Handshake(ctx)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// A trial is other TLS settings, and what they differ in from those in force.
type trial struct {
	settings []Setting
	tls      upstream.TLS
}

// A change is one key with another value.
type change struct {
	Setting
	differs func(*upstream.TLS) bool // from what is in force
	apply   func(*upstream.TLS)
}

// The changes that trials consist of. They are never modified.
var (
	classical = change{
		Setting{"upstream.tls.post_quantum", "false"},
		func(t *upstream.TLS) bool { return t.PostQuantum },
		func(t *upstream.TLS) { t.PostQuantum = false },
	}
	legacy = change{
		Setting{"upstream.tls.legacy", "true"},
		func(t *upstream.TLS) bool { return !t.Legacy },
		func(t *upstream.TLS) { t.Legacy = true },
	}
	upTo12 = change{
		Setting{"upstream.tls.max_version", `"1.2"`},
		func(t *upstream.TLS) bool { return most(t) > tls.VersionTLS12 && t.MinVersion <= tls.VersionTLS12 },
		func(t *upstream.TLS) { t.MaxVersion = tls.VersionTLS12 },
	}
	upTo13 = change{
		Setting{"upstream.tls.max_version", `"1.3"`},
		func(t *upstream.TLS) bool { return most(t) < tls.VersionTLS13 },
		func(t *upstream.TLS) { t.MaxVersion = tls.VersionTLS13 },
	}
	from12 = change{
		Setting{"upstream.tls.min_version", `"1.2"`},
		func(t *upstream.TLS) bool { return t.MinVersion > tls.VersionTLS12 },
		func(t *upstream.TLS) { t.MinVersion = tls.VersionTLS12 },
	}
	fromOldest = change{
		Setting{"upstream.tls.min_version", `"1.0"`},
		func(t *upstream.TLS) bool { return t.MinVersion > tls.VersionTLS10 },
		func(t *upstream.TLS) { t.MinVersion = tls.VersionTLS10 },
	}
)

// trialChanges are the trials, those that give up least first.
var trialChanges = [][]change{
	{classical}, {upTo12}, {upTo13}, {from12}, {legacy}, {legacy, upTo12}, {fromOldest}, {fromOldest, legacy},
}

func most(t *upstream.TLS) uint16 {
	if t.MaxVersion == 0 {
		return tls.VersionTLS13
	}
	return t.MaxVersion
}

// trials returns what may be tried when a handshake with t fails: only changes
// that are one.
func trials(t upstream.TLS) []trial {
	var all []trial
	for _, changes := range trialChanges {
		next := trial{tls: t}
		for _, c := range changes {
			if c.differs(&t) {
				c.apply(&next.tls)
				next.settings = append(next.settings, c.Setting)
			}
		}
		if len(next.settings) == len(changes) {
			all = append(all, next)
		}
	}
	return all
}
