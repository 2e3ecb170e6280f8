package proxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Callers who connect all the time, each for one request, while the listener
// ends: whoever could send is answered, the others were not let in.
func TestNobodyIsResetWhenListeningEnds(t *testing.T) {
	t.Parallel()
	g := start(t, newPeer(t, answering(okAnswer)).addr, parts{})
	var answered, refused atomic.Int64
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for {
				switch err := callOnce(g.addr.String()); {
				case err == nil:
					answered.Add(1)
				case errors.Is(err, errNotLetIn):
					refused.Add(1)
					return
				default:
					t.Errorf("after %d calls: %v", answered.Load(), err)
					return
				}
			}
		})
	}
	until(t, func() bool { return answered.Load() > 100 })
	cut := g.drain(10 * time.Second)
	callers.Wait()
	if n := <-cut; n != 0 {
		t.Errorf("Drain() = %d, want 0", n)
	}
	if n := refused.Load(); n != 8 {
		t.Errorf("%d callers were not let in at the end, want 8", n)
	}
}

var errNotLetIn = errors.New("not let in")

// callOnce makes one call on a connection of its own.
func callOnce(address string) error {
	c, err := net.DialTimeout("tcp", address, 500*time.Millisecond)
	if err != nil {
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() || errors.Is(err, syscall.ECONNREFUSED) {
			return errNotLetIn
		}
		return err
	}
	defer c.Close() //nolint:errcheck // all was read
	if _, err := io.WriteString(c, call); err != nil {
		return err
	}
	_, err = readHead(bufio.NewReader(c))
	return err
}
