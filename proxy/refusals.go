package proxy

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// How many refused sources are counted at a time, and shown.
const (
	refusedKept  = 64
	refusedShown = 10
)

// A RefusedSource is who was refused.
type RefusedSource struct {
	Source netip.Addr `json:"source"`
	Count  int64      `json:"count"` // at least so often
	Last   time.Time  `json:"last"`
	Reason Reason     `json:"reason"` // of the last time
}

// refusals finds the sources that are refused most often, in a space that does
// not grow with their number. It is the algorithm Space-Saving (Metwally,
// Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in
// Data Streams, 2005): a source that finds no room takes the place of the rarest,
// and its count, as it may have been counted there before. Who is refused more
// than once in refusedKept refusals is never missed. Safe for concurrent use.
type refusals struct {
	mu    sync.Mutex // guards kept
	kept  [refusedKept]refusal
	count int // of kept
}

// A refusal is a source, and how often it was refused at most and at least.
type refusal struct {
	source    netip.Addr
	most      int64
	inherited int64 // the part of most that may be another's
	last      time.Time
	reason    Reason
}

// add counts a refusal of source.
func (r *refusals) add(source netip.Addr, why Reason, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.place(source)
	e.most++
	e.last, e.reason = now, why
}

// place returns the entry of source, made if need be. The caller holds mu.
func (r *refusals) place(source netip.Addr) *refusal {
	rarest := &r.kept[0]
	for i := range r.count {
		e := &r.kept[i]
		if e.source == source {
			return e
		}
		if e.most < rarest.most {
			rarest = e
		}
	}
	if r.count < refusedKept {
		rarest = &r.kept[r.count]
		r.count++
	}
	*rarest = refusal{source: source, most: rarest.most, inherited: rarest.most}
	return rarest
}

// top returns the sources that were refused most often, those first.
func (r *refusals) top() []RefusedSource {
	r.mu.Lock()
	all := slices.Clone(r.kept[:r.count])
	r.mu.Unlock()
	slices.SortFunc(all, func(a, b refusal) int {
		return cmp.Or(cmp.Compare(b.most-b.inherited, a.most-a.inherited), b.last.Compare(a.last), a.source.Compare(b.source))
	})
	shown := make([]RefusedSource, 0, refusedShown)
	for _, e := range all[:min(len(all), refusedShown)] {
		shown = append(shown, RefusedSource{e.source, e.most - e.inherited, e.last, e.reason})
	}
	return shown
}
