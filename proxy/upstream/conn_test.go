package upstream

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestReadTellsHowTheConnectionEnded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		end  func(c *tls.Conn)
		want error
	}{
		{"close_notify", func(c *tls.Conn) { c.Close() }, io.EOF},
		{"close_notify, the socket stays", func(c *tls.Conn) { c.CloseWrite(); io.Copy(io.Discard, c) }, io.EOF},
		{"the socket alone", func(c *tls.Conn) { c.NetConn().Close() }, io.ErrUnexpectedEOF},
		{"within a header", func(c *tls.Conn) { c.NetConn().Write([]byte{23, 3, 3}); c.NetConn().Close() }, io.ErrUnexpectedEOF},
		{"within a record", func(c *tls.Conn) { c.NetConn().Write([]byte{23, 3, 3, 0, 40, 1}); c.NetConn().Close() }, io.ErrUnexpectedEOF},
		{"within close_notify", func(c *tls.Conn) { c.NetConn().Write([]byte{21, 3, 3, 0, 2, 1}); c.NetConn().Close() }, io.ErrUnexpectedEOF},
		{"a reset", func(c *tls.Conn) { c.NetConn().(*net.TCPConn).SetLinger(0); c.NetConn().Close() }, syscall.ECONNRESET},
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, tt := range tests {
			t.Run(tls.VersionName(version)+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				config := testConfig(t)
				config.MaxVersion = version
				p := newPeer(t, "127.0.0.1:0", config, func(c *tls.Conn) {
					io.ReadFull(c, make([]byte, 1)) // or a reset might overtake the handshake
					tt.end(c)
				})
				c := mustGet(t, newUpstream(t, options(p.addr)))
				defer c.Close()
				if _, err := c.Write([]byte("a")); err != nil {
					t.Fatal(err)
				}
				for range 2 { // the second answer is as the first
					if n, err := c.Read(make([]byte, 8)); n != 0 || !errors.Is(err, tt.want) {
						t.Errorf("Read() = %d, %v, want 0, %v", n, err, tt.want)
					}
				}
			})
		}
	}
}

func TestReadGivesTheLastBytesBeforeTheEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		end  func(c *tls.Conn)
		want error
	}{
		{"close_notify", func(c *tls.Conn) { c.Close() }, nil},
		{"the socket alone", func(c *tls.Conn) { c.NetConn().Close() }, io.ErrUnexpectedEOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, "127.0.0.1:0", testConfig(t), func(c *tls.Conn) { c.Write([]byte("whole")); tt.end(c) })
			c := mustGet(t, newUpstream(t, options(p.addr)))
			defer c.Close()
			if got, err := io.ReadAll(c); string(got) != "whole" || !errors.Is(err, tt.want) {
				t.Errorf("ReadAll() = %q, %v, want %q, %v", got, err, "whole", tt.want)
			}
		})
	}
}

// With TLS 1.3 the client's handshake ends before the server has judged it; the
// alert then comes where an answer would.
func TestReadOfAnAlertIsNoEnd(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	config.ClientAuth = tls.RequireAnyClientCert
	p := newPeer(t, "127.0.0.1:0", config, echo)
	c := mustGet(t, newUpstream(t, options(p.addr)))
	defer c.Close()
	_, err := c.Read(make([]byte, 8))
	if alert, ok := errors.AsType[tls.AlertError](err); err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Read() = %v (alert %v, %v), want an alert", err, alert, ok)
	}
}

func TestConnTellsItsAddressesAndTimes(t *testing.T) {
	t.Parallel()
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
	u := newUpstream(t, options(p.addr))

	c := mustGet(t, u)
	connect, handshake := c.Took()
	if c.Reused() || connect <= 0 || handshake <= 0 {
		t.Errorf("new connection: Reused() = %v, Took() = %v, %v, want false and times", c.Reused(), connect, handshake)
	}
	if c.Remote() != p.addr || c.Local().Addr() != netip.MustParseAddr("127.0.0.1") || c.Local().Port() == 0 {
		t.Errorf("Local(), Remote() = %v, %v, want loopback and %v", c.Local(), c.Remote(), p.addr)
	}
	exchange(t, c)
	c.Put(0)

	c = mustGet(t, u)
	defer c.Close()
	if connect, handshake := c.Took(); !c.Reused() || connect != 0 || handshake != 0 {
		t.Errorf("pooled connection: Reused() = %v, Took() = %v, %v, want true, 0, 0", c.Reused(), connect, handshake)
	}
}

