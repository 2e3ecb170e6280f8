package proxy

import (
	"io"

	"github.com/lqproxy/lqproxy/proxy/h1"
)

// gatherSize is up to how many bytes are copied together to make one write of
// several; larger pieces are written from where they lie.
const gatherSize = 16 << 10

// An outlet writes one message: a head, then a body in the framing that its
// receiver understands. After a write that failed it only counts.
type outlet struct {
	w       io.Writer
	buf     []byte // not yet written
	framing h1.Framing
	written int64 // bytes, framing included
	err     error // of the first write that failed
}

// add appends data to what leaves with the next write.
func (o *outlet) add(data []byte) {
	switch {
	case len(data) == 0: // an empty chunk would be the last one
	case o.framing.Kind == h1.Chunked:
		o.buf = h1.AppendChunk(o.buf, data)
	default:
		o.buf = append(o.buf, data...)
	}
}

// piece passes on the next piece of the body.
func (o *outlet) piece(data []byte) {
	if o.framing.Kind != h1.Chunked && len(o.buf)+len(data) > gatherSize {
		o.flush()
		o.write(data)
		return
	}
	o.add(data)
	if len(o.buf) > gatherSize {
		o.flush()
	}
}

// end writes what remains, and the end of a body that is whole.
func (o *outlet) end() {
	if o.framing.Kind == h1.Chunked {
		o.buf = h1.AppendLastChunk(o.buf)
	}
	o.flush()
}

// flush writes what was gathered.
func (o *outlet) flush() {
	if len(o.buf) > 0 {
		o.write(o.buf)
		o.buf = o.buf[:0]
	}
}

func (o *outlet) write(b []byte) {
	if o.err != nil {
		return
	}
	n, err := o.w.Write(b)
	o.written += int64(n)
	o.err = err
}
