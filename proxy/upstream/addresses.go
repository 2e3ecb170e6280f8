package upstream

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// How long an address is tried last after it failed, and how often one request
// is let through while all of them are.
const (
	coolFirst     = 5 * time.Second
	coolMost      = 60 * time.Second
	unroutableFor = 60 * time.Second
	trialEvery    = 5 * time.Second
)

// An address is one of the host's, and what came of it lately.
type address struct {
	addr       netip.Addr
	failures   int       // in a row
	coolUntil  time.Time // tried last until then
	since      time.Time // of the state below; zero: never tried
	err        error     // of the last attempt
	unroutable bool      // this machine has no route to its family: no fault of the address
}

// addresses are the host's addresses, and the circuit that opens when all of
// them fail. Safe for concurrent use.
type addresses struct {
	mu    sync.Mutex // guards what follows
	list  []address
	good  netip.Addr // answered last
	err   *Error     // of the last connect; nil when it came about
	trial time.Time  // when all cool down, the next attempt is let through then
}

// replace sets the addresses, keeping what is known of those that stay. It
// returns the former ones, and whether the set (not its order) changed.
func (a *addresses) replace(list []netip.Addr) (former []netip.Addr, changed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()

	next := make([]address, len(list))
	for i, addr := range list {
		next[i].addr = addr
		if old := a.find(addr); old != nil {
			next[i] = *old
		} else {
			changed = true
		}
	}
	for _, old := range a.list {
		former = append(former, old.addr)
		changed = changed || !slices.Contains(list, old.addr)
	}
	a.list = next
	return former, changed
}

func (a *addresses) known() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.list) > 0
}

// blocked returns why no attempt should be made now, or nil. Every trialEvery it
// lets one caller through although all addresses cool down.
func (a *addresses) blocked(now time.Time) *Error {
	a.mu.Lock()
	defer a.mu.Unlock()

	healthy := func(x address) bool { return !now.Before(x.coolUntil) }
	if a.err == nil || slices.ContainsFunc(a.list, healthy) {
		return nil
	}
	if now.Before(a.trial) {
		return a.err
	}
	a.trial = now.Add(trialEvery)
	return nil
}

// order returns the addresses in the order in which to try them: the one that
// answered last, the others that do not cool down in the resolver's order, then
// those that do, the soonest ready first.
func (a *addresses) order(now time.Time) []netip.Addr {
	a.mu.Lock()
	defer a.mu.Unlock()

	sorted := slices.Clone(a.list)
	rank := func(x address) int {
		switch {
		case now.Before(x.coolUntil):
			return 2
		case x.addr != a.good:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(sorted, func(x, y address) int {
		if d := rank(x) - rank(y); d != 0 || rank(x) < 2 {
			return d
		}
		return x.coolUntil.Compare(y.coolUntil)
	})
	order := make([]netip.Addr, len(sorted))
	for i := range sorted {
		order[i] = sorted[i].addr
	}
	return order
}

// answered notes that addr is well.
func (a *addresses) answered(addr netip.Addr, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.good, a.err = addr, nil
	x := a.find(addr)
	if x == nil { // the set changed meanwhile
		return
	}
	if x.since.IsZero() || x.err != nil {
		x.since = now
	}
	x.failures, x.coolUntil, x.err, x.unroutable = 0, time.Time{}, nil, false
}

// failed notes that addr could not be used, and for how long it is tried last:
// 5 s at first, doubled each time up to 60 s.
func (a *addresses) failed(addr netip.Addr, err error, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()

	x := a.find(addr)
	if x == nil {
		return
	}
	// Attempts that ran side by side are one failure: a burst of callers must not
	// send an address to its longest cool-down at once.
	if !now.Before(x.coolUntil) {
		x.coolUntil = now.Add(min(coolFirst<<min(x.failures, 10), coolMost))
		x.failures++
	}
	x.set(err, now)
	x.unroutable = false
}

// skipped notes that this machine has no route to addr.
func (a *addresses) skipped(addr netip.Addr, err error, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()

	if x := a.find(addr); x != nil {
		x.coolUntil = now.Add(unroutableFor)
		x.set(err, now)
		x.unroutable = true
	}
}

// exhausted notes that a whole connect failed.
func (a *addresses) exhausted(err *Error, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.err = err
	if !a.trial.After(now) {
		a.trial = now.Add(trialEvery)
	}
}

// find returns the entry of addr, or nil. The caller holds mu.
func (a *addresses) find(addr netip.Addr) *address {
	i := slices.IndexFunc(a.list, func(x address) bool { return x.addr == addr })
	if i < 0 {
		return nil
	}
	return &a.list[i]
}

func (x *address) set(err error, now time.Time) {
	if x.err == nil {
		x.since = now
	}
	x.err = err
}
