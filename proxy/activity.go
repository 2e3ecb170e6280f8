package proxy

import (
	"sync/atomic"
	"time"

	"github.com/lqproxy/lqproxy/proxy/leqi"
)

// An Activity is what the time series do not say: what happened lately, and
// when each thing happened last. What never happened has no entry.
type Activity struct {
	LastMinute  Minute
	Failures    map[Reason]time.Time // exchanges, by their reason
	Limits      map[string]time.Time // that were reached, by the label of their metric
	Forbidden   Occurrences          // answers 403 of the upstream
	IPNotFiled  Occurrences          // answers 4067: the egress address is not the filed one
	FlowLimited Occurrences          // answers that ask for fewer calls at once
	Refused     []RefusedSource      // those refused most often, and at most refusedShown
}

// Occurrences are how often something happened since the start, and when last.
type Occurrences struct {
	Count int64     `json:"count"`
	Last  time.Time `json:"last,omitzero"` // zero: never
}

// An activity is what an Activity is read from. Its size is fixed at the start.
// Safe for concurrent use.
type activity struct {
	minute   minute
	failures map[Reason]*moment // never modified
	limits   map[string]*moment // never modified
	refusals refusals

	forbidden, notFiled, flowLimited tally
}

func newActivity(now time.Time) *activity {
	a := &activity{failures: make(map[Reason]*moment), limits: make(map[string]*moment)}
	a.minute.start = now
	for _, r := range exchangeReasons() {
		a.failures[r] = new(moment)
	}
	for _, limit := range limitNames {
		a.limits[limit] = new(moment)
	}
	return a
}

// exchange takes note of a finished exchange.
func (a *activity) exchange(x *exchange) {
	now := x.began.Add(x.total)
	s := &spell{total: x.total, failed: x.failure.failed(), answered: x.answered}
	if x.failure.failed() {
		a.failures[x.failure.reason].is(now)
	}
	if x.failure.reason == SourceRefused {
		a.refusals.add(x.source, SourceRefused, now)
	}
	if x.answered {
		s.own = x.ownShare()
		s.standing = a.standing(x, now)
	}
	a.minute.add(s, now)
}

// standing takes note of what an answer says about the enterprise's standing
// with Leqi.
func (a *activity) standing(x *exchange, now time.Time) standing {
	switch {
	case x.res.Status == 403:
		a.forbidden.add(now)
		return standsForbidden
	case x.code == leqi.CodeIPNotFiled:
		a.notFiled.add(now)
		return standsNotFiled
	case x.code == leqi.CodeFlowLimited:
		a.flowLimited.add(now)
		return standsLimited
	}
	return standsWell
}

// read returns what is known at now.
func (a *activity) read(now time.Time) Activity {
	return Activity{
		LastMinute: a.minute.read(now),
		Failures:   happened(a.failures),
		Limits:     happened(a.limits),
		Forbidden:  a.forbidden.read(), IPNotFiled: a.notFiled.read(), FlowLimited: a.flowLimited.read(),
		Refused: a.refusals.top(),
	}
}

// happened leaves out what never did.
func happened[K comparable](moments map[K]*moment) map[K]time.Time {
	all := make(map[K]time.Time)
	for k, m := range moments {
		if last := m.read(); !last.IsZero() {
			all[k] = last
		}
	}
	return all
}

// A moment is when something happened last.
type moment struct{ nanoseconds atomic.Int64 }

func (m *moment) is(now time.Time) { m.nanoseconds.Store(now.UnixNano()) }

// read returns the zero Time if it never happened.
func (m *moment) read() time.Time {
	if n := m.nanoseconds.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// A tally counts something, and knows when it happened last.
type tally struct {
	count atomic.Int64
	last  moment
}

func (t *tally) add(now time.Time) {
	t.count.Add(1)
	t.last.is(now)
}

func (t *tally) read() Occurrences { return Occurrences{t.count.Load(), t.last.read()} }
