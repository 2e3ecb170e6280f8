package proxy

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
)

const callPath = "/access/v2/invoke/202007/CXKYSL"

// TestRequestsLeaveAsTheyCame compares, byte for byte, what the upstream gets.
// HOST stands for its name and port.
func TestRequestsLeaveAsTheyCame(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, sent, want string }{
		{
			"spelling, underscores, empty values, order and duplicates stay",
			"POST " + callPath + " HTTP/1.1\r\nhOsT: proxy\r\naccess_signature:\r\nX-B: 2\r\nX-A: 1\r\nx-b: 3\r\nclientTid:no space\r\nX_y: \t \r\ncontent-LENGTH: 2\r\n\r\n{}",
			"POST " + callPath + " HTTP/1.1\r\nhOsT: HOST\r\naccess_signature:\r\nX-B: 2\r\nX-A: 1\r\nx-b: 3\r\nclientTid:no space\r\nX_y: \t \r\ncontent-LENGTH: 2\r\n\r\n{}",
		}, {
			"Host in the middle is replaced where it stands",
			"POST " + callPath + " HTTP/1.1\r\nA: 1\r\nHOST: proxy:8864\r\nB: 2\r\nContent-Length: 0\r\n\r\n",
			"POST " + callPath + " HTTP/1.1\r\nA: 1\r\nHOST: HOST\r\nB: 2\r\nContent-Length: 0\r\n\r\n",
		}, {
			"a path is never normalised",
			"POST /access//v2/%2F/a;b=c/x.y/~/%e4%b8%ad/ HTTP/1.1\r\nHost: p\r\nContent-Length: 0\r\n\r\n",
			"POST /access//v2/%2F/a;b=c/x.y/~/%e4%b8%ad/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n",
		}, {
			"a query is never read",
			"GET /access/q?a=%zz&b=/../&c=?&&=d;%00+\"<> HTTP/1.1\r\nHost: p\r\n\r\n",
			"GET /access/q?a=%zz&b=/../&c=?&&=d;%00+\"<> HTTP/1.1\r\nHost: HOST\r\n\r\n",
		}, {
			"an empty query stays",
			"GET /access/? HTTP/1.1\r\nHost: p\r\n\r\n",
			"GET /access/? HTTP/1.1\r\nHost: HOST\r\n\r\n",
		}, {
			"UTF-8 and Latin-1 in values stay",
			"POST " + callPath + " HTTP/1.1\r\nHost: p\r\nX-Name: 发票 \xe9\r\nContent-Length: 0\r\n\r\n",
			"POST " + callPath + " HTTP/1.1\r\nHost: HOST\r\nX-Name: 发票 \xe9\r\nContent-Length: 0\r\n\r\n",
		}, {
			"other methods pass",
			"pAtCh /access/x HTTP/1.1\r\nHost: p\r\nContent-Length: 1\r\n\r\nx",
			"pAtCh /access/x HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\n\r\nx",
		}, {
			"no framing came in, and none goes out",
			"POST " + callPath + " HTTP/1.1\r\nHost: p\r\n\r\n",
			"POST " + callPath + " HTTP/1.1\r\nHost: HOST\r\n\r\n",
		}, {
			"HTTP/1.0 without Host gets one, as the first field",
			"POST " + callPath + " HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}",
			"POST " + callPath + " HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\n{}",
		}, {
			"absolute-form becomes origin-form (RFC 9112 section 3.2.2)",
			"POST http://proxy:8864" + callPath + "?q HTTP/1.1\r\nHost: proxy:8864\r\nContent-Length: 0\r\n\r\n",
			"POST " + callPath + "?q HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n",
		}, {
			"inner addresses do not leave (drop_headers)",
			"POST " + callPath + " HTTP/1.1\r\nHost: p\r\nx-forwarded-for: 10.0.0.1\r\nX-REAL-IP: 10.0.0.1\r\nForwarded: for=a\r\nVia: 1.1 a\r\nX-Forwarded-Proto: http\r\nContent-Length: 0\r\n\r\n",
			"POST " + callPath + " HTTP/1.1\r\nHost: HOST\r\nX-Forwarded-Proto: http\r\nContent-Length: 0\r\n\r\n",
		}, {
			"hop-by-hop fields end here (RFC 9110 section 7.6.1)",
			"POST " + callPath + " HTTP/1.1\r\nHost: p\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\nTE: trailers\r\nUpgrade: h2c\r\nTrailer: X\r\nA: 1\r\nContent-Length: 0\r\n\r\n",
			"POST " + callPath + " HTTP/1.1\r\nHost: HOST\r\nA: 1\r\nContent-Length: 0\r\n\r\n",
		}, {
			"what Connection names ends here",
			"POST " + callPath + " HTTP/1.1\r\nX-Hop: 1\r\nHost: p\r\nConnection: keep-alive, X-Hop , ,x-other\r\nX-OTHER: 2\r\nA: 1\r\nContent-Length: 0\r\n\r\n",
			"POST " + callPath + " HTTP/1.1\r\nHost: HOST\r\nA: 1\r\nContent-Length: 0\r\n\r\n",
		}, {
			"a chunked body that fits leaves with a length (RFC 9112 section 7.1)",
			"POST " + callPath + " HTTP/1.1\r\nHost: p\r\nA: 1\r\nTransfer-Encoding: chunked\r\nB: 2\r\n\r\n3;x=y\r\nabc\r\n02\r\nde\r\n0\r\nTrailer-Field: dropped\r\n\r\n",
			"POST " + callPath + " HTTP/1.1\r\nHost: HOST\r\nA: 1\r\nContent-Length: 5\r\nB: 2\r\n\r\nabcde",
		}, {
			"an empty chunked body leaves with a length of 0",
			"POST " + callPath + " HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"POST " + callPath + " HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n",
		},
	}
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, parts{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := g.dial()
			c.send(test.sent)
			wantStatus(t, c.answer(), 200)
			wantText(t, "the upstream received", p.request(), test.want)
		})
	}
	p.wantNothing()
}

