package leqisim

import (
	"context"
	"crypto/sha256"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// An Exchange is a request as it was received, and what became of it.
type Exchange struct {
	Number     int // from 1, in the order of arrival
	Connection int // from 1: equal numbers are one connection
	Resumed    bool
	Peer       netip.AddrPort
	Began      time.Time // when the first byte of the request came

	Method, Target string // Target as received
	Environment    Environment
	Ability        string
	Service        string
	Unit           string
	Fields         []Field

	Head      []byte // every byte to the blank line, at most 64 KiB
	Body      []byte // without its framing, as far as kept
	BodyBytes int64  // of all
	BodySum   [sha256.Size]byte
	Raw       []byte // what followed the head, with its framing, as far as kept
	Whole     bool   // the request was read to its end
	Malformed string // what a strict reader found wrong; "" for nothing

	Status int    // of the answer, 0 for none or none yet
	Code   string // platform code of the answer: "200" for success

	// These are known when the exchange is over, which a caller may learn of later than of its answer:
	// Stats.Answered tells.
	Answer      []byte // as far as kept
	AnswerBytes int64  // of all
	Fault       Fault  // that ended it
}

// A Field is one header field as received.
type Field struct{ Name, Value string }

// Stats are counters since the start.
type Stats struct {
	Connections int // accepted, the ban's own left out
	Open        int // of them, now
	Handshakes  int // completed
	Resumed     int // of them
	Requests    int // begun: a head was read, or reading it failed
	Malformed   int // of them
	Answered    int // of them: the exchange is over
}

// recorder keeps exchanges and counts.
type recorder struct {
	keep    int
	countBy string

	// mu guards all below.
	mu      sync.Mutex
	stats   Stats
	latest  []*Exchange // at most keep, oldest first
	ids     map[string]int
	changed chan struct{} // closed and replaced whenever stats change
}

func newRecorder(o Options) *recorder {
	return &recorder{keep: o.Keep, countBy: o.CountBy, ids: map[string]int{}, changed: make(chan struct{})}
}

// add changes the counters.
func (r *recorder) add(change func(*Stats)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.change(change)
}

// change is add for those who hold mu.
func (r *recorder) change(change func(*Stats)) {
	change(&r.stats)
	close(r.changed)
	r.changed = make(chan struct{})
}

// count adds one to a counter and returns its new value.
func (r *recorder) count(counter func(*Stats) *int) (n int) {
	r.add(func(t *Stats) {
		*counter(t)++
		n = *counter(t)
	})
	return n
}

// begin makes x known. From here on only update may touch it.
func (r *recorder) begin(x *Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.countBy != "" {
		for _, f := range x.Fields {
			if equalFold(f.Name, r.countBy) {
				r.ids[f.Value]++
			}
		}
	}
	r.change(func(t *Stats) {
		t.Requests++
		x.Number = t.Requests
		if x.Malformed != "" {
			t.Malformed++
		}
	})
	if r.keep <= 0 {
		return
	}
	if len(r.latest) == r.keep {
		r.latest = slices.Delete(r.latest, 0, 1)
	}
	r.latest = append(r.latest, x)
}

// update changes an exchange that others may be looking at.
func (r *recorder) update(x *Exchange, change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	clean := x.Malformed == ""
	change()
	if clean && x.Malformed != "" {
		r.change(func(t *Stats) { t.Malformed++ })
	}
}

// finish counts x as over and returns a copy.
func (r *recorder) finish(x *Exchange) Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.change(func(t *Stats) { t.Answered++ })
	return *x
}

func (r *recorder) exchanges() []Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Exchange, len(r.latest))
	for i, x := range r.latest {
		list[i] = *x
	}
	return list
}

func (r *recorder) received(id string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ids[id]
}

func (r *recorder) repeated() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	twice := maps.Clone(r.ids)
	maps.DeleteFunc(twice, func(_ string, n int) bool { return n < 2 })
	return slices.Sorted(maps.Keys(twice))
}

func (r *recorder) current() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

func (r *recorder) wait(ctx context.Context, until func(Stats) bool) error {
	for {
		r.mu.Lock()
		now, changed := r.stats, r.changed
		r.mu.Unlock()
		if until(now) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
