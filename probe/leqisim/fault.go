package leqisim

import (
	"io"
	"time"
)

const (
	// stallLimit ends stalls, so that a simulator which runs for days keeps no caller that has left.
	stallLimit = 10 * time.Minute

	// lingerLimit and lingerBytes bound what is read of a caller after we ended the connection: to
	// close with unread bytes would send a reset that takes the answer with it.
	lingerLimit = 2 * time.Second
	lingerBytes = 1 << 20
)

// fail ends or stops the connection. A reset is exactly that; the others leave what was written to
// be read by the caller.
func (c *connection) fail(k Kind) {
	switch k {
	case Stall:
		c.server.pause(stallLimit)
	case Reset:
		c.tcp.SetLinger(0) //nolint:errcheck // without it the caller sees the same but a FIN
		c.tcp.Close()      //nolint:errcheck // nothing is left to lose
	case Drop:
		c.linger()
	default:
		if c.tls != nil {
			c.tls.CloseWrite() //nolint:errcheck // the caller may be gone
		}
		c.linger()
	}
}

// linger sends FIN and waits for the caller's.
func (c *connection) linger() {
	if c.tcp.CloseWrite() == nil {
		c.tcp.SetReadDeadline(time.Now().Add(lingerLimit))      //nolint:errcheck // the copy fails too
		io.Copy(io.Discard, io.LimitReader(c.tcp, lingerBytes)) //nolint:errcheck // how it ends does not matter
	}
	c.tcp.Close() //nolint:errcheck // all was sent
}
