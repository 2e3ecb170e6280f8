package leqi

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// answer returns a successful answer of about size bytes, as Leqi writes it.
func answer(size int) string {
	return `{"body":"{\"Response\":{\"RequestId\":\"8d1c0b6a4f\",\"Data\":\"` + noise(size) + `\"}}","httpStatusCode":"200"}`
}

// noise returns size characters that compress as badly as encrypted data.
func noise(size int) string {
	random := rand.New(rand.NewPCG(2, 7))
	b := make([]byte, size*3/4+1)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return base64.StdEncoding.EncodeToString(b)[:size]
}

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func codeOf(status int, encoding, body string) string {
	var s Sample
	s.Reset([]byte(encoding))
	s.Write([]byte(body))
	return s.Code(status)
}

func TestCode(t *testing.T) {
	t.Parallel()
	const busyEscaped = `\u5f53\u524d\u8bbf\u95ee\u8bf7\u6c42\u8f83\u591a`
	tests := []struct{ name, body, want string }{
		{"as documented", `{"body":"{\"Response\":{\"RequestId\":\"1\",\"Data\":\"QUJD\"}}","httpStatusCode":"200"}`, "200"},
		{"a number", `{"body":"","httpStatusCode":200}`, "200"},
		{"a number first", `{"httpStatusCode":4057,"body":""}`, "4057"},
		{"a negative number", `{"httpStatusCode":-1}`, "-1"},
		{"the other order", `{"httpStatusCode":"4067","body":"{\"Response\":{\"RequestId\":\"1\"}}"}`, "4067"},
		{"white space", "{ \"body\" : \"\" ,\r\n\t\"httpStatusCode\"\t:\n \" 4054 \" }\n", "4054"},
		{"escaped", `"{\"body\":\"\",\"httpStatusCode\":\"4055\"}"`, "4055"},
		{"escaped, with white space", `"{\n\t\"httpStatusCode\" :\r\n\"4055\"}"`, "4055"},
		{"escaped twice", `"\"{\\\"httpStatusCode\\\":\\n4047}\""`, "4047"},
		{"the body an object", `{"body":{"Response":{"Error":{"Code":"4033","Message":"未授权此服务"}}},"httpStatusCode":"200"}`, "4033"},
		{"an Error within 200", `{"body":"{\"Response\":{\"Error\":{\"Code\":\"4067\",\"Message\":\"当前请求来源IP\"}}}","httpStatusCode":"200"}`, "4067"},
		{"an Error within 200, first", `{"httpStatusCode":200,"body":"{\"Response\":{\"RequestId\":\"1\",\"Error\":{\"Message\":\"x\",\"Code\":4067}}}"}`, "4067"},
		{"an Error within 500", `{"body":"{\"Response\":{\"Error\":{\"Code\":\"4067\",\"Message\":\"\"}}}","httpStatusCode":"500"}`, "4067"},
		{"an Error without envelope", `{"Response":{"Error":{"Code":"4049","Message":"x"}}}`, "4049"},
		{"an unknown Error within 200", `{"body":"{\"Response\":{\"Error\":{\"Code\":\"77\",\"Message\":\"x\"}}}","httpStatusCode":"200"}`, "other"},
		{"an unknown Error within 500", `{"body":"{\"Response\":{\"Error\":{\"Code\":\"77\",\"Message\":\"x\"}}}","httpStatusCode":"500"}`, "500"},
		{"an Error with a word", `{"Response":{"Error":{"Code":"ResourceNotFound","Message":"x"}}}`, "ResourceNotFound"},
		{"a null Error", `{"body":"{\"Response\":{\"Error\":null,\"Code\":\"4067\"}}","httpStatusCode":"200"}`, "200"},
		{"a Code that is no Error's", `{"body":"{\"Code\":\"4067\"}","httpStatusCode":"200"}`, "200"},
		{"Error as a value", `{"body":"{\"Level\":\"Error\",\"Code\":\"4067\"}","httpStatusCode":"200"}`, "200"},
		{"unknown code", `{"httpStatusCode":"4068"}`, "other"},
		{"unknown number", `{"httpStatusCode":20}`, "other"},
		{"null", `{"httpStatusCode":null}`, ""},
		{"an empty code", `{"httpStatusCode":""}`, ""},
		{"an object", `{"httpStatusCode":{"x":1}}`, ""},
		{"a cut number", `{"httpStatusCode":200`, ""},
		{"a cut string", `{"httpStatusCode":"200`, ""},
		{"a fraction", `{"httpStatusCode":200.5}`, ""},

		// What stands in a message is not the answer's own.
		{"quoted in a message", `{"body":"{\"Response\":{\"Error\":{\"Code\":\"4063\",\"Message\":\"got \\\"httpStatusCode\\\":\\\"4057\\\"\"}}}","httpStatusCode":"200"}`, "4063"},
		{"quoted in a message, before", `{"body":"{\"Response\":{\"Error\":{\"Message\":\"\\\"Code\\\":\\\"4057\\\"\",\"Code\":\"4063\"}}}","httpStatusCode":"200"}`, "4063"},
		{"unquoted in a message", `{"body":"httpStatusCode: 4057","httpStatusCode":"500"}`, "500"},
		{"as a value", `{"key":"httpStatusCode","value":"4057","httpStatusCode":"500"}`, "500"},
		{"a longer key", `{"xhttpStatusCode":"4057","httpStatusCodes":"4057","httpStatusCode":"500"}`, "500"},
		{"quotes that do not match", `{"httpStatusCode\":"4057","httpStatusCode":"500"}`, "500"},
		{"a phrase beside Data", `{"body":"{\"Response\":{\"Data\":\"ResourceNotFound\"}}","httpStatusCode":"200"}`, "200"},
		{"a phrase with a cause", `{"body":"{\"Response\":{\"Error\":{\"Code\":\"4063\",\"Message\":\"json数据格式不正确\"}}}","httpStatusCode":"200"}`, "4063"},

		// Texts.
		{"empty call", `{"body":"json数据格式不正确","httpStatusCode":"500"}`, "bad_json"},
		{"empty call in an Error", `{"body":"{\"Response\":{\"Error\":{\"Code\":\"-1\",\"Message\":\"json数据格式不正确\"}}}","httpStatusCode":"200"}`, "bad_json"},
		{"empty call, plain", "json数据格式不正确", "bad_json"},
		{"empty call, escaped", `{"body":"json\u6570\u636e\u683c\u5f0f\u4e0d\u6b63\u786e"}`, "bad_json"},
		{"empty call, GBK", badJSONPhrase.gbk, "bad_json"},
		{"busy", `{"body":"当前访问请求较多，请5分钟后重试，将访问并发控制在5以内","httpStatusCode":"500"}`, "flow_limited"},
		{"busy with an unknown code", `{"Response":{"Error":{"Code":"4999","Message":"当前访问请求较多"}}}`, "flow_limited"},
		{"busy, escaped", `{"body":"` + busyEscaped + `"}`, "flow_limited"},
		{"busy, escaped in upper case", `{"body":"` + strings.ReplaceAll(strings.ToUpper(busyEscaped), `\U`, `\u`) + `"}`, "flow_limited"},
		{"busy, escaped twice", `{"body":"{\"m\":\"` + strings.ReplaceAll(busyEscaped, `\`, `\\`) + `\"}"}`, "flow_limited"},
		{"busy, GBK", `{"body":"` + busyPhrase.gbk + `"}`, "flow_limited"},
		{"wrong path", `{"code":"ResourceNotFound","message":"..."}`, "ResourceNotFound"},
		{"forbidden", "403:Forbidden, Connection:Close", "403"},
		{"forbidden in the envelope", `{"httpStatusCode":"403"}`, "403"},

		{"empty", "", ""},
		{"a page", "<html><body><h1>502 Bad Gateway</h1></body></html>", ""},
		{"quotes alone", `""""""""`, ""},
		{"backslashes alone", strings.Repeat(`\`, 2000), ""},
		{"other JSON", `{"timestamp":"2025-05-27","status":404,"error":"Not Found"}`, ""},

		{"2 KiB", answer(2048), "200"},
		{"1 MiB", answer(1 << 20), "200"},
		{"1 MiB, the other order", `{"httpStatusCode":"5001","body":"` + noise(1<<20) + `"}`, "5001"},
		{"in the middle alone", noise(600) + `{"httpStatusCode":"5001"}` + noise(600), ""},
	}
	for _, tt := range tests {
		if got := codeOf(200, "", tt.body); got != tt.want {
			t.Errorf("%s: Code(200) of %.300q = %q, want %q", tt.name, tt.body, got, tt.want)
		}
		if len(tt.body) > 1<<16 {
			continue
		}
		if got := codeOf(200, "gzip", gzipped(t, tt.body)); got != tt.want {
			t.Errorf("%s: Code(200) of the same in gzip = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestCodeAtEveryBodySize(t *testing.T) {
	t.Parallel()
	for size := range 3 * endSize {
		if got := codeOf(200, "", answer(size)); got != "200" {
			t.Errorf("Code(200) with %d bytes of data = %q, want 200", size, got)
		}
	}
}

func TestCodeOfCodedBodies(t *testing.T) {
	t.Parallel()
	small, damaged := gzipped(t, answer(2048)), []byte(gzipped(t, answer(2048)))
	damaged[len(damaged)/2] ^= 0xff
	tests := []struct{ name, encoding, body, want string }{
		{"gzip", "gzip", small, "200"},
		{"x-gzip", " X-GZIP ", small, "200"},
		{"gzip that nobody announced", "", small, "200"},
		{"identity", "identity", answer(10), "200"},
		{"announced, but plain", "gzip", answer(10), "200"},
		{"gzip in two members", "gzip", gzipped(t, `{"httpStatusCode":`) + gzipped(t, `"4067"}`), "4067"},
		{"br", "br", "\x8b\x02\x80", "unread"},
		{"deflate", "deflate", answer(10), "unread"},
		{"two codings", "gzip, gzip", small, "unread"},
		{"br without a body", "br", "", ""},
		{"gzip without a body", "gzip", "", ""},
		{"gzip of nothing", "gzip", gzipped(t, ""), ""},
		{"the magic number alone", "gzip", small[:2], "unread"},
		{"half of the magic number", "gzip", small[:1], ""},
		{"cut off", "gzip", small[:len(small)-1], "unread"},
		{"damaged", "gzip", string(damaged), "unread"},
		{"rubbish after it", "gzip", small + "rubbish", "unread"},
		{"64 KiB inflated", "gzip", gzipped(t, answer(gzipLimit-len(answer(0)))), "200"},
		{"64 KiB inflated, well compressed", "gzip", gzipped(t, `{"httpStatusCode":"4067"}`+strings.Repeat(" ", gzipLimit-25)), "4067"},
		{"a byte more", "gzip", gzipped(t, `{"httpStatusCode":"4067"}`+strings.Repeat(" ", gzipLimit-24)), "unread"},
		{"1 MiB of gzip", "gzip", gzipped(t, answer(1<<20)), "unread"},
		{"a bomb", "gzip", gzipped(t, strings.Repeat(" ", 1<<22)), "unread"},
	}
	for _, tt := range tests {
		if got := codeOf(200, tt.encoding, tt.body); got != tt.want {
			t.Errorf("%s: Code(200) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestCodeOfStatus403(t *testing.T) {
	t.Parallel()
	tests := []struct{ encoding, body, want string }{
		{"", "403:Forbidden, Connection:Close", "403"},
		{"", "<html>403 Forbidden</html>", "403"},
		{"", "", "403"},
		{"br", "\x8b", "403"},
		{"", `{"httpStatusCode":"4067"}`, "4067"},
		{"", `{"body":"当前访问请求较多"}`, "flow_limited"},
	}
	for _, tt := range tests {
		if got := codeOf(403, tt.encoding, tt.body); got != tt.want {
			t.Errorf("Code(403) of %q = %q, want %q", tt.body, got, tt.want)
		}
	}
}

func TestSampleServesAgain(t *testing.T) {
	t.Parallel()
	var s Sample
	for range 2 {
		for _, step := range []struct{ encoding, body, want string }{
			{"", answer(5000), "200"},
			{"gzip", gzipped(t, `{"httpStatusCode":"4067"}`), "4067"},
			{"br", "x", "unread"},
			{"", "", ""},
			{"", gzipped(t, answer(1<<20)), "unread"},
			{"", `{"httpStatusCode":"4057"}`, "4057"},
		} {
			s.Reset([]byte(step.encoding))
			s.Write([]byte(step.body))
			for range 2 { // asking twice changes nothing
				if got := s.Code(200); got != step.want {
					t.Errorf("Code(200) of %.50q = %q, want %q", step.body, got, step.want)
				}
			}
		}
	}
}

func TestFlowLimit(t *testing.T) {
	t.Parallel()
	gbk, err := os.ReadFile("testdata/busy-gbk.json")
	if err != nil {
		t.Fatal(err)
	}
	const escaped = `\u5f53\u524d\u8bbf\u95ee\u8bf7\u6c42\u8f83\u591a\uff0c\u5c06\u8bbf\u95ee\u5e76\u53d1\u63a7\u5236\u5728\uff11\u0032\u4ee5\u5185`
	tests := []struct {
		text string
		want int // 0: none
	}{
		{"当前访问请求较多，请5分钟后重试，将访问并发控制在8以内", 8},
		{"当前访问请求较多,请5分钟后重试,将访问并发控制在 20 以内", 20},
		{"当前访问请求较多。将访问并发控制在１０以内", 10},
		{`{"body":"` + escaped + `"}`, 12},
		{`{"body":"{\"Message\":\"` + strings.ReplaceAll(escaped, `\`, `\\`) + `\"}"}`, 12},
		{string(gbk), 6},
		{"当前访问请求较多，请5分钟后重试，将访问并发控制在x以内", 0},
		{"当前访问请求较多，请5分钟后重试", 0},
		{"当前访问请求较多，将访问并发控制在", 0},
		{"当前访问请求较多，将访问并发控制在0以内", 0},
		{"当前访问请求较多，将访问并发控制在99999999999999999999以内", 0},
		{"将访问并发控制在8以内", 0},
		{"控制在8以内，当前访问请求较多", 0},
		{"", 0},
	}
	for _, tt := range tests {
		got, ok := FlowLimit([]byte(tt.text))
		if got != tt.want && ok || ok != (tt.want > 0) {
			t.Errorf("FlowLimit(%q) = %d, %v, want %d", tt.text, got, ok, tt.want)
		}
		for _, body := range []string{tt.text, gzipped(t, tt.text), tt.text + "|" + noise(2000), noise(2000) + tt.text} {
			var s Sample
			s.Write([]byte(body))
			got, ok := s.FlowLimit()
			if got != tt.want && ok || ok != (tt.want > 0) {
				t.Errorf("Sample of %.200q: FlowLimit() = %d, %v, want %d", body, got, ok, tt.want)
			}
		}
	}
}

func TestFlowLimitOfUnread(t *testing.T) {
	t.Parallel()
	var s Sample
	s.Reset([]byte("br"))
	s.Write([]byte("当前访问请求较多，将访问并发控制在8以内"))
	if n, ok := s.FlowLimit(); ok {
		t.Errorf("FlowLimit() = %d, %v, want none", n, ok)
	}
}

func TestProvesPath(t *testing.T) {
	t.Parallel()
	gbk, err := os.ReadFile("testdata/bad-json-gbk.json")
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]bool{
		`{"body":"json数据格式不正确","httpStatusCode":"200"}`:                                                                true,
		`{"body":"{\"Response\":{\"Error\":{\"Code\":\"4063\",\"Message\":\"json数据格式不正确\"}}}","httpStatusCode":"200"}`: true,
		`{"body":"json\u6570\u636E\u683c\u5f0f\u4e0d\u6b63\u786e"}`:                                                    true,
		`{"body":"{\"Message\":\"json\\u6570\\u636e\\u683c\\u5f0f\\u4e0d\\u6b63\\u786e\"}"}`:                           true,
		string(gbk):                       true,
		answer(100):                       false,
		"403:Forbidden":                   false,
		"":                                false,
		`{"body":"数据格式不正确"}`:              false,
		`json\u6570\u636e\u683c\u5f0f\u4`: false,
	} {
		for _, body := range []string{body, gzipped(t, body)} {
			if got := ProvesPath([]byte(body)); got != want {
				t.Errorf("ProvesPath(%q) = %v, want %v", body, got, want)
			}
		}
	}
}

func FuzzSample(f *testing.F) {
	for _, body := range []string{
		"", answer(10), answer(600), answer(3000), gzipped(f, answer(3000)), gzipped(f, "")[:5],
		`{"body":"{\"Response\":{\"Error\":{\"Code\":\"4067\",\"Message\":\"\u5f53\"}}}","httpStatusCode":"200"}`,
		`{"body":"当前访问请求较多，请5分钟后重试，将访问并发控制在5以内","httpStatusCode":500}`,
		badJSONPhrase.gbk, "403:Forbidden", `\\\\\"Error\\\\\":{\\\\\"Code\\\\\":\\\\n1,`,
	} {
		f.Add([]byte(body), "", 200, uint64(1))
		f.Add([]byte(body), "gzip", 403, uint64(600))
	}
	f.Fuzz(func(t *testing.T, body []byte, encoding string, status int, seed uint64) {
		var whole Sample
		whole.Reset([]byte(encoding))
		whole.Write(body)
		want := whole.Code(status)
		if want != "" && !slices.Contains(Codes(), want) {
			t.Errorf("Code(%d) = %q, which is not in Codes()", status, want)
		}

		var pieces Sample
		pieces.Reset([]byte(encoding))
		random := rand.New(rand.NewPCG(seed, 0))
		for rest := body; len(rest) > 0; {
			n := random.IntN(min(len(rest), int(seed%2000)+1) + 1)
			piece := slices.Clone(rest[:n])
			pieces.Write(piece)
			clear(piece)
			rest = rest[n:]
		}
		if got := pieces.Code(status); got != want {
			t.Errorf("Code(%d) of the same body in pieces = %q, want %q", status, got, want)
		}
		wantLimit, wantOK := whole.FlowLimit()
		if limit, ok := pieces.FlowLimit(); limit != wantLimit || ok != wantOK {
			t.Errorf("FlowLimit() of the same body in pieces = %d, %v, want %d, %v", limit, ok, wantLimit, wantOK)
		}
	})
}

func BenchmarkSample(b *testing.B) {
	for _, bb := range []struct{ name, body string }{
		{"plain 300 B", answer(200)},
		{"plain 2 KiB", answer(2048)},
		{"plain 1 MiB", answer(1 << 20)},
		{"gzip 2 KiB", gzipped(b, answer(2048))},
		{"error", `{"body":"{\"Response\":{\"Error\":{\"Code\":\"4067\",\"Message\":\"当前请求来源IP与企业备案出口IP不一致\"}}}","httpStatusCode":"200"}`},
		{"busy", `{"body":"当前访问请求较多，请5分钟后重试，将访问并发控制在5以内","httpStatusCode":"500"}`},
	} {
		b.Run(strings.ReplaceAll(bb.name, " ", "_"), func(b *testing.B) {
			var s Sample
			body := []byte(bb.body)
			b.ReportAllocs()
			for b.Loop() {
				s.Reset(nil)
				for piece := range slices.Chunk(body, 32<<10) {
					s.Write(piece)
				}
				s.Code(200)
			}
		})
	}
}

func Example() {
	var s Sample
	s.Reset([]byte("")) // the answer's Content-Encoding
	s.Write([]byte(`{"body":"{\"Response\":{\"Error\":{\"Code\":\"4054\",`))
	s.Write([]byte(`\"Message\":\"\"}}}","httpStatusCode":"200"}`))
	m, _ := Explain(s.Code(200))
	fmt.Println(m.Code, m.Meaning, m.Advice)
	// Output: 4054 未查询到直连单位 核对 jrdwptbh
}
