package h1

import "strconv"

// A Fault says what kind of mistake a message has.
type Fault uint8

// The faults of a message.
const (
	Malformed      Fault = iota // no reading, or more than one
	HeadTooLarge                // more bytes or fields than Rules allow
	BodyTooLarge                // a request's body over Rules.BodySize
	BadVersion                  // not HTTP/1.0 or HTTP/1.1, the HTTP/2 preface included
	RefusedMethod               // CONNECT, TRACE
	BadExpectation              // an Expect other than 100-continue
)

// faults are the words for each Fault.
var faults = [...]string{
	Malformed:      "malformed message",
	HeadTooLarge:   "head too large",
	BodyTooLarge:   "body too large",
	BadVersion:     "version not supported",
	RefusedMethod:  "method refused",
	BadExpectation: "expectation not supported",
}

// An Error is a message that is not accepted.
type Error struct {
	Fault  Fault
	Detail string // what exactly was refused, the bytes quoted and cut; for the log
}

// Error implements error.
func (e *Error) Error() string { return faults[e.Fault] + ": " + e.Detail }

// refuse returns an Error that quotes b, the bytes that gave offence. The Detail is logged: b must not be of a
// query, of a body, or of a value that may be a secret.
func refuse(f Fault, what string, b []byte) error {
	const quotable = 64
	more := ""
	if len(b) > quotable {
		b, more = b[:quotable], "..."
	}
	return &Error{f, what + " " + strconv.QuoteToASCII(string(b)) + more}
}
