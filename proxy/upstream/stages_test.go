package upstream

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestResolveLeavesTheAddressesAlone(t *testing.T) {
	t.Parallel()
	o := options(netip.MustParseAddrPort("127.0.0.1:1"))
	o.FixedIPs = nil
	u := newUpstream(t, o)
	found := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	var failure error
	u.resolver.lookup = func(context.Context, string) ([]netip.Addr, error) { return found, failure }

	got, err := u.Resolve(t.Context())
	want := []netip.Addr{found[0], found[2]}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" || err != nil {
		t.Errorf("Resolve() failed: %v (-want +got):\n%s", err, diff)
	}
	if known := u.Status().Addresses; len(known) != 0 {
		t.Errorf("Get knows %v, want nothing", known)
	}
	failure = errors.New("no such host")
	_, err = u.Resolve(t.Context())
	wantPhase(t, err, PhaseResolve)
}

func TestResolveOfFixedAddresses(t *testing.T) {
	t.Parallel()
	o := options(netip.MustParseAddrPort("127.0.0.1:1"))
	o.FixedIPs = ips(t, "127.0.0.9", "127.0.0.8")
	got, err := newUpstream(t, o).Resolve(t.Context())
	if err != nil || len(got) != 2 || got[0] != o.FixedIPs[0] || got[1] != o.FixedIPs[1] {
		t.Errorf("Resolve() = %v, %v, want %v", got, err, o.FixedIPs)
	}
	o.Host, o.FixedIPs, o.LocalAddress = "127.0.0.1", nil, netip.MustParseAddr("::1")
	_, err = newUpstream(t, o).Resolve(t.Context())
	wantPhase(t, err, PhaseResolve)
}

func TestDialAndHandshake(t *testing.T) {
	t.Parallel()
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
	u := newUpstream(t, options(p.addr))
	link, err := u.Dial(t.Context(), p.addr.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if link.Took() <= 0 || !link.Local().IsValid() {
		t.Errorf("link took %v from %v, want both", link.Took(), link.Local())
	}
	c, err := link.Handshake(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(link.State().PeerCertificates) == 0 || c.Remote() != p.addr || c.Local() != link.Local() {
		t.Errorf("connected to %v from %v with %d certificates", c.Remote(), c.Local(), len(link.State().PeerCertificates))
	}
	exchange(t, c)
	c.Close()
	if s := u.Status(); s.Busy != 0 || s.Idle != 0 || !s.Since.IsZero() {
		t.Errorf("Status() = %+v, want nothing to be known of the host", s)
	}
}

// What was refused can still be shown.
func TestHandshakeThatIsRefused(t *testing.T) {
	t.Parallel()
	config := testConfig(t)
	p := newPeer(t, "127.0.0.1:0", config, echo)
	o := options(p.addr)
	o.TLS.Verify, o.TLS.Pins = VerifyPin, []Pin{{1}}
	link, err := newUpstream(t, o).Dial(t.Context(), p.addr.Addr())
	if err != nil {
		t.Fatal(err)
	}
	_, err = link.Handshake(t.Context())
	wantPhase(t, err, PhaseIdentity)
	if !Refused(err) {
		t.Errorf("Refused(%v) = false, want true", err)
	}
	if shown := link.State().PeerCertificates; len(shown) != 1 || PinOf(shown[0]) != PinOf(config.Certificates[0].Leaf) {
		t.Errorf("certificates = %v, want the one that was shown", shown)
	}
}

func TestStepsThatFail(t *testing.T) {
	t.Parallel()
	p := newPeer(t, "127.0.0.1:0", testConfig(t), echo)
	p.stop()
	u := newUpstream(t, options(p.addr))
	_, err := u.Dial(t.Context(), p.addr.Addr())
	wantPhase(t, err, PhaseDial)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := u.Dial(ended, p.addr.Addr()); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial() = %v, want %v", err, context.Canceled)
	}
	u.resolver.fixed = false
	u.resolver.lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) { return nil, ctx.Err() }
	if _, err := u.Resolve(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Resolve() = %v, want %v", err, context.Canceled)
	}
}

func TestHandshakeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ln := newSilent(t)
	u := newUpstream(t, options(ln))
	link, err := u.Dial(t.Context(), ln.Addr())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := link.Handshake(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Handshake() = %v, want %v", err, context.DeadlineExceeded)
	}
}

// newSilent returns the address of a listener that nobody accepts from: the
// kernel connects, and nothing else happens.
func newSilent(t *testing.T) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().(*net.TCPAddr).AddrPort()
}
