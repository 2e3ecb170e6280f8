package h1

import "strconv"

// AppendForward appends the head as it goes to the upstream, as HTTP/1.1.
//
//   - host replaces the value of Host, which keeps its place and the spelling
//     of its name; without a Host it is added as the first field;
//   - hop-by-hop fields, what Connection names, and drop are left out;
//   - out is the framing of the body as it leaves: where it differs from
//     q.Framing, the field that says so takes the place of the received one.
//     No framing field came in: none goes out.
//
// All other lines are copied as they came.
func (q *Request) AppendForward(dst []byte, host string, drop Names, out Framing) []byte {
	dst = append(dst, q.Method()...)
	dst = append(dst, ' ')
	dst = append(dst, q.Target()...)
	dst = append(dst, " HTTP/1.1\r\n"...)
	if f, _ := q.unique(Host); f == nil {
		dst = appendField(dst, "Host", host)
	}
	for i := range q.Fields {
		f := &q.Fields[i]
		switch f.Kind {
		case Host:
			dst = appendField(dst, q.Bytes(f.Name), host)
		case ContentLength, TransferEncoding:
			dst = q.appendFraming(dst, f, out)
		case Other:
			if !drop.Contains(q.Bytes(f.Name)) {
				dst = q.appendLine(dst, f)
			}
		}
	}
	return append(dst, "\r\n"...)
}

// An Ending is what the head of an answer tells the caller about the connection.
type Ending struct {
	Close     bool  // Connection: close
	KeepAlive int64 // Keep-Alive: timeout=N, in seconds, when not Close and above zero
	Announce  bool  // Connection: keep-alive when not Close, for HTTP/1.0 callers
}

// AppendForward appends the head as it goes to the caller, as HTTP/1.1: hop-by-hop fields, X-Lqproxy-* and what
// Connection names are left out, and e is added. out is the framing of the body as it leaves: where it differs from
// p.Framing, the field that says so takes the place of the received one, or is added behind the others. All other
// lines are copied as they came.
func (p *Response) AppendForward(dst []byte, out Framing, e Ending) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(p.Status), 10)
	dst = append(dst, ' ')
	dst = append(dst, p.Reason()...)
	dst = append(dst, "\r\n"...)
	framed := false
	for i := range p.Fields {
		f := &p.Fields[i]
		switch f.Kind {
		case ContentLength, TransferEncoding:
			framed = true
			if out.Kind != NoBody || f.Kind == ContentLength && !p.isBodiless() {
				dst = p.appendFraming(dst, f, out)
			}
		case Other, Host:
			dst = p.appendLine(dst, f)
		}
	}
	if !framed {
		dst = p.appendFraming(dst, nil, out)
	}
	dst = e.Append(dst)
	return append(dst, "\r\n"...)
}

// Append appends the fields that say e.
func (e Ending) Append(dst []byte) []byte {
	if e.Close {
		return appendField(dst, "Connection", "close")
	}
	if e.Announce {
		dst = appendField(dst, "Connection", "keep-alive")
	}
	if e.KeepAlive > 0 {
		dst = append(dst, "Keep-Alive: timeout="...)
		dst = strconv.AppendInt(dst, e.KeepAlive, 10)
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// appendFraming appends the field that announces out: f as it came, if that still holds.
func (h *Head) appendFraming(dst []byte, f *Field, out Framing) []byte {
	switch {
	case f != nil && out == h.Framing:
		return h.appendLine(dst, f)
	case out.Kind == Chunked:
		return appendField(dst, "Transfer-Encoding", "chunked")
	case out.Kind == Length:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, out.Length, 10)
		return append(dst, "\r\n"...)
	}
	return dst
}

// appendLine appends the line of f as it came.
func (h *Head) appendLine(dst []byte, f *Field) []byte {
	dst = append(dst, h.raw[f.Name.Off:f.end]...)
	return append(dst, "\r\n"...)
}

func appendField[N []byte | string](dst []byte, name N, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// AppendChunkSize appends the line before a chunk of size bytes (RFC 9112 section 7.1), so that large data can be
// written behind it without a copy; CRLF must follow the data. A chunk of 0 bytes would end the body.
func AppendChunkSize(dst []byte, size int) []byte {
	dst = strconv.AppendInt(dst, int64(size), 16)
	return append(dst, "\r\n"...)
}

// AppendChunk appends data as one chunk, or nothing when data is empty.
func AppendChunk(dst, data []byte) []byte {
	if len(data) == 0 {
		return dst
	}
	dst = AppendChunkSize(dst, len(data))
	dst = append(dst, data...)
	return append(dst, "\r\n"...)
}

// AppendLastChunk appends the chunk that ends a body, without trailers (RFC 9112 section 7.1).
func AppendLastChunk(dst []byte) []byte { return append(dst, "0\r\n\r\n"...) }
