//go:build linux

package leqisim

import (
	"errors"
	"net"
	"testing"
	"time"
)

func connect(s *Server, timeout time.Duration) error {
	c, err := net.DialTimeout("tcp", s.Address().String(), timeout)
	if err == nil {
		c.Close()
	}
	return err
}

func timedOut(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

func TestBan(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	open := dial(t, s)
	open.ask(t, post(invoicePath, "x"))
	for round := range 2 {
		for range 2 { // the second does nothing
			if err := s.Ban(); err != nil {
				t.Fatalf("Ban(): %v", err)
			}
		}
		for range 3 {
			if err := connect(s, 200*time.Millisecond); !timedOut(err) {
				t.Fatalf("round %d: connecting to a banned address = %v, want a timeout", round, err)
			}
		}
		if r, _ := open.ask(t, post(invoicePath, "x")); r.StatusCode != 200 {
			t.Errorf("round %d: status on an open connection = %d, want 200", round, r.StatusCode)
		}
		for range 2 {
			if err := s.Lift(); err != nil {
				t.Fatalf("Lift(): %v", err)
			}
		}
		if r, _ := dial(t, s).ask(t, post(invoicePath, "x")); r.StatusCode != 200 {
			t.Errorf("round %d: status after Lift() = %d, want 200", round, r.StatusCode)
		}
	}
	if got := s.Stats().Connections; got != 3 {
		t.Errorf("Stats().Connections = %d, want 3: the ban's own are not counted", got)
	}
}

// The kernel sends SYN again after a second: who waits long enough gets through.
func TestLiftWhileConnecting(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Banned: true})
	if err := connect(s, 200*time.Millisecond); !timedOut(err) {
		t.Fatalf("connecting to a server that started banned = %v, want a timeout", err)
	}
	connected := make(chan error)
	go func() { connected <- connect(s, soon) }()
	if err := s.Lift(); err != nil {
		t.Errorf("Lift(): %v", err)
	}
	if err := <-connected; err != nil {
		t.Errorf("connecting while the ban is lifted: %v", err)
	}
}

func TestCloseWhileBanned(t *testing.T) {
	t.Parallel()
	s, err := Start(Options{Banned: true})
	if err != nil {
		t.Fatalf("Start(): %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close(): %v", err)
	}
	if err := s.Ban(); err != nil {
		t.Errorf("Ban() after Close() = %v, want nil: the ban is there", err)
	}
}
