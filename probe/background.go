package probe

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/lqproxy/lqproxy/proxy/upstream"
	"go.uber.org/zap"
)

// The pace of the background probe.
const (
	// MinInterval is the least distance of two background probes, whatever is
	// configured and however often the configuration is changed.
	MinInterval = 5 * time.Minute

	// firstProbe is when the first one is made: soon, but not at once, as a
	// daemon that is started again and again must not hammer.
	firstProbe = time.Minute
)

// Keys and events of the log. The events are also those of package proxy, which
// sees the same things in the exchanges of callers.
const (
	keyEvent       = "event"
	keyVerdict     = "verdict"
	keyEnvironment = "environment"
	keyUnit        = "unit"
	keyAttempts    = "attempts"

	eventForbidden  = "first_forbidden"
	eventIPNotFiled = "ip_not_filed"
	eventLimited    = "flow_limited"
)

// A Schedule says what is probed in the background, and how often.
type Schedule struct {
	Interval time.Duration // not above 0: never; at least MinInterval
	Scope    Scope
	Unit     string // whose id the call carries; "": stages 1 to 3 alone
	UnitName string // for the log

	Upstream upstream.Options
	Known    *upstream.KnownKeys // the daemon's own: what is seen is recorded
}

// A Background probes for as long as the daemon runs. It remembers what the
// pace depends on from one Schedule to the next. Safe for concurrent use.
type Background struct {
	metrics *Metrics
	log     *zap.Logger
	run     func(context.Context, Options) (*Report, error)
	turn    chan struct{} // holds a token while Run runs, which owns what follows

	last   time.Time // when the last probe began
	silent time.Time // there is none before

	lock     sync.Mutex // guards outcomes
	outcomes map[Environment]Outcome
}

// An Outcome is what the last background probe of an environment came to.
type Outcome struct {
	Environment Environment `json:"environment"`
	Verdict     Verdict     `json:"verdict"`
	At          time.Time   `json:"at"`
}

// NewBackground returns a Background that has not probed yet. nil is no log.
func NewBackground(m *Metrics, log *zap.Logger) *Background {
	if log == nil {
		log = zap.NewNop()
	}
	return &Background{
		metrics: m, log: log, run: Run,
		turn:     make(chan struct{}, 1),
		outcomes: map[Environment]Outcome{},
	}
}

// Outcomes returns those of the environments that are probed, the sandbox's
// first; none before the first probe.
func (b *Background) Outcomes() []Outcome {
	b.lock.Lock()
	defer b.lock.Unlock()
	all := []Outcome{}
	for _, e := range Both.Environments() {
		if o, ok := b.outcomes[e]; ok {
			all = append(all, o)
		}
	}
	return all
}

// Run probes as s says until ctx is done, and returns nil. A Run that begins
// before another one has ended waits for that.
func (b *Background) Run(ctx context.Context, s Schedule) error {
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return nil
	}
	b.forgetOthers(s)
	if s.Interval <= 0 {
		<-ctx.Done()
		return nil
	}
	for pause(ctx, time.Until(b.next(time.Now(), s.Interval))) {
		b.probe(ctx, s)
	}
	return nil
}

// forgetOthers ends the series of environments that s does not probe.
func (b *Background) forgetOthers(s Schedule) {
	b.lock.Lock()
	defer b.lock.Unlock()
	for e := range b.outcomes {
		if s.Interval <= 0 || !slices.Contains(s.Scope.Environments(), e) {
			b.metrics.forget(e)
			delete(b.outcomes, e)
		}
	}
}

// next returns when the next probe begins: an interval after the last one, a
// tenth more or less.
func (b *Background) next(now time.Time, interval time.Duration) time.Time {
	if b.last.IsZero() {
		return now.Add(jittered(firstProbe))
	}
	interval += rand.N(interval/5+1) - interval/10
	at := b.last.Add(max(interval, MinInterval))
	if at.Before(b.silent) {
		at = b.silent.Add(rand.N(time.Minute))
	}
	return at
}

// probe makes one probe of each environment, one after the other. A 403 to the
// end leaves out the others, too.
func (b *Background) probe(ctx context.Context, s Schedule) {
	b.last = time.Now()
	for _, e := range s.Scope.Environments() {
		r, err := b.run(ctx, s.options(e, b.log))
		if err != nil {
			b.log.Error("the background probe cannot be made", zap.Error(err))
			return
		}
		if r.Verdict == "" { // the daemon ends, or is told of another schedule
			return
		}
		b.metrics.observe(e, r)
		b.tell(e, s.UnitName, r, b.note(Outcome{e, r.Verdict, time.Now()}))
		if r.Verdict == Forbidden {
			b.silent = time.Now().Add(Silence)
			return
		}
	}
}

// note keeps o, and returns the verdict before; "" if there is none.
func (b *Background) note(o Outcome) (before Verdict) {
	b.lock.Lock()
	defer b.lock.Unlock()
	before = b.outcomes[o.Environment].Verdict
	b.outcomes[o.Environment] = o
	return before
}

// options are those of one probe.
func (s Schedule) options(e Environment, log *zap.Logger) Options {
	o := Options{Upstream: s.Upstream, Known: s.Known, Log: log}
	if s.Unit != "" {
		o.Targets = []Target{{Environment: e, Unit: s.Unit, Name: s.UnitName}}
	}
	return o
}

// tell logs each failure, and the success that ends them.
func (b *Background) tell(e Environment, unit string, r *Report, before Verdict) {
	fields := []zap.Field{
		zap.String(keyEnvironment, string(e)),
		zap.String(keyUnit, unit),
		zap.String(keyVerdict, string(r.Verdict)),
	}
	if r.Verdict.ExitCode() == 0 {
		if before != r.Verdict {
			b.log.Info("background probe well", fields...)
		}
		return
	}
	for _, c := range r.Calls {
		fields = append(fields, zap.Int(keyAttempts, len(c.Attempts)))
	}
	if text := r.failure(); text != "" {
		fields = append(fields, zap.String("error", text))
	}
	if event := eventOf(r.Verdict); event != "" {
		fields = append(fields, zap.String(keyEvent, event))
	}
	b.log.Warn("background probe failed", fields...)
}

// eventOf returns the event that v is, or "". That the upstream is down is told
// by package upstream.
func eventOf(v Verdict) string {
	switch v {
	case Forbidden:
		return eventForbidden
	case IPNotFiled:
		return eventIPNotFiled
	case Limited:
		return eventLimited
	}
	return ""
}

// failure returns the error of the last step that has one.
func (r *Report) failure() string {
	for _, c := range r.Calls {
		for _, a := range c.Attempts {
			if a.Error != "" {
				return a.Error
			}
		}
	}
	for _, h := range r.TLS {
		if h.Error != "" {
			return fmt.Sprintf("%s: %s", h.Address, h.Error)
		}
	}
	for _, c := range r.Connect {
		if c.Error != "" {
			return fmt.Sprintf("%s: %s", c.Address, c.Error)
		}
	}
	if r.Resolve != nil {
		return r.Resolve.Error
	}
	return ""
}