func TestPutClearsDeadlines(t *testing.T) {
	t.Parallel()
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
	u := newUpstream(t, options(p.addr))
	c := mustGet(t, u)
	exchange(t, c)
	c.SetReadDeadline(time.Unix(1, 0))
	c.SetWriteDeadline(time.Unix(1, 0))
	c.Put(0)

	c = mustGet(t, u)
	defer c.Close()
	if !c.Reused() {
		t.Error("Reused() = false, want true: a deadline is no end")
	}
	exchange(t, c)
}

func TestReadDeadlineEndsAWaitingRead(t *testing.T) {
	t.Parallel()
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
	c := mustGet(t, newUpstream(t, options(p.addr)))
	defer c.Close()

	failed := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 8))
		failed <- err
	}()
	c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read() = %v, want %v", err, os.ErrDeadlineExceeded)
	}
}

func TestCloseSendsCloseNotify(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	config.MaxVersion = tls.VersionTLS12 // where the type of a record is in the clear
	got := make(chan []byte, 1)
	p := newPeer(t, "127.0.0.1:0", config, func(c *tls.Conn) {
		b, _ := io.ReadAll(c.NetConn())
		got <- b
	})
	c := mustGet(t, newUpstream(t, options(p.addr)))
	c.Close()
	c.Close() // may be repeated
	const alert = 21
	if b := <-got; len(b) == 0 || b[0] != alert {
		t.Errorf("the peer read % x, want an alert", b)
	}
}

func TestAbortResets(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	p := newPeer(t, "127.0.0.1:0", testConfig(t), func(c *tls.Conn) {
		_, err := io.Copy(io.Discard, c)
		ended <- err
	})
	u := newUpstream(t, options(p.addr))
	c := mustGet(t, u)
	c.Abort()
	c.Close() // may follow
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer read %v, want %v", err, syscall.ECONNRESET)
	}
	if n := u.Status().Busy; n != 0 {
		t.Errorf("Status().Busy = %d, want 0", n)
	}
}

// tls.Conn.Close by itself waits 5 s for room in the socket.
func TestCloseDoesNotWaitForAPeerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	p := newPeer(t, "127.0.0.1:0", testConfig(t), func(*tls.Conn) { <-release })
	t.Cleanup(func() { close(release) })
	u := newUpstream(t, options(p.addr))

	c := mustGet(t, u)
	fill(t, c.sock.TCPConn)
	wantQuick(t, "Close()", c.Close)

	c = mustGet(t, u)
	failed := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, 64<<20))
		failed <- err
	}()
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	c.Read(make([]byte, 1)) // meanwhile the Write begins to wait
	wantQuick(t, "Close() beside a Write", c.Close)
	if err := <-failed; err == nil {
		t.Error("Write() succeeded, want an error after Close")
	}
}

// As the reply to a key update: crypto/tls writes it while it holds the lock
// that Close needs.
func TestLastWordsEndAWriteUnderWay(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	p := newPeer(t, "127.0.0.1:0", testConfig(t), func(*tls.Conn) { <-release })
	t.Cleanup(func() { close(release) })
	c := mustGet(t, newUpstream(t, options(p.addr)))
	defer c.Abort()
	fill(t, c.sock.TCPConn)
	failed := make(chan error, 1)
	go func() {
		_, err := c.sock.Write(make([]byte, 64<<20))
		failed <- err
	}()
	c.sock.lastWords()
	if err := <-failed; err == nil {
		t.Error("Write() succeeded, want an error")
	}
}

// fill writes until c takes no more: the peer's window grows for a while.
func fill(t *testing.T, c *net.TCPConn) {
	t.Helper()
	for n := 1; n > 0; {
		c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		var err error
		if n, err = c.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Write() = %v, want a full socket", err)
		}
	}
	c.SetWriteDeadline(time.Time{})
}

func wantQuick(t *testing.T, what string, do func()) {
	t.Helper()
	start := time.Now()
	do()
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("%s took %v, want no waiting", what, d)
	}
}
