package proxy

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
)

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text)) //nolint:errcheck // into memory
	w.Close()             //nolint:errcheck // likewise
	return b.String()
}

// TestAnswersPassAsTheyCame compares, byte for byte, what the caller gets. An
// answer that ends with close is one behind which the upstream closes.
func TestAnswersPassAsTheyCame(t *testing.T) {
	t.Parallel()
	const http11, http10 = "POST /access/ HTTP/1.1\r\nHost: p\r\nContent-Length: 0\r\n\r\n", "POST /access/ HTTP/1.0\r\nContent-Length: 0\r\n\r\n"
	const stays = "Keep-Alive: timeout=70\r\n\r\n"
	zip := zipped(`{"body":"{}","httpStatusCode":"200"}`)
	tests := []struct{ name, sent, answer, want string }{
		{
			"spelling, order, duplicates and odd phrases stay", http11,
			"HTTP/1.1 299 Sehr  Gut \xfc\r\nserver: Leqi/1\r\nSet-Cookie: a\r\nX_y:\r\nset-cookie:b \r\ncontent-length: 2\r\nDate: then\r\n\r\nok",
			"HTTP/1.1 299 Sehr  Gut \xfc\r\nserver: Leqi/1\r\nSet-Cookie: a\r\nX_y:\r\nset-cookie:b \r\ncontent-length: 2\r\nDate: then\r\n" + stays + "ok",
		}, {
			"an empty phrase stays", http11,
			"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 200 \r\nContent-Length: 0\r\n" + stays,
		}, {
			"hop-by-hop fields and what Connection names end here", http11,
			"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5, max=3\r\nX-Hop: 1\r\nUpgrade: h2\r\nProxy-Connection: x\r\nA: 1\r\nContent-Length: 2\r\n\r\nok",
			"HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 2\r\n" + stays + "ok",
		}, {
			"our own fields cannot come from upstream", http11,
			"HTTP/1.1 403 Forbidden\r\nX-Lqproxy-Reason: dial\r\nx-lqproxy-other: x\r\nContent-Length: 2\r\n\r\nno",
			"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n" + stays + "no",
		}, {
			"gzip passes untouched, though nobody asked for it", http11,
			fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(zip), zip),
			fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n%s%s", len(zip), stays, zip),
		}, {
			"what has one reading is mended (RFC 9112 sections 5.1, 5.2, 6.3)", http11,
			"HTTP/1.1 200 OK\nA : 1\r\nB: 2\r\n  3\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
			"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2    3\r\nContent-Length: 2\r\n" + stays + "ok",
		}, {
			"interim answers are dropped", http11,
			"HTTP/1.1 102 Processing\r\nA: b\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + okAnswer,
			okPassed,
		}, {
			"204 has no body", http11,
			"HTTP/1.1 204 No Content\r\n\r\n",
			"HTTP/1.1 204 No Content\r\n" + stays,
		}, {
			"304 has no body, whatever it announces", http11,
			"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n",
			"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n" + stays,
		}, {
			"HTTP/1.0 from upstream is 1.1 here", http11,
			"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + stays + "ok",
		}, {
			"chunks pass as chunks", http11,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nT: dropped\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + stays + "2\r\nok\r\n0\r\n\r\n",
		}, {
			"an answer that ends with its connection gets chunks", http11,
			"HTTP/1.1 200 OK\r\nA: 1\r\n\r\nokclose",
			"HTTP/1.1 200 OK\r\nA: 1\r\nTransfer-Encoding: chunked\r\n" + stays + "2\r\nok\r\n0\r\n\r\n",
		}, {
			"HTTP/1.0 gets no chunks", http10,
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
		}, {
			"HTTP/1.0 is closed behind the answer", http10,
			okAnswer,
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
		}, {
			"HTTP/1.0 stays when it asks to", strings.Replace(http10, "\r\n", "\r\nConnection: Keep-Alive\r\n", 1),
			okAnswer,
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\nKeep-Alive: timeout=70\r\n\r\nok",
		}, {
			"Connection: close is honoured", strings.Replace(http11, "\r\n", "\r\nConnection: close\r\n", 1),
			okAnswer,
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
		}, {
			"the upstream's Connection: close is not the caller's", http11,
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nokclose",
			okPassed,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			answer, closes := strings.CutSuffix(test.answer, "close")
			p := newPeer(t, func(p *peer, c *raw) {
				for p.take(c) {
					if c.send(answer); closes {
						return
					}
				}
			})
			g := start(t, p.addr, parts{})
			c := g.dial()
			c.send(test.sent)
			wantText(t, "the caller received", c.bytes(len(test.want)), test.want)
			wantEntry(t, g.access.next(t), map[string]any{"reason": nil, "delivered": "yes", "bytes_out": float64(len(test.want))})
			if strings.Contains(test.want, "Connection: close") {
				c.wantEnd()
				return
			}
			c.send("GET /other HTTP/1.1\r\nHost: p\r\n\r\n")
			wantStatus(t, c.answer(), 404)
		})
	}
}

func TestHEADHasNoBody_RFC9110_9_3_2(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"))
	g := start(t, p.addr, parts{})
	c := g.dial()
	for range 3 {
		c.send("HEAD /access/ HTTP/1.1\r\nHost: p\r\n\r\n")
		wantText(t, "the answer", c.head(), "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nKeep-Alive: timeout=70\r\n\r\n")
	}
	c.send("HEAD /other HTTP/1.1\r\nHost: p\r\n\r\n")
	wantStatus(t, c.head(), 404)
	if n := p.connections.Load(); n != 1 {
		t.Errorf("%d connections upstream, want 1", n)
	}
}

// TestAnswersBeginToPassBeforeTheyEnd holds the rest of an answer back until the
// caller has its beginning.
func TestAnswersBeginToPassBeforeTheyEnd(t *testing.T) {
	t.Parallel()
	for _, framing := range []string{"Content-Length: 200000", "Transfer-Encoding: chunked"} {
		t.Run(framing, func(t *testing.T) {
			t.Parallel()
			more := make(chan struct{})
			p := newPeer(t, func(p *peer, c *raw) {
				if !p.take(c) {
					return
				}
				c.send("HTTP/1.1 200 OK\r\n"+framing+"\r\n\r\n", "5\r\nbegin\r\n")
				<-more
				p.stall()
			})
			g := start(t, p.addr, parts{})
			c := g.dial()
			c.send(call)
			c.head()
			wantText(t, "the beginning", c.bytes(10), "5\r\nbegin\r\n")
			close(more)
		})
	}
}

// TestConnectionsUpstreamAreUsedAgain counts them, for answers behind which
// they may stay and others.
func TestConnectionsUpstreamAreUsedAgain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, answer string
		want         int32
	}{
		{"whole answers", okAnswer, 1},
		{"chunked answers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1},
		{"Connection: close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 3},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 3},
		{"stray bytes behind the answer", okAnswer + "x", 3},
		{"a second answer to one request", okAnswer + okAnswer, 3},
		{"Keep-Alive: timeout=1", "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n", 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, answering(test.answer))
			g := start(t, p.addr, parts{})
			c := g.dial()
			for range 3 {
				c.send(call)
				wantStatus(t, c.answer(), 200)
				g.access.next(t)
			}
			if got := p.connections.Load(); got != test.want {
				t.Errorf("%d connections upstream for 3 exchanges, want %d", got, test.want)
			}
		})
	}
}
