package leqisim

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sumOf(s string) [sha256.Size]byte { return sha256.Sum256([]byte(s)) }

func gunzip(t *testing.T, s string) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(s))
	if err != nil {
		t.Fatalf("inflating: %v", err)
	}
	p, err := io.ReadAll(z)
	if err != nil {
		t.Fatalf("inflating: %v", err)
	}
	return string(p)
}

// with returns the options of one fault that every exchange meets.
func with(f Fault) Options { return Options{Rules: []Rule{{Behaviour: Behaviour{Fault: f}}}} }

// errNotify stands for a FIN after close_notify, in the tables below.
var errNotify = errors.New("close_notify")

// ending returns how a connection ended. crypto/tls says io.EOF with close_notify and without, so what
// the socket gave last is looked at: the record of an alert in TLS 1.3 has 19 bytes, 2 without encryption.
func (c *caller) ending(err error, alert []byte) error {
	if errors.Is(err, io.EOF) && bytes.Contains(alert, []byte{23, 3, 3, 0, 19}) {
		return errNotify
	}
	return err
}

// A recordingConn keeps what was read last.
type recordingConn struct {
	net.Conn
	last []byte
}

func (c *recordingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.last = append(c.last[:0], p[:n]...)
	}
	return n, err
}

func TestFaultsOfTheAnswer(t *testing.T) {
	t.Parallel()
	const raw = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"
	tests := []struct {
		name  string
		fault Fault
		want  string
		end   error
	}{
		{"reset before the answer", Fault{Kind: Reset, Phase: PhaseHead}, "", syscall.ECONNRESET},
		{"drop before the answer", Fault{Kind: Drop, Phase: PhaseHead}, "", io.EOF},
		{"end before the answer", Fault{Kind: End, Phase: PhaseHead}, "", errNotify},
		{"drop in the head", Fault{Kind: Drop, Phase: PhaseHead, At: 7}, raw[:7], io.EOF},
		{"end in the head", Fault{Kind: End, Phase: PhaseHead, At: 7}, raw[:7], errNotify},
		{"drop before the body", Fault{Kind: Drop, Phase: PhaseBody}, raw[:38], io.EOF},
		{"end in the body", Fault{Kind: End, Phase: PhaseBody, At: 3}, raw[:41], errNotify},
		{"drop in the body", Fault{Kind: Drop, Phase: PhaseBody, At: 3}, raw[:41], io.EOF},
		{"drop behind the last byte", Fault{Kind: Drop, Phase: PhaseBody, At: 4}, raw, io.EOF},
		{"drop after the answer", Fault{Kind: Drop, Phase: PhaseIdle}, raw, io.EOF},
		{"end after the answer", Fault{Kind: End, Phase: PhaseIdle}, raw, errNotify},
		{"end after a while", Fault{Kind: End, Phase: PhaseIdle, Wait: time.Millisecond}, raw, errNotify},
		{"drop after a while", Fault{Kind: Drop, Phase: PhaseIdle, Wait: time.Millisecond}, raw, io.EOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Options{Rules: []Rule{{Behaviour: Behaviour{Raw: raw, Fault: tt.fault}}}})
			under := &recordingConn{Conn: dialRaw(t, s)}
			c := over(under)
			c.send(t, post(invoicePath, "x"))
			got, err := c.rest()
			if err = c.ending(err, under.last); got != tt.want || !errors.Is(err, tt.end) {
				t.Errorf("answer = %q, %v, want %q, %v", got, err, tt.want, tt.end)
			}
		})
	}
}

// A reset may overtake what was sent before it, so how much arrives is not told; how much was sent is.
func TestResetAtEveryByteOfTheAnswer(t *testing.T) {
	t.Parallel()
	const raw = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"
	s := start(t, Options{})
	for at := range int64(len(raw) + 1) {
		s.SetRules(Rule{Behaviour: Behaviour{Raw: raw, Fault: Fault{Kind: Reset, Phase: PhaseHead, At: at}}})
		c := dial(t, s)
		c.send(t, post(invoicePath, "x"))
		got, err := c.rest()
		if !strings.HasPrefix(raw[:at], got) || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("reset at %d: answer = %q, %v, want a reset", at, got, err)
		}
		list := s.Exchanges()
		if x := list[len(list)-1]; x.AnswerBytes != at || x.Fault.Kind != Reset {
			t.Errorf("reset at %d: sent %d bytes, fault %v", at, x.AnswerBytes, x.Fault)
		}
	}
	s.SetRules(Rule{Behaviour: Behaviour{Raw: raw, Fault: Fault{Kind: Reset, Phase: PhaseHead, At: int64(len(raw)) + 1}}})
	if _, body := dial(t, s).ask(t, post(invoicePath, "x")); body != "abcd" {
		t.Errorf("reset beyond the answer: body = %q, want abcd", body)
	}
}

