package proxy_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// attackRequests are what a case of answers.txt may answer, by its option
// "to". The body of "big" stops short of its length until the answer has come.
var attackRequests = map[string]struct{ method, head, body, late string }{
	"GET":    {"GET", "GET /access/attacked HTTP/1.1\r\nHost: x\r\n\r\n", "", ""},
	"HEAD":   {"HEAD", "HEAD /access/attacked HTTP/1.1\r\nHost: x\r\n\r\n", "", ""},
	"POST":   {"POST", "POST /access/attacked HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", "hello", ""},
	"expect": {"POST", "POST /access/attacked HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", "hello", ""},
	"big":    {"POST", "POST /access/attacked HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", strings.Repeat("b", 60000), strings.Repeat("b", 40000)},
	"1.0":    {"GET", "GET /access/attacked HTTP/1.0\r\nHost: x\r\n\r\n", "", ""},
	"1.0ka":  {"GET", "GET /access/attacked HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n", "", ""},
}

// attackResponseTimeout is how long an upstream that says too little is waited for.
const attackResponseTimeout = 300 * time.Millisecond

// TestAttackAnswers has a TLS upstream send each answer of the table, and holds
// what the caller gets to the table and to the strict reader: one answer in one
// reading, or our own. The next request must get its own answer.
func TestAttackAnswers(t *testing.T) {
	t.Parallel()
	cases := readAttackCases(t, "answers.txt")
	tally := attackTally{}
	var mu sync.Mutex // guards tally
	for _, c := range cases {
		tally.family(c.family).cases++
	}
	t.Run("cases", func(t *testing.T) {
		for _, c := range cases {
			t.Run(c.family+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				c.answer(t)
				mu.Lock()
				defer mu.Unlock()
				tally.family(c.family).count(c.expect[0].reason() != "", t.Failed())
			})
		}
	})
	tally.log(t)
	if len(cases) < 80 {
		t.Errorf("the table has %d cases, want 80", len(cases))
	}
}

// answer runs the case.
func (c *attackCase) answer(t *testing.T) {
	t.Helper()
	r := newAttackRig(t, attackPlain, attackResponseTimeout)
	script := &attackScript{pieces: c.pieces, then: c.options["then"], early: c.options["early"] == "yes", done: make(chan struct{})}
	r.up.play(script)
	to := attackRequests[cmp.Or(c.options["to"], "GET")]

	caller := r.dial(t, attackCallerIP)
	caller.send(t, to.head+to.body)
	got := caller.next(t, to.method)
	<-script.done
	caller.judge(t, c, got)

	second := fmt.Sprintf("GET /access/second?%d HTTP/1.1\r\nHost: x\r\n\r\n", c.line)
	if !caller.stays(got) {
		caller.send(t, to.late)
		caller.end(t, c)
		caller = r.dial(t, attackCallerIP)
	}
	caller.send(t, second)
	own := caller.next(t, "GET")
	want := fmt.Sprintf("GET /access/second?%d with 0 bytes", c.line)
	if own.err != nil || string(own.body) != want {
		t.Errorf("testdata/attacks/answers.txt:%d: the next request is answered %v %q, want %q", c.line, own.err, own.body, want)
	}
	caller.Close()
	arrived, _ := r.close()
	c.judgeConnections(t, arrived)
}

// An attackAnswer is what a caller got: a whole answer, or an error.
type attackAnswer struct {
	attackMessage
	err error
	cut []byte // what there was of an answer that is not whole
}

func (c *attackCaller) send(t *testing.T, s string) {
	t.Helper()
	if _, err := c.Write([]byte(s)); err != nil && !isAttackReset(err) {
		t.Fatalf("writing to the proxy: %v", err)
	}
}

