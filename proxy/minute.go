package proxy

import (
	"math/bits"
	"sync"
	"time"
)

// A Minute is what became of the exchanges that ended within the last minute,
// the second that runs included.
type Minute struct {
	Exchanges   int64 `json:"exchanges"`
	Failures    int64 `json:"failures"`     // without the upstream's whole answer
	Forbidden   int64 `json:"forbidden"`    // answers 403
	IPNotFiled  int64 `json:"ip_not_filed"` // answers 4067
	FlowLimited int64 `json:"flow_limited"`

	// The times below which 95 in 100 exchanges stayed, at most a quarter too
	// high; nil if there was none. Own is that of lqproxy_exchange_own_seconds:
	// of answered exchanges, without connecting to the upstream and waiting for it.
	TotalP95 *float64 `json:"total_p95_seconds"`
	OwnP95   *float64 `json:"own_p95_seconds"`
}

// seconds is how many buckets a minute has.
const seconds = 60

// A minute counts exchanges by the second in which they ended, so that old
// ones can be left out. Safe for concurrent use.
type minute struct {
	start time.Time // of the count of seconds; never modified

	mu      sync.Mutex // guards buckets
	buckets [seconds]second
}

// A second is what happened in one.
type second struct {
	number int64 // since the start; a bucket with another one is old

	exchanges, failures, forbidden, notFiled, flowLimited int64

	total, own times
}

// A spell is what minute.add takes of an exchange.
type spell struct {
	total, own time.Duration
	failed     bool
	answered   bool // own and standing are valid
	standing   standing
}

// A standing is what an answer says about the enterprise's standing with Leqi.
type standing uint8

const (
	standsWell standing = iota
	standsForbidden
	standsNotFiled
	standsLimited
)

// add counts s, which ended now. It does not allocate.
func (m *minute) add(s *spell, now time.Time) {
	number := m.number(now)
	m.mu.Lock()
	defer m.mu.Unlock()
	b := &m.buckets[number%seconds]
	if b.number != number {
		*b = second{number: number}
	}
	b.add(s)
}

// number is the second that now is in, from 1: an unused bucket has 0.
func (m *minute) number(now time.Time) int64 {
	return int64(max(now.Sub(m.start), 0)/time.Second) + 1
}

func (b *second) add(s *spell) {
	b.exchanges++
	if s.failed {
		b.failures++
	}
	b.total.add(s.total)
	if s.answered {
		b.own.add(s.own)
	}
	switch s.standing {
	case standsForbidden:
		b.forbidden++
	case standsNotFiled:
		b.notFiled++
	case standsLimited:
		b.flowLimited++
	}
}

// read sums up the seconds that are not yet a minute old.
func (m *minute) read(now time.Time) Minute {
	number := m.number(now)
	var sum Minute
	var total, own times
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.buckets {
		b := &m.buckets[i]
		if b.number == 0 || b.number <= number-seconds || b.number > number {
			continue
		}
		sum.Exchanges += b.exchanges
		sum.Failures += b.failures
		sum.Forbidden += b.forbidden
		sum.IPNotFiled += b.notFiled
		sum.FlowLimited += b.flowLimited
		total.merge(&b.total)
		own.merge(&b.own)
	}
	sum.TotalP95, sum.OwnP95 = total.quantile(.95), own.quantile(.95)
	return sum
}

// Times are counted by their first bits: in four steps for each power of two
// microseconds, up to about four minutes.
const (
	stepBits  = 2
	mostBits  = 28
	timeCells = (mostBits - stepBits + 1) << stepBits
)

// times counts durations.
type times [timeCells]uint32

func (t *times) add(d time.Duration) { t[cellOf(d)]++ }

// cellOf returns the cell in which d is counted.
func cellOf(d time.Duration) int {
	n := uint64(max(d, 0) / time.Microsecond)
	n = min(n, 1<<mostBits-1)
	shift := max(bits.Len64(n)-stepBits-1, 0)
	return shift<<stepBits + int(n>>shift)
}

// endOf returns the end of a cell, which is not in it.
func endOf(cell int) time.Duration {
	shift := max(cell>>stepBits-1, 0)
	return time.Duration((cell-shift<<stepBits+1)<<shift) * time.Microsecond
}

func (t *times) merge(other *times) {
	for i, n := range other {
		t[i] += n
	}
}

// quantile returns the time in seconds below which the share q of all lies; nil
// if there is none.
func (t *times) quantile(q float64) *float64 {
	var all, below uint64
	for _, n := range t {
		all += uint64(n)
	}
	if all == 0 {
		return nil
	}
	for cell, n := range t {
		below += uint64(n)
		if float64(below) >= q*float64(all) {
			return new(endOf(cell).Seconds())
		}
	}
	panic("BUG: proxy: a quantile above all times")
}
