package firewall

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// listenPackets calls each with every packet that reaches this host, from its
// network header on, until ctx is done. Packet sockets come before the filter.
func listenPackets(ctx context.Context, each func(packet []byte)) error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(bigEndian(unix.ETH_P_ALL)))
	if errors.Is(err, os.ErrPermission) {
		return ErrNotRoot
	}
	if err != nil {
		return fmt.Errorf("opening packet socket: %w", err)
	}
	socket := os.NewFile(uintptr(fd), "packet socket") // waits in the runtime's poller
	closeSocket := func() { socket.Close() }           //nolint:errcheck // it was read only
	defer closeSocket()
	stop := context.AfterFunc(ctx, closeSocket)
	defer stop()
	err = readPackets(socket, each)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("reading packets: %w", err)
}

// bigEndian turns a protocol number into the order of the network.
func bigEndian(n uint16) uint16 { return n<<8 | n>>8 }

// readPackets returns the error that ends it.
func readPackets(socket *os.File, each func([]byte)) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	buffer := make([]byte, 128) // the heads of IP and TCP
	for {
		var n int
		var from unix.Sockaddr
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			n, from, failed = unix.Recvfrom(int(fd), buffer, 0)
			return failed != unix.EAGAIN
		})
		if err := errors.Join(err, failed); err != nil && !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ENETDOWN) {
			return err
		}
		if link, ok := from.(*unix.SockaddrLinklayer); ok && failed == nil && link.Pkttype == unix.PACKET_HOST {
			each(buffer[:n])
		}
	}
}
