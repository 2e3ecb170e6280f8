package proxy_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/lqproxy/lqproxy/proxy/leqi"
)

// This file is a reader of HTTP/1.1 that knows one reading of a message or
// none. It judges what lqproxy sends, and what it was sent, and shares no line
// with proxy/h1 or net/http: its grammar is the RFC's, as regular expressions.

// errAttackMore is a message whose end has not come.
var errAttackMore = errors.New("incomplete")

// The grammar (RFC 9110 sections 5.5 and 5.6.2, RFC 9112 sections 3 to 7).
const (
	attackToken = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
	attackText  = "[^\\x00-\\x08\\x0a-\\x1f\\x7f]*"
	attackPort  = "(:[0-9]{0,5})?"
)

var (
	attackRequestLine = regexp.MustCompile(`^(` + attackToken + `) ([^\x00-\x20\x7f#]+) HTTP/1\.([01])$`)
	attackStatusLine  = regexp.MustCompile(`^HTTP/1\.1 ([1-9][0-9]{2}) (` + attackText + `)$`)
	attackFieldLine   = regexp.MustCompile(`^(` + attackToken + `):[ \t]*(` + attackText + `)$`)
	attackChunkLine   = regexp.MustCompile(`^([0-9A-Fa-f]{1,15})(;` + attackText + `)?$`)
	attackLength      = regexp.MustCompile(`^[0-9]{1,18}$`)
	attackOption      = regexp.MustCompile(`^` + attackToken + `$`)
	attackAbsolute    = regexp.MustCompile(`^(?i:https?)://([^/?]+)(.*)$`)
	attackHost        = regexp.MustCompile(`^([A-Za-z0-9._~!$&'()*+;=-]+` + attackPort + `)?$`)
	attackHost6       = regexp.MustCompile(`^\[([0-9A-Fa-f:.]+)\]` + attackPort + `$`)
	attackBadEscape   = regexp.MustCompile(`%([^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)`)
)

// An attackMessage is a request or an answer in its one reading.
type attackMessage struct {
	method, target, form string // of a request; target is the origin-form
	status               int    // of an answer
	minor                int
	fields               []attackField
	chunked              bool
	body                 []byte
	raw                  []byte // as it came
}

type attackField struct{ name, value, line string }

// values returns the values of the fields called name.
func (m *attackMessage) values(name string) []string {
	var all []string
	for _, f := range m.fields {
		if equalAttack(f.name, name) {
			all = append(all, f.value)
		}
	}
	return all
}

// stays reports whether the sender wants the connection to stay (RFC 9112
// section 9.3).
func (m *attackMessage) stays() bool {
	options := m.options()
	return !slices.Contains(options, "close") && (m.minor == 1 || slices.Contains(options, "keep-alive"))
}

// options returns the elements of all Connection fields, in lower case.
func (m *attackMessage) options() []string {
	var all []string
	for _, v := range m.values("Connection") {
		for o := range strings.SplitSeq(v, ",") {
			if o = lowerAttack(strings.Trim(o, " \t")); o != "" {
				all = append(all, o)
			}
		}
	}
	return all
}

// cutAttackLine returns the first line of b without its CRLF.
func cutAttackLine(b []byte) (line string, rest []byte, err error) {
	i := bytes.IndexAny(b, "\r\n")
	switch {
	case i < 0 || i == len(b)-1 && b[i] == '\r':
		return "", nil, errAttackMore
	case b[i] == '\n':
		return "", nil, errors.New("a bare LF")
	case b[i+1] != '\n':
		return "", nil, errors.New("a bare CR")
	}
	return string(b[:i]), b[i+2:], nil
}

// cutAttackFields reads field lines up to the empty one.
func cutAttackFields(b []byte) (fields []attackField, rest []byte, err error) {
	for {
		line, rest, err := cutAttackLine(b)
		if err != nil || line == "" {
			return fields, rest, err
		}
		m := attackFieldLine.FindStringSubmatch(line)
		if m == nil {
			return nil, nil, fmt.Errorf("field line %q", line)
		}
		fields = append(fields, attackField{m[1], strings.TrimRight(m[2], " \t"), line})
		b = rest
	}
}

