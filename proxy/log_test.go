package proxy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheAccessLogHasOneLineWithItsFields looks at all keys of the line of an
// ordinary exchange.
func TestTheAccessLogHasOneLineWithItsFields(t *testing.T) {
	t.Parallel()
	const body = `{"body":"{}","httpStatusCode":"200"}`
	p := newPeer(t, answering(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)))
	g := start(t, p.addr, parts{})
	c := g.dial()
	const request = "POST /access/newsandbox/v2/invoke/202007/CXKYSL?q=secret-query HTTP/1.1\r\nHost: p\r\n" +
		"jrdwptbh: unit-1\r\nsydwptbh: using-1\r\nclientTid: tid-1\r\naccess_token: secret-token\r\naccess_signature: secret-signature\r\n" +
		"Content-Length: 11\r\n\r\nsecret-body"
	c.send(request)
	answer := c.answer()
	line := g.access.next(t)
	keys := slices.Sorted(maps.Keys(line))
	want := strings.Fields("ability bytes_in bytes_out client_tid connect_us delivered environment id leqi_code level local_addr " +
		"method msg path queue_us reused service source source_port status tls_us total_us unit upstream_addr using_unit wait_us")
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	wantEntry(t, line, map[string]any{
		"source": "127.0.0.1", "method": "POST", "path": "/access/newsandbox/v2/invoke/202007/CXKYSL",
		"environment": "sandbox", "ability": "202007", "service": "CXKYSL",
		"unit": "unit-1", "using_unit": "using-1", "client_tid": "tid-1",
		"status": 200.0, "leqi_code": "200", "delivered": "yes", "reused": false,
		"bytes_in": float64(len(request)), "bytes_out": float64(len(answer)), "upstream_addr": p.addr.String(),
	})
	if text := fmt.Sprint(line); strings.Contains(text, "secret") {
		t.Errorf("line %s holds what it must not", text)
	}
	c.send(call)
	c.answer()
	next := g.access.next(t)
	wantEntry(t, next, map[string]any{"reused": true, "connect_us": 0.0, "tls_us": 0.0})
	if next["id"] == line["id"] {
		t.Errorf("two exchanges have the id %v", line["id"])
	}
	if rest := g.access.rest(); len(rest) > 0 {
		t.Errorf("further lines %v, want one for each exchange", rest)
	}
}

// TestWhatCallersChoseIsEscapedAndCut: a line stays one line, and short.
func TestWhatCallersChoseIsEscapedAndCut(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, parts{})
	c := g.dial()
	tid, path := strings.Repeat("t", 1000), "/access/"+strings.Repeat("p", 1000)
	c.send("POST ", path, " HTTP/1.1\r\nHost: p\r\nclientTid: ", tid, "\r\njrdwptbh: a\"b\\c\t\xff\r\nContent-Length: 0\r\n\r\n")
	c.answer()
	wantEntry(t, g.access.next(t), map[string]any{
		"path": path[:maxLoggedPath], "client_tid": tid[:maxLoggedID], "unit": "a\"b\\c\t\ufffd",
	})
	c.send("POST /access/ HTTP/1.1\r\nHost: p\r\nContent-Length: ", strings.Repeat("\xff", 1000), "\r\n\r\n")
	c.answer()
	if detail, _ := g.access.next(t)["detail"].(string); detail == "" || len(detail) > maxLoggedDetail || strings.Contains(detail, "\ufffd") {
		t.Errorf("detail = %q, want what was refused, escaped and cut", detail)
	}
}

// TestRefusedRequestsDoNotLeakIntoTheLog sends what is malformed near a secret.
func TestRefusedRequestsDoNotLeakIntoTheLog(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, parts{})
	for _, request := range []string{
		"POST /access/?token=secret\x01 HTTP/1.1\r\nHost: p\r\n\r\n",
		"POST  /access/?token=secret HTTP/1.1\r\nHost: p\r\n\r\n",
		"POST access?token=secret HTTP/1.1\r\nHost: p\r\n\r\n",
		"POST /access/%zz?token=secret HTTP/1.1\r\nHost: p\r\n\r\n",
		"POST /access/ HTTP/1.1\r\nHost: p\r\naccess_token: secret\x01\r\n\r\n",
		"POST /access/ HTTP/1.1\r\nHost: p\r\naccess_token : secret\r\n\r\n",
		"POST /access/ HTTP/1.1\r\nHost: p\r\naccess_token: a\r\n secret\r\n\r\n",
		"POST /access/ HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\nsecret\r\n",
		"POST /access/ HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nasecret\r\n",
	} {
		c := g.dial()
		c.send(request)
		wantStatus(t, c.answer(), 400)
		if text := fmt.Sprint(g.access.next(t)); strings.Contains(text, "secret") {
			t.Errorf("the line of %q holds a secret: %s", request, text)
		}
	}
}

// TestEventsAreSaidOnce has the upstream answer the same thing several times.
func TestEventsAreSaidOnce(t *testing.T) {
	t.Parallel()
	answer := func(status, body string) string {
		return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
	}
	for event, text := range map[string]string{
		EventForbidden:   answer("403 Forbidden", "403:Forbidden, Connection:Close"),
		EventIPNotFiled:  answer("200 OK", `{"body":"{}","httpStatusCode":"4067"}`),
		EventFlowLimited: answer("200 OK", "当前访问请求较多，请5分钟后重试，将访问并发控制在5以内"),
	} {
		t.Run(event, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, answering(text))
			g := start(t, p.addr, parts{})
			c := g.dial()
			for range 3 {
				c.send(call)
				c.answer()
				g.access.next(t)
			}
			entry := g.log.next(t)
			wantEntry(t, entry, map[string]any{"event": event, "environment": "production", "ability": "202007", "level": "warn"})
			if hint, _ := entry["hint"].(string); hint == "" {
				t.Error("the event has no hint")
			}
			if rest := g.log.rest(); len(rest) > 0 {
				t.Errorf("said again: %v", rest)
			}
			if n := g.metric("lqproxy_upstream_forbidden_total"); (n == 3) != (event == EventForbidden) {
				t.Errorf("lqproxy_upstream_forbidden_total = %v", n)
			}
		})
	}
}
