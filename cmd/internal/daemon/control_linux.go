package daemon

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerUID returns the user id of the process at the other end, as the kernel
// vouches for it; -1 if it does not.
func peerUID(conn *net.UnixConn) int {
	uid := -1
	raw, err := conn.SyscallConn()
	if err != nil {
		return uid
	}
	_ = raw.Control(func(fd uintptr) { // it fails for a connection that has ended
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			uid = int(cred.Uid)
		}
	})
	return uid
}
