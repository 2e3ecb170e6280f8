package logging

import (
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
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

// typicalLine has the fields of an exchange that came about.
type typicalLine struct{ id, source, method, path, unit, local, upstream []byte }

var typical = typicalLine{
	[]byte("1153d76100000001"), []byte("10.20.30.40"), []byte("POST"), []byte("/access/v2/invoke/202007/QDFPSC"),
	[]byte("12345678901234567890"), []byte("10.20.30.1:47235"), []byte("10.20.30.2:8443"),
}

func (l *typicalLine) MarshalLogObject(e zapcore.ObjectEncoder) error {
	e.AddByteString("id", l.id)
	e.AddByteString("source", l.source)
	e.AddUint16("source_port", 35474)
	e.AddByteString("method", l.method)
	e.AddByteString("path", l.path)
	for _, key := range []string{"environment", "ability", "service"} {
		e.AddString(key, "production")
	}
	for _, key := range []string{"unit", "using_unit", "client_tid"} {
		e.AddByteString(key, l.unit)
	}
	e.AddInt("status", 200)
	e.AddString("leqi_code", "200")
	e.AddString("delivered", "yes")
	e.AddByteString("local_addr", l.local)
	e.AddByteString("upstream_addr", l.upstream)
	for _, key := range []string{"bytes_in", "bytes_out", "queue_us", "connect_us", "tls_us", "wait_us", "total_us"} {
		e.AddInt64(key, 2345)
	}
	e.AddBool("reused", true)
	return nil
}

func BenchmarkEncodeAccessLine(b *testing.B) {
	encoders := map[string]zapcore.Encoder{"line": accessEncoder(), "zap": accessEncoder().Clone()}
	for name, encoder := range encoders {
		b.Run(name, func(b *testing.B) {
			fields, entry := []zap.Field{zap.Inline(&typical)}, zapcore.Entry{Time: time.Now()}
			b.ReportAllocs()
			for b.Loop() {
				buf, err := encoder.EncodeEntry(entry, fields)
				if err != nil {
					b.Fatal(err)
				}
				buf.Free()
			}
		})
	}
}
