package h1

import (
	"bytes"
	"cmp"
)

// A Response is a parsed head of an answer.
type Response struct {
	Head
	Status           int   // 100 to 999
	KeepAliveTimeout int64 // seconds of its Keep-Alive: timeout=, 0 when it gave none

	reason Span
}

// Reason returns the reason phrase, which may be empty.
func (p *Response) Reason() []byte { return p.Bytes(p.reason) }

// parse reads, mends and judges head, which ends in an empty line, as the answer to a request with that method.
func (p *Response) parse(head, method []byte, rules *Rules) (err error) {
	p.raw = head
	next := lineAfter(head, 0)
	err = p.parseLine(lineEnd(head, next))
	for err == nil && lineEnd(head, lineAfter(head, next)) > next {
		next, err = p.parseField(next, rules)
	}
	if err != nil {
		return err
	}
	return p.judge(method, rules)
}

// lineAfter returns where the line behind the one at off begins.
func lineAfter(head []byte, off int) int { return off + bytes.IndexByte(head[off:], '\n') + 1 }

// lineEnd returns the end of the line before next, without its CRLF or LF.
func lineEnd(head []byte, next int) int {
	if end := next - 2; end >= 0 && head[end] == '\r' {
		return end
	}
	return next - 1
}

// parseLine reads the status line head[:end] (RFC 9112 section 4). A status beyond 599 is passed on: it has one
// reading, and the request is executed.
func (p *Response) parseLine(end int) (err error) {
	const version, status = len("HTTP/1.1"), len("HTTP/1.1 200")
	line := p.raw[:end]
	if len(line) < status || line[version] != ' ' || len(line) > status && line[status] != ' ' {
		return refuse(Malformed, "status line", line)
	}
	if p.Minor, err = versionOf(line[:version]); err != nil {
		return err
	}
	digits := line[version+1 : status]
	if !isAll(digits, digitByte) || digits[0] == '0' {
		return refuse(Malformed, "status", digits)
	}
	p.Status = int(parseDigits(digits, 10))
	p.reason = Span{uint32(min(status+1, end)), uint32(end)}
	blank(p.Reason())
	return nil
}

// parseField reads and mends the field line that begins at off, with the lines that continue it, and returns where
// the next one begins.
func (p *Response) parseField(off int, rules *Rules) (next int, err error) {
	next = lineAfter(p.raw, off)
	if i := bytes.IndexByte(p.raw[off:next], ':'); i >= 0 {
		colon := off + i
		next = unfold(p.raw, next)
		blank(p.raw[colon:lineEnd(p.raw, next)])
		// Without the whitespace behind it the name moves up to its colon (RFC 9112 section 5.1).
		name := bytes.TrimRight(p.raw[off:colon], " \t")
		off = colon - len(name)
		copy(p.raw[off:colon], name)
	}
	return next, p.addField(off, lineEnd(p.raw, next), rules)
}

// unfold replaces the line ends before continuation lines by spaces (RFC 9112 section 5.2) and returns where the
// next field line begins.
func unfold(head []byte, next int) int {
	for isBlank(head[next]) {
		for i := lineEnd(head, next); i < next; i++ {
			head[i] = ' '
		}
		next = lineAfter(head, next)
	}
	return next
}

// blank replaces the control bytes in b by spaces (RFC 9110 section 5.5).
func blank(b []byte) {
	for i, c := range b {
		if classes[c]&valueByte == 0 {
			b[i] = ' '
		}
	}
}

// judge decides what the fields mean, once all are there.
func (p *Response) judge(method []byte, rules *Rules) error {
	if err := cmp.Or(p.mergeLengths(), p.judgeFraming()); err != nil {
		return err
	}
	_ = p.judgeConnection(rules.Protected) // a bad option only costs the connection
	switch {
	case p.isBodiless():
		// Some that announce a body send one, and it would be read as the next answer.
		p.KeepAlive = p.KeepAlive && p.Framing.Kind != Chunked && p.Framing.Length == 0
		p.Framing = Framing{}
	case string(method) == "HEAD" || p.Status == 304:
		p.Framing = Framing{}
	case p.Framing.Kind == NoBody:
		p.Framing.Kind = UntilClose
		p.KeepAlive = false
	}
	p.readTimeout()
	p.dropOwn()
	return nil
}

// isBodiless reports whether an answer of this status has neither a body nor fields that speak of one (RFC 9110
// section 8.6).
func (p *Response) isBodiless() bool { return p.Status < 200 || p.Status == 204 }

// mergeLengths makes one of identical lengths, repeated or listed (RFC 9112 section 6.3): the first stays.
func (p *Response) mergeLengths() error {
	var first []byte
	for f := range p.ofKind(ContentLength) {
		if first != nil {
			f.Kind = Dropped
		}
		for length := range elements(p.value(f)) {
			if first == nil {
				first = length
			}
			if !bytes.Equal(length, first) {
				return refuse(Malformed, "another Content-Length", length)
			}
		}
		if len(first) < len(p.value(f)) {
			f.Value.End = f.Value.Off + uint32(len(first))
			f.end = f.Value.End
		}
	}
	return nil
}

// readTimeout looks for timeout= in Keep-Alive (RFC 2068 section 19.7.1). What it cannot read it passes over: the
// field is only advice.
func (p *Response) readTimeout() {
	for f := range p.ofKind(KeepAlive) {
		for element := range elements(p.value(f)) {
			seconds, found := cutPrefixFold(element, "timeout=")
			if found && isAll(seconds, digitByte) && len(seconds) < 10 {
				p.KeepAliveTimeout = parseDigits(seconds, 10)
				p.KeepAlive = p.KeepAlive && p.KeepAliveTimeout > 0
			}
		}
	}
}

// dropOwn drops the fields that only lqproxy itself may add.
func (p *Response) dropOwn() {
	for f := range p.ofKind(Other) {
		if _, own := cutPrefixFold(p.Bytes(f.Name), "X-Lqproxy-"); own {
			f.Kind = Dropped
		}
	}
}
