package proxy

import (
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/lqproxy/lqproxy/proxy/h1"
)

func TestGatePath(t *testing.T) {
	t.Parallel()
	tests := []struct {
		path string
		want bool
	}{
		{"/access/", true},
		{"/access/v2/invoke/202007/CXKYSL", true},
		{"/access/v2/invoke/202007/CXKYSL/", true},
		{"/access//a", true},
		{"/access/a.b/..c/d../.../.e", true},
		{"/access/%2F%e4%b8%ad", true},
		{"/access/a;b=.c", true},
		{"/access", false},
		{"/Access/", false},
		{"//access/", false},
		{"/", false},
		{"", false},
		{"/access/..", false},
		{"/access/../x", false},
		{"/access/./x", false},
		{"/access/.", false},
		{"/access/a/..", false},
		{`/access/a\..\x`, false},
		{"/access/..;/x", false},
		{"/access/.;a=b/x", false},
		{"/access/%2e%2e/x", false},
		{"/access/%2E./x", false},
		{"/access/..%2fx", false},
		{"/access/..%5cx", false},
		{"/access/a%2f..%2fx", false},
		{"/access/%252e%252e/x", false},
		{"/access/%25252e%25252e/x", false},
		{"/access/%252f..%252fx", false},
		{"/access/..%3bx", false},
		{"/access/%00", false},
		{"/access/..%00/x", false},
		{"/access/%c0%ae%c0%ae/x", false},
		{"/access/%zz", false},
		{"/access/%2", false},
		{"/access/%2525252525252525", false},
	}
	for _, test := range tests {
		if got := gatePath([]byte(test.path), []string{"/access/"}); got != test.want {
			t.Errorf("gatePath(%q) = %v, want %v", test.path, got, test.want)
		}
	}
	if gatePath([]byte("/access/"), nil) {
		t.Error("gatePath without prefixes = true, want false: closed by default")
	}
	if !gatePath([]byte("/b/x"), []string{"/a/", "/b/"}) {
		t.Error("gatePath(/b/x) = false for the second of two prefixes, want true")
	}
}

// FuzzGatePath: no accepted path leaves the prefix, however often it is decoded,
// whichever slash is taken for one, and wherever a parameter is cut off.
func FuzzGatePath(f *testing.F) {
	for _, seed := range []string{
		"/access/", "/access/../x", "/access/%2e%2e/x", "/access/..%2fx", `/access/..\x`, "/access/..;/x", "/access/%252e%252e%252f",
		"/access/a;b/..;c/", "/access/%25%32%65", "/access/%5c..%5c", "/access//..//", "/access/%c0%ae",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if !gatePath([]byte(p), []string{"/access/"}) {
			return
		}
		for round := range 8 {
			for _, reading := range []string{p, strings.ReplaceAll(p, `\`, "/"), withoutParameters(p), withoutParameters(strings.ReplaceAll(p, `\`, "/"))} {
				if clean := path.Clean(reading) + "/"; !strings.HasPrefix(clean, "/access/") {
					t.Fatalf("an accepted path reads %q, decoded %d times: %q", reading, round, clean)
				}
			}
			decoded, err := url.PathUnescape(p)
			if err != nil || decoded == p {
				return
			}
			p = decoded
		}
		t.Fatalf("an accepted path is encoded more than 8 times")
	})
}

// withoutParameters cuts each segment at its first semicolon.
func withoutParameters(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// parse reads the head of a request.
func parse(t testing.TB, head string) (*h1.Request, bool) {
	t.Helper()
	var r h1.Reader
	r.Reset(strings.NewReader(head))
	t.Cleanup(r.Release)
	q := new(h1.Request)
	err := r.ReadRequest(q, &h1.Rules{HeadSize: 64 << 10, FieldCount: 100})
	return q, err == nil
}

// FuzzForwardedFor compares with an oracle that joins all fields first: what is
// returned is never a device, and nothing to the right of it was passed over but
// devices.
func FuzzForwardedFor(f *testing.F) {
	for _, seed := range []string{
		"10.1.0.1", "10.1.0.1, 10.9.0.1", "10.1.0.1\n10.9.0.1", "10.1.0.1:80,[2001:db8::1]:80", "::ffff:10.9.0.1", ",", " ", "fe80::1%eth0", "10.1.0.1,,", "x,10.1.0.1",
	} {
		f.Add(seed)
	}
	devices := sources("10.9.0.0/16")
	f.Fuzz(func(t *testing.T, values string) {
		lines := strings.Split(values, "\n")
		q, ok := parse(t, "GET / HTTP/1.1\r\nHost: p\r\nX-Forwarded-For: "+strings.Join(lines, "\r\nX-Forwarded-For: ")+"\r\n\r\n")
		if !ok {
			return
		}
		elements := strings.Split(strings.Join(lines, ","), ",")
		slices.Reverse(elements)
		var want netip.Addr
		for _, e := range elements {
			addr, err := oracleAddr(e)
			if err != nil || !devices.Contains(addr) {
				want = addr
				break
			}
		}
		got, err := forwardedFor(q, devices)
		if got != want || (err == nil) != want.IsValid() {
			t.Errorf("forwardedFor(%q) = %v, %v, want %v", values, got, err, want)
		}
	})
}

func oracleAddr(s string) (netip.Addr, error) {
	s = strings.Trim(s, " \t\r")
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().Unmap().WithZone(""), nil
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap().WithZone(""), err
}
