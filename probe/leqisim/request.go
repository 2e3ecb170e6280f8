package leqisim

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strconv"
	"strings"
)

// maxHead is the size in bytes up to which heads are read.
const maxHead = 64 << 10

// errFault is what a read or write ends with at the place of a fault.
var errFault = errors.New("place of a fault reached")

// A malformedError says what in a request is not as it should be.
type malformedError string

func (e malformedError) Error() string { return string(e) }

func malformedf(format string, args ...any) error {
	return malformedError(fmt.Sprintf(format, args...))
}

// A reader reads one request after the other from a connection, and stops where it is told.
type reader struct {
	*bufio.Reader
	read int64 // bytes of this request
	stop int64 // errFault when so many were read; negative: never
}

func newReader(r io.Reader) *reader {
	return &reader{Reader: bufio.NewReader(r), stop: -1}
}

// next begins another request.
func (r *reader) next() { r.read, r.stop = 0, -1 }

// available waits for bytes and returns those that are there, as far as the stop allows. They are
// valid until the next call; take consumes them.
func (r *reader) available() ([]byte, error) {
	if r.stop >= 0 && r.read >= r.stop {
		return nil, errFault
	}
	if _, err := r.Peek(1); err != nil {
		return nil, err
	}
	p, err := r.Peek(r.Buffered())
	if r.stop >= 0 {
		p = p[:min(int64(len(p)), r.stop-r.read)]
	}
	return p, err
}

func (r *reader) take(n int) {
	r.read += int64(n)
	r.Discard(n) //nolint:errcheck // they are buffered
}

// line appends to dst what is read up to and with the next LF, at most limit bytes in all.
func (r *reader) line(dst []byte, limit int) ([]byte, error) {
	start := len(dst)
	for {
		p, err := r.available()
		if err != nil {
			return dst, err
		}
		end := bytes.IndexByte(p, '\n') + 1
		if end == 0 {
			end = len(p)
		}
		if len(dst)-start+end > limit {
			return dst, malformedf("line or head too long")
		}
		dst = append(dst, p[:end]...)
		r.take(end)
		if dst[len(dst)-1] == '\n' {
			return dst, nil
		}
	}
}

// head reads a head into x.Head, with the blank line. What was read of one that is not whole is there too.
func (r *reader) head(x *Exchange) error {
	for start := 0; ; start = len(x.Head) {
		var err error
		if x.Head, err = r.line(x.Head, maxHead-start); err != nil {
			return err
		}
		if line := x.Head[start:]; bytes.Equal(line, crlf) {
			return nil
		}
	}
}

var crlf = []byte("\r\n")

// A framing is what a head says about the body that follows.
type framing struct {
	chunked bool
	length  int64
}

// parseHead fills x from x.Head, whole or not. It goes on after a mistake, so that the fields of a
// bad request can be seen, and returns the first one.
func parseHead(x *Exchange) (framing, error) {
	lines := bytes.SplitAfter(x.Head, []byte("\n"))
	first := parseRequestLine(x, lines[0])
	for _, line := range lines[1:] {
		if len(line) == 0 || bytes.Equal(line, crlf) {
			continue
		}
		f, err := parseField(line)
		if first == nil {
			first = err
		}
		if err == nil {
			x.Fields = append(x.Fields, f)
		}
	}
	place(x)
	f, err := parseFraming(x)
	if first != nil {
		return f, first
	}
	return f, err
}

// parseRequestLine reads METHOD SP origin-form SP HTTP/1.1 CRLF (RFC 9112 section 3), and nothing else.
func parseRequestLine(x *Exchange, line []byte) error {
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok {
		return malformedf("request line without CRLF")
	}
	parts := strings.Split(text, " ")
	if len(parts) != 3 {
		return malformedf("request line of %d parts", len(parts))
	}
	x.Method, x.Target = parts[0], parts[1]
	switch {
	case !isToken(x.Method):
		return malformedf("method %q", x.Method)
	case !strings.HasPrefix(x.Target, "/") || strings.ContainsFunc(x.Target, notInTarget):
		return malformedf("target %q", x.Target)
	case parts[2] != "HTTP/1.1":
		return malformedf("version %q", parts[2])
	}
	return nil
}

func notInTarget(c rune) bool { return c <= ' ' || c == '#' || c == 0x7f }

// parseField reads name ":" OWS value OWS CRLF (RFC 9112 section 5).
func parseField(line []byte) (Field, error) {
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok {
		return Field{}, malformedf("field line %q without CRLF", line)
	}
	name, value, ok := strings.Cut(text, ":")
	if !ok || !isToken(name) {
		return Field{}, malformedf("field name of %q", text)
	}
	value = strings.Trim(value, " \t")
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		return Field{}, malformedf("control character in field %s", name)
	}
	return Field{name, value}, nil
}

