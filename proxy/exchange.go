package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lqproxy/lqproxy/proxy/h1"
	"github.com/lqproxy/lqproxy/proxy/leqi"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"go.uber.org/zap"
)

const (
	// prefixSize is how much of a body is read before a slot is taken, so that
	// slow callers hold none.
	prefixSize = 32 << 10
	// maxInterim is how many 1xx answers may come before the final one.
	maxInterim = 8
	// maxScratch is up to which size a buffer for writing is kept.
	maxScratch = 64 << 10
)

// What became of a request upstream, as the log and our own answers say it.
const (
	deliveredNo      = "no"      // not a byte was sent: sending it again is safe
	deliveredUnknown = "unknown" // sent, and no whole answer: ask first
	deliveredYes     = "yes"     // answered
)

// What happens to the caller's connection behind an exchange.
type after uint8

const (
	staysOpen after = iota
	closesStaged
	closesAtOnce // the caller has gone, or must not take what it got for whole
)

// An exchange is one request and its answer. It is pooled: what lies directly
// in it is storage that the next one uses again.
type exchange struct {
	current

	req     h1.Request
	back    h1.Reader // of the upstream's connection
	res     h1.Response
	sample  leqi.Sample
	scratch []byte       // what is to be written: the request, then the answer
	phase   atomic.Int32 // of the answer, for the goroutine that sends
	line    [1]zap.Field // the exchange itself, for the log
	addr    [addrSize]byte
}

// current is what belongs to one exchange only.
type current struct {
	c  *caller
	l  *live
	id [idSize]byte

	source netip.Addr // the caller's, or whom the device in front vouches for
	parsed bool       // req is valid
	head   bool       // the method is HEAD
	call   leqi.Call
	body   []byte // the first prefixSize bytes of the request's
	whole  bool   // body is all of it

	slot    bool
	up      *upstream.Conn
	rest    chan sending // where the sending of a long body reports; nil if none goes on
	sending sending

	answered  bool   // res is valid
	out       outlet // towards the caller
	stays     bool   // the caller's connection
	kept      bool   // it did stay: bytes of the next request may be there
	truncated bool   // the answer ended early, and so did what was passed on
	uncounted bool   // a monitor's question

	status    int // given to the caller; 0: none
	delivered string
	failure   failure
	code      string // the platform's
	received  int64  // bytes of the request, head and decoded body

	began, sent          time.Time // the first byte of the head; the last of the request
	queued, wait, total  time.Duration
	connected, handshook time.Duration
	localAddr, remote    netip.AddrPort // of the connection upstream
	reused               bool
}

var exchanges = sync.Pool{New: func() any {
	x := new(exchange)
	x.line[0] = zap.Inline(x)
	return x
}}

// The phases of an answer.
const (
	awaited  int32 = iota
	arriving       // its head was read
	ended          // no more of the request need be sent
)

// serveExchange carries one exchange of c from its head to its log line, and
// says what becomes of the connection.
func serveExchange(c *caller, l *live) after {
	x := exchanges.Get().(*exchange)
	x.c, x.l = c, l
	x.id, x.began = c.srv.ids.next(), time.Now()
	x.source, x.delivered = c.source.Addr(), deliveredNo
	defer x.forget()
	return x.run()
}

// forget gives x back, with nothing of the exchange in it. What a panic left
// behind is freed first; otherwise there is nothing.
func (x *exchange) forget() {
	x.stopSending()
	if x.up != nil {
		x.c.lent.Store(nil)
		x.up.Abort()
	}
	x.leaveSlot()
	x.back.Release()
	if !x.kept {
		x.c.in.Release() // or it would go on to hold req, which is another's soon
	}
	x.sample.Reset(nil)
	if cap(x.out.buf) > cap(x.scratch) {
		x.scratch = x.out.buf[:0]
	}
	x.current = current{}
	if cap(x.scratch) > maxScratch {
		x.scratch = nil
	}
	exchanges.Put(x)
}

// run is steps 4 to 9.
func (x *exchange) run() after {
	x.failure = x.steps()
	if x.failure.failed() && x.status == 0 {
		x.answer()
	}
	x.giveBack()
	x.leaveSlot()
	x.record()
	return x.behind()
}

// steps are those that may fail; what they return ended the exchange. A mistake
// of ours is kept to this one.
func (x *exchange) steps() (f failure) {
	defer func() {
		if p := recover(); p != nil {
			f = x.panicked(p)
		}
	}()
	if f := x.readHead(); f.failed() {
		return f
	}
	if x.c.role == monitorRole {
		return x.answerMonitor()
	}
	if f := x.gate(); f.failed() {
		return f
	}
	if f := x.readPrefix(); f.failed() {
		return f
	}
	if f := x.takeSlot(); f.failed() {
		return f
	}
	if f := x.connect(); f.failed() {
		return f
	}
	x.send()
	return x.receive()
}

// panicked logs a mistake of ours, and sees to it that neither connection
// carries anything behind it.
func (x *exchange) panicked(p any) failure {
	x.c.srv.log.Error("panic in an exchange",
		zap.ByteString(keyID, x.id[:]), zap.Any("panic", p), zap.Stack("stack"))
	x.c.sock.end(endReading)
	x.stopSending()
	x.sending.whole = false
	x.stays, x.truncated = false, true
	return fail(Internal, fmt.Sprint(p))
}

// readHead is step 4.
func (x *exchange) readHead() failure {
	x.c.sock.readProgress = 0
	x.c.sock.readLimit = x.began.Add(x.l.HeaderTimeout)
	if err := x.c.in.ReadRequest(&x.req, &x.l.request); err != nil {
		return x.requestFailure(err)
	}
	x.parsed = true
	x.received = int64(x.req.Len())
	x.head = string(x.req.Method()) == "HEAD"
	x.call = leqi.ParsePath(x.req.Path())
	return failure{}
}

