package firewall

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Real parts run in a process of their own, in namespaces of their own (network,
// mounts, processes): whatever they do to a packet filter ends with that
// process. It is this test binary again, told which network namespace to be
// outside of.
var outside = flag.String("outside", "", "set by the tests themselves")

func TestMain(m *testing.M) {
	flag.Parse()
	if *outside != "" {
		if err := settle(*outside); err != nil {
			fmt.Fprintln(os.Stderr, "settling in the namespaces:", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// settle gives the process its own /proc, /run and loopback, once it is sure
// to be in a network namespace of its own.
func settle(outside string) error {
	for _, mount := range []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"none", "/", "", unix.MS_REC | unix.MS_PRIVATE},
		{"proc", "/proc", "proc", 0},
		{"tmpfs", "/run", "tmpfs", 0}, // the lock of xtables is there
	} {
		if err := unix.Mount(mount.source, mount.target, mount.kind, mount.flags, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", mount.target, err)
		}
	}
	if here, err := os.Readlink("/proc/self/ns/net"); err != nil || here == outside {
		return fmt.Errorf("still in the network namespace of the machine: %s, %w", here, err)
	}
	// Some machines switch IPv6 off in new namespaces.
	os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("0"), 0o644)
	return exec.Command("ip", "link", "set", "lo", "up").Run()
}

// inside runs the calling test again in namespaces of its own. It returns
// whether this process is the one there.
func inside(t *testing.T, commands ...string) bool {
	t.Helper()
	if *outside != "" {
		return true
	}
	t.Parallel()
	if testing.Short() {
		t.Skip("left out: it is not short")
	}
	if missing := lacking(append(commands, "ip")); missing != "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("needs %s", missing)
		}
		t.Skipf("left out: needs %s", missing)
	}
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithTimeout(t.Context(), 2*time.Minute)
	defer end()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-outside="+here)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("inside: %v\n%s", err, out)
	} else if testing.Verbose() {
		t.Logf("inside:\n%s", out)
	}
	return false
}

// lacking returns what this machine does not have for a test in namespaces.
func lacking(commands []string) string {
	var missing []string
	if os.Geteuid() != 0 {
		missing = append(missing, "root")
	}
	for _, c := range commands {
		if _, ok := lookCommand(c); !ok {
			missing = append(missing, c)
		}
	}
	return strings.Join(missing, " and ")
}

// do runs a command in the namespaces, and returns its output.
func do(t *testing.T, argv ...string) string {
	t.Helper()
	if *outside == "" {
		panic("BUG: firewall: a test would touch the machine's own firewall")
	}
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

// shell runs a line as an administrator would type it.
func shell(t *testing.T, line string) string {
	t.Helper()
	return do(t, "sh", "-ec", line)
}

// await waits until ready, which is asked again and again.
func await(t *testing.T, what string, ready func() bool) {
	t.Helper()
	deadline, tick := time.After(20*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-deadline:
			t.Fatalf("%s: not within 20 s", what)
		case <-tick.C:
		}
	}
}

// A peer is the other hosts of the world: a thread in a network namespace of
// its own, with the addresses of all callers.
type peer struct{ orders chan func() }

// Addresses of the world. The host has .1.
var (
	hostV4, hostV6 = netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("fd77::1")

	kingdee    = netip.MustParseAddr("49.4.80.61")
	kingdeeToo = netip.MustParseAddr("124.70.28.68")
	stranger   = netip.MustParseAddr("203.0.113.9")
	container  = netip.MustParseAddr("10.77.0.20")
	friendV6   = netip.MustParseAddr("2001:db8::61")
	strangerV6 = netip.MustParseAddr("2001:db8::9")
)

// newPeer connects this namespace with one of callers. Every packet takes the
// way of a real one.
func newPeer(t *testing.T) *peer {
	t.Helper()
	p := &peer{make(chan func())}
	thread := make(chan int)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			panic(err)
		}
		thread <- unix.Gettid()
		for order := range p.orders {
			order()
		}
	}()
	t.Cleanup(func() { close(p.orders) })
	namespace := fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), <-thread)
	shell(t, "ip link add eth0 type veth peer name world0; ip link set world0 netns "+namespace+`
		ip addr add 10.77.0.1/24 dev eth0; ip addr add fd77::1/64 dev eth0 nodad; ip link set eth0 up`)
	p.run(func() {
		shell(t, `ip link set lo up; ip link set world0 up
			ip addr add 10.77.0.2/24 dev world0; ip addr add fd77::2/64 dev world0 nodad
			for a in 49.4.80.61 124.70.28.68 203.0.113.9 203.0.113.10 10.77.0.20 52.83.1.1; do ip addr add $a/32 dev world0; done
			for a in 2001:db8::61 2001:db8::9; do ip addr add $a/128 dev world0 nodad; done`)
	})
	shell(t, "ip route add default via 10.77.0.2; ip -6 route add default via fd77::2")
	await(t, "the link", func() bool { return strings.Contains(do(t, "ip", "link", "show", "eth0"), "LOWER_UP") })
	return p
}