func TestResetAtEveryByteOfTheRequest(t *testing.T) {
	t.Parallel()
	request := "POST /access/v1/getToken HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\nabc"
	s := start(t, Options{})
	for at := range int64(len(request) + 1) {
		s.SetRules(Rule{Behaviour: Behaviour{Fault: Fault{Kind: Reset, Phase: PhaseRequest, At: at}}})
		c := dial(t, s)
		c.send(t, request[:max(at, 1)]) // not a byte more: the fault must not wait for one
		got, err := c.rest()
		if got != "" || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("reset at %d: answer = %q, %v, want a reset", at, got, err)
		}
		list := s.Exchanges()
		x := list[len(list)-1]
		if received := string(x.Head) + string(x.Raw); received != request[:at] || x.Malformed != "" {
			t.Errorf("reset at %d: received %q (malformed %q), want %q", at, received, x.Malformed, request[:at])
		}
	}
	s.SetRules(Rule{Behaviour: Behaviour{Fault: Fault{Kind: Reset, Phase: PhaseRequest, At: int64(len(request)) + 1}}})
	if r, _ := dial(t, s).ask(t, request); r.StatusCode != 200 {
		t.Errorf("reset beyond the request: status = %d, want 200", r.StatusCode)
	}
}

func TestResetOfOneServiceInItsRequest(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Rules: []Rule{{
		Match{Service: "QDFPSC"},
		Behaviour{Fault: Fault{Kind: Reset, Phase: PhaseRequest}},
	}}})
	if r, _ := dial(t, s).ask(t, post(probePath, "")); r.StatusCode != 200 {
		t.Errorf("other service: status = %d, want 200", r.StatusCode)
	}
	for _, body := range []string{"", "abc"} {
		c := dial(t, s)
		c.send(t, post(invoicePath, body))
		if got, err := c.rest(); got != "" || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("body %q: answer = %q, %v, want a reset", body, got, err)
		}
	}
}

// A stall ends for the caller with its own patience.
const patience = 100 * time.Millisecond

func TestStallsBeforeTheHandshakeIsOver(t *testing.T) {
	t.Parallel()
	for _, phase := range []Phase{PhaseAccept, PhaseHandshake} {
		t.Run(string(phase), func(t *testing.T) {
			t.Parallel()
			c := dial(t, start(t, with(Fault{Kind: Stall, Phase: phase})))
			c.SetDeadline(time.Now().Add(patience))
			if err := c.Handshake(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Handshake() = %v, want %v", err, os.ErrDeadlineExceeded)
			}
		})
	}
}

func TestEndsBeforeTheHandshakeIsOver(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault Fault
		want  error
	}{
		{Fault{Kind: Reset, Phase: PhaseAccept}, syscall.ECONNRESET},
		{Fault{Kind: Drop, Phase: PhaseAccept}, io.EOF},
		{Fault{Kind: Reset, Phase: PhaseHandshake}, syscall.ECONNRESET},
		{Fault{Kind: Drop, Phase: PhaseHandshake}, io.EOF},
		{Fault{Kind: End, Phase: PhaseHandshake}, io.EOF},
	} {
		t.Run(string(tt.fault.Kind)+" "+string(tt.fault.Phase), func(t *testing.T) {
			t.Parallel()
			s := start(t, with(tt.fault))
			// Even connecting may see the end of a connection that is over as soon as it is accepted.
			raw, err := net.DialTimeout("tcp", s.Address().String(), soon)
			if err == nil {
				defer raw.Close()
				err = over(raw).Handshake()
			}
			if !errors.Is(err, tt.want) && !errors.Is(err, syscall.EPIPE) {
				t.Errorf("Handshake() = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestStallsOfAnExchange(t *testing.T) {
	t.Parallel()
	const raw = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"
	for _, tt := range []struct {
		name  string
		fault Fault
		want  string
	}{
		{"in the request", Fault{Kind: Stall, Phase: PhaseRequest, At: 10}, ""},
		{"before the head", Fault{Kind: Stall, Phase: PhaseHead}, ""},
		{"in the head", Fault{Kind: Stall, Phase: PhaseHead, At: 5}, raw[:5]},
		{"in the body", Fault{Kind: Stall, Phase: PhaseBody, At: 2}, raw[:40]},
		{"after the answer", Fault{Kind: Stall, Phase: PhaseIdle}, raw},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Options{Rules: []Rule{{Behaviour: Behaviour{Raw: raw, Fault: tt.fault}}}})
			c := dial(t, s)
			c.send(t, post(invoicePath, "x"))
			if tt.want != "" {
				p := make([]byte, len(tt.want))
				if _, err := io.ReadFull(c.in, p); string(p) != tt.want {
					t.Fatalf("answer = %q, %v, want %q", p, err, tt.want)
				}
			}
			c.SetReadDeadline(time.Now().Add(patience))
			if got, err := c.rest(); got != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("after %q: %q, %v, want %v", tt.want, got, err, os.ErrDeadlineExceeded)
			}
		})
	}
}

