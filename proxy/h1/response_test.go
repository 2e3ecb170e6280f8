package h1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// answer returns a 200 with those field lines, and a body.
func answer(lines, body string) string { return "HTTP/1.1 200 OK\r\n" + lines + "\r\n" + body }

// A responseCase is an answer and what is made of it: its fault, or else the
// head as it is passed on (with the framing it came with) and the body.
type responseCase struct {
	name, message, fault, head, body string
}

const ok = "HTTP/1.1 200 OK\r\n"

var responseCases = []responseCase{
	{"length", answer("Content-Length: 2\r\n", "hi"), "", ok + "Content-Length: 2\r\n\r\n", "hi"},
	{"chunked", answer("transfer-encoding:  CHUNKED\r\n", "2\r\nhi\r\n0\r\n\r\n"), "", ok + "transfer-encoding:  CHUNKED\r\n\r\n", "hi"},
	{"until close", answer("A: b\r\n", "hi"), "", ok + "A: b\r\n\r\n", "hi"},
	{"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhi", "", ok + "\r\n", "hi"},
	{"no reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", ""},
	{"no reason and no space", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", ""},
	{"reason in UTF-8 with two spaces", "HTTP/1.1 403  禁止 \r\nContent-Length: 0\r\n\r\n", "", "HTTP/1.1 403  禁止 \r\nContent-Length: 0\r\n\r\n", ""},
	{"status beyond 599", "HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n", "", "HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n", ""},
	{"spelling, order, whitespace", answer("b_c:\r\nA:  x \t\r\nb_c: 票\r\nContent-Length: 0\r\n", ""), "", ok + "b_c:\r\nA:  x \t\r\nb_c: 票\r\nContent-Length: 0\r\n\r\n", ""},

	{"mended: LF for a line end", "HTTP/1.1 200 OK\nA: b\nContent-Length: 2\n\nhi", "", ok + "A: b\r\nContent-Length: 2\r\n\r\n", "hi"},
	{"mended: LF and CRLF mixed", "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 2\r\n\nhi", "", ok + "A: b\r\nContent-Length: 2\r\n\r\n", "hi"},
	{"mended: space before the colon", answer("A \t: b\r\nContent-Length : 2\r\n", "hi"), "", ok + "A: b\r\nContent-Length: 2\r\n\r\n", "hi"},
	{"mended: obs-fold", answer("A: b\r\n c\r\n\td\r\nContent-Length: 2\r\n", "hi"), "", ok + "A: b   c  \td\r\nContent-Length: 2\r\n\r\n", "hi"},
	{"mended: obs-fold after LF", answer("A: b\n c\r\nContent-Length: 2\r\n", "hi"), "", ok + "A: b  c\r\nContent-Length: 2\r\n\r\n", "hi"},
	{"mended: obs-fold of nothing", answer("A: b\r\n \t\r\nContent-Length: 2\r\n", "hi"), "", ok + "A: b   \t\r\nContent-Length: 2\r\n\r\n", "hi"},
	{"mended: folded framing", answer("Transfer-Encoding:\r\n chunked\r\n", "2\r\nhi\r\n0\r\n\r\n"), "", ok + "Transfer-Encoding:   chunked\r\n\r\n", "hi"},
	{"mended: a colon in a continuation", answer("A: b\r\n Content-Length: 5\r\nContent-Length: 2\r\n", "hi"), "", ok + "A: b   Content-Length: 5\r\nContent-Length: 2\r\n\r\n", "hi"},
	{"mended: bare CR in a value", answer("A: b\rContent-Length: 5\r\nContent-Length: 2\r\n", "hi"), "", ok + "A: b Content-Length: 5\r\nContent-Length: 2\r\n\r\n", "hi"},
	{"mended: CR CR LF", answer("A: b\r\r\nContent-Length: 2\r\n", "hi"), "", ok + "A: b \r\nContent-Length: 2\r\n\r\n", "hi"},
	{"mended: NUL and controls in a value", answer("A: b\x00\x01\x7fc\r\nContent-Length: 2\r\n", "hi"), "", ok + "A: b   c\r\nContent-Length: 2\r\n\r\n", "hi"},
	{"mended: controls in the reason", "HTTP/1.1 200 O\x00\rK\x1b\r\nContent-Length: 0\r\n\r\n", "", "HTTP/1.1 200 O  K \r\nContent-Length: 0\r\n\r\n", ""},
	{"mended: repeated length", answer("Content-Length: 2\r\nA: b\r\ncontent-length: 2\r\n", "hi"), "", ok + "Content-Length: 2\r\nA: b\r\n\r\n", "hi"},
	{"mended: listed length", answer("Content-Length:  2 , 2,2 \r\n", "hi"), "", ok + "Content-Length:  2\r\n\r\n", "hi"},
	{"mended: listed and repeated length", answer("Content-Length: 2, 2\r\nContent-Length: 2,2\r\n", "hi"), "", ok + "Content-Length: 2\r\n\r\n", "hi"},

	{"hop-by-hop", answer("Connection: x-b, close\r\nX-A: 1\r\nX-B: 2\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nTE: x\r\nTrailer: x\r\nUpgrade: h2c\r\nContent-Length: 0\r\n", ""), "", ok + "X-A: 1\r\nContent-Length: 0\r\n\r\n", ""},
	{"own fields", answer("X-Lqproxy-Reason: dial\r\nx-lqproxy-: x\r\nX-Lqprox: y\r\nContent-Length: 0\r\n", ""), "", ok + "X-Lqprox: y\r\nContent-Length: 0\r\n\r\n", ""},
	{"Connection names what is needed", answer("Connection: content-length, content-type\r\nContent-Type: a\r\nContent-Length: 2\r\n", "hi"), "", ok + "Content-Type: a\r\nContent-Length: 2\r\n\r\n", "hi"},
	{"Connection that cannot be read", answer("Connection: a b, x-c\r\nX-C: 1\r\nContent-Length: 2\r\n", "hi"), "", ok + "Content-Length: 2\r\n\r\n", "hi"},
	{"Proxy-Authenticate, Host and Server pass", answer("Proxy-Authenticate: Basic\r\nHost: x\r\nServer: y\r\nContent-Length: 0\r\n", ""), "", ok + "Proxy-Authenticate: Basic\r\nHost: x\r\nServer: y\r\nContent-Length: 0\r\n\r\n", ""},

	{"100", "HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP", "", "HTTP/1.1 100 Continue\r\nA: b\r\n\r\n", ""},
	{"101", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "", "HTTP/1.1 101 Switching\r\n\r\n", ""},
	{"204 with a length", "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello", "", "HTTP/1.1 204 No\r\n\r\n", ""},
	{"204 chunked", "HTTP/1.1 204 No\r\n" + chunked + "\r\n", "", "HTTP/1.1 204 No\r\n\r\n", ""},
	{"304 with a length", "HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n", "", "HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n", ""},
	{"304 chunked", "HTTP/1.1 304 Not\r\n" + chunked + "\r\n", "", "HTTP/1.1 304 Not\r\n\r\n", ""},

	{"empty line first", "\r\n" + answer("", ""), malformed, "", ""},
	{"not HTTP", "SSH-2.0-OpenSSH\r\n", malformed, "", ""},
	{"lower case", "http/1.1 200 OK\r\n\r\n", malformed, "", ""},
	{"ICY", "ICY 200 OK\r\n\r\n", malformed, "", ""},
	{"body without a head", "{\"body\":\"\"}", malformed, "", ""},
	{"HTTP/2", "HTTP/2 200 OK\r\n\r\n", malformed, "", ""},
	{"HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", version, "", ""},
	{"HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", version, "", ""},
	{"status of two digits", "HTTP/1.1 20 OK\r\n\r\n", malformed, "", ""},
	{"status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", malformed, "", ""},
	{"status below 100", "HTTP/1.1 099 OK\r\n\r\n", malformed, "", ""},
	{"status with a sign", "HTTP/1.1 +20 OK\r\n\r\n", malformed, "", ""},
	{"status in letters", "HTTP/1.1 2O0 OK\r\n\r\n", malformed, "", ""},
	{"two spaces before the status", "HTTP/1.1  200 OK\r\n\r\n", malformed, "", ""},
	{"tab before the status", "HTTP/1.1\t200 OK\r\n\r\n", malformed, "", ""},
	{"tab behind the status", "HTTP/1.1 200\tOK\r\n\r\n", malformed, "", ""},
	{"version alone", "HTTP/1.1\r\n\r\n", malformed, "", ""},
	{"space before the first field", answer(" A: b\r\n", ""), malformed, "", ""},
	{"no colon", answer("A\r\n", ""), malformed, "", ""},
	{"no colon but in a continuation", answer("A\r\n : b\r\n", ""), malformed, "", ""},
	{"no name", answer(": b\r\n", ""), malformed, "", ""},
	{"space in a name", answer("A b: c\r\n", ""), malformed, "", ""},
	{"NUL in a name", answer("A\x00: b\r\n", ""), malformed, "", ""},
	{"CR in a name", answer("A\rB: c\r\n", ""), malformed, "", ""},
	{"CR before the colon", answer("Content-Length\r: 5\r\n", ""), malformed, "", ""},
	{"UTF-8 in a name", answer("票: b\r\n", ""), malformed, "", ""},
	{"a line of CR", answer("\r\r\n", ""), malformed, "", ""},
	{"another answer among the fields", answer("HTTP/1.1 200 OK\r\n", ""), malformed, "", ""},
	{"CL.TE", answer("Content-Length: 5\r\n"+chunked, "0\r\n\r\n"), malformed, "", ""},
	{"TE.CL", answer(chunked+"Content-Length: 5\r\n", "0\r\n\r\n"), malformed, "", ""},
	{"TE twice", answer(chunked+chunked, "0\r\n\r\n"), malformed, "", ""},
	{"TE gzip, chunked", answer("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), malformed, "", ""},
	{"TE identity", answer("Transfer-Encoding: identity\r\n", ""), malformed, "", ""},
	{"TE empty", answer("Transfer-Encoding:\r\n", ""), malformed, "", ""},
	{"TE in HTTP/1.0", "HTTP/1.0 200 OK\r\n" + chunked + "\r\n0\r\n\r\n", malformed, "", ""},
	{"lengths that differ", answer("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"), malformed, "", ""},
	{"listed lengths that differ", answer("Content-Length: 5, 6\r\n", "hello!"), malformed, "", ""},
	{"listed length with an empty element", answer("Content-Length: 5,\r\n", "hello"), malformed, "", ""},
	{"length empty", answer("Content-Length:\r\n", ""), malformed, "", ""},
	{"length signed", answer("Content-Length: +5\r\n", "hello"), malformed, "", ""},
	{"length with space inside", answer("Content-Length: 5 5\r\n", "hello"), malformed, "", ""},
	{"21 fields", answer(strings.Repeat("A: b\r\n", 21), ""), tooLarge, "", ""},
	{"endless reason", "HTTP/1.1 200 " + strings.Repeat("a", 2000), tooLarge, "", ""},
	{"endless line of LF", "HTTP/1.1 200 OK\n" + strings.Repeat("A: b\n", 500), tooLarge, "", ""},
	{"chunk ends in LF", answer(chunked, "5\nhello\r\n0\r\n\r\n"), malformed, "", ""},
	{"body cut", answer("Content-Length: 5\r\n", "hell"), cut, "", ""},
	{"chunked body cut", answer(chunked, "5\r\nhello\r\n"), cut, "", ""},
	{"head cut", "HTTP/1.1 200 OK\r\nA: b\r\n", cut, "", ""},
}

func TestReadResponse_RFC9112(t *testing.T) {
	t.Parallel()
	for _, c := range responseCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			whole := responseOutcome(strings.NewReader(c.message), "POST")
			if whole.fault != c.fault {
				t.Fatalf("ReadResponse(%q) = %q, want %q", c.message, whole.fault, c.fault)
			}
			if dripped := responseOutcome(drip(c.message), "POST"); dripped != whole {
				t.Errorf("ReadResponse(%q) byte by byte = %q, want %q", c.message, dripped, whole)
			}
			if c.fault != "" {
				return
			}
			_, p := mustResponse(t, c.message, "POST")
			if diff := cmp.Diff(c.head, string(p.AppendForward(nil, p.Framing, Ending{}))); diff != "" {
				t.Errorf("AppendForward of %q (-want +got):\n%s", c.message, diff)
			}
			if whole.body != c.body {
				t.Errorf("body of %q = %q, want %q", c.message, whole.body, c.body)
			}
		})
	}
}

