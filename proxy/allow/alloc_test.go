//go:build !race

package allow

import "testing"

func TestContainsDoesNotAllocate(t *testing.T) {
	ps, addrs := manyPrefixes(10_000)
	l := NewList(ps...)
	i := 0
	if n := testing.AllocsPerRun(1000, func() { l.Contains(addrs[i]); i++ }); n != 0 {
		t.Errorf("Contains allocates %v times, want 0", n)
	}
}
