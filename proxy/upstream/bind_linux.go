package upstream

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// bindLate has the port chosen at connect(2), not at bind(2): so a local address
// gives 28,000 ports towards each address of the upstream, not altogether.
// Kernels before 4.2 do not know the option, and do without.
func bindLate(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	})
}
