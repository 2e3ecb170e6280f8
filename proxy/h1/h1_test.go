package h1

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// testRules are small enough that the tables can cross each bound.
var testRules = Rules{
	HeadSize:   1024,
	FieldCount: 20,
	BodySize:   1 << 20,
	Protected:  NewNames("jrdwptbh", "access_token"),
}

// fault returns the word for err in the tables: "" for none.
func fault(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return faults[e.Fault]
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// readAll reads one message's body by Next.
func readAll(r *Reader) (string, error) {
	var b strings.Builder
	for {
		piece, err := r.Next()
		b.Write(piece)
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
	}
}

// An outcome is everything that is known of a message, as text, and the fault
// that ended it.
type outcome struct{ head, body, fault string }

// requestOutcome reads one request.
func requestOutcome(src io.Reader, rules *Rules) outcome {
	var r Reader
	var q Request
	r.Reset(src)
	defer r.Release()
	if err := r.ReadRequest(&q, rules); err != nil {
		return outcome{fault: fault(err)}
	}
	head := fmt.Sprintf("%s %s %s 1.%d %v keep=%v expect=%v\n%s", q.Method(), q.Target(), q.Path(),
		q.Minor, q.Framing, q.KeepAlive, q.ExpectContinue, fieldsOf(&q.Head))
	body, err := readAll(&r)
	return outcome{head, body, fault(err)}
}

// responseOutcome reads one answer to a request with that method.
func responseOutcome(src io.Reader, method string) outcome {
	var r Reader
	var p Response
	r.Reset(src)
	defer r.Release()
	if err := r.ReadResponse(&p, []byte(method), &testRules); err != nil {
		return outcome{fault: fault(err)}
	}
	head := fmt.Sprintf("%d %q 1.%d %v keep=%v timeout=%d\n%s", p.Status, p.Reason(), p.Minor, p.Framing,
		p.KeepAlive, p.KeepAliveTimeout, fieldsOf(&p.Head))
	body, err := readAll(&r)
	return outcome{head, body, fault(err)}
}

func fieldsOf(h *Head) string {
	var b strings.Builder
	for _, f := range h.Fields {
		fmt.Fprintf(&b, "%d %q %q\n", f.Kind, h.Bytes(f.Name), h.Bytes(f.Value))
	}
	return b.String()
}

// mustRequest reads a request that must be accepted; the test releases r.
func mustRequest(tb testing.TB, message string, rules *Rules) (*Reader, *Request) {
	tb.Helper()
	r, q := new(Reader), new(Request)
	r.Reset(strings.NewReader(message))
	tb.Cleanup(r.Release)
	if err := r.ReadRequest(q, rules); err != nil {
		tb.Fatalf("ReadRequest(%q): %v", message, err)
	}
	return r, q
}

// mustResponse is mustRequest for an answer.
func mustResponse(tb testing.TB, message, method string) (*Reader, *Response) {
	tb.Helper()
	r, p := new(Reader), new(Response)
	r.Reset(strings.NewReader(message))
	tb.Cleanup(r.Release)
	if err := r.ReadResponse(p, []byte(method), &testRules); err != nil {
		tb.Fatalf("ReadResponse(%q): %v", message, err)
	}
	return r, p
}

// drip feeds message one byte per read.
func drip(message string) io.Reader { return iotest.OneByteReader(strings.NewReader(message)) }
