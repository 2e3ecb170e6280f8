package proxy

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A queued is one who takes a slot, and what came of it.
type queued struct {
	waited bool
	why    Reason
	after  time.Duration
}

func takeSlot(s *slots, timeout time.Duration, stop <-chan struct{}) queued {
	began := time.Now()
	waited, why := s.take(timeout, stop)
	return queued{waited, why, time.Since(began)}
}

func TestSlotsAreGivenInTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s slots
		s.resize(1)
		if got := takeSlot(&s, time.Minute, nil); got != (queued{}) {
			t.Errorf("take() of a free slot = %+v, want it at once", got)
		}
		var order []int
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				s.take(time.Minute, nil)
				order = append(order, i) // one at a time, or the race detector says so
				time.Sleep(time.Second)  //nolint:forbidigo // virtual time
				s.free()
			})
			synctest.Wait() // in the queue
		}
		if taken, waiting := s.usage(); taken != 1 || waiting != 10 {
			t.Errorf("usage() = %d, %d, want 1, 10", taken, waiting)
		}
		s.free()
		wg.Wait()
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(order, want) {
			t.Errorf("slots were given to %v, want %v", order, want)
		}
		if taken, waiting := s.usage(); taken != 0 || waiting != 0 {
			t.Errorf("usage() = %d, %d, want 0, 0", taken, waiting)
		}
	})
}

func TestAQueueEndsForWhoWaitsTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s slots
		s.resize(1)
		s.take(0, nil)
		if got, want := takeSlot(&s, 3*time.Second, nil), (queued{true, Busy, 3 * time.Second}); got != want {
			t.Errorf("take() = %+v, want %+v", got, want)
		}
		stop := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(stop) })
		if got, want := takeSlot(&s, time.Minute, stop), (queued{true, Draining, time.Second}); got != want {
			t.Errorf("take() = %+v, want %+v", got, want)
		}
		s.free() // nobody waits any more: it stays free
		if got := takeSlot(&s, 0, nil); got != (queued{}) {
			t.Errorf("take() = %+v, want it at once", got)
		}
	})
}

func TestResizeGivesNewSlotsToTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s slots
		s.resize(1)
		s.take(0, nil)
		for range 3 {
			go s.take(time.Minute, nil)
		}
		synctest.Wait()
		s.resize(3)
		synctest.Wait()
		if taken, waiting := s.usage(); taken != 3 || waiting != 1 {
			t.Errorf("usage() = %d, %d behind a larger size, want 3, 1", taken, waiting)
		}
		s.resize(1)
		s.free()
		s.free()
		synctest.Wait()
		if taken, waiting := s.usage(); taken != 1 || waiting != 1 {
			t.Errorf("usage() = %d, %d behind a smaller size, want 1, 1", taken, waiting)
		}
		s.free()
		synctest.Wait()
		if taken, waiting := s.usage(); taken != 1 || waiting != 0 {
			t.Errorf("usage() = %d, %d, want 1, 0", taken, waiting)
		}
	})
}

// TestSlowCallersHoldNoSlot has callers whose bodies do not come beside one whose
// body does, with a single slot.
func TestSlowCallersHoldNoSlot(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, with(func(o *Options) { o.Limits.Exchanges = 1 }))
	var slow []*raw
	for range 5 {
		c := g.dial()
		c.send("POST /access/ HTTP/1.1\r\nHost: p\r\nContent-Length: 32768\r\n\r\n", "half of it")
		slow = append(slow, c)
	}
	until(t, func() bool { return g.metric("lqproxy_connections_total") == 5 })
	c := g.dial()
	c.send(call)
	wantText(t, "the answer", c.answer(), okPassed)
	for _, c := range slow {
		c.send(string(make([]byte, 32768-len("half of it"))))
		wantStatus(t, c.answer(), 200)
	}
}

// TestTheQueueIsServedInOrder sends requests one after the other while the slot
// is taken, and counts who had to wait.
func TestTheQueueIsServedInOrder(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	p := newPeer(t, func(p *peer, c *raw) {
		for p.take(c) {
			<-release
			c.send(okAnswer)
		}
	})
	g := start(t, p.addr, with(func(o *Options) { o.Limits.Exchanges = 1 }))
	const path = "/access/0123456789"
	var callers []*raw
	for i := range 10 {
		c := g.dial()
		c.send("POST ", path[:len(path)-i], " HTTP/1.1\r\nHost: p\r\n\r\n")
		callers = append(callers, c)
		until(t, func() bool { _, waiting := g.slots.usage(); return waiting == i })
		if i == 0 {
			until(t, func() bool { taken, _ := g.slots.usage(); return taken == 1 })
		}
	}
	close(release)
	for i, c := range callers {
		wantStatus(t, c.answer(), 200)
		wantText(t, "the upstream received", p.request(), "POST "+path[:len(path)-i]+" HTTP/1.1\r\nHost: HOST\r\n\r\n")
	}
	for range callers { // logged behind the slot's return, and so in any order
		line := g.access.next(t)
		if waited, first := line["queue_us"].(float64) > 0, line["path"] == path; waited == first {
			t.Errorf("%v: queue_us = %v", line["path"], line["queue_us"])
		}
	}
	if n := g.metric("lqproxy_limit_reached_total", "limit", "exchanges"); n != 9 {
		t.Errorf("lqproxy_limit_reached_total{limit=exchanges} = %v, want 9", n)
	}
}
