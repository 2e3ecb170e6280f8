package h1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// roomyRules are those of the reference file.
var roomyRules = Rules{HeadSize: 32 << 10, FieldCount: 100, BodySize: 256 << 20}

const prefixSize = 32 << 10

// pattern returns n bytes that show when they were moved.
func pattern(n int) []byte {
	b := make([]byte, n)
	rng := rand.New(rand.NewPCG(1, 2)) // fixed: a failure must reproduce
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// bodies are the ways to send one.
var bodies = map[string]func(body []byte) []byte{
	"length": func(body []byte) []byte {
		return fmt.Appendf(nil, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nA: b\r\n\r\n%s", len(body), body)
	},
	"one chunk":       func(body []byte) []byte { return inChunks(body, len(body)) },
	"chunks of 1000":  func(body []byte) []byte { return inChunks(body, 1000) },
	"chunks of 16384": func(body []byte) []byte { return inChunks(body, 16384) },
	"chunks of 7":     func(body []byte) []byte { return inChunks(body, 7) },
}

func inChunks(body []byte, size int) []byte {
	out := []byte("POST /x HTTP/1.1\r\nHost: a\r\n" + chunked + "A: b\r\n\r\n")
	for len(body) > 0 {
		n := min(size, len(body))
		out = AppendChunk(out, body[:n])
		body = body[n:]
	}
	return append(out, "0;end\r\nT: x\r\n\r\n"...)
}

// sources are the ways in which bytes arrive.
var sources = map[string]func([]byte) io.Reader{
	"at once":     func(b []byte) io.Reader { return bytes.NewReader(b) },
	"in halves":   func(b []byte) io.Reader { return iotest.HalfReader(bytes.NewReader(b)) },
	"with EOF":    func(b []byte) io.Reader { return iotest.DataErrReader(bytes.NewReader(b)) },
	"in records":  func(b []byte) io.Reader { return &records{b, 16 << 10} },
	"in segments": func(b []byte) io.Reader { return &records{b, 1448} },
	"byte by byte": func(b []byte) io.Reader {
		if len(b) > 100<<10 {
			return &records{b, 13} // a byte at a time would take minutes under the race detector
		}
		return iotest.OneByteReader(bytes.NewReader(b))
	},
}

// records is a source of at most size bytes a read, as TLS is.
type records struct {
	rest []byte
	size int
}

func (s *records) Read(b []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.rest[:min(s.size, len(s.rest))])
	s.rest = s.rest[n:]
	return n, nil
}

func TestBodies(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, prefixSize - 1, prefixSize, prefixSize + 1, 1 << 20} {
		body := pattern(size)
		for sending, encode := range bodies {
			for arriving, source := range sources {
				t.Run(fmt.Sprintf("%d %s %s", size, sending, arriving), func(t *testing.T) {
					t.Parallel()
					testBody(t, source(encode(body)), body)
				})
			}
		}
	}
}

// testBody reads the request, its body by Prefix and then by Next.
func testBody(t *testing.T, src io.Reader, body []byte) {
	t.Helper()
	var r Reader
	var q Request
	r.Reset(src)
	defer r.Release()
	if err := r.ReadRequest(&q, &roomyRules); err != nil {
		t.Fatalf("ReadRequest: %v", err)
	}
	prefix, whole, err := r.Prefix(prefixSize)
	if err != nil {
		t.Fatalf("Prefix: %v", err)
	}
	if want := body[:min(len(body), prefixSize)]; !bytes.Equal(prefix, want) {
		t.Fatalf("Prefix returned %d other bytes, want %d", len(prefix), len(want))
	}
	if want := len(body) <= prefixSize; whole != want || r.Whole() != want {
		t.Errorf("Prefix: whole = %v, Whole() = %v, want %v", whole, r.Whole(), want)
	}
	rest, err := readAll(&r)
	if err != nil {
		t.Fatalf("Next: %v", err)
	}
	if want := string(body[len(prefix):]); rest != want {
		t.Fatalf("Next returned %d other bytes, want %d", len(rest), len(want))
	}
	if again, _, _ := r.Prefix(prefixSize); !bytes.Equal(again, body[:len(again)]) || len(again) != len(prefix) {
		t.Errorf("Prefix after Next returned %d other bytes", len(again))
	}
	if got := string(q.Method()) + string(q.Target()) + fieldsOf(&q.Head); !strings.HasPrefix(got, "POST/x1 \"Host\" \"a\"\n") {
		t.Errorf("head after the body = %q", got)
	}
	if got, want := len(r.buf.B), classSizes[len(classSizes)-1]; got > want {
		t.Errorf("the buffer grew to %d bytes, want at most %d", got, want)
	}
	r.Finish()
	if r.buf != nil {
		t.Error("the Reader holds a buffer without bytes")
	}
	if err := r.ReadRequest(&q, &roomyRules); err != io.EOF {
		t.Errorf("ReadRequest at the end = %v, want EOF", err)
	}
}

