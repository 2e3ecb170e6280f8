package upstream

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// errQuiet is what a read of a probed socket returns when nothing has come. As a
// temporary net.Error it is the one kind of error that crypto/tls does not keep:
// the connection can be read again.
var errQuiet net.Error = quietError{}

type quietError struct{}

func (quietError) Error() string   { return "nothing to read now" }
func (quietError) Timeout() bool   { return true }
func (quietError) Temporary() bool { return true }

// A socket is the TCP connection beneath a tls.Conn. It notes what tls.Conn
// does not tell: whether the socket itself ended, and whether a record is
// incomplete. It can also be read and written without waiting, whatever the
// deadlines are.
//
// At most one goroutine reads and one writes, as with tls.Conn; while it is
// probed, one does both.
type socket struct {
	*net.TCPConn
	raw syscall.RawConn

	ended   bool    // read io.EOF
	records records // of what was read
	whole   bool    // the last read brought the end of one record, and nothing after it
	broken  bool    // a write failed, though crypto/tls may not have said so yet
	probed  bool    // reads and writes do not wait

	closing atomic.Bool // writes do not wait; Close may come from another goroutine

	// The system call of now, kept here because a closure would be an allocation
	// for each.
	call   func(fd uintptr)
	op     func(fd int, b []byte) (int, error)
	buf    []byte
	n      int
	err    error
	peeked [1]byte
}

func newSocket(c *net.TCPConn) (*socket, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &socket{TCPConn: c, raw: raw}
	s.call = s.attempt
	return s, nil
}

// Read implements net.Conn.
func (s *socket) Read(b []byte) (n int, err error) {
	if s.probed {
		n, err = s.now(syscall.Read, b)
	} else {
		n, err = s.TCPConn.Read(b)
	}
	s.whole = s.records.add(b[:n]) == 1 && s.records.between()
	s.ended = s.ended || errors.Is(err, io.EOF)
	return n, err
}

// Write implements net.Conn.
func (s *socket) Write(b []byte) (n int, err error) {
	switch {
	case s.closing.Load():
		return writeNow(s.raw, b)
	case s.probed:
		n, err = writeNow(s.raw, b)
	default:
		n, err = s.TCPConn.Write(b)
	}
	s.broken = s.broken || err != nil
	return n, err
}

// silent reports whether nothing can be read from the socket, not even its end.
func (s *socket) silent() bool {
	_, err := s.now(peek, s.peeked[:])
	return errors.Is(err, errQuiet)
}

// now makes one system call that does not wait. Control, unlike RawConn.Read,
// does not look at deadlines: those of the last exchange may have passed.
func (s *socket) now(op func(int, []byte) (int, error), b []byte) (int, error) {
	s.op, s.buf = op, b
	err := s.raw.Control(s.call)
	s.buf = nil
	if err != nil {
		return 0, err
	}
	return s.n, s.err
}

// attempt is what now does with the descriptor.
func (s *socket) attempt(fd uintptr) {
	s.n, s.err = retryInterrupted(s.op, int(fd), s.buf)
	switch {
	case errors.Is(s.err, syscall.EAGAIN):
		s.n, s.err = 0, errQuiet
	case s.err != nil:
		s.n = 0
	case s.n == 0:
		s.err = io.EOF
	}
}

// writeNow writes b if the socket takes it all at once.
func writeNow(raw syscall.RawConn, b []byte) (n int, err error) {
	closed := raw.Control(func(fd uintptr) {
		n, err = retryInterrupted(syscall.Write, int(fd), b)
	})
	switch {
	case closed != nil:
		return 0, closed
	case err != nil:
		return 0, err
	case n < len(b):
		return n, io.ErrShortWrite
	}
	return n, nil
}

func peek(fd int, b []byte) (int, error) {
	n, _, err := syscall.Recvfrom(fd, b, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return n, err
}

func retryInterrupted(op func(int, []byte) (int, error), fd int, b []byte) (n int, err error) {
	for {
		n, err = op(fd, b)
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

// lastWords lets no write wait any more. Without it tls.Conn.Close, whose last
// word is close_notify, would wait up to 5 s for a peer that does not read.
func (s *socket) lastWords() {
	s.closing.Store(true)
	_ = s.SetWriteDeadline(time.Unix(1, 0)) // ends a write under way, which holds the lock that Close needs
}

// reset closes the socket so that the peer sees an error, not an end.
func (s *socket) reset() {
	_ = s.SetLinger(0)
	_ = s.TCPConn.Close()
}

// recordHeader is the length of a TLS record's header, whose last two bytes are
// the length of what follows (RFC 8446 section 5.1).
const recordHeader = 5

// records follows the framing of TLS records through a stream. The zero value is
// at the start of one.
type records struct {
	header int // bytes of the header seen
	body   int // bytes that follow; what of the length is known, while the header is incomplete
}

// add takes the next bytes of the stream and returns how many records end in them.
func (r *records) add(b []byte) (ended int) {
	for len(b) > 0 {
		if r.header < recordHeader {
			if r.header >= recordHeader-2 {
				r.body = r.body<<8 | int(b[0])
			}
			r.header++
			b = b[1:]
		} else {
			n := min(r.body, len(b))
			r.body -= n
			b = b[n:]
		}
		if r.header == recordHeader && r.body == 0 {
			ended++
			r.header = 0
		}
	}
	return ended
}

// between reports whether no record is incomplete.
func (r *records) between() bool { return r.header == 0 }
