package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lqproxy/lqproxy/proxy/h1"
)

// deadlineSlack is by how much a deadline must move before the system is told:
// telling it at every step showed in profiles.
const deadlineSlack = time.Second

// past is a deadline that has been reached whatever the clock says.
var past = time.Unix(1, 0)

// errEnded is a read that lqproxy itself ended: a drain, or a source that a
// reload removed.
var errEnded = errors.New("ended by the proxy")

// The ways in which a connection is asked to end from outside its goroutine,
// each including those before it.
const (
	goOn       int32 = iota
	endIdle          // as soon as it is between exchanges
	endReading       // also while a request is not wholly received
	endNow           // whatever it does; what is still to be said has lastWords
)

// lastWords is how long the last answer may take on a connection that was asked
// to end at once.
const lastWords = time.Second

// errHello is a TLS ClientHello where a request should begin.
var errHello = errors.New("a TLS ClientHello on the plain port")

// recordHandshake is the first byte of a ClientHello (RFC 8446 section 5.1).
const recordHandshake = 0x16

// A deadline is a time limit for one direction of a connection, told to the
// system only when it moved by deadlineSlack.
type deadline struct{ want, set time.Time }

// move makes t the limit, and reports whether the system must be told.
func (d *deadline) move(t time.Time) bool {
	d.want = t
	if diff := t.Sub(d.set); diff >= 0 && diff < deadlineSlack {
		return false
	}
	d.set = t
	return true
}

// early reports whether a timeout came before the limit, because the system
// knew an older one; the next move is told in any case.
func (d *deadline) early() bool {
	d.set = time.Time{}
	return time.Now().Before(d.want)
}

// A socket is a caller's TCP connection, with deadlines for progress: a
// transfer may last as long as its bytes move. It is read by one goroutine and
// written by one at a time; end may be called by any.
type socket struct {
	*net.TCPConn
	raw     syscall.RawConn
	pending []byte // read behind the end of a PROXY header

	readLimit     time.Time     // for reads, if readProgress is 0
	readProgress  time.Duration // for each read
	writeProgress time.Duration // for each write
	reading       deadline
	writing       deadline

	ending atomic.Int32
	idle   atomic.Bool // between exchanges

	ready arrival
}

// An arrival is the outcome of a read inside RawConn.Read, which would
// allocate if it were in variables of the caller.
type arrival struct {
	in    *h1.Reader
	read  func(fd uintptr) bool
	n     int
	err   error
	first byte
}

func newSocket(tcp *net.TCPConn) (*socket, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("taking the caller's socket: %w", err)
	}
	s := &socket{TCPConn: tcp, raw: raw}
	s.ready.read = s.readReady
	return s, nil
}

// readUntil sets the deadline of what is read next.
func (s *socket) readUntil(t time.Time) error {
	if s.reading.move(t) {
		if err := s.TCPConn.SetReadDeadline(t); err != nil {
			return fmt.Errorf("setting the caller's deadline: %w", err)
		}
	}
	// end stores first and moves the deadline then: what was overwritten here
	// is seen here.
	return s.ended()
}

// Read reads what has arrived. Its errors are net.Error for a deadline,
// errEnded, and those of the network.
func (s *socket) Read(p []byte) (int, error) {
	if len(s.pending) > 0 {
		return s.takePending(p), nil
	}
	limit := s.readLimit
	if s.readProgress > 0 {
		limit = time.Now().Add(s.readProgress)
	}
	if err := s.readUntil(limit); err != nil {
		return 0, err
	}
	for {
		n, err := s.TCPConn.Read(p)
		if err == nil || !s.retry(err) {
			return n, s.because(err)
		}
	}
}

// takePending takes what came behind a PROXY header, and lets go of its buffer
// with the last of it.
func (s *socket) takePending(p []byte) int {
	n := copy(p, s.pending)
	s.pending = s.pending[n:]
	if len(s.pending) == 0 {
		s.pending = nil
	}
	return n
}

// retry reports whether a read that failed with err should be tried again:
// its deadline was an old one.
func (s *socket) retry(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || s.ended() != nil || !s.reading.early() {
		return false
	}
	return s.readUntil(s.reading.want) == nil
}

// because returns errEnded in place of the deadline by which end works.
func (s *socket) because(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) && s.ended() != nil {
		return errEnded
	}
	return err
}

