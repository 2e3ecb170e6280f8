package leqisim

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// setBacklog calls listen(2) again: Linux takes the new length for the queue that is there.
func setBacklog(l *net.TCPListener, n int) error {
	return control(l, func(fd int) error {
		if err := unix.Listen(fd, n); err != nil {
			return fmt.Errorf("setting the backlog to %d: %w", n, err)
		}
		return nil
	})
}

// queueFull reports whether the kernel drops further attempts. For a listener, TCP_INFO has the
// length of the queue in tcpi_unacked and its limit, which may be exceeded by one, in tcpi_sacked.
func queueFull(l *net.TCPListener) (full bool, err error) {
	err = control(l, func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return fmt.Errorf("reading the queue of the listener: %w", err)
		}
		full = info.Unacked > info.Sacked
		return nil
	})
	return full, err
}

func control(l *net.TCPListener, call func(fd int) error) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = call(int(fd)) }); err != nil {
		return err
	}
	return inner
}
