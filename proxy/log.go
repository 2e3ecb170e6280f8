package proxy

import (
	"net/netip"
	"time"

	"github.com/lqproxy/lqproxy/proxy/leqi"
	"go.uber.org/zap/zapcore"
)

// Keys of the access log. Renaming one breaks what reads the log.
const (
	keyID           = "id"
	keySource       = "source"
	keySourcePort   = "source_port"
	keyPeer         = "peer"
	keyMethod       = "method"
	keyPath         = "path"
	keyEnvironment  = "environment"
	keyAbility      = "ability"
	keyService      = "service"
	keyUnit         = "unit"
	keyUsingUnit    = "using_unit"
	keyClientTID    = "client_tid"
	keyStatus       = "status"
	keyLeqiCode     = "leqi_code"
	keyReason       = "reason"
	keyDetail       = "detail"
	keyDelivered    = "delivered"
	keyBytesIn      = "bytes_in"
	keyBytesOut     = "bytes_out"
	keyLocalAddr    = "local_addr"
	keyUpstreamAddr = "upstream_addr"
	keyQueue        = "queue_us"
	keyConnect      = "connect_us"
	keyTLS          = "tls_us"
	keyWait         = "wait_us"
	keyTotal        = "total_us"
	keyReused       = "reused"
)

// Values that a caller chose are cut in the log.
const (
	maxLoggedID     = 64
	maxLoggedPath   = 256
	maxLoggedDetail = 256
)

// MarshalLogObject implements zapcore.ObjectMarshaler: the one line that
// describes x. It carries no query, body, token or signature, since those are
// taxpayers' data. Fields that have no value are left out.
func (x *exchange) MarshalLogObject(e zapcore.ObjectEncoder) error {
	e.AddByteString(keyID, x.id[:])
	x.addAddr(e, keySource, x.source)
	if source := x.c.who(); source.Addr() == x.source {
		e.AddUint16(keySourcePort, source.Port())
	}
	if x.c.peer.Addr() != x.source {
		x.addAddr(e, keyPeer, x.c.peer.Addr())
	}
	if x.parsed {
		x.logRequest(e)
	}
	e.AddInt(keyStatus, x.loggedStatus())
	addText(e, keyLeqiCode, x.code)
	addText(e, keyReason, string(x.failure.reason))
	addText(e, keyDetail, cutText(x.failure.detail, maxLoggedDetail))
	e.AddString(keyDelivered, x.delivered)
	e.AddInt64(keyBytesIn, x.received)
	e.AddInt64(keyBytesOut, x.out.written)
	x.addAddrPort(e, keyLocalAddr, x.localAddr)
	x.addAddrPort(e, keyUpstreamAddr, x.remote)
	e.AddInt64(keyQueue, x.queued.Microseconds())
	e.AddInt64(keyConnect, x.connected.Microseconds())
	e.AddInt64(keyTLS, x.handshook.Microseconds())
	e.AddInt64(keyWait, x.wait.Microseconds())
	e.AddInt64(keyTotal, x.total.Microseconds())
	e.AddBool(keyReused, x.reused)
	return nil
}

func (x *exchange) logRequest(e zapcore.ObjectEncoder) {
	e.AddByteString(keyMethod, x.req.Method())
	e.AddByteString(keyPath, cutBytes(x.req.Path(), maxLoggedPath))
	e.AddString(keyEnvironment, x.call.Environment.String())
	addText(e, keyAbility, x.call.Ability)
	addText(e, keyService, x.call.Service)
	for _, f := range loggedFields {
		if v, n := x.req.Value(f.name); n > 0 {
			e.AddByteString(f.key, cutBytes(v, maxLoggedID))
		}
	}
}

// loggedFields are the header fields whose values identify a call.
var loggedFields = [...]struct{ key, name string }{
	{keyUnit, leqi.FieldUnit},
	{keyUsingUnit, leqi.FieldUsingUnit},
	{keyClientTID, leqi.FieldClientTID},
}

// loggedStatus is what the caller got, 499 when it left before it got anything.
func (x *exchange) loggedStatus() int {
	if x.status == 0 || x.failure.reason == ClientGone && x.out.written == 0 {
		return ClientGone.Status()
	}
	return x.status
}

func addText(e zapcore.ObjectEncoder, key, text string) {
	if text != "" {
		e.AddString(key, text)
	}
}

// addrSize is the length of the longest text of an address: an IPv6 one with a
// port. None here has a zone.
const addrSize = len("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")

// addAddr writes the text in x: an array of its own would escape into the
// encoder, and be allocated for each line.
func (x *exchange) addAddr(e zapcore.ObjectEncoder, key string, a netip.Addr) {
	if a.IsValid() {
		e.AddByteString(key, a.AppendTo(x.addr[:0]))
	}
}

func (x *exchange) addAddrPort(e zapcore.ObjectEncoder, key string, a netip.AddrPort) {
	if a.IsValid() {
		e.AddByteString(key, a.AppendTo(x.addr[:0]))
	}
}

func cutBytes(b []byte, n int) []byte { return b[:min(len(b), n)] }

func cutText(s string, n int) string { return s[:min(len(s), n)] }

// record is step 9: the metrics, the notices and the log line.
func (x *exchange) record() {
	if x.uncounted {
		return
	}
	if x.answered {
		x.code = x.sample.Code(x.res.Status)
	}
	x.total = time.Since(x.began)
	x.c.srv.metrics.record(x)
	x.c.srv.notices.exchange(x)
	if ce := x.c.srv.access.Check(zapcore.InfoLevel, ""); ce != nil {
		ce.Write(x.line[:]...)
	}
}