func TestResponseToHead_RFC9110_9_3_2(t *testing.T) {
	t.Parallel()
	for _, lines := range []string{"Content-Length: 5\r\n", chunked, ""} {
		r, p := mustResponse(t, answer(lines, "HTTP/1.1 200 OK\r\n"), "HEAD")
		if got, want := p.Framing, (Framing{}); got != want || !p.KeepAlive {
			t.Errorf("framing of HEAD's answer with %q = %v (keep %v), want %v", lines, got, p.KeepAlive, want)
		}
		if !r.Whole() {
			t.Errorf("Whole() = false for HEAD's answer with %q, want true", lines)
		}
	}
}

func TestResponsePersistence_RFC9112_9_3(t *testing.T) {
	t.Parallel()
	const length = "Content-Length: 0\r\n"
	tests := []struct {
		message string
		keep    bool
		timeout int64
	}{
		{answer(length, ""), true, 0},
		{answer(length+"Connection: close\r\n", ""), false, 0},
		{answer(length+"Connection: keep-alive, Close\r\n", ""), false, 0},
		{answer(length+"Connection: a b\r\n", ""), false, 0},
		{answer(length+"Connection: Host\r\n", ""), false, 0},
		{answer("", ""), false, 0},
		{"HTTP/1.0 200 OK\r\n" + length + "\r\n", false, 0},
		{"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" + length + "\r\n", true, 0},
		{"HTTP/1.1 204 No\r\n\r\n", true, 0},
		{"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", true, 0},
		{"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", false, 0},
		{"HTTP/1.1 204 No\r\n" + chunked + "\r\n", false, 0},
		{answer(length+"Keep-Alive: timeout=5, max=100\r\n", ""), true, 5},
		{answer(length+"Keep-Alive: max=1 , TIMEOUT=60\r\n", ""), true, 60},
		{answer(length+"Keep-Alive: timeout=\r\nConnection: keep-alive\r\n", ""), true, 0},
		{answer(length+"Keep-Alive: timeout=-1\r\n", ""), true, 0},
		{answer(length+"Keep-Alive: timeout=99999999999999999999\r\n", ""), true, 0},
		{answer(length+"Keep-Alive: 5\r\n", ""), true, 0},
	}
	for _, tt := range tests {
		_, p := mustResponse(t, tt.message, "POST")
		if p.KeepAlive != tt.keep || p.KeepAliveTimeout != tt.timeout {
			t.Errorf("ReadResponse(%q): keep-alive %v for %d s, want %v for %d s",
				tt.message, p.KeepAlive, p.KeepAliveTimeout, tt.keep, tt.timeout)
		}
	}
}

