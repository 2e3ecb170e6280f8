package daemon

import (
	"os"

	"golang.org/x/sys/unix"
)

// freeBind lets fd be bound to an address that is not there. The option is
// good for IPv6 sockets too.
func freeBind(fd int) error {
	return os.NewSyscallError("setsockopt IP_FREEBIND", unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_FREEBIND, 1))
}
