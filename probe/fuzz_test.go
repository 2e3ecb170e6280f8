package probe

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever answers, the probe comes to one of its verdicts, and prints nothing
// that a terminal would obey.
func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\n\r\n" + `{"body":"json数据格式不正确","httpStatusCode":"200"}`,
		"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n403:Forbidden, Connection:Close",
		"HTTP/1.1 502 Bad Gateway\r\nX-Lqproxy-Reason: dial\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
		"SSH-2.0-OpenSSH_7.4\r\n",
		"",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		var a Attempt
		err := a.readAnswer(bytes.NewReader(answer))
		for _, v := range []Verdict{judgeAnswer(a), judgeVia(a)} {
			if !slices.Contains(Verdicts, v) {
				t.Errorf("verdict %q of %q, %v is none of the known", v, answer, err)
			}
		}
		if !utf8.ValidString(a.Text) || strings.ContainsFunc(a.Text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("text %q of %q would not be safe to print", a.Text, answer)
		}
		if bytes.HasPrefix(answer, []byte("HTTP/1.1 4")) && err == nil && (a.Status < 400 || a.Status > 499) {
			t.Errorf("status %d of %q", a.Status, answer)
		}
	})
}

func FuzzParseVia(f *testing.F) {
	for _, seed := range []string{"http://127.0.0.1:8864", "https://[::1]:443/", "http://a b:1", "http://x:99999", "//x:1", "http://[fe80::1%25eth0]:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseVia(s)
		if err != nil {
			return
		}
		if v.Port == 0 || v.Host == "" || !strings.HasPrefix(s, "http") && !strings.HasPrefix(strings.ToLower(s), "http") {
			t.Errorf("ParseVia(%q) = %+v", s, v)
		}
	})
}
