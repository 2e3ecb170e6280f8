package leqisim

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon bounds what must happen, but on a busy machine may take a while.
const soon = 20 * time.Second

// start runs a server until the test ends.
func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatalf("Start(%+v): %v", o, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close(): %v", err)
		}
	})
	return s
}

// A caller is a raw TLS connection to a server.
type caller struct {
	*tls.Conn
	in *bufio.Reader
}

func dialRaw(t *testing.T, s *Server) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", s.Address().String(), soon)
	if err != nil {
		t.Fatalf("dialling %s: %v", s.Address(), err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(soon))
	return c
}

func dial(t *testing.T, s *Server, configs ...*tls.Config) *caller {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true}
	if len(configs) > 0 {
		config = configs[0]
	}
	c := tls.Client(dialRaw(t, s), config)
	return &caller{c, bufio.NewReader(c)}
}

func (c *caller) send(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatalf("sending %.40q: %v", text, err)
	}
}

// ask sends a request and reads its answer.
func (c *caller) ask(t *testing.T, request string) (*http.Response, string) {
	t.Helper()
	c.send(t, request)
	return c.receive(t)
}

func (c *caller) receive(t *testing.T) (*http.Response, string) {
	t.Helper()
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatalf("reading the head of the answer: %v", err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("reading the body of the answer: %v", err)
	}
	return r, string(body)
}

// rest reads to the end, and returns how the connection ended.
func (c *caller) rest() (string, error) {
	p, err := io.ReadAll(c.in)
	if err == nil {
		err = io.EOF
	}
	return string(p), err
}

const unit = "91310000MA1FL0000001"

// post is a request as the invoicing software sends it.
func post(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: lqpt.chinatax.gov.cn:8443\r\nContent-Type: application/json\r\n"+
		"jrdwptbh: %s\r\nsydwptbh: %s\r\naccess_signature: \r\nContent-Length: %d\r\n\r\n%s", path, unit, unit, len(body), body)
}

const (
	probePath   = "/access/v2/invoke/202007/CXKYSL"
	invoicePath = "/access/v2/invoke/202007/QDFPSC"
)

var date = regexp.MustCompile(`Date: [^\r]*`)

func successOf(number int) string {
	return fmt.Sprintf(`{"body":"{\"Response\":{\"RequestId\":\"%032x\",\"Data\":\"%s\"}}","httpStatusCode":"200"}`,
		number, strings.Repeat("A", 64))
}

func failureOf(code, outer, message string) string {
	return fmt.Sprintf(`{"body":"{\"Response\":{\"Error\":{\"Code\":\"%s\",\"Message\":\"%s\"}}}","httpStatusCode":"%s"}`,
		code, message, outer)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	noType := strings.Replace(post(invoicePath, "x"), "application/json", "text/plain", 1)
	noUnit := strings.Replace(post(invoicePath, "x"), "jrdwptbh: "+unit, "jrdwptbh:", 1)
	noUsingUnit := strings.Replace(post(invoicePath, "x"), "sydwptbh", "other", 1)
	tests := []struct{ name, request, want string }{
		{"success", post(invoicePath, "x"), successOf(1)},
		{"trailing slash", post(invoicePath+"/", "x"), successOf(1)},
		{"query", post(invoicePath+"?a=%2F", "x"), successOf(1)},
		{"sandbox", post("/access/newsandbox/v2/invoke/202007/QDFPSC", "x"), successOf(1)},
		{"old sandbox", post("/access/sandbox/v2/invoke/202007/QDFPSC", "x"), successOf(1)},
		{"control", post("/access/v2/invoke/CXSYDWJRZT", "x"), successOf(1)},
		{"sandbox control", post("/access/sandbox_kzfw/v1/CXSYDWJRZT", "x"), successOf(1)},
		{"authorisation without a unit", strings.Replace(post("/access/v1/getToken", ""), "jrdwptbh", "a", 1), successOf(1)},
		{"empty body", post(probePath, ""), `{"body":"json数据格式不正确","httpStatusCode":"200"}`},
		{"content type", noType, failureOf("4057", "4057", "报文解密失败")},
		{"no unit", noUnit, failureOf("4054", "4054", "未查询到直连单位")},
		{"no using unit", noUsingUnit, failureOf("4055", "4055", "未查询到使用单位")},
		{"unknown path", post("/lqpt/access/v2/invoke/202007/CXKYSL", "x"), failureOf("ResourceNotFound", "200", "资源不存在")},
		{"path too long", post(probePath+"/more", "x"), failureOf("ResourceNotFound", "200", "资源不存在")},
		{"double slash", post("//access/v2/invoke/202007/CXKYSL", "x"), failureOf("ResourceNotFound", "200", "资源不存在")},
		{"no service", post("/access/v2/invoke/202007//", "x"), failureOf("ResourceNotFound", "200", "资源不存在")},
		{"encoded service", post("/access/v2/invoke/202007/CX%4bYSL", "x"), failureOf("ResourceNotFound", "200", "资源不存在")},
		{"method", strings.Replace(post(probePath, "x"), "POST", "PUT", 1), failureOf("ResourceNotFound", "200", "资源不存在")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, body := dial(t, start(t, Options{})).ask(t, tt.request)
			if r.StatusCode != 200 || body != tt.want {
				t.Errorf("answer = %d %s, want 200 %s", r.StatusCode, body, tt.want)
			}
		})
	}
}

