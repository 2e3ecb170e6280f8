package h1

import "sync"

// A Buffer is a piece of memory from a pool.
type Buffer struct {
	B     []byte // whole at first; its owner may slice it, or let it grow by append
	class int    // index into pools, or -1
}

// classSizes are the sizes of pooled buffers: a small message; a larger one; a head with a body of 32 KiB; and a
// body that streams behind both.
var classSizes = [...]int{4 << 10, 16 << 10, 48 << 10, 96 << 10}

// pools hold the buffers of each class. They hold pointers, because putting a slice into an interface would
// allocate.
var pools [len(classSizes)]sync.Pool

// GetBuffer returns a buffer of at least n bytes, with undefined content. Release must follow.
func GetBuffer(n int) *Buffer {
	for class, size := range classSizes {
		if n > size {
			continue
		}
		if b, ok := pools[class].Get().(*Buffer); ok {
			return b
		}
		return &Buffer{make([]byte, size), class}
	}
	return &Buffer{make([]byte, n), -1}
}

// Release gives b back. Neither b nor its bytes may be used afterwards. Memory that is not of a pool's size,
// because B was outgrown, is left to the collector.
func (b *Buffer) Release() {
	if b.class < 0 || cap(b.B) != classSizes[b.class] {
		return
	}
	b.B = b.B[:cap(b.B)]
	pools[b.class].Put(b)
}
