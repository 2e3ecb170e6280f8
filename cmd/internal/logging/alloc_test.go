//go:build !race

package logging

import (
	"path/filepath"
	"testing"

	"go.uber.org/zap"
)

// The fields must outlive the call: a slice made for it escapes.
func TestAccessLineDoesNotAllocate(t *testing.T) {
	l, stop := start(t, Options{AccessFile: filepath.Join(t.TempDir(), "access.log")})
	defer stop()
	fields := []zap.Field{zap.Inline(&exchange{ID: 1, Padding: "x"})}
	n := testing.AllocsPerRun(1000, func() {
		if ce := l.Access.Check(zap.InfoLevel, ""); ce != nil {
			ce.Write(fields...)
		}
	})
	if n != 0 {
		t.Errorf("a line of the access log allocates %v times, want 0", n)
	}
}
