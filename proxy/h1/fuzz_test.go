package h1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzRequestHead holds the reader of requests to net/http: what h1 accepts is
// read there with the same meaning, and what h1 writes it reads and writes
// again unchanged.
func FuzzRequestHead(f *testing.F) {
	for _, c := range requestCases() {
		f.Add([]byte(c.message))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		whole := requestOutcome(bytes.NewReader(message), &testRules)
		if dripped := requestOutcome(drip(string(message)), &testRules); dripped != whole {
			t.Fatalf("%q byte by byte = %q, want %q", message, dripped, whole)
		}
		var r Reader
		var q Request
		r.Reset(bytes.NewReader(message))
		defer r.Release()
		if r.ReadRequest(&q, &testRules) != nil {
			return
		}
		compareWithNetHTTP(t, &r, &q, message)
		compareForwarded(t, &q)
	})
}

// compareWithNetHTTP reads message with net/http too.
func compareWithNetHTTP(t *testing.T, r *Reader, q *Request, message []byte) {
	t.Helper()
	if _, trailers := q.Value("Trailer"); trailers > 0 {
		return // net/http judges it; h1 drops it
	}
	rest := bufio.NewReaderSize(bytes.NewReader(message), 64<<10)
	req, err := http.ReadRequest(rest)
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", message, err)
	}
	if req.Method != string(q.Method()) || req.ProtoMinor != int(q.Minor) {
		t.Errorf("net/http reads %s HTTP/1.%d in %q, want %s HTTP/1.%d", req.Method, req.ProtoMinor, message, q.Method(), q.Minor)
	}
	if target := string(q.Target()); !strings.HasSuffix(req.RequestURI, target) && "/"+req.URL.RawQuery != strings.Replace(target, "/?", "/", 1) {
		t.Errorf("net/http reads target %q in %q, want %q", req.RequestURI, message, target)
	}
	if diff := cmp.Diff(headerOf(q), withoutFraming(req)); diff != "" {
		t.Errorf("net/http reads other fields in %q (-h1 +net/http):\n%s", message, diff)
	}
	if got, want := framingOf(req), q.Framing; got != want && want != (Framing{Kind: Length}) {
		t.Errorf("net/http reads framing %v in %q, want %v", got, message, want)
	}
	compareBodies(t, r, req, rest, message)
}

// compareBodies compares the body, if h1 accepts it, and where it ends.
func compareBodies(t *testing.T, r *Reader, req *http.Request, rest *bufio.Reader, message []byte) {
	t.Helper()
	body, err := readAll(r)
	if err != nil {
		return
	}
	got, err := io.ReadAll(req.Body)
	if string(got) != body || err != nil {
		t.Errorf("net/http reads body %q, %v in %q, want %q", got, err, message, body)
	}
	behind, _ := io.ReadAll(rest)
	ours := bytes.Clone(r.bytes(r.raw, r.end))
	unread, _ := io.ReadAll(r.src)
	if ours = append(ours, unread...); !bytes.Equal(behind, ours) {
		t.Errorf("net/http leaves %q behind %q, want %q", behind, message, ours)
	}
}

func headerOf(q *Request) http.Header {
	h := http.Header{}
	for i := range q.Fields {
		switch f := &q.Fields[i]; f.Kind {
		case Host, TransferEncoding:
		default:
			h.Add(string(q.Bytes(f.Name)), string(q.value(f)))
		}
	}
	return h
}

// withoutFraming returns the fields that net/http read, less what it adds.
func withoutFraming(req *http.Request) http.Header {
	if req.Header.Get("Pragma") == "no-cache" && slices.Equal(req.Header["Cache-Control"], []string{"no-cache"}) {
		delete(req.Header, "Pragma")
		delete(req.Header, "Cache-Control")
	}
	return req.Header
}

func framingOf(req *http.Request) Framing {
	switch {
	case slices.Equal(req.TransferEncoding, []string{"chunked"}):
		return Framing{Kind: Chunked}
	case req.ContentLength != 0:
		return Framing{Length, req.ContentLength}
	}
	return Framing{}
}

