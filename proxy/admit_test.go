package proxy

import (
	"bufio"
	"bytes"
	"io"
	"testing"

	"github.com/pires/go-proxyproto"
)

// FuzzParseProxyHeader: whatever a load balancer sends, a source is named only
// by a header that is one, which says the same when it is written anew, and
// what follows it stays as it came.
func FuzzParseProxyHeader(f *testing.F) {
	for _, seed := range []string{
		"PROXY TCP4 10.1.2.3 10.0.0.1 4444 8864\r\nPOST", "PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "PROXY UNKNOWN\r\nrest",
		"PROXY TCP4 ::ffff:10.1.2.3 10.0.0.1 1 2\r\n", "PROXY TCP4", "GET / HTTP/1.1\r\n\r\n", "",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x0a\x01\x02\x03\x0a\x00\x00\x01\x11\x5c\x22\xa0rest",
		"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", "\r\n\r\n\x00\r\nQUIT\n\x21\x00\x00\x00", "\r\n\r\n\x00\r\nQUIT\n\x51\x11\x00\x0c",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		source, err := parseProxyHeader(r)
		if err != nil {
			if source.IsValid() {
				t.Errorf("parseProxyHeader(%q) = %v with the error %v", b, source, err)
			}
			return
		}
		if !source.IsValid() || source.Addr().Is4In6() {
			t.Errorf("parseProxyHeader(%q) = %v", b, source)
		}
		rest, err := io.ReadAll(r)
		if err != nil || !bytes.HasSuffix(b, rest) {
			t.Errorf("parseProxyHeader(%q) leaves %q, %v", b, rest, err)
		}
		own := bufio.NewReader(bytes.NewReader(b[:len(b)-len(rest)]))
		if h, err := proxyproto.Read(own); err != nil || own.Buffered() > 0 || h.SourceAddr == nil {
			t.Errorf("the %d bytes before the rest of %q are no header: %v", len(b)-len(rest), b, err)
		}
	})
}
