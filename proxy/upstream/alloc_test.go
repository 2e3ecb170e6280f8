//go:build !race

package upstream

import (
	"testing"
	"time"
)

func TestLendingDoesNotAllocate(t *testing.T) {
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
	u := newUpstream(t, options(p.addr))
	c := mustGet(t, u)
	for range 2 { // the first answer comes with session tickets, and what follows them is looked at thoroughly
		exchange(t, c)
	}
	c.Put(0)

	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		c, err := u.Get(ctx)
		if err != nil || !c.Reused() {
			t.Fatalf("Get() = %v, %v, want the pooled connection", c, err)
		}
		c.SetReadDeadline(time.Time{})
		c.Put(5 * time.Second)
	}); n != 0 {
		t.Errorf("Get and Put allocate %v times, want 0", n)
	}
}

func TestFollowingRecordsDoesNotAllocate(t *testing.T) {
	b := make([]byte, 4096)
	var r records
	if n := testing.AllocsPerRun(100, func() { r.add(b) }); n != 0 {
		t.Errorf("add allocates %v times, want 0", n)
	}
}