func TestSmallPrefixThenNext(t *testing.T) {
	t.Parallel()
	r, _ := mustRequest(t, post(chunked, "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"), &testRules)
	for _, n := range []int{0, 1, 4} {
		prefix, whole, err := r.Prefix(n)
		if string(prefix) != "abcdefg"[:n] || whole || err != nil {
			t.Fatalf("Prefix(%d) = %q, %v, %v, want %q", n, prefix, whole, err, "abcdefg"[:n])
		}
	}
	if rest, err := readAll(r); rest != "efg" || err != nil {
		t.Errorf("Next after Prefix = %q, %v, want \"efg\"", rest, err)
	}
}

func TestReadyNeverReads(t *testing.T) {
	t.Parallel()
	src := strings.NewReader(answer(chunked, "3\r\nabc\r\n2\r\nde"))
	more := strings.NewReader("\r\n0\r\n\r\n")
	var r Reader
	var p Response
	r.Reset(io.MultiReader(src, more))
	defer r.Release()
	if err := r.ReadResponse(&p, []byte("POST"), &testRules); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"abcde", ""} {
		if piece, err := r.Ready(); string(piece) != want || err != nil || r.Whole() {
			t.Fatalf("Ready() = %q, %v, want %q", piece, err, want)
		}
	}
	if got := more.Len(); got != 7 {
		t.Errorf("Ready read: %d bytes are left in the source, want 7", got)
	}
	if piece, err := r.Next(); len(piece) != 0 || err != io.EOF || !r.Whole() {
		t.Errorf("Next() = %q, %v, want EOF", piece, err)
	}
	if piece, err := r.Ready(); len(piece) != 0 || err != io.EOF {
		t.Errorf("Ready() at the end = %q, %v, want EOF", piece, err)
	}
}

func TestLastPieceKnowsTheEnd(t *testing.T) {
	t.Parallel()
	for _, message := range []string{
		answer("Content-Length: 5\r\n", "hello"),
		answer(chunked, "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"),
	} {
		r, _ := mustResponse(t, message, "POST")
		if piece, err := r.Ready(); string(piece) != "hello" || err != nil || !r.Whole() {
			t.Errorf("Ready() of %q = %q, %v, Whole %v, want the whole", message, piece, err, r.Whole())
		}
	}
}

func TestFaultBehindDataComesAfterThem(t *testing.T) {
	t.Parallel()
	r, _ := mustResponse(t, answer(chunked, "3\r\nabc\r\nx"+"yz\r\n"), "POST")
	if piece, err := r.Next(); string(piece) != "abc" || err != nil {
		t.Fatalf("Next() = %q, %v, want \"abc\"", piece, err)
	}
	for range 2 {
		if piece, err := r.Next(); len(piece) > 0 || fault(err) != malformed {
			t.Errorf("Next() = %q, %v, want %s", piece, err, malformed)
		}
	}
}

