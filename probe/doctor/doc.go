// Package doctor looks for what stands between this machine and Leqi, and
// writes down what an application to the tax authority must prove.
//
// A [Run] goes from the inside out, and every step has a file:
//
//  1. system.go, disk.go, security.go: the machine as its files show it;
//  2. service.go, listeners.go, sources.go: lqproxy on it, who has its port, and
//     whether callers can be told apart;
//  3. path.go: package probe walks the way, and each of its stages is judged;
//  4. clock.go: the clock beside the platform's;
//  5. trace.go: the routers on the way, by connections that end early;
//  6. egress.go: the address that connections carry, here and outside.
//
// What was seen becomes a [Finding]: data, whose words are the command's. Reading
// and judging are apart: a machine reads, rooted at any folder, and functions
// without effects judge what it read.
//
// conduct.go sums up the logs of the last days in bounded memory. evidence.go
// makes a document of all that, which has no form yet; text.go, markdown.go and
// html.go give it one.
//
// The configuration, the running daemon and the firewall are handed in: this
// package knows none of them.
package doctor
