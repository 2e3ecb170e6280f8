//go:build !linux

package leqisim

import (
	"errors"
	"net"
)

func setBacklog(*net.TCPListener, int) error { return errors.ErrUnsupported }

func queueFull(*net.TCPListener) (bool, error) { return false, errors.ErrUnsupported }
