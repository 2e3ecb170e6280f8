package proxy

import (
	"net"

	"golang.org/x/sys/unix"
)

// endIfNobodyWaits ends the listening of ln's socket, and reports true, if its
// queue is empty. Look and end lie as close together as can be: who comes
// between them is reset by the system.
func endIfNobodyWaits(ln *net.TCPListener) bool {
	ended := true // a closed listener has nobody
	onSocket(ln, func(fd int) {
		waiting := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(waiting, 0); n > 0 && err == nil {
			ended = false
			return
		}
		_ = unix.Shutdown(fd, unix.SHUT_RD)
	})
	return ended
}

// EndListening ends the listening of ln's socket, also for copies of it in
// other processes, or in other hands of this one: a close would leave them as
// they are. Shutting down a listening socket for reading does that on Linux.
func EndListening(ln *net.TCPListener) {
	onSocket(ln, func(fd int) { _ = unix.Shutdown(fd, unix.SHUT_RD) })
}

// onSocket calls f with the descriptor of ln, unless ln is closed.
func onSocket(ln *net.TCPListener, f func(fd int)) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { f(int(fd)) })
}
