package leqi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"sync"
)

// gzipLimit is how much of a gzip body is kept, and how much of it is inflated.
const gzipLimit = 64 << 10

// forbidden is the HTTP status of Leqi's security policy (RFC 9110, 15.5.4).
const forbidden = 403

// A Sample keeps what is needed of an answer's body to find the platform code
// in it: the first and last 512 bytes, of gzip the first 64 KiB and then their
// inflated form. The zero Sample is ready; Reset makes it so again, keeping
// nothing. A Sample is used by one goroutine at a time.
type Sample struct {
	ends   ends    // of the body; once settled, of the inflated one
	zipped *zipped // nil unless the body is gzip
	coded  bool    // in a way that is not undone here
	unread bool    // there is a body, but it was coded, damaged or too large
}

// Reset prepares s for an answer with that Content-Encoding, "" if it has none,
// and releases the buffers of the one before.
func (s *Sample) Reset(contentEncoding []byte) {
	s.release()
	s.ends.size = 0
	s.coded = !isReadable(bytes.TrimSpace(contentEncoding))
	s.unread = false
}

// isReadable reports whether a body with that Content-Encoding is looked into.
// Whether it is gzip, its own first bytes tell: Leqi's answers are compressed
// without having been asked, and a gateway may have lost the field.
func isReadable(contentEncoding []byte) bool {
	for _, coding := range []string{"", "identity", "gzip", "x-gzip"} {
		if bytes.EqualFold(contentEncoding, []byte(coding)) {
			return true
		}
	}
	return false
}

// Write takes the next piece of the body; it never fails and keeps no reference
// to p. It must not follow Code or FlowLimit without a Reset.
func (s *Sample) Write(p []byte) {
	before := s.ends.size
	s.ends.write(p)
	switch {
	case s.coded, s.unread:
		s.unread = s.ends.size > 0
	case s.zipped != nil:
		s.store(p)
	case before < 2 && s.ends.size >= 2 && s.ends.buf[0] == 0x1f && s.ends.buf[1] == 0x8b: // RFC 1952, 2.3.1
		s.zipped = zippedPool.Get().(*zipped)
		s.store(s.ends.buf[:before])
		s.store(p)
	}
}

func (s *Sample) store(p []byte) {
	if s.zipped.n+len(p) > gzipLimit {
		s.unread = true
		s.release()
		return
	}
	s.zipped.n += copy(s.zipped.buf[s.zipped.n:], p)
}

func (s *Sample) release() {
	if s.zipped != nil {
		s.zipped.n = 0
		zippedPool.Put(s.zipped)
		s.zipped = nil
	}
}

// Code returns the platform code of the answer: one of [Codes], or "" for an
// answer that has none. The string is a constant, and Code does not allocate,
// except for what compress/flate needs to inflate gzip.
//
// Of several codes the one that tells most counts: an httpStatusCode of 200 or
// 500 gives way to the code of an Error within it, and then to one of the known
// texts. The HTTP status counts if it is 403 and the body has no code.
func (s *Sample) Code(status int) string {
	s.settle()
	code := CodeUnread
	if !s.unread {
		code = s.ends.code()
	}
	if status == forbidden && (code == "" || code == CodeUnread) {
		return CodeForbidden
	}
	return code
}

// FlowLimit returns how many calls at once Leqi allows, if the answer says that
// there were too many; see the function [FlowLimit].
func (s *Sample) FlowLimit() (concurrency int, ok bool) {
	s.settle()
	if s.unread {
		return 0, false
	}
	first, last := s.ends.texts()
	if concurrency, ok = FlowLimit(first); ok {
		return concurrency, true
	}
	return FlowLimit(last)
}

// ProvesPath reports whether body, the whole answer to the empty call, says
// json数据格式不正确: that the call has come through to the platform. The body may be
// gzip, and its text UTF-8, GBK, or JSON with escapes.
func ProvesPath(body []byte) bool {
	var s Sample
	s.Write(body)
	s.settle()
	first, last := s.ends.texts()
	return !s.unread && (badJSONPhrase.in(first) || badJSONPhrase.in(last))
}

// settle puts the ends of the inflated body into the place of the received ones.
func (s *Sample) settle() {
	if s.zipped == nil {
		return
	}
	f := inflaterPool.Get().(*inflater)
	s.unread = f.inflate(&s.ends, s.zipped) != nil
	inflaterPool.Put(f)
	s.release()
}

// code returns the platform code in the body that e keeps the ends of, or "".
func (e *ends) code() string {
	first, last := e.texts()
	var found envelope
	found.scan(first)
	found.scan(last)
	if found.weight == specific || found.weight == success && found.data {
		return found.code // the usual case; no need to read the text
	}
	if code := phraseCode(first); code != "" {
		return code
	}
	if code := phraseCode(last); code != "" {
		return code
	}
	return found.code
}

// zipped is a gzip body, as far as it has come.
type zipped struct {
	buf [gzipLimit]byte
	n   int
}

var zippedPool = sync.Pool{New: func() any { return new(zipped) }}

// An inflater undoes gzip, in memory that serves again.
type inflater struct {
	source bytes.Reader
	reader gzip.Reader
	piece  [4096]byte
}

var inflaterPool = sync.Pool{New: func() any { return new(inflater) }}

var errTooLarge = errors.New("inflated body is too large")

// inflate writes the inflated z into e, which it empties first. It fails for a
// body that is damaged, cut off, or larger than gzipLimit.
func (f *inflater) inflate(e *ends, z *zipped) error {
	f.source.Reset(z.buf[:z.n])
	if err := f.reader.Reset(&f.source); err != nil {
		return err
	}
	e.size = 0
	for e.size <= gzipLimit {
		n, err := f.reader.Read(f.piece[:])
		e.write(f.piece[:n])
		if err == io.EOF && e.size <= gzipLimit {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return errTooLarge
}