func sized(body string) string {
	return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

func TestAnswerBytes(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Type: application/json;charset=UTF-8\r\n"
	tests := []struct {
		name string
		b    Behaviour
		want string
	}{
		{"plain", Behaviour{}, head + sized(successOf(1))},
		{
			"403",
			Behaviour{Status: 403},
			"HTTP/1.1 403 Forbidden\r\nDate: D\r\nContent-Type: text/plain;charset=UTF-8\r\n" +
				"Content-Length: 31\r\nConnection: close\r\n\r\n403:Forbidden, Connection:Close",
		},
		{"other status", Behaviour{Status: 502, Body: []byte("x")}, "HTTP/1.1 502 Bad Gateway\r\n" + head[17:] + "Content-Length: 1\r\n\r\nx"},
		{"no content", Behaviour{Status: 204}, "HTTP/1.1 204 No Content\r\n" + head[17:] + "\r\n"},
		{
			"code",
			Behaviour{Code: "4067"},
			head + sized(failureOf("4067", "4067", "当前请求来源IP与企业备案出口IP不一致")),
		},
		{
			"flow control",
			Behaviour{Limit: 7},
			head + sized(`{"body":"当前访问请求较多，请5分钟后重试，将访问并发控制在7以内","httpStatusCode":"200"}`),
		},
		{
			"chunked",
			Behaviour{Body: []byte("abcd"), Framing: Chunked},
			head + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n",
		},
		{"close-delimited", Behaviour{Body: []byte("abcd"), Framing: Closing}, head + "Connection: close\r\n\r\nabcd"},
		{
			"keep-alive time",
			Behaviour{Body: []byte("x"), Fields: []string{"Keep-Alive: timeout=5"}},
			head + "Content-Length: 1\r\nKeep-Alive: timeout=5\r\n\r\nx",
		},
		{
			"interim answers",
			Behaviour{Body: []byte("x"), Interim: "HTTP/1.1 102 Processing\r\n\r\n"},
			"HTTP/1.1 102 Processing\r\n\r\n" + head + "Content-Length: 1\r\n\r\nx",
		},
		{"malformed", Behaviour{Raw: "HTTP/1.1 200\r\n : \x00"}, "HTTP/1.1 200\r\n : \x00"},
		{"in pieces", Behaviour{Body: []byte("abcd"), Piece: 1}, head + "Content-Length: 4\r\n\r\nabcd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.b.Fault = Fault{Kind: End, Phase: PhaseIdle}
			s := start(t, Options{Rules: []Rule{{Behaviour: tt.b}}})
			c := dial(t, s)
			c.send(t, post(invoicePath, "x"))
			got, err := c.rest()
			if diff := cmp.Diff(tt.want, date.ReplaceAllString(got, "Date: D")); diff != "" || !errors.Is(err, io.EOF) {
				t.Errorf("answer, ended by %v (-want +got):\n%s", err, diff)
			}
			if kept := string(s.Exchanges()[0].Answer); kept != got {
				t.Errorf("Exchanges()[0].Answer = %q, want %q", kept, got)
			}
		})
	}
}

func TestPiecesAreRecordsOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Rules: []Rule{{Behaviour: Behaviour{Piece: 3}}}})
	c := dial(t, s)
	c.send(t, post(invoicePath, "x"))
	p := make([]byte, 100)
	if n, err := c.Read(p); n != 3 || err != nil { // tls.Conn.Read returns at most one record
		t.Errorf("first Read() = %d, %v, want 3 bytes", n, err)
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Rules: []Rule{{Behaviour: Behaviour{Gzip: true, Size: 1 << 20}}}})
	r, body := dial(t, s).ask(t, post(invoicePath, "x"))
	if got := r.Header.Get("Content-Encoding"); got != "gzip" {
		t.Errorf("Content-Encoding = %q, want gzip", got)
	}
	plain := gunzip(t, body)
	if len(plain) != 1<<20 || !strings.HasPrefix(plain, `{"body":"{\"Response\":`) {
		t.Errorf("inflated body = %d bytes, %.40q, want 1 MiB of an envelope", len(plain), plain)
	}
}