// A server that reads nothing must bring a large request to a halt.
func TestStallReadsNothing(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, with(Fault{Kind: Stall, Phase: PhaseRequest, At: 10})))
	c.send(t, "POST / HTTP/1.1\r\n")
	c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	if _, err := c.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write(64 MiB) = %v, want %v", err, os.ErrDeadlineExceeded)
	}
}

func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	request := post(invoicePath, "abcdef")
	head, body := request[:len(request)-6], request[len(request)-6:]

	t.Run("connection kept", func(t *testing.T) {
		t.Parallel()
		s := start(t, Options{Rules: []Rule{{Behaviour: Behaviour{Early: true, Code: "4067"}}}})
		c := dial(t, s)
		for i := range 2 {
			if _, got := c.ask(t, head); !strings.Contains(got, "4067") {
				t.Errorf("early answer = %q, want 4067", got)
			}
			c.send(t, body)
			answered(t, s, i+1)
			if x := s.Exchanges()[i]; string(x.Body) != body || !x.Whole {
				t.Errorf("Body = %q, whole %v, want %q", x.Body, x.Whole, body)
			}
		}
	})
	t.Run("connection ended", func(t *testing.T) {
		t.Parallel()
		s := start(t, Options{Rules: []Rule{{Behaviour: Behaviour{
			Early: true, Status: 403, Fault: Fault{Kind: End, Phase: PhaseIdle},
		}}}})
		c := dial(t, s)
		c.send(t, head)
		if got, err := c.rest(); !strings.HasSuffix(got, textForbidden) || !errors.Is(err, io.EOF) {
			t.Errorf("early answer = %q, %v, want 403 and the end", got, err)
		}
		if x := s.Exchanges()[0]; x.Whole {
			t.Errorf("Whole = true, want a request that was not read")
		}
	})
}

func TestHold(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	s := start(t, Options{Rules: []Rule{{Behaviour: Behaviour{Hold: hold}}}})
	c := dial(t, s)
	c.send(t, post(invoicePath, "x"))
	if err := s.Wait(t.Context(), func(n Stats) bool { return n.Requests == 1 }); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats().Answered; got != 0 {
		t.Errorf("while held, Stats().Answered = %d, want 0", got)
	}
	close(hold)
	if r, _ := c.receive(t); r.StatusCode != 200 {
		t.Errorf("status = %d, want 200", r.StatusCode)
	}
}

func TestDelays(t *testing.T) {
	t.Parallel()
	const d = 60 * time.Millisecond
	s := start(t, Options{Rules: []Rule{{Behaviour: Behaviour{
		Delay: d, BodyDelay: d, Raw: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd",
	}}}})
	c := dial(t, s)
	began := time.Now()
	c.send(t, post(invoicePath, "x"))
	p := make([]byte, 40) // all but the second half of the body
	if _, err := io.ReadFull(c.in, p); err != nil || time.Since(began) < d {
		t.Errorf("first half after %v, %v, want at least %v", time.Since(began), err, d)
	}
	if n := c.in.Buffered(); n != 0 {
		t.Errorf("%d bytes of the second half came with the first", n)
	}
	if _, err := io.ReadFull(c.in, p[:2]); err != nil || time.Since(began) < 2*d {
		t.Errorf("second half after %v, %v, want at least %v", time.Since(began), err, 2*d)
	}
}

func TestIdleTimeLetsTheNextRequestPass(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Rules: []Rule{{Match{Times: 1}, Behaviour{Fault: Fault{Kind: End, Phase: PhaseIdle, Wait: soon}}}}})
	c := dial(t, s)
	for range 2 {
		if r, _ := c.ask(t, post(invoicePath, "x")); r.StatusCode != 200 {
			t.Errorf("status = %d, want 200", r.StatusCode)
		}
	}
}

