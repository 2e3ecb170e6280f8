package leqisim

import (
	"bytes"
	"strings"
	"testing"
	"testing/iotest"
)

func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	const ok = "Host: x\r\n"
	tests := []struct{ name, request, want string }{
		{"bare LF in the request line", "POST / HTTP/1.1\n" + ok + "\r\n", "request line without CRLF"},
		{"two spaces", "POST  / HTTP/1.1\r\n" + ok + "\r\n", "request line of 4 parts"},
		{"version", "POST / HTTP/1.0\r\n" + ok + "\r\n", `version "HTTP/1.0"`},
		{"absolute form", "POST http://x/ HTTP/1.1\r\n" + ok + "\r\n", `target "http://x/"`},
		{"fragment", "POST /#a HTTP/1.1\r\n" + ok + "\r\n", `target "/#a"`},
		{"control character in the target", "POST /\x01 HTTP/1.1\r\n" + ok + "\r\n", `target "/\x01"`},
		{"method", "PO(ST / HTTP/1.1\r\n" + ok + "\r\n", `method "PO(ST"`},
		{"no Host", "POST / HTTP/1.1\r\n\r\n", "Host []"},
		{"two Hosts", "POST / HTTP/1.1\r\n" + ok + "host: y\r\n\r\n", `Host ["x" "y"]`},
		{"bare LF", "POST / HTTP/1.1\r\n" + ok + "A: b\n\r\n", `field line "A: b\n" without CRLF`},
		{"bare CR", "POST / HTTP/1.1\r\n" + ok + "A: b\rc\r\n\r\n", "control character in field A"},
		{"NUL", "POST / HTTP/1.1\r\n" + ok + "A: b\x00\r\n\r\n", "control character in field A"},
		{"folding", "POST / HTTP/1.1\r\n" + ok + "A: b\r\n c: d\r\n\r\n", `field name of " c: d"`},
		{"space before the colon", "POST / HTTP/1.1\r\n" + ok + "A : b\r\n\r\n", `field name of "A : b"`},
		{"no colon", "POST / HTTP/1.1\r\n" + ok + "A\r\n\r\n", `field name of "A"`},
		{"empty name", "POST / HTTP/1.1\r\n" + ok + ": a\r\n\r\n", `field name of ": a"`},
		{"signed length", "POST / HTTP/1.1\r\n" + ok + "Content-Length: +1\r\n\r\na", `Content-Length "+1"`},
		{"empty length", "POST / HTTP/1.1\r\n" + ok + "Content-Length:\r\n\r\na", `Content-Length ""`},
		{"list of lengths", "POST / HTTP/1.1\r\n" + ok + "Content-Length: 1, 1\r\n\r\na", `Content-Length "1, 1"`},
		{"huge length", "POST / HTTP/1.1\r\n" + ok + "Content-Length: 9223372036854775808\r\n\r\na", `Content-Length "9223372036854775808"`},
		{
			"two lengths", "POST / HTTP/1.1\r\n" + ok + "Content-Length: 1\r\nContent-length: 1\r\n\r\na",
			`Content-Length ["1" "1"] and Transfer-Encoding []`,
		},
		{
			"length and coding", "POST / HTTP/1.1\r\n" + ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			`Content-Length ["1"] and Transfer-Encoding ["chunked"]`,
		},
		{"other coding", "POST / HTTP/1.1\r\n" + ok + "Transfer-Encoding: gzip, chunked\r\n\r\n", `Transfer-Encoding "gzip, chunked"`},
		{"chunk size", chunked("x\r\n"), `chunk size "x\r\n"`},
		{"signed chunk size", chunked("+1\r\na\r\n0\r\n\r\n"), `chunk size "+1\r\n"`},
		{"underscored chunk size", chunked("1_0\r\n"), `chunk size "1_0\r\n"`},
		{"chunk extension", chunked("1;a\r\na\r\n0\r\n\r\n"), `chunk size "1;a\r\n"`},
		{"chunk without end", chunked("1\r\nab\r\n0\r\n\r\n"), `"b\r\n" after a chunk of 1 bytes`},
		{"chunk size with bare LF", chunked("1\na\r\n0\r\n\r\n"), `chunk size "1\n"`},
		{"trailer", chunked("0\r\nA: b\r\n\r\n"), `"A: b\r\n" after a chunk of 0 bytes`},
		{"long head", "POST / HTTP/1.1\r\n" + ok + "A: " + strings.Repeat("b", maxHead), "line or head too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Options{})
			r, body := dial(t, s).ask(t, tt.request)
			if r.StatusCode != 400 || body != tt.want || !r.Close {
				t.Errorf("answer = %d %q, want 400 %q and the end", r.StatusCode, body, tt.want)
			}
			if got := s.Exchanges()[0].Malformed; got != tt.want || s.Stats().Malformed != 1 {
				t.Errorf("Malformed = %q, %d in all, want %q", got, s.Stats().Malformed, tt.want)
			}
		})
	}
}

func chunked(body string) string {
	return "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body
}

// readOne reads one request from p and returns it with what is wrong.
func readOne(r *reader) (*Exchange, error) {
	x := &Exchange{}
	if err := r.head(x); err != nil {
		return x, err
	}
	f, err := parseHead(x)
	if err != nil {
		return x, err
	}
	sink, raw := newTally(1<<20), newTally(1<<20)
	err = r.body(f, sink, raw)
	x.Body, x.Raw = sink.kept, raw.kept
	return x, err
}

// The bytes of a request mean the same however they arrive.
func TestReaderDoesNotDependOnPieces(t *testing.T) {
	t.Parallel()
	input := post(invoicePath, "abc") + chunked("3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n") + post(probePath, "")
	for name, r := range map[string]*reader{
		"whole":         newReader(strings.NewReader(input)),
		"byte by byte":  newReader(iotest.OneByteReader(strings.NewReader(input))),
		"half the size": newReader(iotest.HalfReader(strings.NewReader(input))),
	} {
		var got bytes.Buffer
		for range 3 {
			x, err := readOne(r)
			if err != nil {
				t.Fatalf("%s: reading: %v", name, err)
			}
			got.Write(x.Head)
			got.Write(x.Raw)
			r.next()
		}
		if got.String() != input {
			t.Errorf("%s: read %q, want %q", name, got.String(), input)
		}
	}
}

// FuzzReader holds that the reader never panics, reads nothing that is not there, and keeps every byte.
func FuzzReader(f *testing.F) {
	f.Add([]byte(post(invoicePath, "abc")), int64(-1))
	f.Add([]byte(chunked("3\r\nabc\r\n0\r\n\r\n")), int64(90))
	f.Add([]byte("POST / HTTP/1.1\nHost: x\r\n\r\n"), int64(3))
	f.Add([]byte(chunked("0\r\nA: b\r\n\r\n")), int64(-1))
	f.Fuzz(func(t *testing.T, input []byte, stop int64) {
		r := newReader(bytes.NewReader(input))
		r.stop = stop
		x, err := readOne(r)
		if stop >= 0 && r.read > stop {
			t.Errorf("read %d bytes, want at most %d", r.read, stop)
		}
		got := append(bytes.Clone(x.Head), x.Raw...)
		if err == nil && !bytes.Equal(got, input[:r.read]) {
			t.Errorf("kept %q of %q", got, input[:r.read])
		}
		if !bytes.HasPrefix(input, got) {
			t.Errorf("kept %q, which is not the beginning of %q", got, input)
		}
	})
}
