package upstream

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestRunConnectsOnceAtTheStart(t *testing.T) {
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(t, options(p.addr))
		run(t, u)
		synctest.Wait()
		advance(30 * time.Second)
		if s := u.Status(); !s.Up || s.Idle != 1 || s.Since.IsZero() {
			t.Errorf("Status() = %+v, want up with one idle connection", s)
		}
		c := mustGet(t, u)
		exchange(t, c)
		c.Close()
		if n := p.accepted.Load(); n != 1 {
			t.Errorf("the peer accepted %d connections, want 1", n)
		}
	})
}

func TestRunConnectsAgainWhileTheHostIsDown(t *testing.T) {
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.InfoLevel)
		u := newLogged(t, options(p.addr), nil, nil, zap.New(core))
		var dead atomic.Bool
		var attempts moments
		dial := u.dial
		u.dial = func(ctx context.Context, to netip.AddrPort) (*net.TCPConn, error) {
			attempts.add()
			if dead.Load() {
				return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
			}
			return dial(ctx, to)
		}
		dead.Store(true)
		run(t, u)
		advance(10 * time.Minute)
		gaps := attempts.gaps()
		if len(gaps) < 10 || gaps[0] < 5*time.Second || gaps[0] > 6*time.Second || slices.Max(gaps) > time.Minute || slices.Max(gaps) < 50*time.Second {
			t.Errorf("attempts were %v apart, want from 5s up to 1m", gaps)
		}

		dead.Store(false)
		advance(time.Minute + time.Second)
		if s := u.Status(); !s.Up || s.Error != "" || s.Addresses[0].State != AddressUp {
			t.Errorf("Status() = %+v, want up", s)
		}
		n := len(attempts.gaps())
		advance(time.Hour)
		if got := len(attempts.gaps()) - n; got != 0 {
			t.Errorf("%d attempts while the host was up, want none", got)
		}

		dead.Store(true)
		_, err := u.Get(t.Context()) // a caller finds out
		wantPhase(t, err, PhaseDial)
		advance(7 * time.Second)
		if got := len(attempts.gaps()) - n; got != 2 {
			t.Errorf("%d attempts within 7s, want the caller's and one of Run", got)
		}
		if diff := cmp.Diff([]string{eventDown, eventUp, eventDown}, events(logs)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// moments are the times at which something happened.
type moments struct {
	mu   sync.Mutex
	list []time.Time
}

func (m *moments) add() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.list = append(m.list, time.Now())
}

func (m *moments) gaps() []time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	var gaps []time.Duration
	for i := 1; i < len(m.list); i++ {
		gaps = append(gaps, m.list[i].Sub(m.list[i-1]))
	}
	return gaps
}

func TestRunEndsWhileItConnects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(t, options(netip.MustParseAddrPort("127.0.0.1:1")))
		u.dial = func(ctx context.Context, _ netip.AddrPort) (*net.TCPConn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := u.Run(ctx); err != nil || time.Since(start) != time.Second {
			t.Errorf("Run() = %v after %v, want nil after 1s", err, time.Since(start))
		}
		if u.down() {
			t.Error("down() = true, want false: the attempt was given up, it did not fail")
		}
	})
}