// compareForwarded reads what is forwarded of q, and forwards it again.
func compareForwarded(t *testing.T, q *Request) {
	t.Helper()
	once := q.AppendForward(nil, "u:1", upstreamDrop, q.Framing)
	_, again := mustRequest(t, string(once), &Rules{HeadSize: 1 << 20, FieldCount: 100})
	if again.Framing != q.Framing || !bytes.Equal(again.Method(), q.Method()) || !bytes.Equal(again.Target(), q.Target()) {
		t.Errorf("%q is read as %s %s %v, want %s %s %v", once,
			again.Method(), again.Target(), again.Framing, q.Method(), q.Target(), q.Framing)
	}
	if twice := again.AppendForward(nil, "u:1", upstreamDrop, again.Framing); !bytes.Equal(once, twice) {
		t.Errorf("%q is forwarded as %q, want it unchanged", once, twice)
	}
	for _, f := range again.Fields {
		if f.Kind == Connection || f.Kind >= KeepAlive || upstreamDrop.Contains(again.Bytes(f.Name)) {
			t.Errorf("%q keeps %q", once, again.Bytes(f.Name))
		}
	}
}

// FuzzChunked holds the reader of chunked bodies to net/http's.
func FuzzChunked(f *testing.F) {
	for _, c := range chunkCases {
		f.Add([]byte(c.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		message := post(chunked, string(body))
		whole := requestOutcome(strings.NewReader(message), &testRules)
		if dripped := requestOutcome(drip(message), &testRules); dripped != whole {
			t.Fatalf("%q byte by byte = %q, want %q", message, dripped, whole)
		}
		r, q := mustRequest(t, message, &testRules)
		compareWithNetHTTP(t, r, q, []byte(message))

		r, _ = mustRequest(t, message, &testRules)
		prefix, atOnce, err := r.Prefix(10)
		if err != nil {
			return
		}
		rest, err := readAll(r)
		if got := string(prefix) + rest; got != whole.body || fault(err) != whole.fault || atOnce && rest != "" {
			t.Errorf("Prefix and Next of %q = %q + %q, %v, want %q", message, prefix, rest, err, whole.body)
		}
	})
}

// FuzzResponseHead holds what is passed on of an answer to net/http: it has the
// same status, framing and fields there, and h1 passes it on unchanged.
func FuzzResponseHead(f *testing.F) {
	for _, c := range responseCases {
		f.Add([]byte(c.message), false)
		f.Add([]byte(c.message), true)
	}
	f.Fuzz(func(t *testing.T, message []byte, head bool) {
		method := "POST"
		if head {
			method = "HEAD"
		}
		whole := responseOutcome(bytes.NewReader(message), method)
		if dripped := responseOutcome(drip(string(message)), method); dripped != whole {
			t.Fatalf("%q byte by byte = %q, want %q", message, dripped, whole)
		}
		var r Reader
		var p Response
		r.Reset(bytes.NewReader(message))
		defer r.Release()
		if r.ReadResponse(&p, []byte(method), &testRules) != nil {
			return
		}
		once := p.AppendForward(nil, p.Framing, Ending{})
		if bytes.Count(once, []byte("\n")) != bytes.Count(once, []byte("\r\n")) || bytes.Count(once, []byte("\r")) != bytes.Count(once, []byte("\r\n")) {
			t.Errorf("%q is passed on with bare line ends: %q", message, once)
		}
		comparePassedOn(t, &p, method, once)
	})
}

func comparePassedOn(t *testing.T, p *Response, method string, once []byte) {
	t.Helper()
	var r Reader
	var again Response
	r.Reset(bytes.NewReader(once))
	defer r.Release()
	if err := r.ReadResponse(&again, []byte(method), &Rules{HeadSize: 1 << 20, FieldCount: 100}); err != nil {
		t.Fatalf("ReadResponse(%q): %v", once, err)
	}
	if again.Framing != p.Framing || again.Status != p.Status {
		t.Errorf("%q is read as %d %v, want %d %v", once, again.Status, again.Framing, p.Status, p.Framing)
	}
	if twice := again.AppendForward(nil, again.Framing, Ending{}); !bytes.Equal(once, twice) {
		t.Errorf("%q is passed on as %q, want it unchanged", once, twice)
	}
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(once)), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", once, err)
	}
	defer res.Body.Close()
	if res.StatusCode != p.Status || (len(res.TransferEncoding) > 0) != (p.Framing.Kind == Chunked) {
		t.Errorf("net/http reads %q as %d %v, want %d %v", once, res.StatusCode, res.TransferEncoding, p.Status, p.Framing)
	}
	if p.Framing.Kind == Length && res.ContentLength != p.Framing.Length {
		t.Errorf("net/http reads %q with %d bytes, want %d", once, res.ContentLength, p.Framing.Length)
	}
}
