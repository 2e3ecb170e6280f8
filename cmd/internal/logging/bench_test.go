package logging

import (
	"path/filepath"
	"testing"

	"go.uber.org/zap"
)

func BenchmarkAccessLine(b *testing.B) {
	l, err := Open(Options{AccessFile: filepath.Join(b.TempDir(), "access.log")})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	l.access.running.Store(true) // as with Run, whose goroutine would be measured too
	fields := []zap.Field{zap.Inline(&exchange{ID: 1, Padding: "x"})}
	b.ReportAllocs()
	for b.Loop() {
		if ce := l.Access.Check(zap.InfoLevel, ""); ce != nil {
			ce.Write(fields...)
		}
		if len(l.access.buf) > batchSize {
			l.access.buf = l.access.buf[:0]
		}
	}
}
