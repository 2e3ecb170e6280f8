//go:build !linux

package upstream

import "syscall"

// bindLate does nothing: IP_BIND_ADDRESS_NO_PORT is Linux's.
func bindLate(_, _ string, _ syscall.RawConn) error { return nil }
