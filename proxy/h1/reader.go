package h1

import (
	"bytes"
	"cmp"
	"io"
	"math"
	"strconv"
)

// A Reader reads the messages of one connection, one after the other, through one pooled buffer that it holds only
// while it has bytes.
//
// The life of a message: ReadRequest or ReadResponse; then any number of Prefix, Ready and Next; then Finish, after
// which the next message can be read. Not safe for concurrent use. Errors of the source are returned as they are,
// and the call may be repeated, with the same arguments, after one that was temporary; an end of the source inside
// a message is io.ErrUnexpectedEOF, before its first byte io.EOF. After an [*Error] only Reset and Release may
// follow. While Prefix or Next reads, the message's head must not be used, because it may move.
type Reader struct {
	src  io.Reader
	buf  *Buffer // nil while there are no bytes
	full bool    // the last read took all the room there was

	// Offsets into the buffer: of the message, and from there on, relative to it, of the end of what was read, of
	// the first byte that is not yet understood, and of the first that was not yet looked at for a line end.
	start, end, raw, scanned int

	message
}

const (
	minRoom       = 512      // the least to read into: smaller reads would cost more than a move
	streamRoom    = 32 << 10 // to read into while much more is to come
	maxEmptyReads = 100      // before a source that returns nothing, and no error, is given up
)

// Reset makes r read from src; a buffer it holds is given back.
func (r *Reader) Reset(src io.Reader) {
	r.Release()
	r.src = src
}

// Release gives the buffer back, whatever it holds.
func (r *Reader) Release() {
	r.forget()
	if r.buf != nil {
		r.buf.Release()
	}
	*r = Reader{src: r.src}
}

// forget ends the life of the message's bytes. A head that is used too late must not show bytes of another caller.
func (r *Reader) forget() {
	if r.head != nil {
		r.head.raw = nil
	}
	r.message = message{}
}

// Space lends the free part of r's buffer, taking one from the pool when r holds none: for an owner that reads for
// itself while r is idle. Filled(n) must follow; Filled(0) gives an unneeded buffer back.
func (r *Reader) Space() []byte {
	r.reserve(minRoom)
	return r.buf.B[r.start+r.end:]
}

// Filled says that n bytes were read into Space.
func (r *Reader) Filled(n int) {
	r.end += n
	if r.end == 0 {
		r.Release()
	}
}

// Buffered returns the number of bytes that were read and not yet consumed.
func (r *Reader) Buffered() int {
	if r.head == nil {
		return r.end
	}
	return r.end - r.raw
}

// ReadRequest reads and judges a request head. Its errors are an [*Error] or the source's.
func (r *Reader) ReadRequest(q *Request, rules *Rules) error {
	*q = Request{Head: Head{Fields: q.Fields[:0]}}
	if err := r.findHead(beginsRequest, false, rules.HeadSize); err != nil {
		return err
	}
	r.head = &q.Head
	if err := q.parse(r.bytes(0, r.raw), rules); err != nil {
		return err
	}
	r.beginBody(rules.HeadSize, cmp.Or(rules.BodySize, math.MaxInt64))
	if q.Framing.Length > r.allowed {
		return &Error{BodyTooLarge, "Content-Length " + strconv.FormatInt(q.Framing.Length, 10)}
	}
	return nil
}

// ReadResponse reads, mends and judges the head of an answer to a request with that method (HEAD has no body). An
// interim answer, 1xx, is a message of its own.
func (r *Reader) ReadResponse(p *Response, method []byte, rules *Rules) error {
	*p = Response{Head: Head{Fields: p.Fields[:0]}}
	if err := r.findHead(beginsResponse, true, rules.HeadSize); err != nil {
		return err
	}
	r.head = &p.Head
	if err := p.parse(r.bytes(0, r.raw), method, rules); err != nil {
		return err
	}
	r.beginBody(rules.HeadSize, math.MaxInt64)
	return nil
}