func TestLargeBodies(t *testing.T) {
	t.Parallel()
	for _, framing := range []Framing{Sized, Chunked, Closing} {
		t.Run(string(framing), func(t *testing.T) {
			t.Parallel()
			const size = 5<<20 + 3
			s := start(t, Options{Rules: []Rule{{Behaviour: Behaviour{Size: size, Framing: framing}}}})
			_, body := dial(t, s).ask(t, post(invoicePath, "x"))
			if len(body) != size || !strings.HasSuffix(body, `"httpStatusCode":"200"}`) {
				t.Errorf("body of %d bytes ends in %.40q, want %d bytes of an envelope", len(body), body[max(0, len(body)-40):], size)
			}
		})
	}
}

func TestConnectionIsKept(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	c := dial(t, s)
	// The second and third go out together: pipelined requests are served in order.
	first, _ := c.ask(t, post(invoicePath, "1"))
	_, second := c.ask(t, post(invoicePath, "2")+post(invoicePath, "3"))
	_, third := c.receive(t)
	if first.StatusCode != 200 || second != successOf(2) || third != successOf(3) {
		t.Errorf("answers = %d, %s, %s, want three in order", first.StatusCode, second, third)
	}
	if got := s.Stats(); got.Connections != 1 || got.Handshakes != 1 || got.Requests != 3 {
		t.Errorf("Stats() = %+v, want 3 requests on 1 connection", got)
	}
}

func TestRequestAsksToClose(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, Options{}))
	c.send(t, strings.Replace(post(invoicePath, "x"), "Host:", "Connection: x, Close\r\nHost:", 1))
	if got, err := c.rest(); !strings.Contains(got, "\r\nConnection: close\r\n") || !errors.Is(err, io.EOF) {
		t.Errorf("answer = %q, %v, want one with Connection: close", got, err)
	}
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, Options{}))
	request := strings.Replace(post(invoicePath, "x"), "Host:", "Expect: 100-continue\r\nHost:", 1)
	c.send(t, strings.TrimSuffix(request, "x"))
	line, err := c.in.ReadString('\n')
	if line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("first line = %q, %v, want 100 Continue", line, err)
	}
	c.in.Discard(2)
	if r, body := c.ask(t, "x"); r.StatusCode != 200 || body != successOf(1) {
		t.Errorf("answer = %d %s, want 200 %s", r.StatusCode, body, successOf(1))
	}
}

func TestReceivedByteForByte(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	head := "POST " + invoicePath + "?q=%zz;&&a HTTP/1.1\r\nhOST: x\r\nCONTENT-type:application/json\r\njrdwptbh:\t" + unit +
		"\t\r\nsydwptbh: " + unit + "\r\naccess_signature:\r\nX: \xe4\xb8\xad\xff\r\nX: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
	raw := "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n"
	dial(t, s).ask(t, head+raw)
	x := s.Exchanges()[0]
	if got := string(x.Head); got != head {
		t.Errorf("Head = %q, want %q", got, head)
	}
	if string(x.Body) != "abc0123456789" || x.BodyBytes != 13 || string(x.Raw) != raw || !x.Whole {
		t.Errorf("Body = %q (%d bytes, whole %v), Raw = %q, want abc0123456789 and %q", x.Body, x.BodyBytes, x.Whole, x.Raw, raw)
	}
	if x.Environment != Production || x.Ability != "202007" || x.Service != "QDFPSC" || x.Unit != unit {
		t.Errorf("call = %s %s %s %s, want production 202007 QDFPSC %s", x.Environment, x.Ability, x.Service, x.Unit, unit)
	}
	want := []Field{
		{"hOST", "x"},
		{"CONTENT-type", "application/json"},
		{"jrdwptbh", unit},
		{"sydwptbh", unit},
		{"access_signature", ""},
		{"X", "\xe4\xb8\xad\xff"},
		{"X", "2"},
		{"Transfer-Encoding", "chunked"},
	}
	if diff := cmp.Diff(want, x.Fields); diff != "" {
		t.Errorf("Fields (-want +got):\n%s", diff)
	}
	if v, ok := x.Value("ACCESS_SIGNATURE"); v != "" || !ok {
		t.Errorf("Value(ACCESS_SIGNATURE) = %q, %v, want an empty value", v, ok)
	}
	if v, ok := x.Value("absent"); v != "" || ok {
		t.Errorf("Value(absent) = %q, %v, want none", v, ok)
	}
}

