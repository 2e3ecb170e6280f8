//go:build !race

package h1

import (
	"bytes"
	"io"
	"testing"
)

// typical is an exchange as the callers of the platform have it.
type typical struct {
	in, out           bytes.Reader
	request, answer   []byte
	caller, upstream  Reader
	q                 Request
	p                 Response
	forward, backward []byte
}

func newTypical() *typical {
	body := bytes.Repeat([]byte("QUJD"), 512)
	x := &typical{request: append([]byte("POST /access/v2/invoke/202007/CXKYSL HTTP/1.1\r\n"+
		"Host: 10.1.2.3:8864\r\nUser-Agent: Apache-HttpClient/4.5.13 (Java/1.8.0_311)\r\n"+
		"Accept: application/json\r\nContent-Type: application/json\r\njrdwptbh: 12345678901234567890\r\n"+
		"sydwptbh: 12345678901234567890\r\nnlbm: 202007\r\nfwbm: CXKYSL\r\naccess_signature:\r\n"+
		"clientTid: 0123456789abcdef0123456789abcdef\r\nConnection: Keep-Alive\r\nContent-Length: 2048\r\n\r\n"), body...)}
	x.answer = append([]byte("HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 02 Jun 2025 08:00:00 GMT\r\n"+
		"Content-Type: application/json;charset=UTF-8\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n"+
		"Keep-Alive: timeout=60\r\nCache-Control: no-cache\r\n\r\n"), AppendLastChunk(AppendChunk(nil, body))...)
	x.caller.Reset(&x.in)
	x.upstream.Reset(&x.out)
	return x
}

// exchange reads the request and its answer and writes both.
func (x *typical) exchange() error {
	x.in.Reset(x.request)
	if err := x.caller.ReadRequest(&x.q, &roomyRules); err != nil {
		return err
	}
	body, _, err := x.caller.Prefix(prefixSize)
	if err != nil {
		return err
	}
	x.forward = x.q.AppendForward(x.forward[:0], upstreamHost, upstreamDrop, x.q.Framing)
	x.forward = append(x.forward, body...)
	x.out.Reset(x.answer)
	if err := x.upstream.ReadResponse(&x.p, x.q.Method(), &roomyRules); err != nil {
		return err
	}
	x.backward = x.p.AppendForward(x.backward[:0], x.p.Framing, Ending{KeepAlive: 70})
	for err == nil {
		var piece []byte
		piece, err = x.upstream.Next()
		x.backward = AppendChunk(x.backward, piece)
	}
	if err != io.EOF {
		return err
	}
	x.backward = AppendLastChunk(x.backward)
	x.caller.Finish()
	x.upstream.Finish()
	return nil
}

func TestExchangeDoesNotAllocate(t *testing.T) {
	x := newTypical()
	n := testing.AllocsPerRun(1000, func() {
		if err := x.exchange(); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("an exchange allocates %v times, want 0", n)
	}
}

func TestIdleLookDoesNotAllocate(t *testing.T) {
	var r Reader
	n := testing.AllocsPerRun(1000, func() {
		r.Space()
		r.Filled(0)
	})
	if n != 0 {
		t.Errorf("Space and Filled allocate %v times, want 0", n)
	}
}

func TestBufferDoesNotAllocate(t *testing.T) {
	n := testing.AllocsPerRun(1000, func() { GetBuffer(20 << 10).Release() })
	if n != 0 {
		t.Errorf("GetBuffer and Release allocate %v times, want 0", n)
	}
}

func BenchmarkExchange(b *testing.B) {
	x := newTypical()
	b.SetBytes(int64(len(x.request) + len(x.answer)))
	b.ReportAllocs()
	for b.Loop() {
		if err := x.exchange(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadRequest(b *testing.B) {
	x := newTypical()
	head := x.request[:bytes.Index(x.request, []byte("\r\n\r\n"))+4]
	head = bytes.Replace(head, []byte("2048"), []byte("0"), 1)
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		x.in.Reset(head)
		if err := x.caller.ReadRequest(&x.q, &roomyRules); err != nil {
			b.Fatal(err)
		}
		x.caller.Finish()
	}
}

func BenchmarkForwardRequest(b *testing.B) {
	x := newTypical()
	x.in.Reset(x.request)
	if err := x.caller.ReadRequest(&x.q, &roomyRules); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(x.q.Len()))
	b.ReportAllocs()
	for b.Loop() {
		x.forward = x.q.AppendForward(x.forward[:0], upstreamHost, upstreamDrop, x.q.Framing)
	}
}

// BenchmarkChunks decodes 1 MiB.
func BenchmarkChunks(b *testing.B) {
	message := inChunks(pattern(1<<20), 8<<10)
	var r Reader
	var q Request
	var src bytes.Reader
	r.Reset(&src)
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(message)
		if err := r.ReadRequest(&q, &roomyRules); err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		r.Finish()
	}
}
