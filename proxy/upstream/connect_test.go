package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// refusing returns a dialFunc for which only the live addresses exist.
func refusing(dials *atomic.Int32, live ...string) dialFunc {
	dial := dialFrom(netip.Addr{})
	return func(ctx context.Context, to netip.AddrPort) (*net.TCPConn, error) {
		dials.Add(1)
		for _, a := range live {
			if to.Addr().String() == a {
				return dial(ctx, to)
			}
		}
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
}

func TestEveryAddressIsTried(t *testing.T) {
	t.Parallel()
	p := newPeer(t, "127.0.0.3:0", testConfig(t), echo)
	o := options(p.addr)
	o.FixedIPs = ips(t, "127.0.0.1", "127.0.0.2", "127.0.0.3") // nobody listens on the first two
	u := newUpstream(t, o)

	c := mustGet(t, u)
	defer c.Close()
	if c.Remote() != p.addr {
		t.Errorf("Remote() = %v, want %v", c.Remote(), p.addr)
	}
	var got []AddressState
	for _, a := range u.Status().Addresses {
		got = append(got, a.State)
	}
	if want := []AddressState{AddressFailed, AddressFailed, AddressUp}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("states = %v, want %v", got, want)
	}

	var dials atomic.Int32
	u.dial = refusing(&dials, "127.0.0.3")
	second := mustGet(t, u)
	defer second.Close()
	if n := dials.Load(); n != 1 {
		t.Errorf("the second connection took %d dials, want 1: the address that answered comes first", n)
	}
}

// A gateway whose TLS is broken does not hide one that is well.
func TestAnAddressWithoutTLSIsPassedOver(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	p := newPeer(t, fmt.Sprintf("127.0.0.3:%d", port), testConfig(t), echo)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c, err := ln.Accept(); err == nil {
			c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			c.Close()
		}
	}()
	o := options(p.addr)
	o.FixedIPs = ips(t, "127.0.0.2", "127.0.0.3")
	c := mustGet(t, newUpstream(t, o))
	defer c.Close()
	<-done
	if c.Remote() != p.addr {
		t.Errorf("Remote() = %v, want %v", c.Remote(), p.addr)
	}
}

func TestWhileAllAddressesCoolDownGetFailsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := options(netip.MustParseAddrPort("127.0.0.1:1"))
		o.FixedIPs = ips(t, "127.0.0.1", "127.0.0.2")
		u := newUpstream(t, o)
		var dials atomic.Int32
		u.dial = refusing(&dials)

		start := time.Now()
		var attempts []time.Duration // at which an address was dialled
		for time.Since(start) < 30*time.Second {
			before := dials.Load()
			_, err := u.Get(t.Context())
			wantPhase(t, err, PhaseDial)
			if !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("Get() = %v, want the last reason", err)
			}
			if n := dials.Load() - before; n != 0 {
				attempts = append(attempts, time.Since(start))
				if n != 2 {
					t.Errorf("Get() dialled %d addresses, want 2", n)
				}
			}
			advance(time.Second)
		}
		want := []time.Duration{0, 5 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second, 25 * time.Second}
		if fmt.Sprint(attempts) != fmt.Sprint(want) {
			t.Errorf("attempts at %v, want %v", attempts, want)
		}
	})
}

func TestATrialHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(t, options(netip.MustParseAddrPort("127.0.0.1:1")))
		u.dial = refusing(new(atomic.Int32))
		for range 2 { // the second failure cools down for 10 s
			_, err := u.Get(t.Context())
			wantPhase(t, err, PhaseDial)
			advance(trialEvery)
		}
		u.dial = func(ctx context.Context, _ netip.AddrPort) (*net.TCPConn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		trial := make(chan error, 1)
		go func() {
			_, err := u.Get(t.Context())
			trial <- err
		}()
		synctest.Wait()
		start := time.Now()
		_, err := u.Get(t.Context())
		wantPhase(t, err, PhaseDial)
		if d := time.Since(start); d != 0 || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Get() beside the trial = %v after %v, want the last reason at once", err, d)
		}
		wantPhase(t, <-trial, PhaseDial)
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("the trial took %v, want the dial timeout", d)
		}
	})
}

func TestConnectingTakesAtMost15Seconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := options(netip.MustParseAddrPort("127.0.0.1:1"))
		o.FixedIPs = ips(t, "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
		o.DialTimeout = 4 * time.Second
		u := newUpstream(t, o)
		u.dial = func(ctx context.Context, _ netip.AddrPort) (*net.TCPConn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		start := time.Now()
		_, err := u.Get(t.Context())
		failure := wantPhase(t, err, PhaseDial)
		if d := time.Since(start); d != connectLimit || failure.Addr.Addr() != netip.MustParseAddr("127.0.0.4") {
			t.Errorf("Get() gave up after %v at %v, want %v at 127.0.0.4", d, failure.Addr, connectLimit)
		}
	})
}

