package proxy_test

import (
	"bytes"
	"cmp"
	"hash/fnv"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestAttackRequests sends each request of the table over real sockets, at
// once, byte by byte and through TLS, with a harmless one behind it, and holds
// what comes out at both ends to the table and to the strict reader.
func TestAttackRequests(t *testing.T) {
	t.Parallel()
	cases := readAttackCases(t, "requests.txt")
	tally := attackTally{}
	var mu sync.Mutex // guards tally
	for _, c := range cases {
		tally.family(c.family).cases++
	}
	t.Run("cases", func(t *testing.T) {
		for _, c := range cases {
			t.Run(c.family+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				defer func() {
					mu.Lock()
					defer mu.Unlock()
					tally.family(c.family).count(c.expect[len(c.expect)-1].reason() != "" || c.expect[0].status == 0, t.Failed())
				}()
				listener := cmp.Or(c.options["on"], attackPlain)
				c.attack(t, listener, [][]byte{c.sent()})
				if len(c.sent()) < 4<<10 && c.options["pieces"] != "one" {
					c.attack(t, listener, attackBytes(c.sent()))
				}
				if len(c.options) == 0 && !c.expect[0].is("gone") {
					c.attack(t, attackTLS, [][]byte{c.sent()})
				}
			})
		}
	})
	tally.log(t)
	if len(cases) < 200 {
		t.Errorf("the table has %d cases, want 200", len(cases))
	}
}

// count notes what became of a case.
func (n *attackCount) count(refused, failed bool) {
	switch {
	case failed:
		n.ambiguous++
	case refused:
		n.refused++
	default:
		n.passed++
	}
}

// attackBytes are the bytes of b, each a piece of its own.
func attackBytes(b []byte) (pieces [][]byte) {
	for i := range b {
		pieces = append(pieces, b[i:i+1])
	}
	return pieces
}

// attack runs the case, delivered in these pieces.
func (c *attackCase) attack(t *testing.T, listener string, pieces [][]byte) {
	t.Helper()
	h := fnv.New32a()
	h.Write([]byte(c.name))
	follow := attackFollow(int(h.Sum32()))

	r := newAttackRig(t, listener, attackPatience)
	caller := r.dial(t, cmp.Or(c.options["from"], attackCallerIP))
	caller.exchange(t, append(pieces, follow))
	arrived, rests := r.close()

	stream := append(c.sent(), follow...)
	if c.options["from"] == attackBalancerIP {
		_, stream, _ = c.cutPreface(stream)
	}
	requests, _ := attackReading(stream)
	if stray := strayAttack(arrived, requests, r.authority); stray != nil {
		t.Errorf("testdata/attacks/requests.txt:%d: the upstream received\n%.600q\nwhich the caller did not send", c.line, stray)
	}
	c.judgeArrivals(t, arrived, requests, follow, r.authority)
	c.judgeRests(t, rests)
	c.judgeAnswers(t, caller, requests, arrived)
}

// cutPreface takes the PROXY header off a stream; where it is malformed, there
// is nothing behind it.
func (c *attackCase) cutPreface(stream []byte) (preface, rest []byte, ok bool) {
	i := bytes.Index(stream, []byte("GET "))
	if i < 0 {
		return nil, nil, false
	}
	return stream[:i], stream[i:], true
}

// leavesOpen reports whether the follow-up must be served.
func (c *attackCase) leavesOpen() bool {
	last := c.expect[len(c.expect)-1]
	return last.is("stays") || last.reason() == "" && last.status != 0 && !last.is("closes")
}

// judgeArrivals compares what arrived with the table.
func (c *attackCase) judgeArrivals(t *testing.T, arrived []attackArrival, requests []attackMessage, follow []byte, authority string) {
	t.Helper()
	var want, got []string
	for i, o := range c.expect {
		switch {
		case o.reason() != "" || o.status == 0 || o.is("own"):
		case o.is("unchanged"):
			if i >= len(requests) {
				t.Fatalf("testdata/attacks/requests.txt:%d: the strict reader finds no request %d", c.line, i+1)
			}
			want = append(want, withAttackHost(requests[i].raw, authority))
		case o.bytes == nil:
			t.Fatalf("testdata/attacks/requests.txt:%d: what passes is neither unchanged nor shown", c.line)
		default:
			want = append(want, strings.ReplaceAll(string(o.bytes), "UPSTREAM", authority))
		}
	}
	if c.leavesOpen() {
		want = append(want, withAttackHost(follow, authority))
	}
	for _, a := range arrived {
		got = append(got, string(a.raw))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("testdata/attacks/requests.txt:%d: requests at the upstream (-want +got):\n%s", c.line, diff)
	}
}

// withAttackHost returns a request with another value of its Host.
func withAttackHost(request []byte, authority string) string {
	head, body, _ := strings.Cut(string(request), "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	for i, line := range lines {
		if name, _, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Host") {
			lines[i] = name + ": " + authority
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// judgeRests checks that nothing but whole requests reached the upstream,
// except the beginning of a large one that was aborted.
func (c *attackCase) judgeRests(t *testing.T, rests []string) {
	t.Helper()
	want := 0
	for _, o := range c.expect {
		if o.is("aborted") {
			want++
		}
	}
	for _, rest := range rests {
		if !strings.HasPrefix(rest, "incomplete:") {
			t.Errorf("testdata/attacks/requests.txt:%d: the upstream received %s", c.line, rest)
		}
	}
	if len(rests) != want {
		t.Errorf("testdata/attacks/requests.txt:%d: the upstream has %d incomplete requests, want %d: %q", c.line, len(rests), want, rests)
	}
}

// judgeAnswers compares what the caller got with the table, and that each
// answer is that to its own request.
func (c *attackCase) judgeAnswers(t *testing.T, caller *attackCaller, requests []attackMessage, arrived []attackArrival) {
	t.Helper()
	answers, err := caller.answers(attackMethods(requests))
	if err != nil {
		t.Errorf("testdata/attacks/requests.txt:%d: the caller received %v", c.line, err)
	}
	var want, got []string
	for _, o := range c.expect {
		if o.status != 0 {
			want = append(want, attackAnswerWord(o.status, o.reason()))
		}
	}
	if c.leavesOpen() {
		want = append(want, attackAnswerWord(200, ""))
	}
	for i := range answers {
		a := &answers[i]
		got = append(got, attackAnswerWord(a.status, a.reason()))
		if a.reason() == "" && len(a.values("X-Echo")) == 0 && len(arrived) > 0 && a.status == 200 {
			if want := attackEchoBody(&arrived[0].attackMessage); len(a.body) > 0 && string(a.body) != want {
				t.Errorf("testdata/attacks/requests.txt:%d: answer %d is %q, want %q", c.line, i+1, a.body, want)
			}
			arrived = arrived[1:]
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("testdata/attacks/requests.txt:%d: answers (-want +got):\n%s", c.line, diff)
	}
	if wantReset := c.expect[0].is("reset"); caller.broken != wantReset && !c.expect[0].is("gone") {
		t.Errorf("testdata/attacks/requests.txt:%d: reset = %t, want %t", c.line, caller.broken, wantReset)
	}
}

func attackAnswerWord(status int, reason string) string {
	return strings.TrimSpace(string([]byte{byte('0' + status/100), byte('0' + status/10%10), byte('0' + status%10)}) + " " + reason)
}
