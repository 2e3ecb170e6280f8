package proxy

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"sync/atomic"
)

// idSize is the length of an exchange's id: eight hexadecimal digits of the
// process, and eight that count.
const idSize = 16

// ids gives each exchange a name of its own, which the answer and the log
// share. Safe for concurrent use.
type ids struct {
	process [idSize / 2]byte
	last    atomic.Uint32
}

func newIDs() *ids {
	var random [idSize / 4]byte
	rand.Read(random[:]) //nolint:errcheck // never fails (crypto/rand)
	n := new(ids)
	hex.Encode(n.process[:], random[:])
	return n
}

func (n *ids) next() (id [idSize]byte) {
	copy(id[:], n.process[:])
	var digits [idSize / 2]byte
	count := strconv.AppendUint(digits[:0], uint64(n.last.Add(1)), 16)
	for i := len(n.process); i < idSize-len(count); i++ {
		id[i] = '0'
	}
	copy(id[idSize-len(count):], count)
	return id
}
