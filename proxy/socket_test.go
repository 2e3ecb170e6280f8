package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/proxy/h1"
)

// TestADeadlineIsToldWhenItMovesEnough: by a second forward, or back at all.
func TestADeadlineIsToldWhenItMovesEnough(t *testing.T) {
	t.Parallel()
	began := time.Now().Add(time.Hour)
	var d deadline
	for _, step := range []struct {
		by   time.Duration
		want bool
	}{{0, true}, {0, false}, {deadlineSlack - 1, false}, {deadlineSlack, true}, {deadlineSlack - 1, true}, {-time.Minute, true}} {
		if got := d.move(began.Add(step.by)); got != step.want {
			t.Errorf("move(%v) = %v, want %v", step.by, got, step.want)
		}
	}
	d.move(began.Add(time.Millisecond - time.Minute)) // not told
	if !d.early() {
		t.Error("early() = false before the limit")
	}
	if !d.move(d.want) {
		t.Error("move() behind early() = false: the system knows an older one")
	}
	d.move(past)
	if d.early() {
		t.Error("early() = true behind the limit")
	}
}

// pair returns both ends of a connection.
func pair(t testing.TB) (*socket, *net.TCPConn) {
	t.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() //nolint:errcheck // used once
	far, err := net.DialTCP("tcp", nil, ln.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	near, err := ln.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSocket(near)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()   //nolint:errcheck // may be closed already
		far.Close() //nolint:errcheck // likewise
	})
	return s, far
}

func TestReadsEndAtTheirLimit(t *testing.T) {
	t.Parallel()
	s, far := pair(t)
	s.readLimit = time.Now().Add(time.Hour)
	far.Write([]byte("x")) //nolint:errcheck // read below
	if n, err := s.Read(make([]byte, 10)); n != 1 || err != nil {
		t.Fatalf("Read() = %d, %v, want 1 byte", n, err)
	}
	for _, limit := range []time.Duration{30 * time.Millisecond, 60 * time.Millisecond, 10 * time.Millisecond} {
		began := time.Now()
		s.readLimit = began.Add(limit) // less than deadlineSlack from the last: not always told
		_, err := s.Read(make([]byte, 1))
		if d := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || d < limit {
			t.Errorf("Read() with %v left = %v after %v, want a deadline", limit, err, d)
		}
	}
	s.readProgress = 20 * time.Millisecond
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read() without progress = %v, want a deadline", err)
	}
}

// TestWritesMayTakeLongAsTheyProgress has a receiver that takes a little now and
// then, and then nothing. The limit is far above its pauses, also on a machine
// that is busy, and below the time that it takes for all.
func TestWritesMayTakeLongAsTheyProgress(t *testing.T) {
	t.Parallel()
	s, far := pair(t)
	far.SetReadDeadline(time.Now().Add(patience)) //nolint:errcheck // just opened
	s.writeProgress = 2 * time.Second
	const size = 16 << 20
	began := time.Now()
	taken := make(chan int64)
	go func() {
		n, _ := io.CopyN(io.Discard, slow{far}, size)
		taken <- n
	}()
	if n, err := s.Write(make([]byte, size)); n != size || err != nil || time.Since(began) < s.writeProgress {
		t.Errorf("Write() = %d, %v after %v, want all of it after more than %v", n, err, time.Since(began), s.writeProgress)
	}
	if n := <-taken; n != size {
		t.Errorf("the receiver took %d bytes, want %d", n, size)
	}
	s.writeProgress = 300 * time.Millisecond
	began = time.Now()
	n, err := s.Write(make([]byte, 64<<20))
	if d := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || n == 64<<20 || d < s.writeProgress {
		t.Errorf("Write() to nobody = %d, %v after %v, want a deadline", n, err, d)
	}
}

// slow takes a moment for each read.
type slow struct{ io.Reader }

func (s slow) Read(p []byte) (int, error) {
	<-time.After(2 * time.Millisecond)
	return s.Reader.Read(p[:min(len(p), 32<<10)])
}

// TestEndInterrupts has each way of ending meet each thing that a connection does.
func TestEndInterrupts(t *testing.T) {
	t.Parallel()
	reading := func(s *socket) error {
		_, err := s.Read(make([]byte, 1))
		return err
	}
	idle := func(s *socket) error {
		var in h1.Reader
		defer in.Release()
		s.idle.Store(true)
		return s.await(&in)
	}
	writing := func(s *socket) error {
		_, err := s.Write(make([]byte, 64<<20))
		return err
	}
	tests := []struct {
		name string
		does func(*socket) error
		end  int32
		want error
	}{
		{"idle, asked to end when idle", idle, endIdle, errEnded},
		{"idle, asked to end its reading", idle, endReading, errEnded},
		{"idle, asked to end now", idle, endNow, errEnded},
		{"reading, asked to end when idle", reading, endIdle, os.ErrDeadlineExceeded},
		{"reading, asked to end its reading", reading, endReading, errEnded},
		{"reading, asked to end now", reading, endNow, errEnded},
		{"writing, asked to end its reading", writing, endReading, os.ErrDeadlineExceeded},
		{"writing, asked to end now", writing, endNow, errEnded},
	}
	for _, test := range tests {
		for _, when := range []string{"before", "while"} {
			t.Run(test.name+", "+when, func(t *testing.T) {
				t.Parallel()
				s, _ := pair(t)
				limit := patience
				if test.want == os.ErrDeadlineExceeded {
					limit = 200 * time.Millisecond
				}
				s.readLimit, s.writeProgress = time.Now().Add(limit), limit
				ended := make(chan struct{})
				if when == "before" {
					s.end(test.end)
					close(ended)
				} else {
					time.AfterFunc(50*time.Millisecond, func() { s.end(test.end); close(ended) })
				}
				began := time.Now()
				if err := test.does(s); !errors.Is(err, test.want) {
					t.Errorf("error = %v, want %v", err, test.want)
				}
				if d := time.Since(began); d > patience/2 {
					t.Errorf("it took %v", d)
				}
				<-ended
			})
		}
	}
}