// requestFailure judges an error met while reading the request.
func (x *exchange) requestFailure(err error) failure {
	if fault, ok := errors.AsType[*h1.Error](err); ok {
		f := fail(faultReasons[fault.Fault], fault.Detail)
		if fault.Fault == h1.BadExpectation {
			f.status = 417 // RFC 9110 section 10.1.1
		}
		return f
	}
	switch {
	case errors.Is(err, errEnded) && x.c.srv.hard.Err() != nil:
		return fail(Draining, "")
	case errors.Is(err, errEnded):
		return fail(SourceRefused, "the source was removed from the configuration")
	case isTimeout(err):
		return fail(RequestTimeout, "")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fail(BadRequest, "the caller ended its request before it was whole")
	}
	return fail(ClientGone, err.Error())
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}

// gate is step 5: what may pass.
func (x *exchange) gate() failure {
	if !gatePath(x.req.Path(), x.l.Paths) {
		return fail(PathRefused, "")
	}
	if !gateUnit(&x.req, x.l.AllowedUnits) {
		return fail(UnitRefused, "")
	}
	if x.c.role == deviceRole {
		source, err := forwardedFor(&x.req, x.l.Devices)
		if err != nil {
			return fail(SourceRefused, err.Error())
		}
		x.source = source
		x.c.srv.notices.sourceSeen(x.l, source)
		if !x.l.Sources.Contains(source) {
			return fail(SourceRefused, "")
		}
	}
	return failure{}
}

// readPrefix reads the beginning of the body, having invited it if the caller
// waits for that (RFC 9110 section 10.1.1).
func (x *exchange) readPrefix() failure {
	if x.req.Framing.Kind == h1.NoBody {
		x.whole = true
		return failure{}
	}
	if x.req.ExpectContinue && x.c.in.Buffered() == 0 {
		if _, err := io.WriteString(x.c.stream(), "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return fail(ClientGone, err.Error())
		}
	}
	x.c.sock.readProgress = x.l.BodyTimeout
	var err error
	if x.body, x.whole, err = x.c.in.Prefix(prefixSize); err != nil {
		return x.requestFailure(err)
	}
	return failure{}
}

// takeSlot takes one of the slots that bound the exchanges.
func (x *exchange) takeSlot() failure {
	began := time.Now()
	s := x.c.srv
	waited, r := s.slots.take(x.l.Limits.QueueTimeout, s.hard.Done())
	if waited {
		x.queued = time.Since(began)
		s.metrics.reach(limitExchanges)
	}
	if r == Busy {
		s.metrics.reach(limitQueue)
	}
	if r != None {
		return fail(r, "")
	}
	x.slot = true
	return failure{}
}

// connect is step 6.
func (x *exchange) connect() failure {
	up, err := x.l.upstream.Get(x.c.srv.hard)
	if err != nil {
		if e, ok := errors.AsType[*upstream.Error](err); ok {
			x.remote = e.Addr
			return fail(Reason(e.Phase), e.Error())
		}
		return fail(Draining, "")
	}
	x.up = up
	x.c.lent.Store(up)
	x.localAddr, x.remote, x.reused = up.Local(), up.Remote(), up.Reused()
	x.connected, x.handshook = up.Took()
	return failure{}
}

// send is step 7. From its first byte on nothing is ever sent again. It has no
// failure: whatever becomes of the sending, the upstream may have answered.
func (x *exchange) send() {
	o := outlet{w: x.up, buf: x.scratch[:0], framing: x.req.Framing}
	if x.whole && o.framing.Kind == h1.Chunked {
		o.framing = h1.Framing{Kind: h1.Length, Length: int64(len(x.body))}
	}
	o.buf = x.req.AppendForward(o.buf, x.l.authority, x.l.drop, o.framing)
	o.add(x.body)
	x.scratch = o.buf[:0]
	x.received += int64(len(x.body))
	x.delivered = deliveredUnknown
	x.phase.Store(awaited)
	x.allowSending()
	o.flush()
	x.sent = time.Now()
	if !x.whole {
		x.startSending(o)
		return
	}
	x.sending.whole = o.err == nil
	x.expectAnswer(x.sent)
	runtime.Gosched() // let others write first: a read now finds nothing, but later often does (CPU per exchange 0.88, with the one in exchanges)
}

// behind says what becomes of the caller's connection, and makes it ready for
// the next request if it stays.
func (x *exchange) behind() after {
	switch {
	case x.status == 0, x.out.err != nil, x.truncated && x.out.framing.Kind == h1.UntilClose:
		return closesAtOnce
	case !x.stays:
		return closesStaged
	}
	x.c.in.Finish()
	x.kept = true
	return staysOpen
}

// giveBack is the part of step 9 that concerns the upstream: its connection
// goes back to the pool if both messages on it are whole.
func (x *exchange) giveBack() {
	up := x.up
	if up == nil {
		return
	}
	x.up = nil
	x.c.lent.Store(nil)
	clean := x.delivered == deliveredYes && x.res.KeepAlive && x.back.Buffered() == 0
	x.back.Release()
	switch {
	case !x.sending.whole: // half a request must not be taken for a whole one
		up.Abort()
	case !clean:
		up.Close()
	default:
		up.Put(time.Duration(x.res.KeepAliveTimeout) * time.Second)
	}
}

func (x *exchange) leaveSlot() {
	if x.slot {
		x.slot = false
		x.c.srv.slots.free()
	}
}
