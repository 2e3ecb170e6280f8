//go:build !linux

package firewall

import (
	"context"
	"errors"
)

// listenPackets has no means on this system.
func listenPackets(context.Context, func(packet []byte)) error {
	return errors.New("watching packets: only on Linux")
}