func TestTheCallersEndIsNoFailureOfTheHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(t, options(netip.MustParseAddrPort("127.0.0.1:1")))
		u.dial = func(ctx context.Context, _ netip.AddrPort) (*net.TCPConn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		for _, tt := range []struct {
			end  func(context.Context) (context.Context, context.CancelFunc)
			want error
		}{
			{func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Second)
			}, context.DeadlineExceeded},
			{func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			}, context.Canceled},
		} {
			ctx, cancel := tt.end(t.Context())
			start := time.Now()
			_, err := u.Get(ctx)
			if _, isPhase := errors.AsType[*Error](err); isPhase || !errors.Is(err, tt.want) || time.Since(start) != time.Second {
				t.Errorf("Get() = %v after %v, want %v after 1s", err, time.Since(start), tt.want)
			}
			cancel()
		}
		if s := u.Status(); !s.Since.IsZero() || s.Addresses[0].State != AddressUnused {
			t.Errorf("Status() = %+v, want nothing known of the host", s)
		}
	})
}

// On a host without IPv6 the addresses of that family are skipped, not failed.
func TestWithoutIPv6(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{syscall.ENETUNREACH, syscall.EAFNOSUPPORT, syscall.EADDRNOTAVAIL} {
		t.Run(errno.Error(), func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
			o := options(p.addr)
			o.FixedIPs = ips(t, "2001:db8::1", "127.0.0.1")
			u := newUpstream(t, o)
			dial := u.dial
			u.dial = func(ctx context.Context, to netip.AddrPort) (*net.TCPConn, error) {
				if to.Addr().Is6() {
					return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)}
				}
				return dial(ctx, to)
			}
			c := mustGet(t, u)
			c.Close()
			if s := u.Status(); s.Addresses[0].State != AddressNoRoute || u.addrs.list[0].failures != 0 {
				t.Errorf("state of the IPv6 address = %+v, want no_route and no failures", s.Addresses[0])
			}

			// When the other one dies, its error is the one to be told.
			p.stop()
			_, err := u.Get(t.Context())
			if failure := wantPhase(t, err, PhaseDial); failure.Addr.Addr().Is6() {
				t.Errorf("Get() = %v, want the failure of the IPv4 address", err)
			}
		})
	}
}

func TestOnlyUnroutableAddresses(t *testing.T) {
	t.Parallel()
	o := options(netip.MustParseAddrPort("127.0.0.1:1"))
	o.FixedIPs = ips(t, "2001:db8::1")
	u := newUpstream(t, o)
	u.dial = func(context.Context, netip.AddrPort) (*net.TCPConn, error) {
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
	}
	_, err := u.Get(t.Context())
	wantPhase(t, err, PhaseDial)
	if want := "dialing upstream [2001:db8::1]:1: connect: network is unreachable"; err.Error() != want {
		t.Errorf("Get() = %q, want %q", err, want)
	}
}

func TestLocalAddress(t *testing.T) {
	t.Parallel()
	from := make(chan string, 1)
	p := newPeer(t, "127.0.0.1:0", testConfig(t), func(c *tls.Conn) { from <- c.RemoteAddr().String(); echo(c) })
	o := options(p.addr)
	o.LocalAddress = netip.MustParseAddr("127.0.0.2")
	o.FixedIPs = ips(t, "::1", "127.0.0.1")
	u := newUpstream(t, o)
	c := mustGet(t, u)
	defer c.Close()
	if c.Local().Addr() != o.LocalAddress {
		t.Errorf("Local() = %v, want %v", c.Local(), o.LocalAddress)
	}
	if got := <-from; got != c.Local().String() {
		t.Errorf("the peer saw %v, want %v", got, c.Local())
	}
	if got := len(u.Status().Addresses); got != 1 {
		t.Errorf("%d addresses are in use, want the one of the local address's family", got)
	}
}

func TestAForeignLocalAddressIsADialError(t *testing.T) {
	t.Parallel()
	o := options(netip.MustParseAddrPort("127.0.0.1:1"))
	o.LocalAddress = netip.MustParseAddr("192.0.2.1") // nobody's
	_, err := newUpstream(t, o).Get(t.Context())
	wantPhase(t, err, PhaseDial)
	if !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("Get() = %v, want %v", err, syscall.EADDRNOTAVAIL)
	}
}

