package h1

import (
	"bytes"
	"cmp"
	"iter"
	"strconv"
)

// A Span is a piece of a head: head[Off:End]. Heads are described by spans and not by slices, because the buffer
// beneath may move when a body follows.
type Span struct{ Off, End uint32 }

// A Field is one field line of a head.
type Field struct {
	Name, Value Span // Value without the whitespace around it
	Kind        Kind

	end uint32 // of the line, before its line end: a line is passed on with all its whitespace
}

// A FramingKind says how the end of a body is found (RFC 9112 section 6).
type FramingKind uint8

// The ways in which a body is delimited.
const (
	NoBody FramingKind = iota
	Length
	Chunked
	UntilClose // answers only
)

// A Framing is a FramingKind and, for Length, the number of bytes.
type Framing struct {
	Kind   FramingKind
	Length int64
}

// Rules bound what is accepted. They are never modified while in use.
type Rules struct {
	HeadSize   int   // bytes of a head, its empty line included; of all trailers likewise
	FieldCount int   // field lines of a head
	BodySize   int64 // bytes of a request's decoded body; 0 means no bound
	Protected  Names // fields that Connection must not name, besides those that h1 protects itself
}

// A Head is what requests and answers have in common. Its byte slices are valid until the Reader it came from
// finishes the message, and must be asked for again after the Reader has read more of the body.
type Head struct {
	Fields    []Field
	Minor     uint8 // HTTP/1.Minor
	Framing   Framing
	KeepAlive bool // the sender wants the connection to stay (RFC 9112 section 9.3)

	raw []byte // in the Reader's buffer, which moves it when it grows
}

// Bytes returns the bytes of s.
func (h *Head) Bytes(s Span) []byte { return h.raw[s.Off:s.End] }

// Len returns the number of bytes of the head as received. AppendForward appends at most 128 more, one for each
// field, and the host.
func (h *Head) Len() int { return len(h.raw) }

// Value returns the value of the first field called name, and how many fields of that name there are.
func (h *Head) Value(name string) (value []byte, count int) {
	for i := range h.Fields {
		if f := &h.Fields[i]; equalFold(h.Bytes(f.Name), name) {
			if count++; count == 1 {
				value = h.value(f)
			}
		}
	}
	return value, count
}

// addField appends the field line raw[off:end].
func (h *Head) addField(off, end int, rules *Rules) error {
	colon, err := judgeField(h.raw[off:end])
	if err != nil {
		return err
	}
	name, colon := h.raw[off:off+colon], off+colon
	if len(h.Fields) >= rules.FieldCount {
		return refuse(HeadTooLarge, "too many fields, at", name)
	}
	h.Fields = append(h.Fields, Field{
		Name:  Span{uint32(off), uint32(colon)},
		Value: trimmed(h.raw, colon+1, end),
		Kind:  kindOf(name),
		end:   uint32(end),
	})
	return nil
}

// judgeField returns the index of the colon of a field line (RFC 9112 section 5) in which nothing is to be mended.
func judgeField(line []byte) (colon int, err error) {
	colon = leading(line, tokenByte)
	if colon == 0 || colon == len(line) || line[colon] != ':' {
		return 0, refuse(Malformed, "field name", line[:min(colon+1, len(line))])
	}
	value := line[colon+1:]
	if i := leading(value, valueByte); i < len(value) {
		return 0, refuse(Malformed, "control byte in the value of "+string(line[:colon])+":", value[i:i+1])
	}
	return colon, nil
}

// value returns the value of f.
func (h *Head) value(f *Field) []byte { return h.Bytes(f.Value) }

// ofKind are the fields of a kind.
func (h *Head) ofKind(kind Kind) iter.Seq[*Field] {
	return func(yield func(*Field) bool) {
		for i := range h.Fields {
			if f := &h.Fields[i]; f.Kind == kind && !yield(f) {
				return
			}
		}
	}
}

// unique returns the only field of a kind, nil when there is none.
func (h *Head) unique(kind Kind) (found *Field, err error) {
	for f := range h.ofKind(kind) {
		if found != nil {
			return nil, refuse(Malformed, "repeated", h.Bytes(f.Name))
		}
		found = f
	}
	return found, nil
}

