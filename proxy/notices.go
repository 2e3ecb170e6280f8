package proxy

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lqproxy/lqproxy/proxy/allow"
	"github.com/lqproxy/lqproxy/proxy/leqi"
	"go.uber.org/zap"
)

// Events of the data plane, in field "event" of the error log.
const (
	keyEvent           = "event"
	keyHint            = "hint"
	EventForbidden     = "first_forbidden"
	EventIPNotFiled    = "ip_not_filed"
	EventFlowLimited   = "flow_limited"
	EventSourceRewrite = "source_rewritten"
)

// How often the same thing is said.
const (
	noticeEvery  = 10 * time.Minute // an event that goes on
	refusedEvery = time.Second      // connections refused for one reason
	refusedBurst = 10
	rewriteEvery = 24 * time.Hour // that sources seem to be rewritten
)

// What must be seen before sources are said to be rewritten.
const (
	rewriteTime     = 10 * time.Minute
	rewriteAttempts = 20
)

// notices says in the error log what an operator should hear of, each thing at
// a bounded rate; metrics count all of it. Safe for concurrent use.
type notices struct {
	log *zap.Logger

	forbidden, notFiled, limited pace
	accept                       pace
	rewrite                      rewriting
	refusals                     map[Reason]*burst // never modified
}

func newNotices(log *zap.Logger) *notices {
	n := &notices{log: log, refusals: make(map[Reason]*burst)}
	for _, r := range connectionReasons {
		n.refusals[r] = new(burst)
	}
	return n
}

// refused says that a connection was refused.
func (n *notices) refused(r Reason, source netip.AddrPort, detail string) {
	suppressed, ok := n.refusals[r].allow(time.Now())
	if !ok {
		return
	}
	n.log.Warn("connection refused",
		zap.String(keyReason, string(r)),
		zap.String(keySource, source.Addr().String()),
		zap.String(keyDetail, detail),
		zap.String(keyHint, r.Hint()),
		zap.Int64("suppressed", suppressed))
}

// acceptFailed says that no connection can be accepted at the moment.
func (n *notices) acceptFailed(err error, wait time.Duration) {
	if n.accept.due(time.Now(), refusedEvery) {
		n.log.Error("accepting connections fails; trying again", zap.Error(err), zap.Duration("wait", wait))
	}
}

// exchange says what a finished exchange tells about the enterprise's standing
// with Leqi.
func (n *notices) exchange(x *exchange) {
	switch {
	case !x.answered:
	case x.res.Status == 403:
		n.event(&n.forbidden, EventForbidden, "leqi answers 403", x)
	case x.code == leqi.CodeIPNotFiled:
		n.event(&n.notFiled, EventIPNotFiled, "leqi says that the egress address is not the filed one", x)
	case x.code == leqi.CodeFlowLimited:
		n.event(&n.limited, EventFlowLimited, "leqi limits the flow", x)
	}
}

func (n *notices) event(p *pace, event, message string, x *exchange) {
	if !p.due(time.Now(), noticeEvery) {
		return
	}
	n.log.Warn(message,
		zap.String(keyEvent, event),
		zap.ByteString(keyID, x.id[:]),
		zap.String(keyEnvironment, x.call.Environment.String()),
		zap.String(keyAbility, x.call.Ability),
		zap.String(keyHint, advice(x.code)))
}

func advice(code string) string {
	m, _ := leqi.Explain(code)
	return m.Advice
}

// sourceSeen takes note of who calls, or tries to. Where public sources are
// admitted but only private ones are seen, a device in between rewrites their
// addresses, and the source set means nothing.
func (n *notices) sourceSeen(l *live, source netip.Addr) {
	if l.expectsPublic && n.rewrite.seems(time.Now(), source) {
		n.log.Warn("public sources are expected, and every caller has a private address",
			zap.String(keyEvent, EventSourceRewrite),
			zap.String(keySource, source.String()),
			zap.String(keyHint, "前置设备（NAT、负载均衡或 WAF）改写了来源地址，来源名单无法生效。请让设备保留来源地址，或配置 listen.proxy_protocol_from 或 listen.forwarded_for_from。"))
	}
}

// A rewriting notices that all sources are private.
type rewriting struct {
	public atomic.Bool // one was not, and nothing else matters

	mu       sync.Mutex // guards all below
	since    time.Time
	attempts int
	said     pace
}

// seems takes note of source, and reports whether it is time to say it.
func (r *rewriting) seems(now time.Time, source netip.Addr) bool {
	if r.public.Load() {
		return false
	}
	if !allow.Private(source) {
		r.public.Store(true)
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.attempts++; r.attempts == 1 {
		r.since = now
	}
	return r.attempts >= rewriteAttempts && now.Sub(r.since) >= rewriteTime && r.said.due(now, rewriteEvery)
}

// A pace lets something happen once in a while.
type pace struct{ last atomic.Int64 }

// due reports whether d has passed since it last was.
func (p *pace) due(now time.Time, d time.Duration) bool {
	last := p.last.Load()
	return (last == 0 || now.UnixNano()-last >= int64(d)) && p.last.CompareAndSwap(last, now.UnixNano())
}

// A burst lets refusedBurst things happen within refusedEvery, and counts the
// others.
type burst struct {
	mu         sync.Mutex // guards all below
	from       time.Time
	count      int
	suppressed int64
}

// allow reports whether another may happen now, and how many did not since the
// last that might.
func (b *burst) allow(now time.Time) (suppressed int64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.from) >= refusedEvery {
		b.from, b.count = now, 0
	}
	if b.count++; b.count > refusedBurst {
		b.suppressed++
		return 0, false
	}
	suppressed, b.suppressed = b.suppressed, 0
	return suppressed, true
}