func TestAHandshakeThatNobodyAnswers(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	o := options(ln.Addr().(*net.TCPAddr).AddrPort())
	o.TLSTimeout = 50 * time.Millisecond
	_, err = newUpstream(t, o).Get(t.Context()) // in the backlog it is connected
	wantPhase(t, err, PhaseTLS)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "within 50ms") {
		t.Errorf("Get() = %v, want the timeout to be named", err)
	}
}

func TestAFullBacklog(t *testing.T) {
	t.Parallel()
	addr := fullBacklog(t)
	o := options(addr)
	o.DialTimeout = 100 * time.Millisecond
	_, err := newUpstream(t, o).Get(t.Context())
	wantPhase(t, err, PhaseDial)
	if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
		t.Errorf("Get() = %v, want a timeout", err)
	}
	if want := fmt.Sprintf("dialing upstream %v: i/o timeout", addr); err.Error() != want {
		t.Errorf("Get() = %q, want %q", err, want)
	}
}

// fullBacklog returns an address whose connections are neither accepted nor
// refused.
func fullBacklog(t *testing.T) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	raw, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), 0) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		c, err := net.DialTimeout("tcp", ln.Addr().String(), 100*time.Millisecond)
		if err != nil {
			return ln.Addr().(*net.TCPAddr).AddrPort()
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the backlog does not fill")
	return netip.AddrPort{}
}

func TestVersionsAndSuites(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		server func(c *tls.Config)
		client func(o *TLS)
		want   Phase
		suite  uint16 // when one is expected
	}{
		{"TLS 1.2 only", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, func(*TLS) {}, "", 0},
		{"TLS 1.3 only", func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }, func(*TLS) {}, "", 0},
		{"TLS 1.3 where we end at 1.2", func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }, func(o *TLS) { o.MaxVersion = tls.VersionTLS12 }, PhaseTLS, 0},
		{"CBC", cbcOnly, func(*TLS) {}, "", tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA},
		{"RSA key exchange", rsaOnly, func(*TLS) {}, PhaseTLS, 0},
		{"RSA key exchange and legacy", rsaOnly, func(o *TLS) { o.Legacy = true }, "", tls.TLS_RSA_WITH_AES_128_CBC_SHA},
		{"post-quantum only", pqOnly, func(*TLS) {}, PhaseTLS, 0},
		{"post-quantum only and post_quantum", pqOnly, func(o *TLS) { o.PostQuantum = true }, "", 0},
	}
	issuer := newIssuer(t)
	cert := issuer.issueRSA(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			config := &tls.Config{Certificates: []tls.Certificate{cert}}
			tt.server(config)
			p := newPeer(t, "127.0.0.1:0", config, echo)
			o := options(p.addr)
			tt.client(&o.TLS)
			c, err := newUpstream(t, o).Get(t.Context())
			wantPhase(t, err, tt.want)
			if err != nil {
				return
			}
			defer c.Close()
			exchange(t, c)
			if got := c.TLS().CipherSuite; tt.suite != 0 && got != tt.suite {
				t.Errorf("suite = %s, want %s", tls.CipherSuiteName(got), tls.CipherSuiteName(tt.suite))
			}
		})
	}
}

func cbcOnly(c *tls.Config) {
	c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}
}

func rsaOnly(c *tls.Config) {
	c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
}

func pqOnly(c *tls.Config) {
	c.MinVersion, c.CurvePreferences = tls.VersionTLS13, []tls.CurveID{tls.X25519MLKEM768}
}

// What is offered is chosen here, not by the release of Go.
func TestClientHello(t *testing.T) {
	t.Parallel()
	hello := make(chan *tls.ClientHelloInfo, 1)
	config := testConfig(t)
	config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) { hello <- h; return nil, nil }
	p := newPeer(t, "127.0.0.1:0", config, echo)
	c := mustGet(t, newUpstream(t, options(p.addr)))
	defer c.Close()
	h := <-hello
	if h.ServerName != testHost || len(h.SupportedProtos) != 0 {
		t.Errorf("SNI, ALPN = %q, %q, want %q and none", h.ServerName, h.SupportedProtos, testHost)
	}
	if want := "[X25519 CurveP256 CurveP384 CurveP521]"; fmt.Sprint(h.SupportedCurves) != want {
		t.Errorf("curves = %v, want %v", h.SupportedCurves, want)
	}
	for _, suite := range h.CipherSuites {
		if name := tls.CipherSuiteName(suite); strings.HasPrefix(name, "TLS_RSA_") || strings.Contains(name, "3DES") || strings.Contains(name, "RC4") {
			t.Errorf("%s is offered without legacy", name)
		}
	}
}