// judgeFraming finds how a body is delimited (RFC 9112 section 6.3). A message with more than one way to find its
// end is refused.
func (h *Head) judgeFraming() error {
	coding, repeated := h.unique(TransferEncoding)
	length, err := h.unique(ContentLength)
	switch err = cmp.Or(repeated, err); {
	case err != nil:
		return err
	case coding != nil && length != nil:
		return &Error{Malformed, "Content-Length with Transfer-Encoding"}
	case coding != nil && h.Minor == 0:
		return &Error{Malformed, "Transfer-Encoding in HTTP/1.0"}
	case coding != nil && !equalFold(h.value(coding), "chunked"):
		return refuse(Malformed, "Transfer-Encoding", h.value(coding))
	case coding != nil:
		h.Framing.Kind = Chunked
	case length != nil:
		h.Framing.Kind = Length
		h.Framing.Length, err = parseLength(h.value(length))
	}
	return err
}

// parseLength reads a Content-Length (RFC 9110 section 8.6): digits alone, and no more than an int64 is sure to
// hold.
func parseLength(b []byte) (int64, error) {
	if !isAll(b, digitByte) || len(b) > 18 {
		return 0, refuse(Malformed, "Content-Length", b)
	}
	return parseDigits(b, 10), nil
}

// parseDigits returns the number that b is, which is digits alone, and few enough.
func parseDigits(b []byte, base int) int64 {
	n, _ := strconv.ParseInt(string(b), base, 64)
	return n
}

// essential are the fields without which a message is another one.
var essential = NewNames("Host", "Content-Length", "Transfer-Encoding", "Content-Type", "Content-Encoding")

// judgeConnection reads the Connection fields (RFC 9110 section 7.6.1): it sets KeepAlive and drops the fields that
// they name. An option that cannot be honoured is the error; the others are honoured all the same, and the
// connection does not stay.
func (h *Head) judgeConnection(protected Names) error {
	var closes, stays bool
	var bad error
	for f := range h.ofKind(Connection) {
		for option := range elements(h.value(f)) {
			switch {
			case len(option) == 0:
			case equalFold(option, "close"):
				closes = true
			case equalFold(option, "keep-alive"):
				stays = true
			default:
				bad = cmp.Or(bad, h.dropNamed(option, protected))
			}
		}
	}
	h.KeepAlive = (h.Minor == 1 || stays) && !closes && bad == nil
	return bad
}

// dropNamed drops the fields called name, unless a message needs them.
func (h *Head) dropNamed(name []byte, protected Names) error {
	if !isAll(name, tokenByte) {
		return refuse(Malformed, "Connection option", name)
	}
	if essential.Contains(name) || protected.Contains(name) {
		return refuse(Malformed, "Connection names", name)
	}
	for f := range h.ofKind(Other) {
		if bytes.EqualFold(h.Bytes(f.Name), name) { // both are ASCII
			f.Kind = Dropped
		}
	}
	return nil
}

// elements are those of a list (RFC 9110 section 5.6.1), without the whitespace around them.
func elements(list []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for element := range bytes.SplitSeq(list, []byte(",")) {
			s := trimmed(element, 0, len(element))
			if !yield(element[s.Off:s.End]) {
				return
			}
		}
	}
}

// trimmed returns the span of raw[off:end] without the spaces and tabs around it.
func trimmed(raw []byte, off, end int) Span {
	for off < end && isBlank(raw[off]) {
		off++
	}
	for off < end && isBlank(raw[end-1]) {
		end--
	}
	return Span{uint32(off), uint32(end)}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// versionOf reads an HTTP version (RFC 9112 section 2.3).
func versionOf(b []byte) (minor uint8, err error) {
	const form = "HTTP/d.d"
	if len(b) != len(form) || string(b[:5]) != form[:5] || b[6] != form[6] ||
		!isAll(b[5:6], digitByte) || !isAll(b[7:], digitByte) {
		return 0, refuse(Malformed, "version", beforeQuery(b)) // after two spaces it is the target
	}
	if b[5] != '1' || b[7] > '1' {
		return 0, refuse(BadVersion, "version", b)
	}
	return b[7] - '0', nil
}
