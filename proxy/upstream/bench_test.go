package upstream

import (
	"io"
	"testing"
)

func BenchmarkGetPut(b *testing.B) {
	p := newPeer(b, "127.0.0.1:0", testConfig(b), echo)
	u := newUpstream(b, options(p.addr))
	for _, bench := range []struct {
		name    string
		drained bool // whether the short look is enough
	}{{"drained", true}, {"thorough", false}} {
		b.Run(bench.name, func(b *testing.B) {
			c := mustGet(b, u)
			for range 2 {
				exchange(b, c)
			}
			c.Put(0)
			b.ReportAllocs()
			for b.Loop() {
				c, err := u.Get(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				c.drained = bench.drained // for the next round
				c.Put(0)
			}
		})
	}
}

func BenchmarkExchange(b *testing.B) {
	p := newPeer(b, "127.0.0.1:0", testConfig(b), echo)
	u := newUpstream(b, options(p.addr))
	buf := make([]byte, 2048)
	b.ReportAllocs()
	for b.Loop() {
		c, err := u.Get(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
		c.Put(0)
	}
}

func BenchmarkFollowingRecords(b *testing.B) {
	record := append([]byte{23, 3, 3, 8, 0}, make([]byte, 2048)...)
	var r records
	for b.Loop() {
		r.add(record)
	}
}