// TestBodiesArriveWhole sends bodies around the size up to which they are read
// before anything is sent.
func TestBodiesArriveWhole(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, parts{})
	for _, n := range []int{0, 1, prefixSize - 1, prefixSize, prefixSize + 1, 3 * prefixSize} {
		body := strings.Repeat("0123456789abcdef", n/16+1)[:n]
		length := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", n, body)
		t.Run(fmt.Sprintf("%d bytes with a length", n), func(t *testing.T) {
			c := g.dial()
			c.send("POST /access/ HTTP/1.1\r\nHost: p\r\n", length)
			c.answer()
			wantText(t, "the upstream received", p.request(), "POST /access/ HTTP/1.1\r\nHost: HOST\r\n"+length)
		})
		t.Run(fmt.Sprintf("%d bytes in chunks", n), func(t *testing.T) {
			c := g.dial()
			c.send("POST /access/ HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n", chunked(body, 1000))
			c.answer()
			got := p.request()
			if n <= prefixSize {
				wantText(t, "the upstream received", got, "POST /access/ HTTP/1.1\r\nHost: HOST\r\n"+length)
				return
			}
			const head = "POST /access/ HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n"
			if !strings.HasPrefix(got, head) || dechunked(got[len(head):]) != body {
				t.Errorf("the upstream received %.200q..., want the body in chunks of any size", got)
			}
		})
	}
}

// chunked encodes body in chunks of size bytes.
func chunked(body string, size int) string {
	var b strings.Builder
	for len(body) > 0 {
		n := min(size, len(body))
		fmt.Fprintf(&b, "%X\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return b.String() + "0\r\n\r\n"
}

// dechunked decodes what has neither extensions nor trailers.
func dechunked(body string) string {
	var b strings.Builder
	for {
		var n int
		line, rest, _ := strings.Cut(body, "\r\n")
		if _, err := fmt.Sscanf(line, "%x", &n); err != nil || n == 0 || n+2 > len(rest) {
			return b.String()
		}
		b.WriteString(rest[:n])
		body = rest[n+2:]
	}
}

// noise is a stream that looks random, and is the same every time.
func noise(n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{}), n)
}

