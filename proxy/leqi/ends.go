package leqi

// endSize is how many bytes of either end of a body are kept.
const endSize = 512

// ends keeps both ends of a body. The zero value is empty.
type ends struct {
	buf  [2 * endSize]byte // the first endSize bytes, then the last of what follows
	size int64             // of the whole body
}

func (e *ends) write(p []byte) {
	if e.size < int64(len(e.buf)) {
		n := copy(e.buf[e.size:], p)
		e.size += int64(n)
		p = p[n:]
	}
	if len(p) == 0 {
		return
	}
	e.size += int64(len(p))
	last := e.buf[endSize:]
	if len(p) < endSize {
		kept := copy(last, last[len(p):])
		copy(last[kept:], p)
	} else {
		copy(last, p[len(p)-endSize:])
	}
}

// texts returns the ends: the whole body as one, if it is kept whole.
func (e *ends) texts() (first, last []byte) {
	if e.size <= int64(len(e.buf)) {
		return e.buf[:e.size], nil
	}
	return e.buf[:endSize], e.buf[endSize:]
}