// readAttackRequest reads the request that b begins with, and returns what is
// behind it.
func readAttackRequest(b []byte) (m attackMessage, rest []byte, err error) {
	line, rest, err := cutAttackLine(b)
	if err != nil {
		return m, nil, err
	}
	parts := attackRequestLine.FindStringSubmatch(line)
	if parts == nil {
		return m, nil, fmt.Errorf("request line %q", line)
	}
	m.method, m.form, m.minor = parts[1], parts[2], int(parts[3][0]-'0')
	if m.fields, rest, err = cutAttackFields(rest); err != nil {
		return m, nil, err
	}
	if err = firstAttackError(m.judgeTarget(), m.judgeConnection(), m.judgeExpect(), m.judgeLengths()); err != nil {
		return m, nil, err
	}
	if rest, err = m.readBody(rest, false); err != nil {
		return m, nil, err
	}
	m.raw = b[:len(b)-len(rest)]
	return m, rest, nil
}

func firstAttackError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// judgeTarget finds the origin-form, and holds the request to one host (RFC
// 9112 sections 3.2 and 3.3).
func (m *attackMessage) judgeTarget() error {
	hosts := m.values("Host")
	if len(hosts) > 1 || len(hosts) == 0 && m.minor == 1 || len(hosts) == 1 && !isAttackHost(hosts[0]) {
		return fmt.Errorf("hosts %q", hosts)
	}
	m.target = m.form
	if parts := attackAbsolute.FindStringSubmatch(m.form); parts != nil {
		if !isAttackHost(parts[1]) || len(hosts) == 1 && !equalAttack(hosts[0], parts[1]) {
			return fmt.Errorf("target %q for host %q", m.form, hosts)
		}
		m.target = parts[2]
		if !strings.HasPrefix(m.target, "/") {
			m.target = "/" + m.target
		}
	}
	path, _, _ := strings.Cut(m.target, "?")
	switch {
	case m.target[0] != '/', attackBadEscape.MatchString(path):
		return fmt.Errorf("target %q", m.form)
	case m.method == "CONNECT" || m.method == "TRACE":
		return fmt.Errorf("method %q", m.method)
	}
	return nil
}

// lowerAttack lowers ASCII letters alone, unlike strings.ToLower, to which a
// Kelvin sign is a k.
func lowerAttack(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func equalAttack(a, b string) bool { return lowerAttack(a) == lowerAttack(b) }

func isAttackHost(s string) bool {
	if six := attackHost6.FindStringSubmatch(s); six != nil {
		addr, err := netip.ParseAddr(six[1])
		return err == nil && addr.Is6()
	}
	return attackHost.MatchString(s)
}

// judgeConnection refuses options that would make another message of this one.
func (m *attackMessage) judgeConnection() error {
	keep := append([]string{"Host", "Content-Length", "Transfer-Encoding", "Content-Type", "Content-Encoding"}, leqi.Fields...)
	for _, o := range m.options() {
		named := func(name string) bool { return equalAttack(name, o) }
		if !attackOption.MatchString(o) || slices.ContainsFunc(keep, named) {
			return fmt.Errorf("connection option %q", o)
		}
	}
	return nil
}

func (m *attackMessage) judgeExpect() error {
	for _, v := range m.values("Expect") {
		if !equalAttack(v, "100-continue") {
			return fmt.Errorf("expectation %q", v)
		}
	}
	return nil
}

// judgeLengths refuses all but one way to find the end (RFC 9112 section 6.3).
func (m *attackMessage) judgeLengths() error {
	codings, lengths := m.values("Transfer-Encoding"), m.values("Content-Length")
	switch {
	case len(codings)+len(lengths) > 1,
		len(codings) == 1 && (!equalAttack(codings[0], "chunked") || m.minor == 0),
		len(lengths) == 1 && !attackLength.MatchString(lengths[0]):
		return fmt.Errorf("framing by %q and %q", codings, lengths)
	}
	m.chunked = len(codings) == 1
	return nil
}

// readBody reads the body, once judgeLengths has found no fault, and returns
// what is behind it. closed says that b ends with its connection, for an
// answer that is delimited so.
func (m *attackMessage) readBody(b []byte, closed bool) (rest []byte, err error) {
	if m.chunked {
		m.body, rest, err = readAttackChunks(b)
		return rest, err
	}
	if lengths := m.values("Content-Length"); len(lengths) > 0 {
		n, _ := strconv.Atoi(lengths[0])
		if len(b) < n {
			return nil, errAttackMore
		}
		m.body = b[:n]
		return b[n:], nil
	}
	if m.status == 0 {
		return b, nil
	}
	if !closed {
		return nil, errAttackMore
	}
	m.body = b
	return nil, nil
}

// readAttackChunks reads a chunked body (RFC 9112 section 7.1). What it has of
// an incomplete one it returns too.
func readAttackChunks(b []byte) (body, rest []byte, err error) {
	for {
		line, rest, err := cutAttackLine(b)
		if err != nil {
			return body, nil, err
		}
		parts := attackChunkLine.FindStringSubmatch(line)
		if parts == nil || len(parts[2]) > 256 {
			return body, nil, fmt.Errorf("chunk line %.40q", line)
		}
		size, _ := strconv.ParseInt(parts[1], 16, 64)
		if size == 0 {
			_, rest, err = cutAttackFields(rest)
			return body, rest, err
		}
		if int64(len(rest)) < size {
			return append(body, rest...), nil, errAttackMore
		}
		body, b = append(body, rest[:size]...), rest[size:]
		if !bytes.HasPrefix(b, []byte("\r\n")) {
			if bytes.HasPrefix([]byte("\r\n"), b) {
				return body, nil, errAttackMore
			}
			return body, nil, errors.New("a chunk without its CRLF")
		}
		b = b[2:]
	}
}

// readAttackAnswer reads the answer to a request with that method.
func readAttackAnswer(b []byte, method string, closed bool) (m attackMessage, rest []byte, err error) {
	line, rest, err := cutAttackLine(b)
	if err != nil {
		return m, nil, err
	}
	parts := attackStatusLine.FindStringSubmatch(line)
	if parts == nil {
		return m, nil, fmt.Errorf("status line %q", line)
	}
	m.minor = 1
	m.status, _ = strconv.Atoi(parts[1])
	if m.fields, rest, err = cutAttackFields(rest); err != nil {
		return m, nil, err
	}
	if err = m.judgeLengths(); err != nil {
		return m, nil, err
	}
	if method != "HEAD" && m.status >= 200 && m.status != 204 && m.status != 304 {
		if rest, err = m.readBody(rest, closed); err != nil {
			return m, nil, err
		}
	}
	m.raw = b[:len(b)-len(rest)]
	return m, rest, nil
}

// The fields of one hop (RFC 9110 section 7.6.1, design 5), and upstream.drop_headers.
var attackHopFields = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "TE", "Upgrade", "Expect", "Trailer",
	"X-Forwarded-For", "X-Real-IP", "Forwarded", "Via",
}