// Finish forgets the message. Bytes behind it begin the next one; when there are none the buffer goes back to the
// pool. The message must be Whole.
func (r *Reader) Finish() {
	if !r.Whole() {
		panic("BUG: h1: Finish before the message was read to its end")
	}
	r.forget()
	r.start, r.end, r.raw, r.scanned = r.start+r.raw, r.end-r.raw, 0, 0
	if r.end == 0 {
		r.Release()
	}
}

// bytes returns bytes of the message.
func (r *Reader) bytes(off, end int) []byte {
	if r.buf == nil {
		return nil
	}
	return r.buf.B[r.start+off : r.start+end]
}

// findHead reads until the head is complete, and leaves r.raw behind it. It goes on where an earlier look stopped,
// so that a head that comes byte by byte costs no more than one that comes at once.
func (r *Reader) findHead(begins func([]byte) bool, bareLF bool, size int) error {
	if r.head != nil {
		panic("BUG: h1: a head is read before the last message was finished")
	}
	for {
		if first := r.bytes(0, r.end); !begins(first) {
			return refuse(Malformed, "no message begins with", first[:min(len(first), 8)])
		}
		line, found, err := r.line(size-r.raw, HeadTooLarge, bareLF)
		if err != nil || found && len(line) == 0 {
			return err
		}
		if !found {
			err = r.fill(minRoom)
		}
		if err != nil {
			return err
		}
	}
}

// beginsRequest reports whether b can begin a request.
func beginsRequest(b []byte) bool { return len(b) == 0 || classes[b[0]]&tokenByte != 0 }

// beginsResponse reports whether b can begin an answer.
func beginsResponse(b []byte) bool {
	const name = "HTTP/"
	n := min(len(b), len(name))
	return string(b[:n]) == name[:n]
}

// line returns the line at r.raw without its CRLF, or LF if bareLF is allowed, and moves r.raw behind it; found is
// false when its end is not there yet. A line of more than limit bytes is the fault long.
func (r *Reader) line(limit int, long Fault, bareLF bool) (line []byte, found bool, err error) {
	window := r.bytes(r.raw, min(r.end, r.raw+limit))
	seen := r.scanned - r.raw
	i := bytes.IndexByte(window[seen:], '\n')
	if i < 0 {
		r.scanned = r.raw + len(window)
		if len(window) == limit {
			return nil, false, &Error{long, "no line end within " + strconv.Itoa(limit) + " bytes"}
		}
		return nil, false, nil
	}
	end := seen + i
	r.raw += end + 1
	r.scanned = r.raw
	if end > 0 && window[end-1] == '\r' {
		return window[:end-1], true, nil
	}
	if !bareLF {
		return nil, false, &Error{Malformed, "a line that ends in LF alone"}
	}
	return window[:end], true, nil
}

// fill reads once, into at least room bytes. The end of the source is io.EOF only where a message may end.
func (r *Reader) fill(room int) error {
	r.reserve(room)
	space := r.buf.B[r.start+r.end:]
	for range maxEmptyReads {
		n, err := r.src.Read(space)
		if n > 0 {
			r.end += n
			r.full = n == len(space)
			return nil // a source that also failed fails again
		}
		switch {
		case err == nil:
			continue
		case r.end == 0:
			r.Release()
		case err == io.EOF && r.kind != UntilClose:
			return io.ErrUnexpectedEOF
		}
		return err
	}
	return io.ErrNoProgress
}

// reserve makes room for n bytes behind the message: as the buffer is, or with the message moved to the front of
// it, or of a larger one.
func (r *Reader) reserve(n int) {
	if r.buf == nil {
		r.buf = GetBuffer(n)
		return
	}
	if len(r.buf.B)-r.start-r.end >= n {
		return
	}
	to := r.buf
	if len(to.B)-r.end < n {
		to = GetBuffer(max(r.end+n, 2*len(to.B))) // doubled, or a long head would be copied all too often
	}
	copy(to.B, r.bytes(0, r.end))
	if to != r.buf {
		r.buf.Release()
	}
	r.buf, r.start = to, 0
	if r.head != nil {
		r.head.raw = to.B[:len(r.head.raw)]
	}
}
