package leqisim

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// A connection is one caller's, served by one goroutine.
type connection struct {
	server *Server
	tcp    *net.TCPConn
	tls    *tls.Conn // after the handshake
	in     *reader
	number int
	fault  Fault // of the last answer, for PhaseIdle

	// mu guards idle and way.
	mu   sync.Mutex
	idle bool // waits for the first byte of a request
	way  Kind // how an idle connection ends whose time is over
}

func newConnection(s *Server, tcp *net.TCPConn) *connection {
	return &connection{server: s, tcp: tcp}
}

// serve runs the connection to its end.
func (c *connection) serve() {
	defer c.server.forget(c)
	defer c.tcp.Close() //nolint:errcheck // mostly closed already
	if !c.open() {
		return
	}
	for c.exchange() {
		continue
	}
}

// open leads to the first request: a fault, or the handshake.
func (c *connection) open() bool {
	if b, found := c.server.rules.find(opening, &Exchange{}); found {
		c.failOpening(b.Fault)
		return false
	}
	session := tls.Server(c.tcp, c.server.identity.Load().config)
	if err := session.HandshakeContext(c.server.ctx); err != nil {
		c.server.log.Debug("handshake failed", zap.Stringer("peer", c.tcp.RemoteAddr()), zap.Error(err))
		c.linger() // or a reset might overtake the alert
		return false
	}
	c.tls, c.in = session, newReader(session)
	c.server.record.add(func(t *Stats) {
		t.Handshakes++
		if session.ConnectionState().DidResume {
			t.Resumed++
		}
	})
	return true
}

// failOpening applies a fault of PhaseAccept or PhaseHandshake.
func (c *connection) failOpening(f Fault) {
	if f.Phase == PhaseHandshake {
		c.tcp.Read(make([]byte, 16<<10)) //nolint:errcheck // the fault comes in any case
	}
	c.fail(f.Kind)
}

// exchange serves one request and reports whether another may follow.
func (c *connection) exchange() bool {
	if !c.await() {
		return false
	}
	x := &Exchange{
		Connection: c.number,
		Peer:       addrPort(c.tcp.RemoteAddr()),
		Began:      time.Now(),
		Resumed:    c.tls.ConnectionState().DidResume,
	}
	b, found := c.server.rules.find(reading, x)
	if found {
		c.in.stop = b.Fault.At
	}
	f, err := c.readHead(x)
	if err == nil && !found {
		b, _ = c.server.rules.find(answering, x)
		if b.Fault.Phase == PhaseRequest {
			c.in.stop = b.Fault.At
		}
	}
	goOn := c.handle(x, f, b, err)
	over := c.server.record.finish(x)
	if c.server.options.OnExchange != nil {
		c.server.options.OnExchange(over)
	}
	return c.end(over, b, goOn)
}

// readHead reads and judges a head, and makes the exchange known.
func (c *connection) readHead(x *Exchange) (framing, error) {
	err := c.in.head(x)
	f, bad := parseHead(x)
	if err == nil {
		err = bad
	}
	x.Malformed = malformed(err)
	c.server.record.begin(x)
	return f, err
}

// malformed returns what err says of a request, or "" when it is not about the request.
func malformed(err error) string {
	if bad, ok := errors.AsType[malformedError](err); ok {
		return string(bad)
	}
	return ""
}

// handle reads the rest of the request and answers it. It reports whether everything went well.
func (c *connection) handle(x *Exchange, f framing, b Behaviour, err error) bool {
	if err == nil && b.Early {
		if !c.answer(x, b, compose(x, b)) {
			return false
		}
		if b.endsAtOnce() {
			return true // the body is not waited for
		}
		return c.readBody(x, f) == nil
	}
	if err == nil {
		err = c.expect(x)
	}
	if err == nil {
		err = c.readBody(x, f)
	}
	switch {
	case err == nil:
		return c.answer(x, b, compose(x, b))
	case errors.Is(err, errFault):
		c.note(x, b.Fault)
		return false
	case malformed(err) != "":
		c.answer(x, Behaviour{}, refusal(malformed(err)))
	}
	return false
}

// expect tells a caller that waits for it to go on (RFC 9110 section 10.1.1).
func (c *connection) expect(x *Exchange) error {
	if !x.lists("Expect", "100-continue") {
		return nil
	}
	_, err := io.WriteString(c.tls, "HTTP/1.1 100 Continue\r\n\r\n")
	return err
}

