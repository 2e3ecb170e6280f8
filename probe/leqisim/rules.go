package leqisim

import (
	"strings"
	"sync"
	"time"
)

// A Rule makes the exchanges that meet Match go as Behaviour says.
type Rule struct {
	Match     Match
	Behaviour Behaviour
}

// A Match says which exchanges a rule is for. Every field that is not empty must fit.
type Match struct {
	Environment Environment
	Path        string // a prefix of the target
	Service     string
	Unit        string // value of jrdwptbh

	// Of those that fit, the first After are left alone; then the first Times out of every Of are
	// met. Times 0 is all, Of 0 is once: {Times: 3} is the first three, {Times: 1, Of: 4, After: 3}
	// is every fourth, {Times: 2, Of: 3} is two out of three.
	After, Times, Of int
}

// asks reports whether m asks anything of the request.
func (m Match) asks() bool {
	return m.Environment != "" || m.Path != "" || m.Service != "" || m.Unit != ""
}

func (m Match) fits(x *Exchange) bool {
	return (m.Environment == "" || m.Environment == x.Environment) &&
		strings.HasPrefix(x.Target, m.Path) &&
		(m.Service == "" || m.Service == x.Service) &&
		(m.Unit == "" || m.Unit == x.Unit)
}

// due reports whether the n-th that fits, from 0, is one to meet.
func (m Match) due(n int) bool {
	n -= m.After
	switch {
	case n < 0:
		return false
	case m.Times == 0:
		return true
	case m.Of > 0:
		return n%m.Of < m.Times
	default:
		return n < m.Times
	}
}

// A Behaviour departs from the ordinary answer. Fields combine, except that of Raw, Body, Status
// 403, Limit, Code and Size the first that is set decides what the answer holds.
type Behaviour struct {
	Raw    string // the whole answer, byte for byte, in place of head and body
	Body   []byte // the body, byte for byte before Gzip, in place of the envelope
	Status int    // HTTP status, default 200; with 403 the body is the platform's short text, and the connection ends
	Limit  int    // flow control: the text that asks for at most this concurrency
	Code   string // platform code: a number as httpStatusCode, a word as inner Error
	Size   int64  // success with a body of so many bytes, at least the envelope's own

	Gzip    bool
	Framing Framing
	Fields  []string // lines added to the head, without CRLF: "Keep-Alive: timeout=5"
	Interim string   // sent before the answer, byte for byte: "HTTP/1.1 102 Processing\r\n\r\n"

	Early     bool            // answer before the body of the request was read
	Hold      <-chan struct{} // wait before the answer until it is closed
	Delay     time.Duration   // wait before the answer
	BodyDelay time.Duration   // wait in the middle of the body
	Piece     int             // bytes per write, each a TLS record of its own

	Rotate bool // before the answer the certificate is replaced; after it the connection ends
	Fault  Fault
}

// Framing says how the end of the body is told.
type Framing string

// The framings of an answer.
const (
	Sized   Framing = ""        // Content-Length
	Chunked Framing = "chunked" // in chunks of at most 32 KiB
	Closing Framing = "closing" // the body ends with the connection
)

// A Fault ends or stops a connection at some place. The zero Fault is none.
type Fault struct {
	Kind  Kind
	Phase Phase
	At    int64         // bytes of what Phase names; a message that is shorter is not hit
	Wait  time.Duration // for PhaseIdle: how long the connection may wait for the next request
}

// Kind is what a fault does.
type Kind string

// The kinds of faults.
const (
	Stall Kind = "stall" // nothing more is read or written, for at most ten minutes
	Reset Kind = "reset" // RST
	Drop  Kind = "drop"  // FIN without close_notify
	End   Kind = "end"   // close_notify and FIN
)

// Phase is where a fault happens.
type Phase string

// The phases of a connection.
const (
	PhaseAccept    Phase = "accept"    // before the handshake; nothing is read
	PhaseHandshake Phase = "handshake" // when the first bytes of the handshake have come
	PhaseRequest   Phase = "request"   // when At bytes of the request were read
	PhaseHead      Phase = "head"      // when At bytes of the answer, from its first, were written
	PhaseBody      Phase = "body"      // when At bytes of the answer's body, as framed, were written
	PhaseIdle      Phase = "idle"      // after the whole answer and Wait
)

// A moment is when a rule is looked at.
type moment int

const (
	opening moment = iota
	reading
	answering
)

func (r Rule) moment() moment {
	switch {
	case r.Behaviour.Fault.Phase == PhaseAccept || r.Behaviour.Fault.Phase == PhaseHandshake:
		return opening
	case r.Behaviour.Fault.Phase == PhaseRequest && !r.Match.asks():
		return reading
	default:
		return answering
	}
}

// rules are the rules in force.
type rules struct {
	// mu guards list and the counts in it.
	mu   sync.Mutex
	list []*countedRule
}

type countedRule struct {
	Rule
	fitted int
}

func (r *rules) set(list []Rule) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = nil
	for _, rule := range list {
		r.list = append(r.list, &countedRule{Rule: rule})
	}
}

func (r *rules) add(rule Rule) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, &countedRule{Rule: rule})
}

// find returns the behaviour of the first rule that applies to x at moment m.
func (r *rules) find(m moment, x *Exchange) (Behaviour, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rule := range r.list {
		if rule.moment() != m || !rule.Match.fits(x) {
			continue
		}
		n := rule.fitted
		rule.fitted++
		if rule.Match.due(n) {
			return rule.Behaviour, true
		}
	}
	return Behaviour{}, false
}