// TestLargeBodiesStream sends 100 MB, with a length and in chunks, and gets as
// much back; the memory that it takes does not depend on that.
func TestLargeBodiesStream(t *testing.T) {
	const size = 100_000_000
	want := sha256.New()
	io.Copy(want, noise(size)) //nolint:errcheck // a hash never fails
	sums := make(chan []byte, 2)
	p := newPeer(t, func(_ *peer, c *raw) {
		for {
			head, err := readHead(c.r)
			if err != nil {
				return
			}
			sum := sha256.New()
			if _, ok := field(head, "Content-Length"); ok {
				io.CopyN(sum, c.r, size) //nolint:errcheck // the sum shows it
			} else {
				copyChunks(sum, c)
			}
			sums <- sum.Sum(nil)
			c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			sendChunks(c, noise(size))
		}
	})
	g := start(t, p.addr, parts{})
	for _, framing := range []string{fmt.Sprintf("Content-Length: %d", size), "Transfer-Encoding: chunked"} {
		t.Run(framing, func(t *testing.T) {
			c := g.dial()
			c.SetDeadline(time.Now().Add(5 * time.Minute)) //nolint:errcheck // just opened
			before := heap()
			c.send("POST /access/ HTTP/1.1\r\nHost: p\r\n", framing, "\r\n\r\n")
			if strings.HasPrefix(framing, "Content") {
				io.Copy(c.tcp, noise(size)) //nolint:errcheck // the sum shows it
			} else {
				sendChunks(c, noise(size))
			}
			if got := <-sums; !bytes.Equal(got, want.Sum(nil)) {
				t.Error("the upstream received another body")
			}
			c.head()
			if grown := int64(heap()) - int64(before); grown > 8<<20 {
				t.Errorf("%d more bytes of memory are in use, want at most 8 MiB", grown)
			}
			sum := sha256.New()
			copyChunks(sum, c)
			if !bytes.Equal(sum.Sum(nil), want.Sum(nil)) {
				t.Error("the caller received another body")
			}
			wantEntry(t, g.access.next(t), map[string]any{"status": 200.0, "reason": nil, "delivered": "yes"})
		})
	}
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func sendChunks(c *raw, r io.Reader) {
	c.t.Helper()
	piece := make([]byte, 60_000)
	for {
		n, err := io.ReadFull(r, piece)
		if n > 0 {
			fmt.Fprintf(c, "%x\r\n%s\r\n", n, piece[:n]) //nolint:errcheck // the receiver shows it
		}
		if err != nil {
			c.send("0\r\n\r\n")
			return
		}
	}
}

func copyChunks(w io.Writer, c *raw) {
	c.t.Helper()
	for {
		line, err := c.r.ReadString('\n')
		var n int64
		if _, scanned := fmt.Sscanf(line, "%x\r\n", &n); err != nil || scanned != nil {
			c.t.Errorf("reading a chunk's size: %q, %v", line, err)
			return
		}
		io.CopyN(w, c.r, n)          //nolint:errcheck // the sum shows it
		io.CopyN(io.Discard, c.r, 2) //nolint:errcheck // likewise
		if n == 0 {
			return
		}
	}
}

func TestExpectContinue_RFC9110_10_1_1(t *testing.T) {
	t.Parallel()
	p := newPeer(t, answering(okAnswer))
	g := start(t, p.addr, parts{})

	t.Run("is answered here, behind the gate, and not sent on", func(t *testing.T) {
		c := g.dial()
		c.send("POST /access/ HTTP/1.1\r\nHost: p\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n")
		wantText(t, "the interim answer", c.head(), "HTTP/1.1 100 Continue\r\n\r\n")
		c.send("{}")
		wantText(t, "the answer", c.answer(), okPassed)
		wantText(t, "the upstream received", p.request(), "POST /access/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\n{}")
	})
	t.Run("is not answered when the body has begun to come", func(t *testing.T) {
		c := g.dial()
		c.send("POST /access/ HTTP/1.1\r\nHost: p\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}")
		wantText(t, "the answer", c.answer(), okPassed)
		p.request()
	})
	t.Run("is not answered when the gate refuses", func(t *testing.T) {
		c := g.dial()
		c.send("POST /other HTTP/1.1\r\nHost: p\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
		wantStatus(t, c.answer(), 404)
		c.wantEnd()
	})
	t.Run("is ignored in HTTP/1.0", func(t *testing.T) {
		c := g.dial()
		c.send("POST /access/ HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}")
		wantStatus(t, c.answer(), 200)
		p.request()
	})
	p.wantNothing()
}

// TestPipelinedRequestsAreAnsweredInOrder sends several requests in one write
// (RFC 9112 section 9.3.2).
func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	p := newPeer(t, func(p *peer, c *raw) {
		for p.take(c) {
			q := <-p.received
			body := q[strings.Index(q, "\r\n\r\n")+4:]
			c.send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		}
	})
	g := start(t, p.addr, parts{})
	c := g.dial()
	var all, want strings.Builder
	for i := range 20 {
		body := strings.Repeat(string(rune('a'+i)), i)
		if i%2 == 0 {
			fmt.Fprintf(&all, "POST /access/ HTTP/1.1\r\nHost: p\r\nContent-Length: %d\r\n\r\n%s", i, body)
		} else {
			fmt.Fprintf(&all, "POST /access/ HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n%s", chunked(body, 3))
		}
		want.WriteString(body + ";")
	}
	c.send(all.String())
	var got strings.Builder
	for range 20 {
		_, body, _ := strings.Cut(c.answer(), "\r\n\r\n")
		got.WriteString(body + ";")
	}
	wantText(t, "the bodies of the answers", got.String(), want.String())
	if n := p.connections.Load(); n != 1 {
		t.Errorf("%d connections upstream, want 1", n)
	}
}