func (c *connection) readBody(x *Exchange, f framing) error {
	keep := c.server.options.KeepBytes
	sink, raw := newSummingTally(keep), newTally(keep)
	err := c.in.body(f, sink, raw)
	c.server.record.update(x, func() {
		x.Body, x.BodyBytes, x.Raw = sink.kept, sink.bytes, raw.kept
		sink.sum.Sum(x.BodySum[:0])
		x.Whole, x.Malformed = err == nil, malformed(err)
	})
	return err
}

// answer waits as long as b says and sends a. It reports whether all of it went out and the connection stays.
func (c *connection) answer(x *Exchange, b Behaviour, a answer) bool {
	if !c.hold(b) {
		return false
	}
	if b.Rotate {
		if err := c.server.Rotate(c.server.options.Leaf); err != nil {
			c.server.log.Error("rotating the certificate", zap.Error(err))
		}
	}
	w := &answerWriter{w: c.tls, piece: b.Piece, stop: stopOf(b.Fault, a), sent: newTally(c.server.options.KeepBytes)}
	c.server.record.update(x, func() { x.Status, x.Code = a.status, a.code })
	err := a.write(w, c.midway(b.BodyDelay))
	c.server.record.update(x, func() { x.Answer, x.AnswerBytes = w.sent.kept, w.sent.bytes })
	if errors.Is(err, errFault) {
		c.note(x, b.Fault)
	}
	return err == nil && !a.last
}

// midway returns what happens in the middle of a body: nil, so that it goes out in one, or a pause.
func (c *connection) midway(d time.Duration) func() error {
	if d == 0 {
		return nil
	}
	return func() error {
		if !c.server.pause(d) {
			return net.ErrClosed
		}
		return nil
	}
}

// hold waits before an answer.
func (c *connection) hold(b Behaviour) bool {
	if b.Hold != nil {
		select {
		case <-b.Hold:
		case <-c.server.ctx.Done():
		}
	}
	return c.server.pause(b.Delay)
}

// stopOf returns after how many bytes of a the fault is, or -1.
func stopOf(f Fault, a answer) int64 {
	switch f.Phase {
	case PhaseHead:
		return f.At
	case PhaseBody:
		return int64(len(a.head)) + f.At
	}
	return -1
}

// endsAtOnce reports whether the connection ends right after the answer.
func (b Behaviour) endsAtOnce() bool { return b.Fault.Phase == PhaseIdle && b.Fault.Wait == 0 }

func (c *connection) note(x *Exchange, f Fault) {
	c.server.record.update(x, func() { x.Fault = f })
}

// end does what follows an exchange, and reports whether the connection stays.
func (c *connection) end(x Exchange, b Behaviour, goOn bool) bool {
	switch {
	case x.Fault.Kind != "":
		c.fail(x.Fault.Kind)
		return false
	case b.endsAtOnce() && x.Status != 0:
		c.fail(b.Fault.Kind)
		return false
	case !goOn:
		c.fail(End)
		return false
	}
	c.fault = b.Fault
	return true
}

// await waits for the first byte of a request, as long as the last fault allows.
func (c *connection) await() bool {
	c.in.next()
	c.mu.Lock()
	c.idle, c.way = true, c.fault.Kind
	if c.fault.Phase == PhaseIdle {
		c.tcp.SetReadDeadline(time.Now().Add(c.fault.Wait)) //nolint:errcheck // the read fails too
	}
	c.mu.Unlock()

	_, err := c.in.Peek(1)

	c.mu.Lock()
	c.idle = false
	way := c.way
	c.tcp.SetReadDeadline(time.Time{}) //nolint:errcheck // the read fails too
	c.mu.Unlock()
	switch {
	case err == nil:
		return true
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.fail(way)
	case errors.Is(err, io.EOF):
		c.fail(End)
	}
	return false
}

// endIdle ends the connection if it waits for a request.
func (c *connection) endIdle(way Kind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle {
		c.way = way
		c.tcp.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // the read fails too
	}
}

// String returns the line that demo and simulate print of an exchange.
func (x Exchange) String() string {
	status := fmt.Sprint(x.Status)
	if x.Status == 0 {
		status = "-"
	}
	path, _, _ := strings.Cut(x.Target, "?")
	line := fmt.Sprintf("%s %s %s %s", x.Method, path, x.Unit, status)
	if x.Code != "" {
		line += " " + x.Code
	}
	if x.Fault.Kind != "" {
		line += fmt.Sprintf(" %s (%s)", x.Fault.Kind, x.Fault.Phase)
	}
	if x.Malformed != "" {
		line += " malformed: " + x.Malformed
	}
	return line
}