// answered waits until n exchanges are over.
func answered(t *testing.T, s *Server, n int) {
	t.Helper()
	if err := s.Wait(t.Context(), func(got Stats) bool { return got.Answered >= n }); err != nil {
		t.Fatalf("waiting for %d exchanges: %v", n, err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Keep: 2, KeepBytes: 10})
	body := strings.Repeat("b", 100<<10)
	c := dial(t, s)
	for range 3 {
		c.ask(t, post(invoicePath, body))
	}
	answered(t, s, 3)
	list := s.Exchanges()
	if len(list) != 2 || list[0].Number != 2 || list[1].Number != 3 {
		t.Fatalf("Exchanges() = %d, want number 2 and 3", len(list))
	}
	x := list[1]
	if len(x.Body) != 10 || len(x.Raw) != 10 || len(x.Answer) != 10 {
		t.Errorf("kept %d, %d, %d bytes, want 10 each", len(x.Body), len(x.Raw), len(x.Answer))
	}
	if x.BodyBytes != 100<<10 || x.BodySum != sumOf(body) || x.AnswerBytes <= 10 {
		t.Errorf("BodyBytes, BodySum, AnswerBytes = %d, %x, %d, want those of all bytes", x.BodyBytes, x.BodySum, x.AnswerBytes)
	}
}

func TestNothingIsKept(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Keep: -1, KeepBytes: -1})
	dial(t, s).ask(t, post(invoicePath, "x"))
	if n := len(s.Exchanges()); n != 0 || s.Stats().Requests != 1 {
		t.Errorf("len(Exchanges()) = %d, Stats() = %+v, want 0 and 1 request", n, s.Stats())
	}
}

func TestRepeated(t *testing.T) {
	t.Parallel()
	s := start(t, Options{CountBy: "clientTid", Keep: 1})
	c := dial(t, s)
	for _, id := range []string{"b", "a", "c", "a", "b", "b"} {
		c.ask(t, strings.Replace(post(invoicePath, "x"), "Host:", "ClientTid: "+id+"\r\nHost:", 1))
	}
	if diff := cmp.Diff([]string{"a", "b"}, s.Repeated()); diff != "" {
		t.Errorf("Repeated() (-want +got):\n%s", diff)
	}
	for id, want := range map[string]int{"a": 2, "b": 3, "c": 1, "d": 0} {
		if got := s.Received(id); got != want {
			t.Errorf("Received(%s) = %d, want %d", id, got, want)
		}
	}
}

func TestConcurrentExchanges(t *testing.T) {
	t.Parallel()
	s := start(t, Options{
		CountBy:    "clientTid",
		OnExchange: func(x Exchange) { _ = x.String() },
		Rules:      []Rule{{Match{Times: 1, Of: 7}, Behaviour{Code: "4067"}}},
	})
	const callers, each = 20, 20
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			c := dial(t, s)
			for j := range each {
				id := fmt.Sprintf("clientTid: %d-%d\r\nHost:", i, j)
				if _, err := io.WriteString(c, strings.Replace(post(invoicePath, "x"), "Host:", id, 1)); err != nil {
					t.Errorf("sending: %v", err)
					return
				}
				r, err := http.ReadResponse(c.in, nil)
				if err != nil {
					t.Errorf("receiving: %v", err)
					return
				}
				io.Copy(io.Discard, r.Body)
				s.Exchanges()
			}
		})
	}
	all.Wait()
	if got := s.Stats(); got.Requests != callers*each || got.Connections != callers || len(s.Repeated()) != 0 {
		t.Errorf("Stats() = %+v, Repeated() = %v, want %d requests, none twice", got, s.Repeated(), callers*each)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { defer cancel(); s.Wait(t.Context(), func(n Stats) bool { return n.Connections > 0 }) }()
	dialRaw(t, s)
	if err := s.Wait(ctx, func(Stats) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait(cancelled) = %v, want %v", err, context.Canceled)
	}
	if err := s.Wait(t.Context(), func(n Stats) bool { return n.Open == 1 }); err != nil {
		t.Errorf("Wait(open) = %v, want nil", err)
	}
}

