//go:build !race

package proxy

import (
	"io"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// TestExchangesDoNotAllocate counts, by profile, what the packages of the data
// plane allocate in the steady state, with log and metrics on. What crypto/tls
// does is its own.
func TestExchangesDoNotAllocate(t *testing.T) {
	rate := runtime.MemProfileRate
	runtime.MemProfileRate = 1
	defer func() { runtime.MemProfileRate = rate }()

	exchange := steady(t)
	const warm, rounds = 200, 2000
	for range warm {
		exchange()
	}
	before := allocations()
	for range rounds {
		exchange()
	}
	for stack, n := range allocations() {
		// A collection empties the pools: once in a while is no allocation for each.
		if n -= before[stack]; n > rounds/20 {
			t.Errorf("%.3f allocations for each exchange in\n%s", float64(n)/rounds, stack)
		}
	}
}

// steady returns what makes one exchange on a connection that stays, with the
// log and metrics on: over loopback, since both sides need real sockets.
func steady(t testing.TB) (exchange func()) {
	t.Helper()
	p := newPeer(t, func(_ *peer, c *raw) {
		for b := make([]byte, 4<<10); ; {
			if _, err := c.Read(b); err != nil {
				return
			}
			io.WriteString(c, okAnswer) //nolint:errcheck // the caller shows it
		}
	})
	g := start(t, p.addr, parts{})
	g.Server.access = zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{}), zapcore.AddSync(io.Discard), zapcore.InfoLevel))
	c := g.dial()
	b := make([]byte, 4<<10)
	return func() {
		io.WriteString(c.tcp, call) //nolint:errcheck // the answer shows it
		if _, err := c.tcp.Read(b); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkExchange(b *testing.B) {
	exchange := steady(b)
	b.ReportAllocs()
	for b.Loop() {
		exchange()
	}
}

// allocations returns how many there were since the start, by the stacks that
// lead through this module's packages and neither through crypto/tls nor tests.
func allocations() map[string]int64 {
	for range 3 { // the profile is behind by two cycles
		runtime.GC()
	}
	records := make([]runtime.MemProfileRecord, 10_000)
	n, ok := runtime.MemProfile(records, true)
	if !ok {
		return nil
	}
	counts := make(map[string]int64)
	for _, r := range records[:n] {
		if stack := describe(r.Stack()); stack != "" {
			counts[stack] += r.AllocObjects
		}
	}
	return counts
}

// describe returns the functions of a stack, "" if it is not to be counted.
func describe(stack []uintptr) string {
	var text strings.Builder
	ours := false
	for frames := runtime.CallersFrames(stack); ; {
		f, more := frames.Next()
		switch {
		case strings.HasPrefix(f.Function, "crypto/tls."), strings.HasSuffix(f.File, "_test.go"):
			return ""
		case strings.HasPrefix(f.Function, "github.com/lqproxy/lqproxy/"):
			ours = true
		}
		text.WriteString(f.Function + "\n")
		if !more {
			break
		}
	}
	if !ours {
		return ""
	}
	return text.String()
}
