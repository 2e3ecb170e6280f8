package h1

import (
	"io"
	"math"
)

// message is what a Reader knows of the message that it reads. Offsets are relative to it. In the buffer lie, in
// this order, the head, the prefix, the piece that was decoded last, and from Reader.raw on what is yet to decode.
type message struct {
	head    *Head // whose bytes move with the buffer; nil until the head is complete
	kind    FramingKind
	left    int64 // data bytes to come: of the body, of the current chunk, or unknown and boundless
	allowed int64 // decoded bytes that chunks may still bring
	trailer int   // bytes that trailers may still have
	step    step
	whole   bool
	err     error // what was found wrong behind the piece

	prefix    piece // kept until Finish
	streaming bool  // the prefix is closed
	piece     piece // decoded last
}

// A piece is a part of the decoded body.
type piece struct{ off, end int }

func (p piece) len() int { return p.end - p.off }

// A step is where in a chunked body the reader stands (RFC 9112 section 7.1).
type step uint8

const (
	chunkSize step = iota
	chunkData
	chunkEnd
	trailers
)

// beginBody prepares for the body behind the head, which ends at r.raw.
func (r *Reader) beginBody(trailer int, allowed int64) {
	framing := r.head.Framing
	r.message = message{
		head:    r.head,
		kind:    framing.Kind,
		left:    framing.Length,
		allowed: allowed,
		trailer: trailer,
		whole:   framing.Kind == NoBody || framing == Framing{Kind: Length},
		piece:   piece{r.raw, r.raw},
	}
	if framing.Kind == UntilClose {
		r.left = math.MaxInt64
	}
}

// Whole reports whether the message was read to its end.
func (r *Reader) Whole() bool { return r.head != nil && r.whole }

// Prefix reads the first n bytes of the decoded body, or all of a shorter one, and reports whether they are the
// whole. The bytes lie in one piece and are valid until Finish (ask again after Next). To be called before Next,
// and where it is called again, with no smaller n.
func (r *Reader) Prefix(n int) (prefix []byte, whole bool, err error) {
	if r.streaming {
		return r.bytes(r.prefix.off, r.prefix.end), false, nil
	}
	for !r.whole {
		if err := r.decode(n - r.piece.len()); err != nil {
			return nil, false, err
		}
		// A chunked body may be at its end without being known to be.
		want := n - r.piece.len()
		if r.whole || want <= 0 && r.left > 0 {
			break
		}
		if err := r.readBody(want); err != nil {
			return nil, false, err
		}
	}
	return r.bytes(r.piece.off, r.piece.end), r.whole, nil
}

// Next returns the next piece of the decoded body behind what Prefix has returned, valid until the next call, and
// io.EOF after the last. Trailers are read, judged and dropped.
func (r *Reader) Next() ([]byte, error) {
	for {
		piece, err := r.Ready()
		if len(piece) > 0 || err != nil {
			return piece, err
		}
		if err := r.readBody(streamRoom); err != nil {
			return nil, err
		}
	}
}

// Ready is Next for a caller that would rather do something else than wait: it never reads from the source, and
// where Next would it returns an empty piece without an error. Both take as many chunks into a piece as are there,
// and notice an end that is there: Whole is then true with the last piece.
func (r *Reader) Ready() ([]byte, error) {
	if r.whole && !r.streaming {
		return nil, io.EOF
	}
	if !r.streaming {
		r.prefix, r.streaming = r.piece, true
	}
	r.piece = piece{r.prefix.end, r.prefix.end}
	err := r.decode(math.MaxInt)
	switch {
	case r.piece.len() > 0:
		return r.bytes(r.piece.off, r.piece.end), nil // err is for the next call
	case err == nil && r.whole:
		return nil, io.EOF
	}
	return nil, err
}

// readBody reads more of the body, for at most want decoded bytes if that can be known. Closing ends a body that is
// delimited by it.
func (r *Reader) readBody(want int) error {
	room := minRoom
	switch {
	case r.kind == Length:
		room = int(min(int64(want), r.left, streamRoom))
	case r.full: // the source is likely to fill a large room, too
		room = streamRoom
	}
	r.squeeze()
	err := r.fill(room)
	if err == io.EOF {
		r.whole = true
		return nil
	}
	return err
}