func TestResponseFraming_RFC9112_6(t *testing.T) {
	t.Parallel()
	const length, te = "Content-Length: 3\r\n", "TRANSFER-encoding:chunked\r\n"
	none, sized := Framing{}, Framing{Length, 3}
	inChunks, untilClose := Framing{Kind: Chunked}, Framing{Kind: UntilClose}
	tests := []struct {
		lines string
		out   Framing
		want  string
	}{
		{length + "A: b\r\n", sized, length + "A: b\r\n"},
		{te + "A: b\r\n", inChunks, te + "A: b\r\n"},
		{te + "A: b\r\n", untilClose, "A: b\r\n"},
		{te + "A: b\r\n", Framing{Length, 7}, "Content-Length: 7\r\nA: b\r\n"},
		{"A: b\r\n", inChunks, "A: b\r\nTransfer-Encoding: chunked\r\n"},
		{"A: b\r\n", untilClose, "A: b\r\n"},
		{"A: b\r\n", Framing{Length, 0}, "A: b\r\nContent-Length: 0\r\n"},
		{"A: b\r\n", none, "A: b\r\n"},
	}
	for _, tt := range tests {
		_, p := mustResponse(t, answer(tt.lines, "3\r\nabc\r\n0\r\n\r\n"), "POST")
		got := string(p.AppendForward(nil, tt.out, Ending{}))
		if want := answer(tt.want, ""); got != want {
			t.Errorf("AppendForward(%q, %v) = %q, want %q", tt.lines, tt.out, got, want)
		}
	}
}

