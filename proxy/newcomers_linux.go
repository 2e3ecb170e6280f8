package proxy

import (
	"net"

	"golang.org/x/sys/unix"
)

// Of the byte of flags in a TCP header (RFC 9293, 3.1).
const (
	tcpFlags = 13 // where it is
	tcpSYN   = 0x02
	tcpACK   = 0x10
)

// ignoreNewcomers lets the kernel drop the first segment of every new connection to ln. A connection that is in the
// queue when listening ends is reset, with the request that its caller has written; one whose first segment was dropped
// is not there yet: the caller sends it again a second later, and is refused in good order, or finds the process
// that listens by then. Handshakes under way still end in the queue. It cannot be taken back, and holds for all copies
// of the socket: it is for the end of listening alone. Where the kernel will not, the queue is taken as it is.
//
// The filter is also on the connections that are accepted from then on, whose segments it lets pass.
func ignoreNewcomers(ln *net.TCPListener) {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: tcpFlags},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: tcpSYN | tcpACK},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: tcpSYN, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
	}
	program := &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	onSocket(ln, func(fd int) {
		_ = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, program)
	})
}