// next reads the next final answer, and leaves what is behind it.
func (c *attackCaller) next(t *testing.T, method string) attackAnswer {
	t.Helper()
	for more := true; ; more = c.read(t) {
		m, rest, err := readAttackAnswer(c.have, method, c.ended)
		switch {
		case err == nil && m.status < 200:
			c.have = rest
			more = true
			m, rest, err = readAttackAnswer(c.have, method, c.ended)
			if err == nil && m.status >= 200 {
				c.have = rest
				return attackAnswer{attackMessage: m}
			}
		case err == nil:
			c.have = rest
			return attackAnswer{attackMessage: m}
		}
		if err != nil && !errors.Is(err, errAttackMore) || !more {
			cut := c.have
			c.have = nil
			return attackAnswer{attackMessage: m, err: err, cut: cut}
		}
	}
}

// stays reports whether the connection goes on behind answer a.
func (c *attackCaller) stays(a attackAnswer) bool {
	if c.ended || c.broken || a.err != nil {
		return false
	}
	return !slices.Contains(a.options(), "close")
}

// end checks that nothing is behind the last answer.
func (c *attackCaller) end(t *testing.T, k *attackCase) {
	t.Helper()
	c.CloseWrite()
	for !c.ended && !c.broken && c.read(t) {
	}
	if len(c.have) > 0 {
		t.Errorf("testdata/attacks/answers.txt:%d: behind the answer came %q", k.line, c.have)
	}
	c.Close()
}

// judge compares an answer with the table.
func (c *attackCaller) judge(t *testing.T, k *attackCase, got attackAnswer) {
	t.Helper()
	want := k.expect[0]
	words := []string{attackAnswerWord(got.status, got.reason())}
	if got.err != nil {
		words = []string{"000"}
		if status, _, ok := bytes.Cut(got.cut, []byte("\r\n")); ok && len(status) > 12 {
			words[0] = string(status[9:12])
		}
		words = append(words, "truncated")
		if !errors.Is(got.err, errAttackMore) {
			t.Errorf("testdata/attacks/answers.txt:%d: the caller received %v in %.300q", k.line, got.err, got.cut)
		}
	}
	wanted := []string{attackAnswerWord(want.status, want.reason())}
	if want.is("truncated") {
		wanted = append(wanted, "truncated")
	}
	if diff := gocmp.Diff(wanted, words); diff != "" {
		t.Errorf("testdata/attacks/answers.txt:%d: the answer is (-want +got):\n%s%q", k.line, diff, got.cut)
	}
	if reset := c.broken; reset != want.is("reset") {
		t.Errorf("testdata/attacks/answers.txt:%d: reset = %t, want %t", k.line, reset, !reset)
	}
	if stays := c.stays(got); stays == (want.is("closes") || want.is("truncated")) {
		t.Errorf("testdata/attacks/answers.txt:%d: the connection stays = %t, want %t", k.line, stays, !stays)
	}
	if have := append(got.raw, got.cut...); want.bytes != nil && !bytes.Equal(have, want.bytes) {
		t.Errorf("testdata/attacks/answers.txt:%d: the caller's bytes (-want +got):\n%s", k.line, gocmp.Diff(string(want.bytes), string(have)))
	} else if want.bytes == nil && want.reason() == "" {
		t.Errorf("testdata/attacks/answers.txt:%d: what passes is not shown", k.line)
	}
}

// judgeConnections checks that a connection of the upstream is used again only
// where the table says so.
func (c *attackCase) judgeConnections(t *testing.T, arrived []attackArrival) {
	t.Helper()
	if len(arrived) == 0 {
		t.Errorf("testdata/attacks/answers.txt:%d: the upstream received nothing", c.line)
		return
	}
	for i := range arrived[1:] {
		if again := arrived[i].conn == arrived[i+1].conn; again != c.expect[0].is("reused") {
			t.Errorf("testdata/attacks/answers.txt:%d: the upstream's connection is used again = %t, want %t", c.line, again, !again)
		}
	}
	last := arrived[len(arrived)-1]
	if want := fmt.Sprintf("/access/second?%d", c.line); last.target != want {
		t.Errorf("testdata/attacks/answers.txt:%d: the last request at the upstream is for %s, want %s", c.line, last.target, want)
	}
}
