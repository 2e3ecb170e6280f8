package proxy_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

var attackAll = flag.Bool("attack.all", false, "mutate to all 256 byte values, not to the telling ones alone")

// attackValues are the bytes that mean something somewhere, and one or two of
// each class.
const attackValues = "\x00\x01\t\n\x0b\x0c\r\x16\x1f !\"#%&'(*+,-./019:;=?@AFGZ[\\_afgx{|~\x7f\x80\xa0\xc0\xe2\xff"

// attackFewValues are for -short, and for the race detector, which has nothing
// to find in more of them.
const attackFewValues = "\x00\t\n\r ,:;0\xc0"

// attackInsertions are inserted at each position.
const attackInsertions = "\r\n \t\x00:,;"

// attackSeeds are valid requests to be spoilt.
var attackSeeds = []struct{ name, bytes string }{
	{"Content-Length", "POST /access/v2/x?q=1 HTTP/1.1\r\nHost: a.b:80\r\nX_y:\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nhello\r\nabcd"},
	{"chunked", "POST /access/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\na;n=\"v\"\r\n0123456789\r\n1\r\nb\r\n0;e\r\nX: y\r\n\r\n"},
	{"absolute-form", "GET http://a.b:80/access/%41/x;p?q HTTP/1.1\r\nhost: A.b:80\r\nConnection: x-a, keep-alive\r\nX-A: 1\r\n\r\n"},
	{"Expect", "PUT /access/x HTTP/1.1\r\nHost: [::1]:80\r\nExpect: 100-continue\r\nContent-Length: 2\r\nX-Forwarded-For: 10.0.0.1\r\n\r\nab"},
	{"HTTP/1.0", "POST /access/x HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\nKeep-Alive: 5\r\n\r\nabc"},
}

// attackAnswerSeeds are valid answers to be spoilt.
var attackAnswerSeeds = []struct{ name, bytes string }{
	{"Content-Length", "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello"},
	{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nKeep-Alive: timeout=60\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nT: u\r\n\r\n"},
}

// An attackMutant is a message with one byte changed.
type attackMutant struct {
	family, name string
	bytes        []byte
	then         string // of an answer: what becomes of the upstream's connection
}

// attackMutants returns all mutants of a message.
func attackMutants(family, message string) (all []attackMutant) {
	values := attackValues
	switch {
	case *attackAll:
		values = ""
		for c := range 256 {
			values += string([]byte{byte(c)})
		}
	case testing.Short() || attackRace:
		values = attackFewValues
	}
	add := func(i int, what string, middle string, skip int) {
		all = append(all, attackMutant{family: family, name: fmt.Sprintf("%s at %d", what, i), bytes: []byte(message[:i] + middle + message[i+skip:])})
	}
	for i := range len(message) {
		for _, c := range []byte(values) {
			if c != message[i] {
				add(i, fmt.Sprintf("%#02x", c), string([]byte{c}), 1)
			}
		}
		add(i, "deleted", "", 1)
		add(i, "doubled", message[i:i+1], 0)
		for _, c := range []byte(attackInsertions) {
			add(i, fmt.Sprintf("%#02x inserted", c), string([]byte{c}), 0)
		}
	}
	return all
}

// runAttackMutants has workers, each with a rig of its own, judge all mutants.
func runAttackMutants(t *testing.T, mutants []attackMutant, judge func(*testing.T, *attackRig, attackMutant) (refused bool, err error)) {
	t.Helper()
	const workers, tolerated = 8, 20
	var tally attackTally
	var mu sync.Mutex // guards tally and failed
	failed := 0
	work := make(chan attackMutant)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			r := newAttackRig(t, attackPlain, attackPatience)
			for m := range work {
				refused, err := judge(t, r, m)
				mu.Lock()
				tally.family(m.family).cases++
				tally.family(m.family).count(refused, err != nil)
				if err != nil {
					if failed++; failed <= tolerated {
						t.Errorf("%s, %s %s: %v\n%q", m.family, m.name, m.then, err, m.bytes)
					}
				}
				mu.Unlock()
			}
			if arrived, rests := r.close(); len(arrived)+len(rests) > 0 {
				t.Errorf("the upstream also received %v and %q", arrived, rests)
			}
		})
	}
	for _, m := range mutants {
		work <- m
	}
	close(work)
	running.Wait()
	tally.log(t)
	if failed > tolerated {
		t.Errorf("%d mutants failed, %d are shown", failed, tolerated)
	}
}

// TestAttackMutatedRequests changes each byte of some valid requests. What
// passes must be what the strict reader reads, byte for byte, and what it
// cannot read must not pass.
func TestAttackMutatedRequests(t *testing.T) {
	var mutants []attackMutant
	for _, s := range attackSeeds {
		mutants = append(mutants, attackMutants(s.name, s.bytes)...)
	}
	runAttackMutants(t, mutants, judgeMutatedRequest)
}