// squeeze moves what is not yet decoded down to the piece. That is never much: part of a line at most.
func (r *Reader) squeeze() {
	gap := r.raw - r.piece.end
	copy(r.bytes(r.piece.end, r.end), r.bytes(r.raw, r.end))
	r.raw, r.end, r.scanned = r.raw-gap, r.end-gap, r.scanned-gap
}

// decode adds to the piece what is there, and at most limit bytes.
func (r *Reader) decode(limit int) error {
	switch {
	case r.whole || r.err != nil:
	case r.kind == Chunked:
		r.err = r.decodeChunks(limit)
	default:
		r.take(limit)
		r.whole = r.left == 0
	}
	return r.err
}

// take adds data bytes that are there, at most limit, to the piece, and returns their number. An empty piece begins
// where they are, so that only the data of further chunks are moved.
func (r *Reader) take(limit int) int {
	n := int(min(int64(max(limit, 0)), int64(r.end-r.raw), r.left))
	if n > 0 && r.piece.len() == 0 {
		r.piece = piece{r.raw, r.raw}
	}
	if r.piece.end < r.raw {
		copy(r.bytes(r.piece.end, r.piece.end+n), r.bytes(r.raw, r.raw+n))
	}
	r.piece.end += n
	r.raw += n
	r.scanned = r.raw
	r.left -= int64(n)
	return n
}

// decodeChunks is decode for a chunked body. It stops where more bytes are needed, or before data that limit has no
// place for.
func (r *Reader) decodeChunks(limit int) error {
	for !r.whole {
		var err error
		found := true
		switch r.step {
		case chunkSize:
			found, err = r.readChunkSize()
		case chunkData:
			limit -= r.take(limit)
			if found = r.left == 0; found {
				r.step = chunkEnd
			}
		case chunkEnd:
			if _, found, err = r.line(len("\r\n"), Malformed, false); found {
				r.step = chunkSize
			}
		case trailers:
			found, err = r.readTrailer()
		}
		if !found || err != nil {
			return err
		}
	}
	return nil
}

// A chunk's size has at most 15 hexadecimal digits, so that sums of sizes cannot overflow, and at most 256 bytes of
// extensions.
const (
	maxSizeDigits = 15
	maxExtension  = 256
	maxSizeLine   = maxSizeDigits + maxExtension + len("\r\n")
)

// readChunkSize reads the line before a chunk.
func (r *Reader) readChunkSize() (found bool, err error) {
	line, found, err := r.line(maxSizeLine, Malformed, false)
	if !found || err != nil {
		return false, err
	}
	if r.left, err = parseChunkSize(line); err != nil {
		return false, err
	}
	if r.left > r.allowed {
		return false, &Error{BodyTooLarge, "chunks beyond the limit"}
	}
	r.allowed -= r.left
	r.step = chunkData
	if r.left == 0 {
		r.step = trailers
	}
	return true, nil
}

// parseChunkSize reads a size and checks its extensions (RFC 9112 section 7.1.1). The whitespace that the RFC calls
// bad is refused: readers of chunked bodies differ in what they make of it. A refused line may be data, so the
// Error shows one byte of it.
func parseChunkSize(line []byte) (size int64, err error) {
	digits := leading(line, hexByte)
	if digits == 0 || digits > maxSizeDigits {
		return 0, refuse(Malformed, "chunk size beginning with", line[:min(1, len(line))])
	}
	extensions := line[digits:]
	if len(extensions) > 0 && extensions[0] != ';' {
		return 0, refuse(Malformed, "chunk size followed by", extensions[:1])
	}
	if len(extensions) > maxExtension || leading(extensions, valueByte) < len(extensions) {
		return 0, &Error{Malformed, "chunk extensions over 256 bytes, or with control bytes"}
	}
	return parseDigits(line[:digits], 16), nil
}

// readTrailer reads a line of the trailers, or the empty line that ends them and the body.
func (r *Reader) readTrailer() (found bool, err error) {
	begin := r.raw
	line, found, err := r.line(r.trailer, HeadTooLarge, false)
	if !found || err != nil {
		return false, err
	}
	r.trailer -= r.raw - begin
	if len(line) == 0 {
		r.whole = true
		return true, nil
	}
	_, err = judgeField(line)
	return true, err
}