func TestOnExchange(t *testing.T) {
	t.Parallel()
	lines := make(chan string, 10)
	s := start(t, Options{OnExchange: func(x Exchange) { lines <- x.String() }, Rules: []Rule{
		{Match{Service: "A"}, Behaviour{Fault: Fault{Kind: Reset, Phase: PhaseHead}}},
		{Match{Service: "B"}, Behaviour{Fault: Fault{Kind: Reset, Phase: PhaseRequest}}},
	}})
	for _, tt := range []struct{ request, want string }{
		{post(invoicePath+"?secret=1", "x"), "POST " + invoicePath + " " + unit + " 200 200"},
		{post(probePath, ""), "POST " + probePath + " " + unit + " 200 json数据格式不正确"},
		{post("/access/v2/invoke/202007/A", "x"), "POST /access/v2/invoke/202007/A " + unit + " 200 200 reset (head)"},
		{post("/access/v2/invoke/202007/B", "x"), "POST /access/v2/invoke/202007/B " + unit + " - reset (request)"},
		{"GET / HTTP/1.0\r\n\r\n", `GET /  400 malformed: version "HTTP/1.0"`},
	} {
		dial(t, s).send(t, tt.request)
		if got := <-lines; got != tt.want {
			t.Errorf("line of %.60q = %q, want %q", tt.request, got, tt.want)
		}
	}
}

// descriptors returns what those of this process are, by number, or skips.
func descriptors(t *testing.T) map[string]string {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("listing descriptors: %v", err)
	}
	files := map[string]string{}
	for _, fd := range list {
		if target, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil { // the folder itself is closed by now
			files[fd.Name()] = target
		}
	}
	return files
}

// It is not parallel: other tests open descriptors, too.
func TestCloseLeavesNothing(t *testing.T) {
	warm := start(t, Options{})
	dial(t, warm).ask(t, post(invoicePath, "x")) // the runtime opens some for itself at the first connection
	before := descriptors(t)
	var clients []net.Conn
	for _, phase := range []Phase{"", PhaseAccept, PhaseHandshake, PhaseRequest, PhaseHead, PhaseBody} {
		s, err := Start(Options{Rules: []Rule{{Behaviour: Behaviour{Fault: Fault{Kind: Stall, Phase: phase}}}}})
		if err != nil {
			t.Fatalf("Start(): %v", err)
		}
		c := tls.Client(dialRaw(t, s), &tls.Config{InsecureSkipVerify: true})
		clients = append(clients, c)
		done := make(chan struct{})
		go func() { defer close(done); io.WriteString(c, post(invoicePath, "x")); io.ReadAll(c) }()
		if err := s.Wait(t.Context(), func(n Stats) bool { return n.Connections == 1 }); err != nil {
			t.Fatal(err)
		}
		if phase == PhaseHead {
			if err := s.Ban(); err != nil {
				t.Errorf("Ban(): %v", err)
			}
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Errorf("Close() with a stall in %q: %v", phase, err)
			}
		}
		c.Close()
		<-done
		if got := s.Stats().Open; got != 0 {
			t.Errorf("after Close() with a stall in %q, Stats().Open = %d, want 0", phase, got)
		}
	}
	for _, c := range clients {
		c.Close()
	}
	if diff := cmp.Diff(before, descriptors(t)); diff != "" {
		t.Errorf("descriptors after Close (-before +after):\n%s", diff)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	s, err := Start(Options{})
	if err != nil {
		t.Fatalf("Start(): %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	if r, _ := dial(t, s).ask(t, post(invoicePath, "x")); r.StatusCode != 200 {
		t.Errorf("status = %d, want 200", r.StatusCode)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run(cancelled) = %v, want nil", err)
	}
	if _, err := net.DialTimeout("tcp", s.Address().String(), soon); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialling after Run = %v, want %v", err, syscall.ECONNREFUSED)
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	address := s.Address().String()
	second, err := Start(Options{Address: address})
	if err == nil {
		second.Close()
	}
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "listening on "+address) {
		t.Errorf("Start(%s) = %v, want address in use", address, err)
	}
}

func TestExchangesAreCopies(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	c := dial(t, s)
	c.ask(t, post(invoicePath, "x"))
	list := s.Exchanges()
	list[0].Target = ""
	if got := s.Exchanges()[0].Target; got != invoicePath {
		t.Errorf("Exchanges()[0].Target = %q, want %q", got, invoicePath)
	}
	if !bytes.Equal(s.Exchanges()[0].Head, list[0].Head) {
		t.Errorf("Exchanges() returned two different heads")
	}
}

// over is dial for a socket that is there.
func over(under net.Conn) *caller {
	c := tls.Client(under, &tls.Config{InsecureSkipVerify: true})
	return &caller{c, bufio.NewReader(c)}
}