func judgeMutatedRequest(t *testing.T, r *attackRig, m attackMutant) (refused bool, err error) {
	t.Helper()
	stream := append(m.bytes, attackFollow(len(m.bytes))...)
	caller := r.dial(t, attackCallerIP)
	caller.exchange(t, [][]byte{stream})

	requests, fault := attackReading(stream)
	var wantArrivals, gotArrivals, wantAnswers, gotAnswers []string
	for i := range requests {
		if !requests[i].passesGate() {
			wantAnswers = append(wantAnswers, "404 path_refused")
			continue
		}
		wantAnswers = append(wantAnswers, "200")
		wantArrivals = append(wantArrivals, string(requests[i].forwarded(r.authority)))
	}
	if fault != nil && stream[0] != 0x16 { // which begins a ClientHello, and gets no answer
		wantAnswers = append(wantAnswers, "refused")
	}
	for _, a := range r.up.take() {
		gotArrivals = append(gotArrivals, string(a.raw))
	}
	answers, err := caller.answers(attackMethods(requests))
	if err != nil {
		return false, err
	}
	for i := range answers {
		word := attackAnswerWord(answers[i].status, answers[i].reason())
		if slices.Contains([]string{"400 bad_request", "405 method_refused", "413 body_too_large", "417 bad_request", "431 header_too_large", "505 version_refused"}, word) {
			word = "refused"
		}
		gotAnswers = append(gotAnswers, word)
	}
	if diff := gocmp.Diff(wantArrivals, gotArrivals); diff != "" {
		return false, fmt.Errorf("requests at the upstream (-want +got, the strict reader says %v):\n%s", fault, diff)
	}
	if diff := gocmp.Diff(wantAnswers, gotAnswers); diff != "" {
		return false, fmt.Errorf("answers (-want +got, the strict reader says %v):\n%s", fault, diff)
	}
	return len(wantAnswers) == 0 || wantAnswers[0] != "200", nil
}

// TestAttackMutatedAnswers changes each byte of some valid answers. The caller
// must get what RFC 9112 makes of them, or our own answer, and the next request
// its own.
func TestAttackMutatedAnswers(t *testing.T) {
	var mutants []attackMutant
	for _, s := range attackAnswerSeeds {
		mutants = append(mutants, attackMutants(s.name, s.bytes)...)
	}
	runAttackMutants(t, mutants, judgeMutatedAnswer)
}

// TestAttackTruncatedAnswers cuts valid answers at each byte, in three ways.
func TestAttackTruncatedAnswers(t *testing.T) {
	seeds := append(attackAnswerSeeds[:2:2], struct{ name, bytes string }{"close-delimited", "HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\nhello"})
	var mutants []attackMutant
	for _, s := range seeds {
		for i := range len(s.bytes) + 1 {
			for _, then := range []string{"close", "cut", "reset"} {
				mutants = append(mutants, attackMutant{s.name, fmt.Sprintf("the first %d bytes", i), []byte(s.bytes[:i]), then})
			}
		}
	}
	runAttackMutants(t, mutants, judgeMutatedAnswer)
}

// attackQuiet is how long nothing comes before the upstream is made to close.
const attackQuiet = 25 * time.Millisecond

func judgeMutatedAnswer(t *testing.T, r *attackRig, m attackMutant) (refused bool, err error) {
	t.Helper()
	script := &attackScript{pieces: [][]byte{m.bytes}, then: m.then, done: make(chan struct{}), release: make(chan struct{}), released: make(chan struct{})}
	r.up.play(script)
	caller := r.dial(t, attackCallerIP)
	defer func() { caller.Close() }()
	caller.send(t, attackRequests["GET"].head)
	got := caller.nextOrRelease(t, script)
	<-script.done
	if err := compareMended(got, m); err != nil {
		return false, err
	}
	if !caller.stays(got) {
		caller.Close()
		caller = r.dial(t, attackCallerIP)
	}
	caller.send(t, string(attackFollow(1)))
	own := caller.next(t, "GET")
	if own.err != nil || string(own.body) != "GET /access/follow?00000001 with 0 bytes" {
		return false, fmt.Errorf("the next request is answered %v %q", own.err, own.raw)
	}
	if got := r.up.take(); len(got) != 2 {
		return false, fmt.Errorf("the upstream has %d requests, want 2", len(got))
	}
	return got.reason() != "", nil
}

// nextOrRelease is next, but when nothing comes for a while the upstream's
// connection is closed in good order.
func (c *attackCaller) nextOrRelease(t *testing.T, s *attackScript) attackAnswer {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(attackQuiet))
	c.onQuiet = func() {
		close(s.release)
		<-s.released
		c.SetReadDeadline(time.Now().Add(attackPatience))
	}
	got := c.next(t, "GET")
	if c.onQuiet != nil {
		c.onQuiet = nil
		c.SetReadDeadline(time.Now().Add(attackPatience))
	}
	return got
}

// A mended is what an answer is after mending.
type attackMended struct {
	attackMessage
	state string // whole, truncated, 502 upstream_protocol or 502 upstream_closed
}

