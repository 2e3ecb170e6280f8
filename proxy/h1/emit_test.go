package h1

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const upstreamHost = "lqpt.chinatax.gov.cn:8443"

var upstreamDrop = NewNames("X-Forwarded-For", "Via")

func TestRequestForward(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		out      Framing
		want     string
	}{
		{
			"nothing is added",
			"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
			Framing{},
			"GET / HTTP/1.1\r\nHost: " + upstreamHost + "\r\n\r\n",
		},
		{
			"target as received",
			"POST //a/%2F;x/?b=%zz&;c=/发票/ HTTP/1.1\r\nHost: a\r\n\r\n",
			Framing{},
			"POST //a/%2F;x/?b=%zz&;c=/发票/ HTTP/1.1\r\nHost: " + upstreamHost + "\r\n\r\n",
		},
		{
			"spelling, order, whitespace, duplicates, Host in the middle",
			"PoSt /x HTTP/1.1\r\nACCESS_signature:\r\nzz:  1\t \r\nhOsT:a\r\nAa:发票\r\nzz: 2\r\nContent-length:\t5 \r\n\r\nhello",
			Framing{Length, 5},
			"PoSt /x HTTP/1.1\r\nACCESS_signature:\r\nzz:  1\t \r\nhOsT: " + upstreamHost + "\r\nAa:发票\r\nzz: 2\r\nContent-length:\t5 \r\n\r\n",
		},
		{
			"HTTP/1.0 becomes HTTP/1.1 with a Host first",
			"GET / HTTP/1.0\r\nA: b\r\n\r\n",
			Framing{},
			"GET / HTTP/1.1\r\nHost: " + upstreamHost + "\r\nA: b\r\n\r\n",
		},
		{
			"HTTP/1.0 with a Host",
			"GET / HTTP/1.0\r\nA: b\r\nHost:\r\n\r\n",
			Framing{},
			"GET / HTTP/1.1\r\nA: b\r\nHost: " + upstreamHost + "\r\n\r\n",
		},
		{
			"absolute-form",
			"GET http://A/b?c HTTP/1.1\r\nHost: a\r\n\r\n",
			Framing{},
			"GET /b?c HTTP/1.1\r\nHost: " + upstreamHost + "\r\n\r\n",
		},
		{
			"absolute-form without a path",
			"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n",
			Framing{},
			"GET / HTTP/1.1\r\nHost: " + upstreamHost + "\r\n\r\n",
		},
		{
			"absolute-form with a query alone",
			"GET http://a?b HTTP/1.0\r\nHost: a\r\n\r\n",
			Framing{},
			"GET /?b HTTP/1.1\r\nHost: " + upstreamHost + "\r\n\r\n",
		},
		{
			"configured fields",
			"GET / HTTP/1.1\r\nHost: a\r\nvia: x\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For:\r\nX-Forwarded-Fo: y\r\n\r\n",
			Framing{},
			"GET / HTTP/1.1\r\nHost: " + upstreamHost + "\r\nX-Forwarded-Fo: y\r\n\r\n",
		},
		{
			"chunked stays chunked",
			"POST / HTTP/1.1\r\nHost: a\r\nTransfer-encoding:  Chunked\r\nA: b\r\n\r\n0\r\n\r\n",
			Framing{Kind: Chunked},
			"POST / HTTP/1.1\r\nHost: " + upstreamHost + "\r\nTransfer-encoding:  Chunked\r\nA: b\r\n\r\n",
		},
		{
			"chunked becomes a length in its place",
			"POST / HTTP/1.1\r\nHost: a\r\nTransfer-encoding: chunked\r\nTrailer: X\r\nA: b\r\n\r\n0\r\n\r\n",
			Framing{Length, 0},
			"POST / HTTP/1.1\r\nHost: " + upstreamHost + "\r\nContent-Length: 0\r\nA: b\r\n\r\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, q := mustRequest(t, tt.in, &testRules)
			got := string(q.AppendForward([]byte("x"), upstreamHost, upstreamDrop, tt.out))
			if diff := cmp.Diff("x"+tt.want, got); diff != "" {
				t.Errorf("AppendForward(%q) (-want +got):\n%s", tt.in, diff)
			}
			if bound := q.Len() + 128 + len(q.Fields) + len(upstreamHost); len(got) > bound {
				t.Errorf("AppendForward(%q) appends %d bytes, want at most %d", tt.in, len(got), bound)
			}
		})
	}
}

