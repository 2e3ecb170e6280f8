package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// A network is three hosts in a row, each in a namespace of its own: here, a
// router, and the target, which listens on 8443. Without IPv6 addresses it has
// IPv4 alone.
//
//	a 10.91.1.1 --- 10.91.1.2 b 10.91.2.2 --- 10.91.2.3 c
type network struct{ a, b, c string }

// newNetwork makes one; it ends with the test.
func newNetwork(t *testing.T, name string) network {
	t.Helper()
	if os.Geteuid() != 0 {
		needed(t, "network namespaces are root's")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		needed(t, "ip (package iproute2) is not there")
	}
	prefix := fmt.Sprintf("lqt%d%s", os.Getpid(), name)
	n := network{prefix + "a", prefix + "b", prefix + "c"}
	for _, ns := range []string{n.a, n.b, n.c} {
		if out, err := exec.Command("ip", "netns", "add", ns).CombinedOutput(); err != nil {
			needed(t, "making a network namespace: "+string(out))
		}
		t.Cleanup(func() { command(t, "ip netns del "+ns) })
		command(t, "ip -n "+ns+" link set lo up")
		n.set(t, ns, "ipv6/conf/default/accept_dad=0") // or addresses are not usable at once
	}
	command(t, "ip -n "+n.a+" link add eth0 type veth peer name eth0 netns "+n.b)
	command(t, "ip -n "+n.b+" link add eth1 type veth peer name eth0 netns "+n.c)
	for _, link := range []string{
		n.a + " eth0 10.91.1.1/24 fd91:1::1/64", n.b + " eth0 10.91.1.2/24 fd91:1::2/64",
		n.b + " eth1 10.91.2.2/24 fd91:2::2/64", n.c + " eth0 10.91.2.3/24 fd91:2::3/64",
	} {
		var ns, dev, v4, v6 string
		fmt.Sscan(link, &ns, &dev, &v4, &v6)
		command(t, "ip -n "+ns+" addr add "+v4+" dev "+dev)
		command(t, "ip -n "+ns+" -6 addr add "+v6+" dev "+dev+" nodad")
		command(t, "ip -n "+ns+" link set "+dev+" up")
	}
	command(t, "ip -n "+n.a+" route add default via 10.91.1.2")
	command(t, "ip -n "+n.c+" route add default via 10.91.2.2")
	command(t, "ip -n "+n.a+" -6 route add default via fd91:1::2")
	command(t, "ip -n "+n.c+" -6 route add default via fd91:2::2")
	// The limit of ICMP messages would make routers silent.
	n.set(t, n.b, "ipv4/ip_forward=1", "ipv4/icmp_ratelimit=0", "ipv6/conf/all/forwarding=1", "ipv6/icmp/ratelimit=0")
	n.await(t)
	return n
}

// await waits until the first host can reach the last one: addresses of IPv6
// take a while.
func (n network) await(t *testing.T) {
	t.Helper()
	inside(t, n.a, func() {
		for _, to := range []string{v4, v6} {
			tr := newTracer(netip.MustParseAddrPort(to), netip.Addr{})
			defer tr.close()
			tr.wait = 100 * time.Millisecond
			for end := time.Now().Add(10 * time.Second); ; {
				hop, err := tr.hop(t.Context(), maxHops)
				if err == nil && hop.Kind == HopRefused {
					break
				}
				if time.Now().After(end) {
					t.Errorf("%s cannot be reached: %+v, %v", to, hop, err)
					break
				}
			}
		}
	})
}

// needed skips a test that lacks something; in CI nothing may be lacking.
func needed(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

func command(t *testing.T, line string) {
	t.Helper()
	argv := strings.Fields(line)
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
}

// inside calls f on a thread within the namespace; what f does must stay on it.
func inside(t *testing.T, ns string, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		fd, err := os.Open("/run/netns/" + ns)
		if err == nil {
			err = unix.Setns(int(fd.Fd()), unix.CLONE_NEWNET)
			fd.Close()
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatalf("entering %s: %v", ns, err)
	}
}

// set writes kernel parameters of the namespace.
func (n network) set(t *testing.T, ns string, parameters ...string) {
	t.Helper()
	inside(t, ns, func() {
		for _, p := range parameters {
			name, value, _ := strings.Cut(p, "=")
			if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644); err != nil {
				t.Errorf("setting %s: %v", p, err)
			}
		}
	})
}

// listen lets the target accept connections until the test ends.
func (n network) listen(t *testing.T) {
	t.Helper()
	inside(t, n.c, func() {
		ln, err := net.Listen("tcp", ":8443")
		if err != nil {
			t.Errorf("listening: %v", err)
			return
		}
		t.Cleanup(func() { ln.Close() })
	})
}

// trace traces within the first host.
func (n network) trace(t *testing.T, to string, reachable bool, change func(*tracer)) string {
	t.Helper()
	var got Trace
	target := netip.MustParseAddrPort(to)
	inside(t, n.a, func() {
		tr := newTracer(target, netip.Addr{})
		defer tr.close()
		tr.wait = 300 * time.Millisecond
		if change != nil {
			change(tr)
		}
		silence := maxSilence
		if reachable {
			silence = maxHops
		}
		got = walk(t.Context(), target, silence, tr.hop)
	})
	return outline(got)
}