// compareMended compares what the caller got with what the upstream's bytes mean.
func compareMended(got attackAnswer, m attackMutant) error {
	want := mendAttackAnswer(m.bytes, m.then == "close" || m.then == "")
	state := "whole"
	switch {
	case got.err != nil && !errors.Is(got.err, errAttackMore):
		return fmt.Errorf("the caller received %w in %q", got.err, got.cut)
	case got.err != nil:
		state = "truncated"
	case got.reason() != "":
		state = attackAnswerWord(got.status, got.reason())
	}
	if m.then == "reset" && state == "502 upstream_closed" && want.state == "truncated" {
		return nil // a reset may overtake what was sent before it
	}
	if state != want.state {
		return fmt.Errorf("the answer is %s, want %s: %q%q", state, want.state, got.raw, got.cut)
	}
	if state != "whole" {
		return nil
	}
	if got.status != want.status || !bytes.Equal(got.body, want.body) {
		return fmt.Errorf("the answer is %d %q, want %d %q", got.status, got.body, want.status, want.body)
	}
	if diff := gocmp.Diff(want.endToEnd(), got.endToEnd()); diff != "" {
		return fmt.Errorf("the fields are (-want +got):\n%s", diff)
	}
	return nil
}

// endToEnd returns the fields that are neither of one hop nor framing.
func (m *attackMessage) endToEnd() (all []string) {
	gone := append(m.options(), attackHopFields[:8]...)
	gone = append(gone, "Content-Length", "Transfer-Encoding")
	for _, f := range m.fields {
		is := func(name string) bool { return equalAttack(name, f.name) }
		if !slices.ContainsFunc(gone, is) {
			all = append(all, f.name+": "+f.value)
		}
	}
	return all
}

var (
	attackMendedLine  = regexp.MustCompile(`(?s)^HTTP/1\.([01]) ([1-9][0-9]{2})( .*)?$`)
	attackMendedField = regexp.MustCompile(`(?s)^(` + attackToken + `)[ \t]*:(.*)$`)
	attackControls    = regexp.MustCompile(`[\x00-\x08\x0a-\x1f\x7f]`)
	attackHeadEnd     = regexp.MustCompile(`\n\r?\n`)
	attackFold        = regexp.MustCompile(`\r?\n([ \t])`)
)

// mendAttackAnswer reads an answer to a GET as design 5 says: what has one
// reading is mended, all else is refused. closed says that the connection ended
// in good order.
func mendAttackAnswer(b []byte, closed bool) (m attackMended) {
	if n := min(len(b), len("HTTP/")); string(b[:n]) != "HTTP/"[:n] {
		return attackMended{state: "502 upstream_protocol"}
	}
	at := attackHeadEnd.FindIndex(b)
	if at == nil {
		return attackMended{state: "502 upstream_closed"}
	}
	if !m.mendHead(string(b[:at[0]])) {
		return attackMended{state: "502 upstream_protocol"}
	}
	rest := b[at[1]:]
	switch {
	case m.status == 101:
		return attackMended{state: "502 upstream_protocol"}
	case m.status < 200:
		return mendAttackAnswer(rest, closed)
	case m.status == 204 || m.status == 304:
		m.state = "whole"
		return m
	}
	m.state = "truncated"
	if _, err := m.readBody(rest, closed); err == nil {
		m.state = "whole"
	}
	return m
}

// mendHead reads the lines of a head, and reports whether they have a reading.
func (m *attackMended) mendHead(head string) bool {
	first, rest, more := strings.Cut(head, "\n")
	parts := attackMendedLine.FindStringSubmatch(strings.TrimSuffix(first, "\r"))
	if parts == nil {
		return false
	}
	m.minor = int(parts[1][0] - '0')
	m.status, _ = strconv.Atoi(parts[2])
	if !more {
		return true
	}
	for line := range strings.SplitSeq(attackFold.ReplaceAllString(rest, "  $1"), "\n") {
		parts := attackMendedField.FindStringSubmatch(strings.TrimSuffix(line, "\r"))
		if parts == nil {
			return false
		}
		value := strings.Trim(attackControls.ReplaceAllString(parts[2], " "), " \t")
		m.fields = append(m.fields, attackField{name: parts[1], value: value})
	}
	return m.mendLengths() && m.judgeLengths() == nil
}

// mendLengths makes one of equal lengths (RFC 9112 section 6.3).
func (m *attackMended) mendLengths() bool {
	var lengths []string
	m.fields = slices.DeleteFunc(m.fields, func(f attackField) bool {
		if !equalAttack(f.name, "Content-Length") {
			return false
		}
		for v := range strings.SplitSeq(f.value, ",") {
			lengths = append(lengths, strings.Trim(v, " \t"))
		}
		return true
	})
	if lengths = slices.Compact(lengths); len(lengths) == 1 {
		m.fields = append(m.fields, attackField{name: "Content-Length", value: lengths[0]})
	}
	return len(lengths) <= 1
}
