//go:build !linux

package daemon

// freeBind does nothing: addresses must be there when they are bound.
func freeBind(int) error { return nil }