func TestPipelined(t *testing.T) {
	t.Parallel()
	one := post("Content-Length: 5\r\n", "hello") + get("A: b\r\n") + post(chunked, "5\r\nhello\r\n0\r\n\r\n")
	const rounds = 200 // more than the largest buffer holds
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r Reader
			var q Request
			r.Reset(source([]byte(strings.Repeat(one, rounds))))
			defer r.Release()
			for i := range 3 * rounds {
				if err := r.ReadRequest(&q, &testRules); err != nil {
					t.Fatalf("request %d: %v", i, err)
				}
				want := [...]string{"hello", "", "hello"}[i%3]
				if body, err := readAll(&r); body != want || err != nil {
					t.Fatalf("request %d: body = %q, %v, want %q", i, body, err, want)
				}
				r.Finish()
			}
			if err := r.ReadRequest(&q, &testRules); err != io.EOF || r.Buffered() != 0 {
				t.Errorf("behind the last: %v, %d bytes, want EOF", err, r.Buffered())
			}
		})
	}
}

func TestTruncatedAtEveryOffset(t *testing.T) {
	t.Parallel()
	for _, message := range []string{
		post("Content-Length: 5\r\n", "hello"),
		post(chunked, "3\r\nhel\r\n2;x\r\nlo\r\n0\r\nT: x\r\n\r\n"),
	} {
		for n := range message {
			want := outcome{fault: cut}
			if n == 0 {
				want.fault = "EOF"
			}
			for _, src := range []io.Reader{strings.NewReader(message[:n]), drip(message[:n])} {
				if got := requestOutcome(src, &testRules); got.fault != want.fault {
					t.Errorf("ReadRequest(%q) = %q, want %q", message[:n], got.fault, want.fault)
				}
			}
		}
	}
	message := answer("Content-Length: 5\r\n", "hello")
	for n := range message {
		want := cut
		if n == 0 {
			want = "EOF"
		}
		if got := responseOutcome(strings.NewReader(message[:n]), "POST"); got.fault != want {
			t.Errorf("ReadResponse(%q) = %q, want %q", message[:n], got.fault, want)
		}
	}
}

func TestUntilCloseEndsOnlyWithEOF(t *testing.T) {
	t.Parallel()
	message := answer("", strings.Repeat("a", 100<<10))
	if got := responseOutcome(strings.NewReader(message), "POST"); got.fault != "" || len(got.body) != 100<<10 {
		t.Errorf("close-delimited answer = %d bytes, %q, want %d", len(got.body), got.fault, 100<<10)
	}
	broken := io.MultiReader(strings.NewReader(message), iotest.ErrReader(io.ErrUnexpectedEOF))
	if got := responseOutcome(broken, "POST"); got.fault != cut {
		t.Errorf("close-delimited answer that broke = %q, want %q", got.fault, cut)
	}
}

func TestHeadGrowsAcrossSizeClasses(t *testing.T) {
	t.Parallel()
	rules := Rules{HeadSize: 1 << 20, FieldCount: 10_000}
	for _, size := range []int{1 << 10, 4 << 10, 5 << 10, 16 << 10, 48 << 10, 96 << 10, 300 << 10} {
		value := strings.Repeat("v", size)
		body := string(pattern(size))
		message := fmt.Sprintf("POST /x HTTP/1.1\r\nHost: a\r\nA: %s\r\nContent-Length: %d\r\n\r\n%s", value, len(body), body)
		for name, source := range sources {
			r, q := new(Reader), new(Request)
			r.Reset(source([]byte(message)))
			if err := r.ReadRequest(q, &rules); err != nil {
				t.Fatalf("%d bytes %s: %v", size, name, err)
			}
			if got, err := readAll(r); got != body || err != nil {
				t.Errorf("%d bytes %s: body of %d other bytes, %v", size, name, len(got), err)
			}
			if got, _ := q.Value("a"); string(got) != value || string(q.Target()) != "/x" {
				t.Errorf("%d bytes %s: the head is not what it was", size, name)
			}
			r.Release()
		}
	}
}

func TestHeadIsGoneAfterFinish(t *testing.T) {
	t.Parallel()
	r, q := mustRequest(t, get(""), &testRules)
	r.Finish()
	if q.Len() != 0 {
		t.Error("the head's bytes can be reached after Finish")
	}
}

