package upstream

import (
	"context"
	"crypto/tls"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestGetTakesTheNewestFirst(t *testing.T) {
	t.Parallel()
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
	u := newUpstream(t, options(p.addr))
	a, b, c := mustGet(t, u), mustGet(t, u), mustGet(t, u)
	for _, x := range []*Conn{b, a, c} {
		exchange(t, x)
		x.Put(0)
	}
	for _, want := range []*Conn{c, a, b} {
		got := mustGet(t, u)
		defer got.Close()
		if got != want {
			t.Errorf("Get() = %v, want the one that was Put last", got.Local())
		}
	}
	if n := p.accepted.Load(); n != 3 {
		t.Errorf("the peer accepted %d connections, want 3", n)
	}
}

// What the peer may do to an idle connection, and whether it is used again.
func TestGetLooksBeforeItReuses(t *testing.T) {
	t.Parallel()
	raw := func(b ...byte) func(*tls.Conn) { return func(c *tls.Conn) { c.NetConn().Write(b) } }
	tests := []struct {
		name   string
		read   int // bytes of the answer "a" that the exchange asks for
		idle   func(c *tls.Conn)
		reused bool
	}{
		{"nothing", 16, func(*tls.Conn) {}, true},
		{"nothing, after a full Read", 1, func(*tls.Conn) {}, true},
		{"close_notify and the end", 16, func(c *tls.Conn) { c.Close() }, false},
		{"close_notify alone", 16, func(c *tls.Conn) { c.CloseWrite() }, false},
		{"the end alone", 16, func(c *tls.Conn) { c.NetConn().Close() }, false},
		{"stray bytes", 16, func(c *tls.Conn) { c.Write([]byte("HTTP/1.1 408")) }, false},
		{"stray bytes, after a full Read", 1, func(c *tls.Conn) { c.Write([]byte("HTTP/1.1 408")) }, false},
		{"half a header", 16, raw(23, 3), false},
		{"half a record", 16, raw(23, 3, 3, 0, 200, 1, 2, 3), false},
		{"garbage", 16, raw([]byte("HTTP/1.1 408 Request Timeout\r\n")...), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			idle, done, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
			var once sync.Once
			p := newPeer(t, "127.0.0.1:0", testConfig(t), func(c *tls.Conn) {
				b := make([]byte, 1)
				io.ReadFull(c, b)
				c.Write(b)
				once.Do(func() { <-idle; tt.idle(c); close(done) })
				<-release
			})
			t.Cleanup(func() { close(release) })
			u := newUpstream(t, options(p.addr))
			c := mustGet(t, u)
			c.Write([]byte("a"))
			if n, err := c.Read(make([]byte, tt.read)); n != 1 || err != nil {
				t.Fatalf("Read() = %d, %v, want 1 byte", n, err)
			}
			c.Put(0)
			close(idle)
			<-done

			c = mustGet(t, u)
			defer c.Close()
			if c.Reused() != tt.reused {
				t.Errorf("Reused() = %v, want %v", c.Reused(), tt.reused)
			}
		})
	}
}

// The rest is in a buffer of crypto/tls by then, not in the socket.
func TestGetRefusesWhatTheExchangeLeftBehind(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		records []string
		raw     []byte // after them
		read    int    // bytes asked for
		want    int    // bytes got
	}{
		{"a byte of the record", []string{"two"}, nil, 2, 2},
		{"a record that came with it", []string{"one", "more"}, nil, 16, 3},
		{"half a record that came with it", []string{"one"}, []byte{23, 3, 3, 0, 99}, 16, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			written := make(chan struct{}, 2)
			config := testConfig(t)
			config.SessionTicketsDisabled = true
			p := newPeer(t, "127.0.0.1:0", config, func(c *tls.Conn) {
				for _, r := range tt.records {
					c.Write([]byte(r))
				}
				c.NetConn().Write(tt.raw)
				written <- struct{}{}
				io.Copy(io.Discard, c)
			})
			u := newUpstream(t, options(p.addr))
			c := mustGet(t, u)
			<-written
			if n, err := c.Read(make([]byte, tt.read)); n != tt.want || err != nil {
				t.Fatalf("Read() = %d, %v, want %d bytes", n, err, tt.want)
			}
			c.Put(0)
			c = mustGet(t, u)
			defer c.Close()
			if c.Reused() {
				t.Error("Reused() = true, want false: bytes of the old answer were left")
			}
		})
	}
}

// The ticket of TLS 1.3 comes after the handshake: the look at an idle
// connection takes it in, and the next handshake is spared.
func TestSessionsAreResumed(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			config := testConfig(t)
			config.MaxVersion = version
			p := newPeer(t, "127.0.0.1:0", config, echo)
			u := newUpstream(t, options(p.addr))

			c := mustGet(t, u)
			c.Put(0) // unread
			c = mustGet(t, u)
			if !c.Reused() || c.TLS().DidResume {
				t.Fatalf("Reused() = %v, DidResume = %v, want true, false", c.Reused(), c.TLS().DidResume)
			}
			exchange(t, c)
			c.Close()

			c = mustGet(t, u)
			defer c.Close()
			if c.Reused() || !c.TLS().DidResume {
				t.Errorf("Reused() = %v, DidResume = %v, want false, true", c.Reused(), c.TLS().DidResume)
			}
			exchange(t, c)
		})
	}
}

