package proxy

import (
	"fmt"
	"io"
	"time"
)

// A sending is how the sending of a body ended that did not fit into the first
// write.
type sending struct {
	failure  failure // on the caller's side: the request never was whole
	whole    bool    // all of the request was written
	received int64   // bytes of the body behind the prefix
	at       time.Time
}

// startSending streams the rest of the body on a goroutine of its own, because
// an upstream may answer early. stopSending waits for it.
func (x *exchange) startSending(o outlet) {
	o.buf = nil // the answer needs scratch
	rest, up := make(chan sending, 1), x.up
	x.rest = rest
	go func() {
		s := x.sendRest(o)
		hopeless := s.failure.failed() && x.phase.Load() == awaited
		rest <- s // from here on x may be another exchange
		if hopeless {
			up.SetReadDeadline(past) //nolint:errcheck // no answer to half a request will come
		}
	}()
}

// allowSending gives the upstream its time to take what is written next, unless
// nothing more need be.
func (x *exchange) allowSending() {
	x.up.SetWriteDeadline(time.Now().Add(x.l.ResponseTimeout)) //nolint:errcheck // the write will say it
	// stopSending and cut note first and move the deadline then: what was
	// overwritten here is seen here.
	if x.phase.Load() == ended || x.c.srv.hard.Err() != nil {
		x.up.SetWriteDeadline(past) //nolint:errcheck // the write will say it
	}
}

// sendRest shares with receive only what neither modifies.
func (x *exchange) sendRest(o outlet) (s sending) {
	defer func() {
		if p := recover(); p != nil {
			s.failure = fail(Internal, fmt.Sprint(p))
		}
	}()
	for o.err == nil {
		data, err := x.c.in.Next()
		if err != nil && err != io.EOF {
			s.failure = x.requestFailure(err)
			return s
		}
		x.allowSending()
		if err == io.EOF {
			o.end()
			break
		}
		s.received += int64(len(data))
		o.piece(data)
		o.flush()
	}
	s.whole = o.err == nil
	s.at = time.Now()
	since := s.at
	if isTimeout(o.err) { // it had its time; only what it has answered already is still read
		since = since.Add(-max(0, x.l.ResponseTimeout-lastWords))
	}
	x.expectAnswer(since)
	return s
}

// collectSending takes note of a sending that has ended.
func (x *exchange) collectSending() {
	select {
	case s := <-x.rest: // never, if nil
		x.collect(s)
	default:
	}
}

func (x *exchange) collect(s sending) {
	x.rest = nil
	x.sending = s
	x.received += s.received
	if !s.at.IsZero() {
		x.sent = s.at
	}
}

// stopSending ends a sending that still goes on: the upstream has answered, or
// failed, before it had the whole request.
func (x *exchange) stopSending() {
	x.collectSending()
	if x.rest == nil {
		return
	}
	x.phase.Store(ended)
	x.c.sock.end(endReading)
	x.up.SetWriteDeadline(past) //nolint:errcheck // the connection is not used again
	s := <-x.rest
	s.failure = failure{} // by us
	x.collect(s)
}
