package leqisim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	backlog   = 128
	fillLimit = 16                     // connections that a ban makes at most
	fillWait  = 200 * time.Millisecond // for each: on loopback only a full queue takes longer
)

// A ban is the state in which the kernel drops every attempt to connect: nobody accepts, and the
// queue of those who wait is as short as can be and kept full by a connection of our own.
type ban struct {
	// change is held by Ban and Lift.
	change sync.Mutex

	// mu guards all below.
	mu      sync.Mutex
	parked  chan struct{} // closed by the accepting goroutine when it has stopped; nil: no ban
	lifted  chan struct{} // closed when it may go on
	fillers []net.Conn
	ours    map[netip.AddrPort]bool // their addresses, until they were accepted
}

// Ban makes attempts to connect time out, as the platform does with those it has banned. Connections
// that are open go on; see CloseIdle. A second Ban does nothing. It works on Linux only.
func (s *Server) Ban() error {
	s.ban.change.Lock()
	defer s.ban.change.Unlock()
	parked := s.ban.begin()
	if parked == nil {
		return nil
	}
	s.listener.SetDeadline(time.Unix(1, 0)) //nolint:errcheck // fails on a closed listener: s.ctx is done
	select {
	case <-parked:
	case <-s.ctx.Done():
		return net.ErrClosed
	}
	if err := s.fill(); err != nil {
		return errors.Join(fmt.Errorf("banning: %w", err), s.lift())
	}
	return nil
}

// Lift ends a ban. Without one it does nothing.
func (s *Server) Lift() error {
	s.ban.change.Lock()
	defer s.ban.change.Unlock()
	return s.lift()
}

// lift is Lift for those who hold change.
func (s *Server) lift() error {
	if !s.ban.banned() {
		return nil
	}
	s.ban.release()
	err := setBacklog(s.listener, backlog)
	s.listener.SetDeadline(time.Time{}) //nolint:errcheck // fails on a closed listener: nobody accepts
	s.ban.end()
	if err != nil {
		return fmt.Errorf("lifting the ban: %w", err)
	}
	return nil
}

// fill shortens the queue and connects until it is full.
func (s *Server) fill() error {
	if err := setBacklog(s.listener, 0); err != nil {
		return err
	}
	dialer := net.Dialer{Timeout: fillWait}
	for range fillLimit {
		full, err := queueFull(s.listener)
		if full || err != nil {
			return err
		}
		// A connection that times out met a queue that has just become full: the next look says so.
		if c, err := dialer.DialContext(s.ctx, "tcp", s.address.String()); err == nil {
			s.ban.keep(c)
		}
	}
	return errors.New("the queue of the listener does not become full")
}

// begin returns the channel that tells that nobody accepts any more, or nil during a ban.
func (b *ban) begin() chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.parked != nil {
		return nil
	}
	b.parked, b.lifted = make(chan struct{}), make(chan struct{})
	return b.parked
}

func (b *ban) banned() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.parked != nil
}

// park holds the accepting goroutine while there is a ban.
func (b *ban) park(ctx context.Context) {
	b.mu.Lock()
	parked, lifted := b.parked, b.lifted
	b.mu.Unlock()
	if parked == nil {
		return
	}
	close(parked)
	select {
	case <-lifted:
	case <-ctx.Done():
	}
}

func (b *ban) keep(c net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fillers = append(b.fillers, c)
	if b.ours == nil {
		b.ours = map[netip.AddrPort]bool{}
	}
	b.ours[addrPort(c.LocalAddr())] = true
}

// owns reports whether a connection that was accepted is the ban's own. It is asked once for each.
func (b *ban) owns(peer netip.AddrPort) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	ours := b.ours[peer]
	delete(b.ours, peer)
	return ours
}

// release closes the ban's own connections.
func (b *ban) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.fillers {
		c.Close() //nolint:errcheck // it was not used
	}
	b.fillers = nil
}

func (b *ban) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.lifted)
	b.parked, b.lifted = nil, nil
}
