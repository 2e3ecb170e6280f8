// Package h1 reads and writes HTTP/1.1 messages strictly and byte by byte (RFC 9110, RFC 9112).
//
// A [Reader] reads the messages of one connection from any source into one pooled buffer. In that buffer
//
//  1. the end of the head is found, line by line;
//  2. the head is parsed once into a [Request] or a [Response], which are
//     spans of the buffer and a few decisions: framing, persistence, which
//     fields go no further;
//  3. the body is decoded in place, piece by piece.
//
// AppendForward writes the head for the other side in one pass: lines are copied as they came, with their spelling,
// order and whitespace; only what belongs to this hop is left out or replaced.
//
// A request with no reading, or with more than one, is refused with an [Error] and never repaired. An answer
// belongs to a request that has already been executed, so what has one reading is mended: line ends, folded lines,
// space before a colon, control bytes, identical repeated lengths. Framing and chunked coding are held to the letter
// on both sides.
//
// Nothing here starts a goroutine, knows of time, or allocates in the steady state.
package h1