func TestHopByHop_RFC9110_7_6_1(t *testing.T) {
	t.Parallel()
	const hop = "keep-alive: timeout=5\r\nProxy-Connection: keep-alive\r\nproxy-authorization: x\r\n" +
		"TE: trailers\r\nUpgrade: h2c\r\nExpect: 100-continue\r\nTRAILER: X\r\n"
	_, q := mustRequest(t, "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-named: 2\r\nConnection: X-Named, keep-alive\r\n"+
		hop+"X-Named: 3\r\nX-Namee: 4\r\nconnection: Other\r\nOther: 5\r\n\r\n", &testRules)
	got := string(q.AppendForward(nil, "u", Names{}, Framing{}))
	const want = "GET / HTTP/1.1\r\nHost: u\r\nX-A: 1\r\nX-Namee: 4\r\n\r\n"
	if got != want {
		t.Errorf("AppendForward = %q, want %q", got, want)
	}
}

func TestRequestPersistence_RFC9112_9_3(t *testing.T) {
	t.Parallel()
	tests := []struct {
		message string
		want    bool
	}{
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: a, close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, keep-alive\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: a\r\nX: close\r\n\r\n", true},
		{"GET / HTTP/1.0\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nConnection: KEEP-alive\r\n\r\n", true},
		{"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
	}
	for _, tt := range tests {
		if _, q := mustRequest(t, tt.message, &testRules); q.KeepAlive != tt.want {
			t.Errorf("KeepAlive of %q = %v, want %v", tt.message, q.KeepAlive, tt.want)
		}
	}
}

func TestExpectContinue_RFC9110_10_1_1(t *testing.T) {
	t.Parallel()
	tests := []struct {
		message string
		want    bool
	}{
		{post("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"), true},
		{post("Expect: 100-CONTINUE\r\n"+chunked, "0\r\n\r\n"), true},
		{post("Expect: 100-continue\r\nContent-Length: 0\r\n", ""), false},
		{get("Expect: 100-continue\r\n"), false},
		{"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", false},
	}
	for _, tt := range tests {
		if _, q := mustRequest(t, tt.message, &testRules); q.ExpectContinue != tt.want {
			t.Errorf("ExpectContinue of %q = %v, want %v", tt.message, q.ExpectContinue, tt.want)
		}
	}
}

func TestValueAndPath(t *testing.T) {
	t.Parallel()
	_, q := mustRequest(t, "GET /a/b?c?d HTTP/1.1\r\nHost: a\r\nJRDWPTBH: 1\r\njrdwptbh:  2 \r\n\r\n", &testRules)
	value, count := q.Value("jrdwptbh")
	if string(value) != "1" || count != 2 {
		t.Errorf("Value(jrdwptbh) = %q, %d, want \"1\", 2", value, count)
	}
	if value, count := q.Value("none"); value != nil || count != 0 {
		t.Errorf("Value(none) = %q, %d, want none", value, count)
	}
	if got := string(q.Path()); got != "/a/b" {
		t.Errorf("Path() = %q, want \"/a/b\"", got)
	}
	if got := string(q.Bytes(q.Fields[2].Value)); got != "2" {
		t.Errorf("Bytes(second value) = %q, want \"2\"", got)
	}
}

func TestAppendChunk_RFC9112_7_1(t *testing.T) {
	t.Parallel()
	got := AppendChunk(nil, nil)
	got = AppendChunk(got, []byte("hello"))
	got = AppendChunkSize(got, 0x1A2B)
	got = AppendLastChunk(got)
	if want := "5\r\nhello\r\n1a2b\r\n0\r\n\r\n"; string(got) != want {
		t.Errorf("chunks = %q, want %q", got, want)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	n := NewNames("Via", "X-Real-IP", "via", "")
	for name, want := range map[string]bool{
		"via": true, "VIA": true, "x-real-ip": true, "": true, "vib": false, "X-Real-IP2": false,
		"X_Real_IP": false, "X-Real-I\xd0": false,
	} {
		if got := n.Contains([]byte(name)); got != want {
			t.Errorf("Contains(%q) = %v, want %v", name, got, want)
		}
	}
	if (Names{}).Contains([]byte("a")) || (Names{}).Contains(nil) {
		t.Error("the zero Names contains something, want nothing")
	}
}

func TestErrorQuotesAndCuts(t *testing.T) {
	t.Parallel()
	tests := []struct{ message, want string }{
		{"\x16\x03\x01", `malformed message: no message begins with "\x16\x03\x01"`},
		{get("A\x00b: c\r\n"), `malformed message: field name "A\x00"`},
		{get("access_token: secret\x01\r\n"), `malformed message: control byte in the value of access_token: "\x01"`},
		{line("GET /发#?secret HTTP/1.1"), `malformed message: target "/\u53d1#"`},
		{get(strings.Repeat("a", 100) + " : c\r\n"), `malformed message: field name "` + strings.Repeat("a", 64) + `"...`},
	}
	for _, tt := range tests {
		var r Reader
		r.Reset(strings.NewReader(tt.message))
		err := r.ReadRequest(new(Request), &testRules)
		if err == nil || err.Error() != tt.want {
			t.Errorf("ReadRequest(%q) = %v, want %s", tt.message, err, tt.want)
		}
		r.Release()
	}
}
