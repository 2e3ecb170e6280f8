package upstream

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A pool holds idle connections, the newest last. The oldest ends by itself
// when the load falls: callers always take the newest. Safe for concurrent use.
type pool struct {
	total *atomic.Int64 // idle connections of all pools, for the metric
	wake  chan struct{} // tells keep that a connection ends before next

	mu     sync.Mutex // guards what follows
	idle   []*Conn
	next   time.Time // when keep looks again; zero: when it is woken
	closed bool
}

func newPool(total *atomic.Int64) *pool {
	return &pool{total: total, wake: make(chan struct{}, 1)}
}

// take returns the newest idle connection, or nil. It may be dead or overdue.
func (p *pool) take() *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()

	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	c := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	p.total.Add(-1)
	return c
}

// give adds c, unless the pool is closed.
func (p *pool) give(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.closed {
		return false
	}
	p.idle = append(p.idle, c)
	p.total.Add(1)
	if !c.until.IsZero() && (p.next.IsZero() || c.until.Before(p.next)) {
		p.next = c.until
		signal(p.wake)
	}
	return true
}

func (p *pool) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle)
}

// overdue takes out the connections whose time is over, and returns them and
// the time of the next; zero if there is none.
func (p *pool) overdue(now time.Time) (old []*Conn, next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.next = time.Time{}
	p.idle = slices.DeleteFunc(p.idle, func(c *Conn) bool {
		if c.overdue(now) {
			old = append(old, c)
			return true
		}
		if !c.until.IsZero() && (p.next.IsZero() || c.until.Before(p.next)) {
			p.next = c.until
		}
		return false
	})
	p.total.Add(-int64(len(old)))
	return old, p.next
}

// close takes out all connections, and lets none in from now on.
func (p *pool) close() []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()

	idle := p.idle
	p.idle, p.closed = nil, true
	p.total.Add(-int64(len(idle)))
	return idle
}

// keep ends connections at their time until done is closed.
func (p *pool) keep(done <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-p.wake:
		case <-done:
			return
		}
		old, next := p.overdue(time.Now())
		for _, c := range old {
			c.shut()
		}
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
}