func TestEnding(t *testing.T) {
	t.Parallel()
	tests := []struct {
		ending Ending
		want   string
	}{
		{Ending{}, ""},
		{Ending{Close: true}, "Connection: close\r\n"},
		{Ending{Close: true, KeepAlive: 70, Announce: true}, "Connection: close\r\n"},
		{Ending{KeepAlive: 70}, "Keep-Alive: timeout=70\r\n"},
		{Ending{KeepAlive: 70, Announce: true}, "Connection: keep-alive\r\nKeep-Alive: timeout=70\r\n"},
	}
	for _, tt := range tests {
		_, p := mustResponse(t, answer("Connection: keep-alive\r\nContent-Length: 0\r\nA: b\r\n", ""), "POST")
		got := string(p.AppendForward(nil, p.Framing, tt.ending))
		if want := answer("Content-Length: 0\r\nA: b\r\n"+tt.want, ""); got != want {
			t.Errorf("AppendForward(%+v) = %q, want %q", tt.ending, got, want)
		}
	}
}

func TestInterimAnswersThenFinal(t *testing.T) {
	t.Parallel()
	const interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n"
	r, p := mustResponse(t, interim+answer("Content-Length: 2\r\n", "hi"), "POST")
	for _, want := range []int{100, 103, 200} {
		if p.Status != want {
			t.Fatalf("status = %d, want %d", p.Status, want)
		}
		if want == 200 {
			break
		}
		r.Finish()
		if err := r.ReadResponse(p, []byte("POST"), &testRules); err != nil {
			t.Fatalf("ReadResponse after %d: %v", want, err)
		}
	}
	if body, err := readAll(r); body != "hi" || err != nil {
		t.Errorf("body = %q, %v, want \"hi\"", body, err)
	}
}

func TestResponseLenBoundsForward(t *testing.T) {
	t.Parallel()
	var lines strings.Builder
	for i := range 20 {
		fmt.Fprintf(&lines, "A%d:\n", i)
	}
	_, p := mustResponse(t, "HTTP/1.0 200\n"+lines.String()+"\n", "POST")
	out := p.AppendForward(nil, Framing{Length, 1<<62 - 1}, Ending{KeepAlive: 1<<62 - 1, Announce: true})
	if bound := p.Len() + 128 + len(p.Fields); len(out) > bound {
		t.Errorf("AppendForward appends %d bytes, want at most %d", len(out), bound)
	}
}