func TestStayInThePool(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name              string
		idleTimeout, life time.Duration
		age, named        time.Duration
		want              time.Duration // 0: no limit
	}{
		{"no limits", 0, 0, time.Hour, 0, 0},
		{"idle_timeout", 15 * time.Second, 0, time.Hour, 0, 15 * time.Second},
		{"Keep-Alive is shorter, less a margin", 15 * time.Second, 0, 0, 5 * time.Second, 4 * time.Second},
		{"Keep-Alive is longer", 15 * time.Second, 0, 0, time.Minute, 15 * time.Second},
		{"max_age is near", 15 * time.Second, 10 * time.Minute, 9*time.Minute + 50*time.Second, 0, 10 * time.Second},
		{"max_age is over", 15 * time.Second, 10 * time.Minute, 11 * time.Minute, 0, -time.Minute},
		{"Keep-Alive within the margin", 15 * time.Second, 0, 0, 500 * time.Millisecond, -500 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := &Upstream{o: Options{IdleTimeout: tt.idleTimeout, MaxAge: tt.life}}
			c := &Conn{u: u, born: now.Add(-tt.age)}
			var want time.Time
			if tt.want != 0 {
				want = now.Add(tt.want)
			}
			if got := c.deadline(now, tt.named); !got.Equal(want) {
				t.Errorf("deadline(now, %v) = %v, want %v", tt.named, got, want)
			}
		})
	}
}

func TestPutClosesWhatMayNotStay(t *testing.T) {
	t.Parallel()
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
	tests := []struct {
		name   string
		change func(o *Options)
		named  time.Duration
	}{
		{"fresh_connections", func(o *Options) { o.Fresh = true }, 0},
		{"max_age is over", func(o *Options) { o.MaxAge = time.Nanosecond }, 0},
		{"Keep-Alive: timeout=1", func(*Options) {}, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := options(p.addr)
			tt.change(&o)
			u := newUpstream(t, o)
			c := mustGet(t, u)
			exchange(t, c)
			c.Put(tt.named)
			if s := u.Status(); s.Idle != 0 || s.Busy != 0 {
				t.Errorf("idle, busy = %d, %d, want 0, 0", s.Idle, s.Busy)
			}
			if _, err := c.Write([]byte("a")); err == nil {
				t.Error("Write() after Put succeeded, want a closed connection")
			}
		})
	}
}

func TestIdleConnectionsEndAtTheirTime(t *testing.T) {
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo) // outside the bubble, as its reads do not block durably
	synctest.Test(t, func(t *testing.T) {
		o := options(p.addr)
		o.IdleTimeout, o.MaxAge = 15*time.Second, 20*time.Second
		u := newUpstream(t, o)
		run(t, u)
		synctest.Wait()

		long, short := mustGet(t, u), mustGet(t, u)
		long.Put(0)
		short.Put(6 * time.Second)
		for _, tt := range []struct {
			after time.Duration
			idle  int
		}{{0, 2}, {5*time.Second - 1, 2}, {1, 1}, {10*time.Second - 1, 1}, {1, 0}} {
			advance(tt.after)
			if got := u.Status().Idle; got != tt.idle {
				t.Errorf("after %v: idle = %d, want %d", tt.after, got, tt.idle)
			}
		}
	})
}

func TestGetRefusesWhatIsOverdue(t *testing.T) {
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
	synctest.Test(t, func(t *testing.T) {
		o := options(p.addr)
		o.IdleTimeout = 15 * time.Second
		u := newUpstream(t, o) // without Run nobody ends it at its time
		for _, tt := range []struct {
			idle time.Duration
			want bool
		}{{0, false}, {15*time.Second - 1, true}, {15 * time.Second, false}} {
			advance(tt.idle)
			c := mustGet(t, u)
			if c.Reused() != tt.want {
				t.Errorf("after %v: Reused() = %v, want %v", tt.idle, c.Reused(), tt.want)
			}
			c.Put(0)
		}
	})
}

// run runs u until the test ends.
func run(t *testing.T, u *Upstream) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := u.Run(ctx); err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

func TestPutAfterCloseDoesNothing(t *testing.T) {
	t.Parallel()
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
	u := newUpstream(t, options(p.addr))
	for name, end := range map[string]func(*Conn){"Close": (*Conn).Close, "Abort": (*Conn).Abort} {
		c := mustGet(t, u)
		end(c)
		c.Put(0)
		end(c)
		if s := u.Status(); s.Idle != 0 || s.Busy != 0 {
			t.Errorf("after %s and Put: idle, busy = %d, %d, want 0, 0", name, s.Idle, s.Busy)
		}
	}
}

func TestPutAfterRunEndedCloses(t *testing.T) {
	t.Parallel()
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
	u := newUpstream(t, options(p.addr))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := u.Run(ctx); err != nil {
		t.Fatal(err)
	}
	c := mustGet(t, u) // by an exchange that still holds the old Upstream
	exchange(t, c)
	c.Put(0)
	if s := u.Status(); s.Idle != 0 || s.Busy != 0 {
		t.Errorf("idle, busy = %d, %d, want 0, 0", s.Idle, s.Busy)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
	o := options(p.addr)
	o.IdleTimeout = 2 * time.Millisecond // so that the pool is swept meanwhile
	u := newUpstream(t, o)
	run(t, u)

	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				c, err := u.Get(t.Context())
				if err != nil {
					t.Errorf("Get() failed: %v", err)
					return
				}
				exchange(t, c)
				if i == 0 {
					c.Close()
				} else {
					c.Put(0)
				}
				u.Status()
			}
		})
	}
	wg.Wait()
	if got := u.Status().Busy; got != 0 {
		t.Errorf("busy = %d, want 0", got)
	}
}