func TestCloseIdle(t *testing.T) {
	t.Parallel()
	for way, want := range map[Kind]error{End: errNotify, Drop: io.EOF, Reset: syscall.ECONNRESET} {
		t.Run(string(way), func(t *testing.T) {
			t.Parallel()
			hold := make(chan struct{})
			s := start(t, Options{Rules: []Rule{{Match{Service: "CXKYSL"}, Behaviour{Hold: hold}}}})
			busy := dial(t, s)
			busy.send(t, post(probePath, ""))
			under := &recordingConn{Conn: dialRaw(t, s)}
			idle := over(under)
			idle.ask(t, post(invoicePath, "x"))
			if err := s.Wait(t.Context(), func(n Stats) bool { return n.Requests == 2 && n.Answered == 1 }); err != nil {
				t.Fatal(err)
			}
			// The exchange may be counted a moment before its connection waits again.
			ended := make(chan error, 1)
			go func() { _, err := idle.rest(); ended <- idle.ending(err, under.last) }()
			if err := untilIdleEnds(s, way, ended); !errors.Is(err, want) {
				t.Errorf("CloseIdle(%s): idle connection ended with %v, want %v", way, err, want)
			}
			close(hold)
			if r, _ := busy.receive(t); r.StatusCode != 200 {
				t.Errorf("CloseIdle(%s): busy connection's status = %d, want 200", way, r.StatusCode)
			}
		})
	}
}

func untilIdleEnds(s *Server, way Kind, ended <-chan error) error {
	for {
		s.CloseIdle(way)
		select {
		case err := <-ended:
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		match Match
		want  string // of ten exchanges, x for those that were met
	}{
		{"all", Match{}, "xxxxxxxxxx"},
		{"first three", Match{Times: 3}, "xxx......."},
		{"the fourth", Match{After: 3, Times: 1}, "...x......"},
		{"all but two", Match{After: 2}, "..xxxxxxxx"},
		{"every fourth", Match{After: 3, Times: 1, Of: 4}, "...x...x.."},
		{"two of three", Match{Times: 2, Of: 3}, "xx.xx.xx.x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Options{Rules: []Rule{{tt.match, Behaviour{Code: "4067"}}}})
			c := dial(t, s)
			got := ""
			for range tt.want {
				if _, body := c.ask(t, post(invoicePath, "x")); strings.Contains(body, "4067") {
					got += "x"
				} else {
					got += "."
				}
			}
			if got != tt.want {
				t.Errorf("%+v met %s, want %s", tt.match, got, tt.want)
			}
		})
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		match Match
		want  []string // codes of: production probe, production invoice, sandbox invoice, control, auth
	}{
		{Match{Environment: Production}, []string{"x", "x", "", "", ""}},
		{Match{Environment: Sandbox}, []string{"", "", "x", "", ""}},
		{Match{Environment: Control}, []string{"", "", "", "x", ""}},
		{Match{Environment: Auth}, []string{"", "", "", "", "x"}},
		{Match{Service: "QDFPSC"}, []string{"", "x", "x", "", ""}},
		{Match{Service: "QDFPSC", Environment: Sandbox}, []string{"", "", "x", "", ""}},
		{Match{Path: "/access/v2/"}, []string{"x", "x", "", "x", ""}},
		{Match{Unit: unit}, []string{"x", "x", "x", "x", "x"}},
		{Match{Unit: "other"}, []string{"", "", "", "", ""}},
	} {
		s := start(t, Options{Rules: []Rule{{tt.match, Behaviour{Body: []byte("x")}}}})
		s.Add(Rule{Behaviour: Behaviour{Raw: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}})
		c := dial(t, s)
		var got []string
		for _, path := range []string{
			probePath, invoicePath, "/access/newsandbox/v2/invoke/202007/QDFPSC", "/access/v2/invoke/CXSYDWJRZT", "/access/v1/getToken",
		} {
			_, body := c.ask(t, post(path, "b"))
			got = append(got, body)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.match, diff)
		}
	}
}

func TestSetRulesReplaces(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Rules: []Rule{{Behaviour: Behaviour{Code: "4067"}}}})
	c := dial(t, s)
	s.SetRules(Rule{Behaviour: Behaviour{Code: "4057"}})
	if _, body := c.ask(t, post(invoicePath, "x")); !strings.Contains(body, "4057") {
		t.Errorf("answer = %s, want 4057", body)
	}
	s.SetRules()
	if _, body := c.ask(t, post(invoicePath, "x")); body != successOf(2) {
		t.Errorf("answer = %s, want %s", body, successOf(2))
	}
}