// forwarded returns what of a request must arrive at the upstream.
func (m *attackMessage) forwarded(authority string) []byte {
	out := m.method + " " + m.target + " HTTP/1.1\r\n"
	if len(m.values("Host")) == 0 {
		out += "Host: " + authority + "\r\n"
	}
	gone := append(m.options(), attackHopFields...)
	for _, f := range m.fields {
		is := func(name string) bool { return equalAttack(name, f.name) }
		switch {
		case is("Host"):
			out += f.name + ": " + authority + "\r\n"
		case is("Transfer-Encoding") && len(m.body) <= 32<<10:
			out += "Content-Length: " + strconv.Itoa(len(m.body)) + "\r\n"
		case !slices.ContainsFunc(gone, is):
			out += f.line + "\r\n"
		}
	}
	return append([]byte(out+"\r\n"), m.body...)
}

// passesGate reports whether the path of m stays below /access/ however it is
// decoded (design 5.5).
func (m *attackMessage) passesGate() bool {
	path, _, _ := strings.Cut(m.target, "?")
	if !strings.HasPrefix(path, "/access/") {
		return false
	}
	for range 4 {
		for segment := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' || r == ';' }) {
			if segment == "." || segment == ".." {
				return false
			}
		}
		if hasOverlong(path) {
			return false
		}
		if !strings.Contains(path, "%") {
			return true
		}
		if attackBadEscape.MatchString(path) {
			return false
		}
		path = attackUnescape(path)
		if strings.ContainsFunc(path, unicode.IsControl) {
			return false
		}
	}
	return false
}

// attackOverlong begins UTF-8 that spends more bytes than it needs (RFC 3629
// section 3), which some read as the character that it stands for. Each byte
// is two hexadecimal digits behind a space.
var attackOverlong = regexp.MustCompile(` (c[01]|e0 [89].|f0 8.|f8 8[0-7]|fc 8[0-3])`)

func hasOverlong(s string) bool {
	return attackOverlong.MatchString(fmt.Sprintf(" % x", s))
}

func attackUnescape(path string) string {
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' {
			n, _ := strconv.ParseUint(path[i+1:i+3], 16, 8)
			out.WriteByte(byte(n))
			i += 2
			continue
		}
		out.WriteByte(path[i])
	}
	return out.String()
}