// Write writes all of p as long as the caller takes some of it in time. On a
// connection that was asked to end at once it has lastWords for all of p, and
// then fails with errEnded.
func (s *socket) Write(p []byte) (int, error) {
	written := 0
	for {
		last, err := s.allowWriting()
		if err != nil {
			return written, fmt.Errorf("setting the caller's deadline: %w", err)
		}
		n, err := s.TCPConn.Write(p[written:])
		written += n
		switch {
		case !errors.Is(err, os.ErrDeadlineExceeded): // nil, mostly
			return written, err
		case last:
			return written, errEnded
		case n == 0 && !s.writing.early() && s.ending.Load() != endNow:
			return written, err
		}
	}
}

// allowWriting sets the deadline of what is written next, and reports whether
// it is the last.
func (s *socket) allowWriting() (last bool, err error) {
	if s.ending.Load() != endNow && s.writing.move(time.Now().Add(s.writeProgress)) {
		if err := s.TCPConn.SetWriteDeadline(s.writing.set); err != nil {
			return false, err
		}
	}
	// end stores first and moves the deadline then: what was overwritten above
	// is seen here.
	if s.ending.Load() != endNow {
		return false, nil
	}
	return true, s.TCPConn.SetWriteDeadline(time.Now().Add(lastWords))
}

// await waits until bytes have arrived, for as long as readLimit says, and
// reads them into in, which holds no buffer before. It returns io.EOF at the
// end of what the caller sends.
func (s *socket) await(in *h1.Reader) error {
	if err := s.readUntil(s.readLimit); err != nil {
		return err
	}
	if len(s.pending) > 0 {
		space := in.Space()
		in.Filled(s.takePending(space))
		return judgeFirst(space[0])
	}
	s.ready.in = in
	for {
		err := s.raw.Read(s.ready.read)
		if err == nil {
			break
		}
		if !s.retry(err) {
			return s.because(err)
		}
	}
	switch {
	case s.ready.err != nil:
		return s.ready.err
	case s.ready.n == 0:
		return io.EOF
	}
	return judgeFirst(s.ready.first)
}

func judgeFirst(b byte) error {
	if b == recordHandshake {
		return errHello
	}
	return nil
}

// readReady reads once without waiting, in a buffer that is taken only for
// that long if nothing has come. It reports false if so.
func (s *socket) readReady(fd uintptr) bool {
	r := &s.ready
	space := r.in.Space()
	for {
		r.n, r.err = syscall.Read(int(fd), space)
		if r.err != syscall.EINTR {
			break
		}
	}
	if r.n > 0 {
		r.first = space[0]
	}
	r.in.Filled(max(r.n, 0))
	return r.err != syscall.EAGAIN
}

// ended returns errEnded if the connection was asked to end in the state that
// it is in.
func (s *socket) ended() error {
	if e := s.ending.Load(); e >= endReading || e == endIdle && s.idle.Load() {
		return errEnded
	}
	return nil
}

// end asks the connection to end in the way e; a read that waits and is
// concerned returns errEnded.
func (s *socket) end(e int32) {
	for have := s.ending.Load(); have < e && !s.ending.CompareAndSwap(have, e); {
		have = s.ending.Load()
	}
	if s.ended() != nil {
		s.SetReadDeadline(past) //nolint:errcheck // a closed socket has ended already
	}
	if e == endNow {
		s.SetWriteDeadline(past) //nolint:errcheck // likewise
	}
}

// reset closes the connection with a reset: what the caller sent is not
// acknowledged by an orderly end.
func (s *socket) reset() {
	s.SetLinger(0) //nolint:errcheck // the close below counts
	s.Close()      //nolint:errcheck // nothing is left to be lost
}

// finish closes in stages, so that the last answer is not destroyed by a reset
// for what the caller is still sending (RFC 9112 section 9.6): writing ends,
// what arrives is thrown away up to a bound, then the socket is closed.
func (s *socket) finish() {
	const (
		discardBytes = 1 << 20
		discardTime  = 5 * time.Second
	)
	if s.CloseWrite() == nil && s.SetReadDeadline(time.Now().Add(discardTime)) == nil {
		if s.ending.Load() == endNow {
			s.SetReadDeadline(time.Now().Add(lastWords)) //nolint:errcheck // it worked above
		}
		io.Copy(io.Discard, io.LimitReader(s.TCPConn, discardBytes)) //nolint:errcheck // thrown away
	}
	s.Close() //nolint:errcheck // nothing is left to be lost
}