// run runs f in the callers' namespace, and waits for it.
func (p *peer) run(f func()) {
	done := make(chan struct{})
	p.orders <- func() { defer close(done); f() }
	<-done
}

// dial connects from source to a port of the host.
func (p *peer) dial(source netip.Addr, port uint16, timeout time.Duration) (conn net.Conn, err error) {
	to := hostV4
	if source.Is6() {
		to = hostV6
	}
	d := net.Dialer{Timeout: timeout, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))}
	p.run(func() { conn, err = d.Dial("tcp", netip.AddrPortFrom(to, port).String()) })
	return conn, err
}

// reaches reports whether source gets a connection to port in time.
func (p *peer) reaches(source netip.Addr, port uint16, timeout time.Duration) bool {
	conn, err := p.dial(source, port, timeout)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// expect checks that exactly the sources of admitted reach the port, of all
// that are tried.
func (p *peer) expect(t *testing.T, port uint16, admitted []netip.Addr, refused ...netip.Addr) {
	t.Helper()
	for _, a := range admitted {
		if !p.reaches(a, port, 5*time.Second) { // the machine may be busy
			t.Errorf("%v does not reach %d, want it to", a, port)
		}
	}
	for _, a := range refused {
		if p.reaches(a, port, 250*time.Millisecond) {
			t.Errorf("%v reaches %d, want it not to", a, port)
		}
	}
}

// serve accepts connections at port on all addresses.
func serve(t *testing.T, port uint16) {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				conn.Close()
			}
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
}

// start starts a daemon, which ends with the test.
func start(t *testing.T, argv ...string) *os.Process {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		log.Close()
		if text, _ := os.ReadFile(log.Name()); t.Failed() && len(text) > 0 {
			t.Logf("%s said:\n%s", argv[0], text)
		}
	})
	return cmd.Process
}

// startBus starts a system bus that lets everyone do everything.
func startBus(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.conf")
	socket := filepath.Join(dir, "bus")
	text := `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=` + socket + `</listen><auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/>
</policy></busconfig>`
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+socket)
	start(t, "dbus-daemon", "--nofork", "--config-file="+config)
	await(t, "the bus", func() bool {
		b, err := connectBus()
		return err == nil && b.close() == nil
	})
}

// A firewalldProcess is a firewalld that runs, and how it was started.
type firewalldProcess struct {
	*os.Process
	argv []string
}

// startFirewalld starts a firewalld that works with nftables or iptables.
func startFirewalld(t *testing.T, backend string) firewalldProcess {
	t.Helper()
	startBus(t)
	etc := filepath.Join(t.TempDir(), "firewalld")
	for _, dir := range []string{"zones", "services", "policies", "ipsets", "icmptypes", "helpers"} {
		if err := os.MkdirAll(filepath.Join(etc, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	config := "DefaultZone=public\nIPv6_rpfilter=no\nFirewallBackend=" + backend + "\n"
	if err := os.WriteFile(filepath.Join(etc, "firewalld.conf"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	argv := []string{"firewalld", "--nofork", "--nopid", "--system-config", etc, "--log-target", "console"}
	process := start(t, argv...)
	awaitFirewalld(t)
	return firewalldProcess{process, argv}
}

// awaitFirewalld waits until firewalld has loaded all rules.
func awaitFirewalld(t *testing.T) {
	t.Helper()
	b, err := connectBus()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	await(t, "firewalld", func() bool {
		return b.running(t.Context()) && b.property(t.Context(), busPath, mainFace, "state") == "RUNNING"
	})
}

// variant makes the commands of iptables those of nft or legacy.
func variant(t *testing.T, name string) {
	t.Helper()
	dir := t.TempDir()
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, suffix := range []string{"", "-save", "-restore"} {
			command, ok := lookCommand(family + "-" + name + suffix)
			if !ok {
				t.Fatalf("no %s-%s%s", family, name, suffix)
			}
			if err := os.Symlink(command, filepath.Join(dir, family+suffix)); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// manager returns one for the port 8864 and its sources, which keeps its files
// in the test's folder.
func manager(t *testing.T, k Kind, folders Folders, p Policy) *Manager {
	t.Helper()
	return NewManager(Options{Backend: k, Policy: p, Folders: folders, Listen: []netip.AddrPort{netip.MustParseAddrPort("[::]:8864")}})
}

// apply applies p, and checks that it is in step then, and that a second apply
// changes nothing.
func apply(t *testing.T, m *Manager, c Consent) Report {
	t.Helper()
	first, err := m.Apply(t.Context(), c)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	second, err := m.Apply(t.Context(), c)
	if err != nil || len(second.Changes) > 0 {
		t.Fatalf("second Apply = %v, %v, want no changes", second.Changes, err)
	}
	return first
}