// outline is a trace without times.
func outline(t Trace) string {
	var words []string
	for _, h := range t.Hops {
		words = append(words, strings.TrimSpace(string(h.Kind)+" "+strings.TrimSuffix(h.Addr.String(), "invalid IP")))
	}
	if t.Error != "" {
		words = append(words, "error "+t.Error)
	}
	return strings.Join(words, ", ")
}

func checkTrace(t *testing.T, what, want, got string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trace %s (-want +got):\n%s", what, diff)
	}
}

const (
	v4 = "10.91.2.3:8443"
	v6 = "[fd91:2::3]:8443"
)

func TestTraceReachesTheTarget(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, "r")
	n.listen(t)
	checkTrace(t, "IPv4", "router 10.91.1.2, target 10.91.2.3", n.trace(t, v4, true, nil))
	checkTrace(t, "IPv6", "router fd91:1::2, target fd91:2::3", n.trace(t, v6, true, nil))
	// As on kernels whose error queue has nothing of connections that are being
	// made. Here the answer is sometimes quicker than connect(2), and lost: the
	// second SYN is awaited.
	old := func(tr *tracer) { tr.queue, tr.wait = false, hopTimeout }
	checkTrace(t, "IPv4 of old kernels", "router 10.91.1.2, target 10.91.2.3", n.trace(t, v4, true, old))
	checkTrace(t, "IPv6 of old kernels", "router fd91:1::2, target fd91:2::3", n.trace(t, v6, true, old))
	poor := func(tr *tracer) {
		old(tr)
		tr.close()
		tr.icmp = -1
	}
	checkTrace(t, "of old kernels without rights", "router, target 10.91.2.3", n.trace(t, v4, true, poor))
	own := func(tr *tracer) { tr.local = netip.MustParseAddr("10.91.1.1") }
	checkTrace(t, "from an own address", "router 10.91.1.2, target 10.91.2.3", n.trace(t, v4, true, own))
	foreign := func(tr *tracer) { tr.local = netip.MustParseAddr("10.91.9.9") }
	checkTrace(t, "from another's address", "error preparing a socket: cannot assign requested address", n.trace(t, v4, true, foreign))
}

func TestTraceOfARefusal(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, "x") // nobody listens
	checkTrace(t, "IPv4", "router 10.91.1.2, refused 10.91.2.3", n.trace(t, v4, true, nil))
	checkTrace(t, "IPv6", "router fd91:1::2, refused fd91:2::3", n.trace(t, v6, true, nil))
}

const silent6 = ", silent, silent, silent, silent, silent, silent"

// A blackhole on the way back makes the target as silent as a firewall would.
func TestTraceEndsWhereConnectionsAreDropped(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, "d")
	n.listen(t)
	command(t, "ip -n "+n.b+" route add blackhole 10.91.2.3/32")
	command(t, "ip -n "+n.c+" route add blackhole 10.91.1.0/24")
	checkTrace(t, "to a blackhole at the router", strings.TrimPrefix(silent6, ", "), n.trace(t, v4, false, nil))
	command(t, "ip -n "+n.b+" route del blackhole 10.91.2.3/32")
	checkTrace(t, "to a target that drops", "router 10.91.1.2"+silent6, n.trace(t, v4, false, nil))
}

func TestTraceIsToldThatThereIsNoWay(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, "b")
	command(t, "ip -n "+n.b+" route add prohibit 10.91.2.3/32")
	command(t, "ip -n "+n.b+" -6 route add unreachable fd91:2::3/128")
	checkTrace(t, "IPv4", "barred 10.91.1.2", n.trace(t, v4, false, nil))
	checkTrace(t, "IPv6", "barred fd91:1::2", n.trace(t, v6, false, nil))
	checkTrace(t, "of old kernels", "barred 10.91.1.2", n.trace(t, v4, false, func(tr *tracer) { tr.queue, tr.wait = false, hopTimeout }))
}

// Without ICMP the routers are silent, and the target is still found.
func TestTraceWhereICMPIsFiltered(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, "f")
	n.listen(t)
	n.set(t, n.b, "ipv4/icmp_ratelimit=100000000") // milliseconds for each message
	checkTrace(t, "without ICMP", "silent, target 10.91.2.3", n.trace(t, v4, true, nil))
}

func TestTraceWithoutIPv6(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, "4")
	n.listen(t)
	n.set(t, n.a, "ipv6/conf/all/disable_ipv6=1")
	got := n.trace(t, v6, true, nil)
	if !strings.HasPrefix(got, "error connecting to [fd91:2::3]:8443: ") {
		t.Errorf("trace = %q, want that there is no way", got)
	}
	checkTrace(t, "IPv4", "router 10.91.1.2, target 10.91.2.3", n.trace(t, v4, true, nil))
}

func TestTraceEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := TraceTo(ctx, netip.MustParseAddrPort("127.0.0.1:1"), netip.Addr{}, false)
	if len(got.Hops) > 1 {
		t.Errorf("TraceTo with an ended context = %+v, want at most one hop", got)
	}
}

func TestTraceOfThisMachine(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := ln.Addr().(*net.TCPAddr).AddrPort()
	checkTrace(t, "to a listener", "target 127.0.0.1", outline(TraceTo(t.Context(), to, netip.Addr{}, true)))
	ln.Close()
	checkTrace(t, "to nobody", "refused 127.0.0.1", outline(TraceTo(t.Context(), to, netip.Addr{}, false)))
}
