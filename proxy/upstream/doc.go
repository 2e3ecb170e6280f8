// Package upstream lends connections to the one host that lqproxy forwards to.
//
// A connection comes about in this order, and each step has a file:
//
//  1. the pool: a live idle connection, newest first (pool.go, conn.go);
//  2. the circuit: while all addresses cool down, the last error at once, and
//     one trial every 5 s (addresses.go);
//  3. the addresses of the host: from the system's resolver every 30 s, or
//     fixed (resolver.go);
//  4. TCP, every address in turn, those that failed lately last (dial.go);
//  5. TLS, with versions, suites and curves chosen here (tls.go);
//  6. the identity of the host, judged by its certificate or its key, on
//     resumption too (identity.go, keys.go).
//
// What fails before a request was written has a [Phase]; whether to try again
// is never this package's business once [Upstream.Get] has returned.
package upstream