func TestMisusePanics(t *testing.T) {
	t.Parallel()
	tests := map[string]func(){
		"Finish without a message": func() { new(Reader).Finish() },
		"Finish too early": func() {
			r, _ := mustRequest(t, post("Content-Length: 5\r\n", "he"), &testRules)
			r.Finish()
		},
		"ReadRequest without Finish": func() {
			r, q := mustRequest(t, get("")+get(""), &testRules)
			_ = r.ReadRequest(q, &testRules)
		},
	}
	for name, misuse := range tests {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "BUG: h1: ") {
					t.Errorf("panic = %s, want BUG", got)
				}
			}()
			misuse()
		})
	}
}

// flaky fails once, temporarily, before each byte.
type flaky struct {
	rest   string
	failed bool
}

var errTemporary = errors.New("temporary")

func (f *flaky) Read(b []byte) (int, error) {
	if f.failed = !f.failed; f.failed {
		return 0, errTemporary
	}
	n := copy(b[:1], f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

func TestCallsMayBeRepeatedAfterAnErrorOfTheSource(t *testing.T) {
	t.Parallel()
	var r Reader
	var q Request
	r.Reset(&flaky{rest: post(chunked, "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")})
	defer r.Release()
	err := errTemporary
	for err == errTemporary {
		err = r.ReadRequest(&q, &testRules)
	}
	if err != nil {
		t.Fatalf("ReadRequest: %v", err)
	}
	var body []byte
	for err != io.EOF {
		var piece []byte
		piece, err = r.Next()
		body = append(body, piece...)
		if err != nil && err != io.EOF && err != errTemporary {
			t.Fatalf("Next: %v", err)
		}
	}
	if string(body) != "hello" {
		t.Errorf("body = %q, want \"hello\"", body)
	}
}

func TestSourceThatReturnsNothing(t *testing.T) {
	t.Parallel()
	var r Reader
	r.Reset(nothing{})
	if err := r.ReadRequest(new(Request), &testRules); err != io.ErrNoProgress {
		t.Errorf("ReadRequest = %v, want %v", err, io.ErrNoProgress)
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

func TestOwnerReadsForItself(t *testing.T) {
	t.Parallel()
	var r Reader
	var q Request
	r.Reset(strings.NewReader("sent\r\nHost: a\r\n\r\n"))
	r.Space()
	r.Filled(0)
	if r.buf != nil {
		t.Error("Filled(0) keeps the buffer")
	}
	r.Filled(copy(r.Space(), "GET /"))
	r.Filled(copy(r.Space(), " HTTP/1.1\r\nAb"))
	if got, want := r.Buffered(), len("GET / HTTP/1.1\r\nAb"); got != want {
		t.Errorf("Buffered() = %d, want %d", got, want)
	}
	if err := r.ReadRequest(&q, &testRules); fault(err) != malformed {
		t.Errorf("ReadRequest = %v, want %s (the source's field name has no colon)", err, malformed)
	}
	r.Reset(strings.NewReader("ent: x\r\nHost: a\r\n\r\n"))
	r.Filled(copy(r.Space(), "GET / HTTP/1.1\r\nAbs"))
	if err := r.ReadRequest(&q, &testRules); err != nil {
		t.Errorf("ReadRequest: %v", err)
	}
	if value, _ := q.Value("absent"); string(value) != "x" {
		t.Errorf("Value(absent) = %q, want \"x\"", value)
	}
	r.Finish()
	if r.buf != nil || r.Buffered() != 0 {
		t.Error("Finish keeps the buffer")
	}
}

func TestBuffers(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 4 << 10, 4<<10 + 1, 96 << 10, 1 << 20} {
		b := GetBuffer(n)
		if len(b.B) < n || len(b.B) == 0 {
			t.Errorf("GetBuffer(%d) has %d bytes", n, len(b.B))
		}
		b.B = append(b.B[:0], "x"...)
		b.Release()
	}
	grown := GetBuffer(1)
	grown.B = append(grown.B, 0)
	grown.Release()
	if b := GetBuffer(1); len(b.B) != classSizes[0] {
		t.Errorf("GetBuffer(1) has %d bytes, want %d", len(b.B), classSizes[0])
	}
}
