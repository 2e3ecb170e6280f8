package h1

import (
	"strings"
	"testing"
)

// A requestCase is a message and what is made of it: a Fault in words, or ""
// when it is accepted.
type requestCase struct {
	name, message, want string
}

// get returns a GET with those field lines behind its Host.
func get(lines string) string { return "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n" }

// post returns a POST with those field lines behind its Host, and a body.
func post(lines, body string) string {
	return "POST / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n" + body
}

// line returns a request with that request line and a Host.
func line(s string) string { return s + "\r\nHost: a\r\n\r\n" }

const (
	malformed = "malformed message"
	tooLarge  = "head too large"
	bodyLarge = "body too large"
	version   = "version not supported"
	method    = "method refused"
	expect    = "expectation not supported"
	cut       = "unexpected EOF"
	chunked   = "Transfer-Encoding: chunked\r\n"
)

// requestLineCases are about RFC 9112 section 3.
var requestLineCases = []requestCase{
	{"origin-form", line("GET / HTTP/1.1"), ""},
	{"any token is a method", line("M-SEARCH!#$%&'*+.^_`|~ / HTTP/1.1"), ""},
	{"lower-case method", line("get / HTTP/1.1"), ""},
	{"lower-case connect is another method", line("connect / HTTP/1.1"), ""},
	{"query", line("GET /a?b=c&d=%zz?;/ HTTP/1.1"), ""},
	{"double slash", line("GET //a//b HTTP/1.1"), ""},
	{"escapes", line("GET /%2F%e4%00 HTTP/1.1"), ""},
	{"odd visible bytes", line("GET /<>\"{}|\\^`[];,!$&'()*+=:@~ HTTP/1.1"), ""},
	{"raw UTF-8", line("GET /发票?名=值 HTTP/1.1"), ""},
	{"absolute-form", line("GET http://a/b?c HTTP/1.1"), ""},
	{"absolute-form, https, any case", line("GET HTTPS://A/b HTTP/1.1"), ""},
	{"absolute-form, no path", line("GET http://a HTTP/1.1"), ""},
	{"absolute-form, query alone", line("GET http://a?b HTTP/1.1"), ""},
	{"absolute-form with port", "GET http://a:80/ HTTP/1.1\r\nHost: a:80\r\n\r\n", ""},
	{"absolute-form, IPv6", "GET http://[::1]:80/ HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", ""},
	{"absolute-form, HTTP/1.0 without Host", "GET http://a/ HTTP/1.0\r\n\r\n", ""},
	{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", ""},

	{"empty line first", "\r\n" + line("GET / HTTP/1.1"), malformed},
	{"empty line of LF first", "\n" + line("GET / HTTP/1.1"), malformed},
	{"space first", line(" GET / HTTP/1.1"), malformed},
	{"NUL first", "\x00" + line("GET / HTTP/1.1"), malformed},
	{"TLS ClientHello", "\x16\x03\x01\x02\x00\x01", malformed},
	{"method alone", line("GET"), malformed},
	{"HTTP/0.9", "GET /\r\n\r\n", malformed},
	{"no target", line("GET  HTTP/1.1"), malformed},
	{"two spaces before the target", line("GET  / HTTP/1.1"), malformed},
	{"two spaces before the version", line("GET /  HTTP/1.1"), malformed},
	{"space at the end", line("GET / HTTP/1.1 "), malformed},
	{"tab for space", line("GET\t/ HTTP/1.1"), malformed},
	{"tab before the version", line("GET /\tHTTP/1.1"), malformed},
	{"form feed in target", line("GET /\f HTTP/1.1"), malformed},
	{"space in target", line("GET /a b HTTP/1.1"), malformed},
	{"method with colon", line("GE:T / HTTP/1.1"), malformed},
	{"method with UTF-8", line("GÉT / HTTP/1.1"), malformed},
	{"method with bracket", line("G[T / HTTP/1.1"), malformed},
	{"bare CR in the request line", line("GET /\r HTTP/1.1"), malformed},
	{"bare CR for a space", line("GET\r/ HTTP/1.1"), malformed},
	{"bare LF ends the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", malformed},
	{"CR CR LF ends the request line", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", malformed},
	{"NUL in target", line("GET /\x00 HTTP/1.1"), malformed},
	{"DEL in target", line("GET /\x7f HTTP/1.1"), malformed},
	{"fragment", line("GET /a#b HTTP/1.1"), malformed},
	{"fragment in query", line("GET /a?b#c HTTP/1.1"), malformed},
	{"bad escape in path", line("GET /%zz HTTP/1.1"), malformed},
	{"half an escape in path", line("GET /%2 HTTP/1.1"), malformed},
	{"percent sign ends the path", line("GET /%?a HTTP/1.1"), malformed},
	{"asterisk-form", line("OPTIONS * HTTP/1.1"), malformed},
	{"authority-form", line("GET a:80 HTTP/1.1"), malformed},
	{"relative target", line("GET a/b HTTP/1.1"), malformed},
	{"query alone", line("GET ?a HTTP/1.1"), malformed},
	{"other scheme", line("GET ftp://a/ HTTP/1.1"), malformed},
	{"scheme without slashes", line("GET http:/a HTTP/1.1"), malformed},
	{"empty authority", line("GET http:///b HTTP/1.1"), malformed},
	{"userinfo", "GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n", malformed},
	{"userinfo that hides a host", line("GET http://a:80@b/ HTTP/1.1"), malformed},
	{"backslash in authority", line("GET http://a\\b/ HTTP/1.1"), malformed},
	{"authority contradicts Host", line("GET http://b/ HTTP/1.1"), malformed},
	{"authority with port contradicts Host", line("GET http://a:80/ HTTP/1.1"), malformed},
	{"authority contradicts an empty Host", "GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n", malformed},
	{"absolute-form without Host", "GET http://a/ HTTP/1.1\r\n\r\n", malformed},

	{"CONNECT in authority-form", line("CONNECT a:443 HTTP/1.1"), method},
	{"CONNECT in origin-form", line("CONNECT / HTTP/1.1"), method},
	{"TRACE", line("TRACE / HTTP/1.1"), method},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", version},
	{"HTTP/1.2", line("GET / HTTP/1.2"), version},
	{"HTTP/0.9 by name", line("GET / HTTP/0.9"), version},
	{"HTTP/3.0", line("GET / HTTP/3.0"), version},
	{"HTTP/2 without minor", line("GET / HTTP/2"), malformed},
	{"HTTP/1.10", line("GET / HTTP/1.10"), malformed},
	{"HTTP/01.1", line("GET / HTTP/01.1"), malformed},
	{"lower-case version", line("GET / http/1.1"), malformed},
	{"HTTP/1,1", line("GET / HTTP/1,1"), malformed},
	{"HTTP/1.x", line("GET / HTTP/1.x"), malformed},
	{"other protocol", line("GET / RTSP/1.0"), malformed},
}

// fieldCases are about RFC 9112 section 5 and RFC 9110 section 5.
var fieldCases = []requestCase{
	{"empty value", get("A:\r\n"), ""},
	{"value of spaces", get("A:   \r\n"), ""},
	{"tabs around and in a value", get("A:\t b\tc \t\r\n"), ""},
	{"no space behind the colon", get("A:b\r\n"), ""},
	{"all the bytes of a token", get("!#$%&'*+-.^_`|~09azAZ: b\r\n"), ""},
	{"UTF-8 value", get("A: 发票\r\n"), ""},
	{"high bytes that are no UTF-8", get("A: \x80\xff\r\n"), ""},
	{"colons in a value", get("A::b:\r\n"), ""},
	{"repeated fields", get("A: 1\r\na: 2\r\n"), ""},

	{"space before the colon", get("A : b\r\n"), malformed},
	{"tab before the colon", get("A\t: b\r\n"), malformed},
	{"no colon", get("A\r\n"), malformed},
	{"no name", get(": b\r\n"), malformed},
	{"space in a name", get("A b: c\r\n"), malformed},
	{"space before a name", get(" A: b\r\n"), malformed},
	{"first field line folded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", malformed},
	{"obs-fold with space", get("A: b\r\n c\r\n"), malformed},
	{"obs-fold with tab", get("A: b\r\n\tc\r\n"), malformed},
	{"fold of nothing", get("A: b\r\n \r\n"), malformed},
	{"NUL in a name", get("A\x00: b\r\n"), malformed},
	{"NUL in a value", get("A: b\x00c\r\n"), malformed},
	{"bare CR in a value", get("A: b\rc\r\n"), malformed},
	{"bare CR at the end of a value", get("A: b\r\r\n"), malformed},
	{"bare CR before the colon", get("A\r: b\r\n"), malformed},
	{"bare LF in the head", get("A: b\nC: d\r\n"), malformed},
	{"bare LF ends the head", "GET / HTTP/1.1\r\nHost: a\r\n\n", malformed},
	{"LF CR for an end", "GET / HTTP/1.1\r\nHost: a\r\n\n\r", malformed},
	{"a line of CR", get("\r\r\n"), malformed},
	{"vertical tab in a value", get("A: b\vc\r\n"), malformed},
	{"backspace in a value", get("A: b\bc\r\n"), malformed},
	{"escape in a value", get("A: \x1b[0m\r\n"), malformed},
	{"DEL in a value", get("A: b\x7f\r\n"), malformed},
	{"UTF-8 name", get("发票: b\r\n"), malformed},
	{"parentheses in a name", get("A(): b\r\n"), malformed},
	{"quoted name", get("\"A\": b\r\n"), malformed},
	{"slash in a name", get("A/B: c\r\n"), malformed},
	{"a request line among the fields", get("GET /b HTTP/1.1\r\n"), malformed},

	{"20 fields", get(strings.Repeat("A: b\r\n", 19)), ""},
	{"21 fields", get(strings.Repeat("A: b\r\n", 20)), tooLarge},
	{"1024 bytes", get("A: " + strings.Repeat("b", 1024-len(get("A: \r\n"))) + "\r\n"), ""},
	{"1025 bytes", get("A: " + strings.Repeat("b", 1025-len(get("A: \r\n"))) + "\r\n"), tooLarge},
	{"endless request line", "GET /" + strings.Repeat("a", 2000), tooLarge},
	{"endless value", "GET / HTTP/1.1\r\nA: " + strings.Repeat("a", 2000), tooLarge},
}

// hostCases are about RFC 9110 section 7.2 and RFC 9112 section 3.2.
var hostCases = []requestCase{
	{"no Host", "GET / HTTP/1.1\r\n\r\n", malformed},
	{"no Host but others", "GET / HTTP/1.1\r\nA: b\r\nHosts: a\r\n\r\n", malformed},
	{"two Hosts", get("Host: a\r\n"), malformed},
	{"two Hosts, other case", get("hOST: b\r\n"), malformed},
	{"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", malformed},
}

// hostValues are values of Host, and whether they are accepted.
var hostValues = map[string]bool{
	"": true, "a": true, "A.b-c_d~1": true, "a:": true, "a:0": true, "a:65535": true, "1.2.3.4:8864": true,
	"[::1]": true, "[2001:db8::1]:8864": true, "[::ffff:1.2.3.4]": true, "a!$&'()*+;=": true,
	":80": false, "a:b": false, "a:123456": false, "a:80:80": false, "a b": false, "a,b": false, "a/b": false,
	"a@b": false, "a\\b": false, "a?b": false, "a#b": false, "%61": false, "发票": false, "[::1": false,
	"::1": false, "[]": false, "[1.2.3.4]": false, "[::1%25eth0]": false, "[::1]a": false, "[v1.a]": false,
	"a[b": false, "\"a\"": false, "a:+80": false, "http://a": false, "<a>": false,
}

// framingCases are about RFC 9112 section 6.
var framingCases = []requestCase{
	{"no body", post("", ""), ""},
	{"length 0", post("Content-Length: 0\r\n", ""), ""},
	{"length 5", post("Content-Length: 5\r\n", "hello"), ""},
	{"length with zeros before", post("Content-Length: 005\r\n", "hello"), ""},
	{"length with whitespace around", post("Content-Length: \t5 \r\n", "hello"), ""},
	{"length on GET", get("Content-Length: 0\r\n"), ""},
	{"length in HTTP/1.0", "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", ""},
	{"chunked", post(chunked, "5\r\nhello\r\n0\r\n\r\n"), ""},
	{"chunked, any case", post("transfer-encoding: ChUnKeD\r\n", "0\r\n\r\n"), ""},

	{"length empty", post("Content-Length:\r\n", ""), malformed},
	{"length signed", post("Content-Length: +5\r\n", "hello"), malformed},
	{"length negative", post("Content-Length: -5\r\n", "hello"), malformed},
	{"length hexadecimal", post("Content-Length: 0x5\r\n", "hello"), malformed},
	{"length with a fraction", post("Content-Length: 5.0\r\n", "hello"), malformed},
	{"length with an underscore", post("Content-Length: 1_0\r\n", "hellohello"), malformed},
	{"length with space inside", post("Content-Length: 5 5\r\n", "hello"), malformed},
	{"length listed", post("Content-Length: 5, 5\r\n", "hello"), malformed},
	{"length with a comma", post("Content-Length: 5,\r\n", "hello"), malformed},
	{"length twice", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), malformed},
	{"lengths that differ", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"), malformed},
	{"length in quotes", post("Content-Length: \"5\"\r\n", "hello"), malformed},
	{"length in Arabic digits", post("Content-Length: ٥\r\n", "hello"), malformed},
	{"length of 19 digits", post("Content-Length: 9223372036854775808\r\n", ""), malformed},
	{"length that overflows", post("Content-Length: 18446744073709551621\r\n", "hello"), malformed},
	{"length over the limit", post("Content-Length: 1048577\r\n", ""), bodyLarge},
	{"CL.TE", post("Content-Length: 5\r\n"+chunked, "0\r\n\r\n"), malformed},
	{"TE.CL", post(chunked+"Content-Length: 5\r\n", "0\r\n\r\n"), malformed},
	{"TE with length 0", post(chunked+"Content-Length: 0\r\n", "0\r\n\r\n"), malformed},
	{"TE twice", post(chunked+chunked, "0\r\n\r\n"), malformed},
	{"TE listed twice", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), malformed},
	{"TE gzip", post("Transfer-Encoding: gzip\r\n", ""), malformed},
	{"TE gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), malformed},
	{"TE identity", post("Transfer-Encoding: identity\r\n", ""), malformed},
	{"TE empty", post("Transfer-Encoding:\r\n", ""), malformed},
	{"TE with a comma", post("Transfer-Encoding: chunked,\r\n", "0\r\n\r\n"), malformed},
	{"TE with a parameter", post("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"), malformed},
	{"TE in quotes", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), malformed},
	{"TE xchunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), malformed},
	{"TE with a Kelvin sign", post("Transfer-Encoding: chun\u212aed\r\n", "0\r\n\r\n"), malformed},
	{"TE with vertical tab", post("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n"), malformed},
	{"TE with space before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), malformed},
	{"TE in HTTP/1.0", "POST / HTTP/1.0\r\n" + chunked + "\r\n0\r\n\r\n", malformed},
	{"TE with underscore is another field", post("Transfer_Encoding: chunked\r\n", ""), ""},

	{"body cut", post("Content-Length: 5\r\n", "hell"), cut},
	{"body missing", post("Content-Length: 5\r\n", ""), cut},
}

// connectionCases are about RFC 9110 section 7.6.1 and section 10.1.1.
var connectionCases = []requestCase{
	{"Connection close", get("Connection: close\r\n"), ""},
	{"Connection list with empty elements", get("Connection: , close,, X-A ,\r\n"), ""},
	{"Connection empty", get("Connection:\r\n"), ""},
	{"Connection names a field that is not there", get("Connection: X-None\r\n"), ""},
	{"Connection names Host", get("Connection: host\r\n"), malformed},
	{"Connection names Content-Length", post("Connection: close, Content-Length\r\nContent-Length: 0\r\n", ""), malformed},
	{"Connection names Transfer-Encoding", post("Connection: transfer-encoding\r\n"+chunked, "0\r\n\r\n"), malformed},
	{"Connection names Content-Type", get("Connection: Content-Type\r\n"), malformed},
	{"Connection names Content-Encoding", get("Connection: Content-Encoding\r\n"), malformed},
	{"Connection names a protected field", get("Connection: Jrdwptbh\r\n"), malformed},
	{"Connection names a protected field in a second line", get("Connection: close\r\nConnection: access_token\r\n"), malformed},
	{"Connection with two words", get("Connection: close keep-alive\r\n"), malformed},
	{"Connection in quotes", get("Connection: \"close\"\r\n"), malformed},
	{"Connection with a semicolon", get("Connection: close;x\r\n"), malformed},

	{"Expect", post("Expect: 100-continue\r\nContent-Length: 0\r\n", ""), ""},
	{"Expect, any case", post("Expect: 100-Continue\r\nContent-Length: 0\r\n", ""), ""},
	{"Expect, another", get("Expect: 200-ok\r\n"), expect},
	{"Expect, empty", get("Expect:\r\n"), expect},
	{"Expect, listed", get("Expect: 100-continue, x\r\n"), expect},
	{"Expect, second", get("Expect: 100-continue\r\nExpect: x\r\n"), expect},
}

// chunkCases are about RFC 9112 section 7.1: the body of a chunked message.
var chunkCases = []struct{ name, body, want string }{
	{"empty", "0\r\n\r\n", ""},
	{"one chunk", "5\r\nhello\r\n0\r\n\r\n", ""},
	{"two chunks", "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", ""},
	{"hexadecimal, both cases", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", ""},
	{"zeros before", "00005\r\nhello\r\n000\r\n\r\n", ""},
	{"15 digits", "000000000000005\r\nhello\r\n0\r\n\r\n", ""},
	{"extension", "5;a=b\r\nhello\r\n0;c=\"d\"\r\n\r\n", ""},
	{"extension of 256 bytes", "0;" + strings.Repeat("a", 255) + "\r\n\r\n", ""},
	{"trailers", "0\r\nA: b\r\nC:\r\n\r\n", ""},
	{"trailers that would be framing", "0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n", ""},
	{"data that look like chunks", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", ""},

	{"no size", "\r\nhello\r\n0\r\n\r\n", malformed},
	{"not hexadecimal", "g\r\n", malformed},
	{"prefix 0x", "0x5\r\nhello\r\n0\r\n\r\n", malformed},
	{"signed", "+5\r\nhello\r\n0\r\n\r\n", malformed},
	{"negative", "-5\r\nhello\r\n0\r\n\r\n", malformed},
	{"underscore", "1_0\r\n", malformed},
	{"16 digits", "0000000000000005\r\nhello\r\n0\r\n\r\n", malformed},
	{"overflow", "ffffffffffffffffffff\r\n", malformed},
	{"overflow to 5", "10000000000000005\r\nhello\r\n0\r\n\r\n", malformed},
	{"space before the size", " 5\r\nhello\r\n0\r\n\r\n", malformed},
	{"space behind the size", "5 \r\nhello\r\n0\r\n\r\n", malformed},
	{"tab behind the size", "5\t\r\nhello\r\n0\r\n\r\n", malformed},
	{"space before an extension", "5 ;a\r\nhello\r\n0\r\n\r\n", malformed},
	{"comma for semicolon", "5,a\r\nhello\r\n0\r\n\r\n", malformed},
	{"bare LF behind the size", "5\nhello\r\n0\r\n\r\n", malformed},
	{"bare CR behind the size", "5\rhello\r\n0\r\n\r\n", malformed},
	{"CR CR LF behind the size", "5\r\r\nhello\r\n0\r\n\r\n", malformed},
	{"bare LF in an extension", "5;a\nhello\r\n0\r\n\r\n", malformed},
	{"bare CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n", malformed},
	{"NUL in an extension", "5;a\x00\r\nhello\r\n0\r\n\r\n", malformed},
	{"NUL behind the size", "5\x00\r\nhello\r\n0\r\n\r\n", malformed},
	{"extension of 257 bytes", "0;" + strings.Repeat("a", 256) + "\r\n\r\n", malformed},
	{"extension without an end", "0;" + strings.Repeat("a", 5000), malformed},
	{"no CRLF behind the data", "5\r\nhello0\r\n\r\n", malformed},
	{"bare LF behind the data", "5\r\nhello\n0\r\n\r\n", malformed},
	{"bare CR behind the data", "5\r\nhello\r0\r\n\r\n", malformed},
	{"more data than the size says", "4\r\nhello\r\n0\r\n\r\n", malformed},
	{"less data than the size says", "7\r\nhello\r\n0\r\n\r\n", malformed},
	{"bare LF ends the body", "0\r\n\n", malformed},
	{"bare LF in trailers", "0\r\nA: b\n\r\n", malformed},
	{"trailer without a colon", "0\r\nA\r\n\r\n", malformed},
	{"trailer with space before the colon", "0\r\nA : b\r\n\r\n", malformed},
	{"trailer folded", "0\r\nA: b\r\n c\r\n\r\n", malformed},
	{"trailer with NUL", "0\r\nA: \x00\r\n\r\n", malformed},
	{"a request for a trailer", "0\r\nGET / HTTP/1.1\r\n\r\n", malformed},
	{"trailers without an end", "0\r\n" + strings.Repeat("A: b\r\n", 500), tooLarge},
	{"a trailer without an end", "0\r\nA: " + strings.Repeat("b", 5000), tooLarge},
	{"size over the limit", "100001\r\n", bodyLarge},
	{"sum over the limit", "5\r\nhello\r\nfffff\r\n", bodyLarge},

	{"no last chunk", "5\r\nhello\r\n", cut},
	{"no trailers", "5\r\nhello\r\n0\r\n", cut},
	{"half an end", "5\r\nhello\r\n0\r\n\r", cut},
	{"nothing", "", cut},
}

// requestCases are all of them.
func requestCases() []requestCase {
	var all []requestCase
	for _, cases := range [][]requestCase{requestLineCases, fieldCases, hostCases, framingCases, connectionCases} {
		all = append(all, cases...)
	}
	for _, c := range chunkCases {
		all = append(all, requestCase{"chunked: " + c.name, post(chunked, c.body), c.want})
	}
	for value, accepted := range hostValues {
		want := malformed
		if accepted {
			want = ""
		}
		all = append(all, requestCase{"Host: " + value, "GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n", want})
	}
	return all
}

func TestReadRequest_RFC9112(t *testing.T) {
	t.Parallel()
	for _, c := range requestCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			whole := requestOutcome(strings.NewReader(c.message), &testRules)
			if whole.fault != c.want {
				t.Errorf("ReadRequest(%q) = %q, want %q", c.message, whole.fault, c.want)
			}
			if dripped := requestOutcome(drip(c.message), &testRules); dripped != whole {
				t.Errorf("ReadRequest(%q) byte by byte = %q, want %q", c.message, dripped, whole)
			}
		})
	}
}
