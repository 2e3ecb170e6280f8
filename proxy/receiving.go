package proxy

import (
	"errors"
	"io"
	"time"

	"github.com/lqproxy/lqproxy/proxy/h1"
)

// expectAnswer gives the upstream its time from now on, unless all is cut.
func (x *exchange) expectAnswer(now time.Time) {
	x.up.SetReadDeadline(now.Add(x.l.ResponseTimeout)) //nolint:errcheck // the read will say it
	if x.c.srv.hard.Err() != nil {
		x.up.SetReadDeadline(past) //nolint:errcheck // the read will say it
	}
}

// receive is step 8. An answer that has begun to go out is followed to its
// end, also when the caller has gone: the log shall know what the upstream did.
func (x *exchange) receive() failure {
	x.back.Reset(x.up)
	f := x.receiveHead()
	if !f.failed() {
		x.passHead()
		f = x.passBody()
	}
	x.stopSending()
	switch {
	case f.failed() && x.sending.failure.failed(): // because the request did
		return x.sending.failure
	case f.failed() || x.out.err == nil:
		return f
	case errors.Is(x.out.err, errEnded):
		return fail(Draining, drainTimePassed)
	}
	return fail(ClientGone, x.out.err.Error())
}

const drainTimePassed = "drain_timeout has passed"

// receiveHead reads the head of the final answer.
func (x *exchange) receiveHead() failure {
	var method []byte
	if x.head {
		method = []byte("HEAD")
	}
	for range maxInterim + 1 {
		if err := x.back.ReadResponse(&x.res, method, &x.l.answer); err != nil {
			return x.answerFailure(err)
		}
		switch {
		case x.res.Status == 101:
			return fail(UpstreamProtocol, "101 though no upgrade was asked for")
		case x.res.Status >= 200:
			x.answered = true
			x.phase.Store(arriving)
			x.collectSending()
			x.wait = time.Since(x.sent)
			x.c.srv.metrics.Upstream.Wait.Observe(x.wait.Seconds())
			return failure{}
		}
		x.back.Finish()
	}
	return fail(UpstreamProtocol, "too many 1xx answers")
}

// answerFailure judges an error met while reading the answer.
func (x *exchange) answerFailure(err error) failure {
	if fault, ok := errors.AsType[*h1.Error](err); ok {
		return fail(UpstreamProtocol, fault.Detail)
	}
	switch {
	case isTimeout(err) && x.c.srv.hard.Err() != nil:
		return fail(Draining, drainTimePassed)
	case isTimeout(err):
		return fail(UpstreamTimeout, "")
	}
	return fail(UpstreamClosed, err.Error())
}

// passHead emits the head of the answer for the caller, and decides whether
// the connection stays.
func (x *exchange) passHead() {
	x.status = x.res.Status
	encoding, _ := x.res.Value("Content-Encoding")
	x.sample.Reset(encoding)
	x.out = outlet{w: x.c.stream(), buf: x.scratch[:0], framing: x.framingForCaller()}
	x.stays = x.mayStay() && x.out.framing.Kind != h1.UntilClose
	x.out.buf = x.res.AppendForward(x.out.buf, x.out.framing, x.ending())
}

// framingForCaller is that of the answer, if the caller understands it. An
// answer that ends with its connection goes out chunked, so that a truncated
// one cannot pass for whole.
func (x *exchange) framingForCaller() h1.Framing {
	f := x.res.Framing
	switch {
	case f.Kind != h1.Chunked && f.Kind != h1.UntilClose:
		return f
	case x.req.Minor == 0:
		return h1.Framing{Kind: h1.UntilClose}
	}
	return h1.Framing{Kind: h1.Chunked}
}

// mayStay reports whether the connection can carry another exchange: both
// sides want it, and the request was read to its end.
func (x *exchange) mayStay() bool {
	x.collectSending()
	return x.parsed && x.req.KeepAlive && x.rest == nil && x.c.in.Whole() &&
		x.c.sock.ending.Load() == goOn && x.c.srv.staysWith(x.c.door)
}

// ending is what the caller is told about the connection. It learns of an idle
// time shorter than ours, so that it does not send on a connection that is
// being closed.
func (x *exchange) ending() h1.Ending {
	const margin = 5 * time.Second
	if !x.stays {
		return h1.Ending{Close: true}
	}
	return h1.Ending{
		KeepAlive: int64((x.l.IdleTimeout - margin) / time.Second),
		Announce:  x.req.Minor == 0,
	}
}

// passBody passes the answer's body on. What is there goes out before more is
// waited for, except that a short answer leaves in one write.
func (x *exchange) passBody() failure {
	short := x.out.framing.Kind == h1.Length && x.out.framing.Length <= gatherSize
	for {
		data, err := x.back.Ready()
		if len(data) == 0 && err == nil {
			if !short {
				x.out.flush()
			}
			x.expectAnswer(time.Now())
			data, err = x.back.Next()
		}
		switch {
		case err == io.EOF:
			x.out.end()
			x.delivered = deliveredYes
			return failure{}
		case err != nil:
			x.out.flush()
			x.stays = false
			x.truncated = true
			return x.answerFailure(err)
		}
		x.sample.Write(data)
		x.out.piece(data)
	}
}
