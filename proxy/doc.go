// Package proxy accepts connections from allowed sources and forwards their
// requests to one upstream.
//
// A connection passes, in this order:
//
//  1. Accept (server.go). From a load balancer of listen.proxy_protocol_from
//     the PROXY header is read first, from anybody else never (admit.go).
//  2. Admit (admit.go, caller.go). The source is judged: a caller, a device
//     that carries callers, a monitor, or nobody, who is reset before a byte
//     is read.
//  3. TLS, if the listener has it (caller.go).
//
// Each request on it then passes:
//
//  4. Read the head into a pooled buffer and judge it (package h1).
//  5. Gate (gate.go): path, unit, the source behind a device. Then the first
//     32 KiB of the body are read, so that slow callers hold no slot, and a
//     slot is taken (slots.go).
//  6. Connect (package upstream): a live connection of the pool, or a new one.
//  7. Send head and body, together in one write where they fit (outlet.go);
//     the rest of a long body on a goroutine of its own (sending.go).
//  8. Receive the answer's head, pass it on, stream the body (receiving.go).
//  9. Finish: the upstream's connection goes back or is closed, metrics,
//     notices and one log line (log.go).
//
// A request is never sent twice: once a byte of it may have reached the
// upstream, an error is final, because an invoice must not be filed again on
// our guess. A request that was sent is followed to its answer even when the
// caller has gone, so that the log knows what Leqi did.
//
// Whatever ends an exchange early has a [Reason]; the same word stands in the
// answer, in the log and in the metrics.
//
// # Deviations from RFC 9110
//
// No Via field is added (section 7.6.3) and no X-Forwarded-For: inner
// addresses do not leave the enterprise. An empty line before a request line
// (RFC 9112 section 2.2) is refused. Trailers are read, judged and dropped
// (section 6.5.1). CONNECT and TRACE are refused. A caller of HTTP/1.0 gets
// answers of version HTTP/1.1 without chunks.
package proxy
