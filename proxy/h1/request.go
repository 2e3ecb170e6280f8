package h1

import (
	"bytes"
	"cmp"
	"net/netip"
)

// A Request is a parsed request head.
type Request struct {
	Head
	ExpectContinue bool // the caller waits for 100 (Continue) before it sends its body

	method, target Span
}

// Method returns the method as received.
func (q *Request) Method() []byte { return q.Bytes(q.method) }

// Target returns the origin-form of the target: as received, or what follows the authority of an absolute-form ("/"
// when nothing does).
func (q *Request) Target() []byte { return q.Bytes(q.target) }

// Path returns Target up to its query.
func (q *Request) Path() []byte { return beforeQuery(q.Target()) }

// parse reads and judges head, which ends in an empty line and has no LF without a CR before it.
func (q *Request) parse(head []byte, rules *Rules) error {
	q.raw = head
	end := bytes.IndexByte(head, '\n') - 1
	authority, err := q.parseLine(end)
	if err != nil {
		return err
	}
	for off := end + 2; off < len(head)-2; off = end + 2 {
		end = off + bytes.IndexByte(head[off:], '\n') - 1
		if err := q.addField(off, end, rules); err != nil {
			return err
		}
	}
	return q.judge(authority, rules)
}

// parseLine reads the request line head[:end] (RFC 9112 section 3) and returns the authority of an absolute-form.
func (q *Request) parseLine(end int) (authority []byte, err error) {
	line := q.raw[:end]
	method, rest, _ := bytes.Cut(line, []byte(" "))
	target, version, ok := bytes.Cut(rest, []byte(" "))
	if !ok || !isAll(method, tokenByte) {
		return nil, refuse(Malformed, "request line", beforeQuery(line))
	}
	if q.Minor, err = versionOf(version); err != nil {
		return nil, err
	}
	if !isAll(target, targetByte) {
		return nil, refuse(Malformed, "target", beforeQuery(target))
	}
	q.method.End = uint32(len(method))
	if string(method) == "CONNECT" || string(method) == "TRACE" {
		return nil, refuse(RefusedMethod, "method", method)
	}
	q.target.Off = q.method.End + 1
	q.target.End = q.target.Off + uint32(len(target))
	if target[0] != '/' {
		if authority, err = q.cutAuthority(); err != nil {
			return nil, err
		}
	}
	if path := q.Path(); !wellEscaped(path) {
		return nil, refuse(Malformed, "percent-encoding in path", path)
	}
	return authority, nil
}

// cutAuthority turns a target in absolute-form into origin-form (RFC 9112 section 3.2.2).
func (q *Request) cutAuthority() (authority []byte, err error) {
	rest, found := cutPrefixFold(q.Target(), "http://")
	if !found {
		rest, found = cutPrefixFold(q.Target(), "https://")
	}
	if !found {
		return nil, refuse(Malformed, "target is neither origin-form nor absolute-form:", q.Path())
	}
	length := bytes.IndexAny(rest, "/?")
	if length < 0 {
		length = len(rest)
	}
	authority = rest[:length]
	if len(authority) == 0 || !isHost(authority) {
		return nil, refuse(Malformed, "authority of target", authority)
	}
	q.target.Off = q.target.End - uint32(len(rest)-length)
	return authority, nil
}

// beforeQuery returns b up to its first question mark.
func beforeQuery(b []byte) []byte {
	path, _, _ := bytes.Cut(b, []byte("?"))
	return path
}

// wellEscaped reports whether each percent sign of path begins an escape. Readers disagree on what any other one
// means.
func wellEscaped(path []byte) bool {
	found := true
	for found {
		_, path, found = bytes.Cut(path, []byte("%"))
		if found && (len(path) < 2 || !isAll(path[:2], hexByte)) {
			return false
		}
	}
	return true
}

// judge decides what the fields mean, once all are there.
func (q *Request) judge(authority []byte, rules *Rules) error {
	return cmp.Or(
		q.judgeHost(authority),
		q.judgeFraming(),
		q.judgeConnection(rules.Protected),
		q.judgeExpect(),
	)
}

// judgeHost holds the request to one host (RFC 9110 section 7.2, RFC 9112 section 3.2): at most one Host, one in
// HTTP/1.1, and none that contradicts the target.
func (q *Request) judgeHost(authority []byte) error {
	host, err := q.unique(Host)
	switch {
	case err != nil:
		return err
	case host == nil && q.Minor == 1:
		return &Error{Malformed, "no Host"}
	case host == nil:
	case !isHost(q.value(host)):
		return refuse(Malformed, "Host", q.value(host))
	case authority != nil && !bytes.EqualFold(authority, q.value(host)): // both are ASCII
		return refuse(Malformed, "target contradicts Host", q.value(host))
	}
	if len(q.Path()) == 0 {
		// Of an absolute-form without a path (RFC 9112 section 3.2.1): the slash takes the place of the last byte
		// of the authority, which is known by now to agree with Host.
		q.target.Off--
		q.raw[q.target.Off] = '/'
	}
	return nil
}

// isHost reports whether b is empty, or a host with an optional port (RFC 3986 section 3.2). Commas and
// percent-encoding are not taken: they would not be read alike by all.
func isHost(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if b[0] == '[' {
		literal, port, closed := bytes.Cut(b[1:], []byte("]"))
		addr, err := netip.ParseAddr(string(literal))
		return closed && err == nil && addr.Is6() && addr.Zone() == "" && isPort(port)
	}
	name, _, _ := bytes.Cut(b, []byte(":"))
	return isAll(name, hostByte) && isPort(b[len(name):])
}

// isPort reports whether b is empty, or a colon with at most five digits.
func isPort(b []byte) bool {
	return len(b) == 0 || b[0] == ':' && len(b) <= 6 && leading(b[1:], digitByte) == len(b)-1
}

// judgeExpect reads the Expect fields (RFC 9110 section 10.1.1). The one expectation that exists is ignored in
// HTTP/1.0, and where no body is to come.
func (q *Request) judgeExpect() error {
	for f := range q.ofKind(Expect) {
		if !equalFold(q.value(f), "100-continue") {
			return refuse(BadExpectation, "Expect", q.value(f))
		}
		q.ExpectContinue = q.Minor == 1 && (q.Framing.Kind == Chunked || q.Framing.Length > 0)
	}
	return nil
}
