package logging

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	accessLinger = 250 * time.Millisecond // how long a line of the access log may wait for others
	batchSize    = 64 << 10               // bytes, at which it waits no longer
	bufferSize   = 1 << 20                // bytes that may wait; lines beyond are dropped
	retryAfter   = 2 * time.Second        // between attempts while writing fails
	tendEvery    = time.Minute            // between looks at a file that gets no lines: midnight comes for it too
)

// errBehind is the reason of a loss without a failed write.
var errBehind = errors.New("buffer full: lines come faster than they are written")

// A sink takes whole lines from any goroutine and writes them to its output from one. What an output does not take
// waits, within bounds; what does not fit is counted and dropped.
type sink struct {
	name     string
	linger   time.Duration
	rotating *atomic.Bool
	count    func(name string)
	log      *zap.Logger

	running atomic.Bool   // run writes; else whoever logs does
	dirty   chan struct{} // a line waits
	full    chan struct{} // a batch waits

	mu      sync.Mutex // guards the following; never held over a system call
	buf     []byte     // lines that wait
	failing bool       // an episode of loss has been spoken of and is not over
	lost    int        // lines dropped in it
	paused  bool       // lines are dropped on purpose
	skipped int        // lines dropped so

	io      sync.Mutex // guards the following; held while writing; taken before mu
	out     output
	pending []byte // taken from buf
	written int    // bytes of pending that are out; within a line after a failure
}

func newSink(name string, linger time.Duration, rotating *atomic.Bool, count func(string)) *sink {
	return &sink{
		name:     name,
		linger:   linger,
		rotating: rotating,
		count:    count,
		dirty:    make(chan struct{}, 1),
		full:     make(chan struct{}, 1),
		buf:      make([]byte, 0, batchSize),
		pending:  make([]byte, 0, batchSize),
	}
}

// Write implements io.Writer. It takes one line; it never fails, and never waits while run runs.
func (s *sink) Write(line []byte) (int, error) {
	s.mu.Lock()
	before := len(s.buf)
	dropped := s.paused || before+len(line) > bufferSize
	switch {
	case s.paused:
		s.skipped++
	case dropped:
		s.lost++
	default:
		s.buf = append(s.buf, line...)
	}
	after := len(s.buf)
	s.mu.Unlock()

	switch {
	case dropped:
		s.drop()
	case !s.running.Load():
		s.flush()
	case before == 0:
		notify(s.dirty)
	case before < batchSize && after >= batchSize:
		notify(s.full)
	}
	return len(line), nil
}

// Sync implements zapcore.WriteSyncer.
func (s *sink) Sync() error {
	s.flush()
	return nil
}

func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// drop counts a dropped line, and begins an episode of loss unless the line was dropped on purpose.
func (s *sink) drop() {
	s.count(s.name)
	s.mu.Lock()
	begins := !s.failing && !s.paused
	s.failing = s.failing || begins
	s.mu.Unlock()
	if begins {
		s.reportFailure(errBehind)
	}
}

// run writes until ctx is done, and then once more.
func (s *sink) run(ctx context.Context) {
	s.running.Store(true)
	defer func() {
		s.running.Store(false)
		s.flush()
	}()
	notify(s.dirty) // lines that could not be written before
	idle := time.NewTicker(tendEvery)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-idle.C:
		case <-s.dirty:
			s.wait(ctx)
		}
		for !s.flush() {
			if !sleep(ctx, retryAfter) {
				return
			}
		}
	}
}

// wait lets a batch gather.
func (s *sink) wait(ctx context.Context) {
	if s.linger == 0 {
		return
	}
	t := time.NewTimer(s.linger)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-s.full:
	case <-t.C:
	}
}

// flush writes what waits, after a look at the file. It reports whether nothing is left.
func (s *sink) flush() bool {
	s.io.Lock()
	err := s.attempt()
	left := len(s.pending) > 0
	s.io.Unlock()
	s.settle(err)
	return !left
}

// attempt requires s.io.
func (s *sink) attempt() error {
	err := s.out.prepare(time.Now(), s.rotating.Load())
	if !s.out.usable() {
		s.take() // so that the whole of buf is there for new lines
		return err
	}
	for s.take() {
		if werr := s.writePending(); werr != nil {
			return werr
		}
	}
	return err
}

// take moves the waiting lines from buf to pending, if pending is all written. It reports whether there are any.
func (s *sink) take() bool {
	if len(s.pending) == 0 {
		s.mu.Lock()
		s.buf, s.pending = s.pending[:0], s.buf
		s.mu.Unlock()
		s.written = 0
	}
	return len(s.pending) > 0
}

// writePending writes the rest of pending. A line of which a disk took only the beginning before it was full is
// continued later, unless something else has been appended by then: it is then written again as a whole.
func (s *sink) writePending() error {
	if !s.out.untouched() {
		s.written = bytes.LastIndexByte(s.pending[:s.written], '\n') + 1
	}
	n, err := s.out.write(s.pending[s.written:])
	s.written += n
	if err == nil {
		s.pending = s.pending[:0]
	}
	return err
}

// settle begins or ends an episode of loss.
func (s *sink) settle(err error) {
	if err != nil {
		s.count(s.name)
	}
	s.mu.Lock()
	begins, ends := err != nil && !s.failing, err == nil && s.failing
	s.failing = err != nil
	lost := s.lost
	if ends {
		s.lost = 0
	}
	s.mu.Unlock()
	switch {
	case begins:
		s.reportFailure(err)
	case ends:
		s.log.Warn("log is written again", zap.String(keyFile, s.name), zap.Int(keyLost, lost))
	}
}

// reportFailure must be called without locks: the line comes back to a sink, possibly this one.
func (s *sink) reportFailure(err error) {
	s.log.Error("log cannot be written", zap.String(KeyEvent, eventWriteFailed), zap.String(keyFile, s.name), zap.Error(err))
}

// pause makes the sink drop all lines, or take them again. It returns how many were dropped since it was paused.
func (s *sink) pause(on bool) (skipped int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	skipped, s.skipped, s.paused = s.skipped, 0, on
	return skipped
}

// direct sends the lines to another output from now on; those that wait still go to the old one, if it takes them.
func (s *sink) direct(next output) {
	s.io.Lock()
	if next.path != "" && next.path == s.out.path {
		s.out.rotation = next.rotation
	} else {
		if s.out.usable() {
			_ = s.attempt() // a failure shows again, on the new output
		}
		s.out.close()
		s.out = next
		s.written = bytes.LastIndexByte(s.pending[:s.written], '\n') + 1
	}
	s.io.Unlock()
	s.flush()
}

// finish waits for the end of an attempt under way.
func (s *sink) finish() {
	s.io.Lock()
	defer s.io.Unlock()
}

// reopen makes the output open its path anew.
func (s *sink) reopen() {
	s.flush()
	s.io.Lock()
	s.out.close()
	s.io.Unlock()
	s.flush()
}

// close writes what waits, reports as lost what cannot be written, and closes the output.
func (s *sink) close() {
	if s.flush() {
		s.io.Lock()
		s.out.close()
		s.io.Unlock()
		return
	}
	s.io.Lock()
	s.mu.Lock()
	lost := s.lost + bytes.Count(s.pending[s.written:], []byte("\n")) + bytes.Count(s.buf, []byte("\n"))
	s.mu.Unlock()
	s.out.close()
	s.io.Unlock()
	s.log.Error("log closed with lines unwritten", zap.String(keyFile, s.name), zap.Int(keyLost, lost))
}
