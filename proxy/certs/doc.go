// Package certs holds the certificate that the listener shows to callers.
//
// It comes from one of two sources, and each handshake shows the one of its
// moment:
//
//   - [Files] reads it from two files, and again when they change: whoever
//     renews it has nothing to reload. A new pair that could only be worse
//     (unreadable, a key that does not match, out of date) is refused, and the
//     one in use goes on serving.
//   - [ACME] obtains it from an authority, and renews it in time. An authority
//     that fails never keeps callers out: the last certificate goes on serving,
//     or one that is signed by nobody, and the authority is asked again.
//
// Both have the methods TLS, Leaf, State, Refresh and Run. Neither binds an
// address: [ServeChallenges] is given a listener.
//
// What is wrong is a [Problem] in two languages, with the commands that mend
// it; what is in use, and what was refused, is a [State].
package certs
