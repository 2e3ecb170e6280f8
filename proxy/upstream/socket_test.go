package upstream

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// FuzzRecords cuts a stream of records at random places: how it is cut must not
// matter.
func FuzzRecords(f *testing.F) {
	f.Add(uint64(1), []byte{0, 1, 2})
	f.Add(uint64(2), []byte{255, 0, 0, 255})
	f.Fuzz(func(t *testing.T, seed uint64, sizes []byte) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var stream []byte
		ends := map[int]int{0: 0} // from the place in the stream to the records that have ended
		for i, size := range sizes {
			n := int(size) * 7
			stream = append(stream, 23, 3, 3)
			stream = binary.BigEndian.AppendUint16(stream, uint16(n))
			stream = append(stream, bytes.Repeat([]byte{0xff}, n)...)
			ends[len(stream)] = i + 1
		}
		var r records
		ended, at := 0, 0
		for at < len(stream) {
			n := 1 + rng.IntN(len(stream)-at)
			if rng.IntN(2) == 0 {
				n = min(n, 6)
			}
			ended += r.add(stream[at : at+n])
			at += n
			want, whole := ends[at]
			if r.between() != whole || whole && ended != want {
				t.Fatalf("after %d of %d bytes: between() = %v, %d ended, want %v, %d", at, len(stream), r.between(), ended, whole, want)
			}
		}
	})
}