// parseFraming judges how the body is delimited (RFC 9112 section 6); only one way may be given.
func parseFraming(x *Exchange) (f framing, err error) {
	hosts, lengths, codings := x.values("Host"), x.values("Content-Length"), x.values("Transfer-Encoding")
	switch {
	case len(hosts) != 1 || hosts[0] == "":
		return f, malformedf("Host %q", hosts)
	case len(lengths)+len(codings) > 1:
		return f, malformedf("Content-Length %q and Transfer-Encoding %q", lengths, codings)
	case len(codings) == 1 && codings[0] != "chunked":
		return f, malformedf("Transfer-Encoding %q", codings[0])
	case len(codings) == 1:
		return framing{chunked: true}, nil
	case len(lengths) == 1:
		if f.length, err = parseDigits(lengths[0], 10); err != nil {
			return f, malformedf("Content-Length %q", lengths[0])
		}
	}
	return f, nil
}

// parseDigits reads digits alone: no sign, no underscore, nothing empty.
func parseDigits(s string, base int) (int64, error) {
	if strings.ContainsAny(s, "+-_") {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(s, base, 63)
}

// body reads what f announces into sink, and all of its bytes into raw.
func (r *reader) body(f framing, sink, raw *tally) error {
	var err error
	if f.chunked {
		err = r.chunks(sink, raw)
	} else {
		err = r.content(f.length, sink, raw)
	}
	if err == nil && r.stop >= 0 && r.read >= r.stop {
		err = errFault // right behind the last byte, or in a head that had to be read to find the rule
	}
	return err
}

func (r *reader) content(n int64, sinks ...*tally) error {
	for n > 0 {
		p, err := r.available()
		if err != nil {
			return err
		}
		p = p[:min(int64(len(p)), n)]
		for _, s := range sinks {
			s.add(p)
		}
		n -= int64(len(p))
		r.take(len(p))
	}
	return nil
}

// chunks reads a chunked body (RFC 9112 section 7.1). It takes neither extensions nor trailers:
// nothing that lqproxy sends has them.
func (r *reader) chunks(sink, raw *tally) error {
	for {
		size, err := r.chunkSize(raw)
		if err != nil {
			return err
		}
		if err := r.content(size, sink, raw); err != nil {
			return err
		}
		end, err := r.line(nil, 256)
		raw.add(end)
		switch {
		case err != nil:
			return err
		case !bytes.Equal(end, crlf):
			return malformedf("%q after a chunk of %d bytes", end, size)
		case size == 0:
			return nil
		}
	}
}

func (r *reader) chunkSize(raw *tally) (int64, error) {
	line, err := r.line(nil, 256)
	raw.add(line)
	if err != nil {
		return 0, err
	}
	digits, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok {
		return 0, malformedf("chunk size %q", line)
	}
	size, err := parseDigits(digits, 16)
	if err != nil {
		return 0, malformedf("chunk size %q", line)
	}
	return size, nil
}

// A tally keeps the first bytes of a stream, counts all, and sums them up if sum is set.
type tally struct {
	kept  []byte
	limit int
	bytes int64
	sum   hash.Hash
}

func newTally(limit int) *tally { return &tally{limit: max(limit, 0)} }

func newSummingTally(limit int) *tally { return &tally{limit: max(limit, 0), sum: sha256.New()} }

func (t *tally) add(p []byte) {
	t.bytes += int64(len(p))
	t.kept = append(t.kept, p[:min(len(p), t.limit-len(t.kept))]...)
	if t.sum != nil {
		t.sum.Write(p)
	}
}

// Value returns the value of the first field of that name, in any case, and whether there is one.
func (x *Exchange) Value(name string) (string, bool) {
	values := x.values(name)
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}

func (x *Exchange) values(name string) (list []string) {
	for _, f := range x.Fields {
		if equalFold(f.Name, name) {
			list = append(list, f.Value)
		}
	}
	return list
}

// lists reports whether the comma-separated field name has the given element.
func (x *Exchange) lists(name, element string) bool {
	for _, value := range x.values(name) {
		if slices.ContainsFunc(strings.Split(value, ","), func(e string) bool {
			return equalFold(strings.Trim(e, " \t"), element)
		}) {
			return true
		}
	}
	return false
}

// equalFold compares in ASCII: field names have no other letters, and U+212A is no k.
func equalFold(a, b string) bool {
	return len(a) == len(b) && strings.EqualFold(a, b)
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return !alphanumeric(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	})
}
