package proxy

import (
	"container/list"
	"sync"
	"time"
)

// slots bounds how many exchanges run at once. Who finds none free waits in a
// queue, first come first served. Safe for concurrent use.
type slots struct {
	mu       sync.Mutex // guards all below
	capacity int
	taken    int
	queue    list.List // of chan struct{}, closed when the slot is the waiter's
}

// resize sets the number of slots; exchanges that run keep theirs.
func (s *slots) resize(capacity int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capacity = capacity
	s.grant()
}

// take takes a slot, waiting for at most timeout or until stop is closed. It
// reports whether it had to wait, and why it got none.
func (s *slots) take(timeout time.Duration, stop <-chan struct{}) (waited bool, why Reason) {
	s.mu.Lock()
	if s.taken < s.capacity && s.queue.Len() == 0 {
		s.taken++
		s.mu.Unlock()
		return false, None
	}
	turn := make(chan struct{})
	place := s.queue.PushBack(turn)
	s.mu.Unlock()

	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-turn:
		return true, None
	case <-timer.C:
		why = Busy
	case <-stop:
		why = Draining
	}
	return true, s.leave(place, turn, why)
}

// leave gives up a place in the queue, unless its turn came in the meantime.
func (s *slots) leave(place *list.Element, turn chan struct{}, why Reason) Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-turn:
		return None
	default:
		s.queue.Remove(place)
		return why
	}
}

// free gives a slot back, to the first who waits.
func (s *slots) free() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	s.grant()
}

// grant hands free slots to who waits. The caller holds mu.
func (s *slots) grant() {
	for s.taken < s.capacity && s.queue.Len() > 0 {
		s.taken++
		close(s.queue.Remove(s.queue.Front()).(chan struct{}))
	}
}

// usage returns how many exchanges hold a slot, and how many wait.
func (s *slots) usage() (taken, waiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken, s.queue.Len()
}
