package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe/leqisim"
	"golang.org/x/sys/unix"
)

// The pair runs in namespaces of its own, where its addresses are those of the
// example files, which are used as they are. The test runs itself again there:
// this variable says outside of which network namespace it has to be.
const pairOutside = "LQPROXY_TEST_OUTSIDE"

// The hosts of configs/keepalived. The upstream and the callers are this
// process, on a bridge with both nodes.
const (
	pairVirtual  = "10.0.0.8"
	pairUpstream = "10.0.0.1"
	pairCaller   = "10.0.0.20"
)

// TestPair runs both nodes with real keepalived, and calls through the virtual
// IP: a planned stop loses no call, a killed proxy is replaced, and an upstream
// that fails is no reason to move.
func TestPair(t *testing.T) {
	if !insidePair(t) {
		return
	}
	w := newPairWorld(t)
	a, b := w.node("a", "10.0.0.5", `[":8864"]`), w.node("b", "10.0.0.6", `["10.0.0.6:8864", "10.0.0.8:8864"]`)
	for _, n := range []*pairNode{a, b} {
		n.serve()
		n.keep()
	}
	w.await("a node has the virtual IP", func() bool { return a.holds() != b.holds() })
	if b.holds() { // whoever was quicker
		a, b = b, a
	}

	crowd := w.call(8)
	w.await("calls are answered", func() bool { return crowd.answered.Load() > 20 })

	t.Run("planned stop", func(t *testing.T) {
		a.proxy.Process.Signal(syscall.SIGTERM)
		w.await("the other node has the virtual IP", func() bool { return b.holds() && !a.holds() })
		a.wait()
		answered := crowd.answered.Load()
		w.await("calls are answered again", func() bool { return crowd.answered.Load() > answered+20 })
		crowd.end()
		if lost := crowd.lost(); len(lost) > 0 {
			t.Errorf("%d calls were sent and not answered:\n%s", len(lost), strings.Join(lost, "\n"))
		}
		if refused := crowd.refused.Load(); refused == 0 {
			t.Error("no call was refused: the stop was not seen under load")
		}
		t.Logf("%d calls answered, %d refused before they were sent", crowd.answered.Load(), crowd.refused.Load())
	})

	t.Run("killed", func(t *testing.T) {
		a.serve() // it is back, and does not take over
		w.await("it is ready", func() bool { return a.ready() })
		w.steady(2*time.Second, "the virtual IP stays where it is", func() bool { return b.holds() && !a.holds() })
		crowd := w.call(4)
		w.await("calls are answered", func() bool { return crowd.answered.Load() > 20 })
		b.proxy.Process.Kill()
		killed := time.Now()
		w.await("the other node has the virtual IP", func() bool { return a.holds() && !b.holds() })
		if took := time.Since(killed); took > 8*time.Second {
			t.Errorf("the virtual IP moved after %v, want seconds", took)
		}
		b.wait()
		answered := crowd.answered.Load()
		w.await("calls are answered again", func() bool { return crowd.answered.Load() > answered+20 })
		crowd.end()
	})

	t.Run("upstream down", func(t *testing.T) {
		if err := w.sim.Close(); err != nil {
			t.Fatal(err)
		}
		crowd := w.call(1)
		defer crowd.end()
		w.await("calls fail", func() bool { return a.ask("/metrics", "\nlqproxy_upstream_up 0\n") })
		// Longer than the scripts of keepalived would take to give up.
		w.steady(11*time.Second, "the virtual IP stays", func() bool { return a.holds() && a.ready() })
	})

	if repeated := w.sim.Repeated(); len(repeated) > 0 {
		t.Errorf("calls that arrived twice: %v", repeated)
	}
}

// insidePair runs the test again in namespaces of its own. It reports whether
// this process is the one there.
func insidePair(t *testing.T) bool {
	t.Helper()
	if outside := os.Getenv(pairOutside); outside != "" {
		settlePair(t, outside)
		return true
	}
	t.Parallel()
	if testing.Short() {
		t.Skip("left out: it is not short")
	}
	for _, command := range []string{"ip", "keepalived", "curl"} {
		if _, err := exec.LookPath(command); err != nil || os.Geteuid() != 0 {
			if os.Getenv("CI") == "true" {
				t.Fatalf("needs root and %s", command)
			}
			t.Skipf("left out: needs root and %s", command)
		}
	}
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithTimeout(t.Context(), 2*time.Minute)
	defer end()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^TestPair$", "-test.v")
	cmd.Env = append(os.Environ(), pairOutside+"="+here)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestPair")) {
		t.Errorf("inside: %v\n%s", err, out)
	} else if testing.Verbose() {
		t.Logf("inside:\n%s", out)
	}
	return false
}

// settlePair gives the process its own /proc and /run, once it is sure to be in
// a network namespace of its own.
func settlePair(t *testing.T, outside string) {
	t.Helper()
	if here, err := os.Readlink("/proc/self/ns/net"); err != nil || here == outside {
		t.Fatalf("still in the network namespace of the machine: %s, %v", here, err)
	}
	for _, mount := range []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"none", "/", "", unix.MS_REC | unix.MS_PRIVATE},
		{"proc", "/proc", "proc", 0},
		{"tmpfs", "/run", "tmpfs", 0}, // of ip netns
	} {
		if err := unix.Mount(mount.source, mount.target, mount.kind, mount.flags, ""); err != nil {
			t.Fatalf("mounting %s: %v", mount.target, err)
		}
	}
}

// A pairWorld is the network of the pair.
type pairWorld struct {
	t   *testing.T
	sim *leqisim.Server
}

// fieldTID is the field by which the upstream knows a call again.
const fieldTID = "clientTid"

func newPairWorld(t *testing.T) *pairWorld {
	t.Helper()
	w := &pairWorld{t: t}
	w.shell(`ip link set lo up; ip link add br0 type bridge; ip link set br0 up
		ip addr add ` + pairUpstream + `/24 dev br0; ip addr add ` + pairCaller + `/24 dev br0`)
	sim, err := leqisim.Start(leqisim.Options{
		Address: pairUpstream + ":8443", CountBy: fieldTID,
		Rules: []leqisim.Rule{ // some are quick, some take as long as an invoice does
			{Match: leqisim.Match{Times: 1, Of: 3}, Behaviour: leqisim.Behaviour{Delay: 1500 * time.Millisecond}},
			{Behaviour: leqisim.Behaviour{Delay: 20 * time.Millisecond}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	w.sim = sim
	return w
}

// shell runs a line as an administrator would type it.
func (w *pairWorld) shell(line string) string {
	w.t.Helper()
	out, err := exec.CommandContext(w.t.Context(), "sh", "-ec", line).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// await waits until done, which is asked again and again.
func (w *pairWorld) await(what string, done func() bool) {
	w.t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			w.t.Fatalf("%s: not within %v", what, patience)
		case <-tick.C:
		}
	}
}

// steady fails the test if what holds now does not for all of that time.
func (w *pairWorld) steady(during time.Duration, what string, holds func() bool) {
	w.t.Helper()
	over, tick := time.After(during), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for holds() {
		select {
		case <-over:
			return
		case <-tick.C:
		}
	}
	w.t.Fatalf("%s: no", what)
}

// A pairNode is a host with a proxy and keepalived.
type pairNode struct {
	w             *pairWorld
	name, address string
	dir           string
	proxy         *exec.Cmd
}

// node makes a host that listens at listen, a list of TOML.
func (w *pairWorld) node(name, address, listen string) *pairNode {
	w.t.Helper()
	n := &pairNode{w: w, name: name, address: address, dir: w.t.TempDir()}
	w.shell(strings.NewReplacer("NODE", name, "ADDRESS", address).Replace(`
		ip netns add NODE
		ip link add veth-NODE type veth peer name eth0 netns NODE
		ip link set veth-NODE master br0 up
		ip -n NODE link set lo up
		ip -n NODE addr add ADDRESS/24 dev eth0
		ip -n NODE link set eth0 up`))
	config := fmt.Sprintf(`
state_dir = %q
admin.addresses = ["127.0.0.1:9864"]
allow.sources = [%q]
upstream.address = "%s:8443"
upstream.local_address = %q
log.access_file = "off"
log.error_file = ""
listen.addresses = %s
listen.drain_grace = "1s"
`, n.dir, pairCaller, pairUpstream, address, listen)
	if err := os.WriteFile(n.file(), []byte(config), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (n *pairNode) file() string { return filepath.Join(n.dir, "lqproxy.toml") }

// start runs a program on the node, which ends with the test. What it prints
// is shown if the test fails.
func (n *pairNode) start(args ...string) *exec.Cmd {
	n.w.t.Helper()
	cmd := exec.Command("ip", append([]string{"netns", "exec", n.name}, args...)...)
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Start(); err != nil {
		n.w.t.Fatal(err)
	}
	n.w.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if n.w.t.Failed() {
			n.w.t.Logf("%s on node %s:\n%s", args[0], n.name, printed.Bytes())
		}
	})
	return cmd
}

func (n *pairNode) serve() {
	n.w.t.Helper()
	n.proxy = n.start("lqproxy", "serve", "--allow-root", "-c", n.file())
	n.w.await("lqproxy is ready", n.ready)
}

// keep runs keepalived with the example of this node.
func (n *pairNode) keep() {
	n.w.t.Helper()
	example, err := filepath.Abs(filepath.Join("..", "..", "configs", "keepalived", "node-"+n.name+".conf"))
	if err != nil {
		n.w.t.Fatal(err)
	}
	n.start("keepalived", "-n", "-l", "-D", "-P", "-f", example,
		"-p", filepath.Join(n.dir, "keepalived.pid"), "-r", filepath.Join(n.dir, "vrrp.pid"))
}

// wait waits until the proxy has ended.
func (n *pairNode) wait() {
	n.w.t.Helper()
	ended := make(chan struct{})
	go func() { n.proxy.Wait(); close(ended) }() //nolint:errcheck // it was told to end, or killed
	select {
	case <-ended:
	case <-time.After(patience):
		n.w.t.Fatalf("the proxy of node %s does not end", n.name)
	}
}

// holds reports whether the node has the virtual IP.
func (n *pairNode) holds() bool {
	return strings.Contains(n.w.shell("ip -n "+n.name+" -o -4 addr show dev eth0"), " "+pairVirtual+"/24 ")
}

func (n *pairNode) ready() bool { return n.ask("/readyz", "") }

// ask asks the admin address of the node, and reports whether it answers 200
// with that text.
func (n *pairNode) ask(path, text string) bool {
	out, err := exec.Command("ip", "netns", "exec", n.name, "curl", "-sf", "http://127.0.0.1:9864"+path).Output()
	return err == nil && strings.Contains(string(out), text)
}

// A pairCrowd is callers who call through the virtual IP until their end.
type pairCrowd struct {
	w                 *pairWorld
	over              chan struct{}
	callers           sync.WaitGroup
	answered, refused atomic.Int64

	mu     sync.Mutex // guards failed
	failed map[string]error
}

// pairCalls numbers the calls of all crowds.
var pairCalls atomic.Int64

// call starts n callers: every other one keeps its connection.
func (w *pairWorld) call(n int) *pairCrowd {
	c := &pairCrowd{w: w, over: make(chan struct{}), failed: make(map[string]error)}
	for i := range n {
		client := &http.Client{Timeout: patience, Transport: &http.Transport{
			DisableKeepAlives: i%2 == 0,
			DialContext:       (&net.Dialer{Timeout: time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(pairCaller)}}).DialContext,
		}}
		c.callers.Go(func() {
			defer client.CloseIdleConnections()
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-c.over:
					return
				case <-tick.C:
					c.once(client)
				}
			}
		})
	}
	return c
}

// once makes one call, and notes what became of it.
func (c *pairCrowd) once(client *http.Client) {
	tid := fmt.Sprintf("%032d", pairCalls.Add(1))
	r, err := http.NewRequest(http.MethodPost, "http://"+pairVirtual+":8864"+demoProduction, strings.NewReader("{}"))
	if err != nil {
		panic("BUG: lqproxy: " + err.Error())
	}
	r.GetBody = nil // or the client would send it again by itself
	r.Header.Set("Content-Type", "application/json")
	r.Header[fieldTID] = []string{tid}
	answer, err := client.Do(r)
	if err == nil {
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if err == nil && answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %s, reason %s", answer.Status, answer.Header.Get("X-Lqproxy-Reason"))
		}
	}
	if err == nil {
		c.answered.Add(1)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed[tid] = err
	c.refused.Add(1)
}

// end waits until all callers have gone.
func (c *pairCrowd) end() {
	close(c.over)
	c.callers.Wait()
}

// lost returns the calls that failed although the upstream has received them.
func (c *pairCrowd) lost() (lost []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for tid, err := range c.failed {
		if c.w.sim.Received(tid) > 0 {
			lost = append(lost, fmt.Sprintf("%s: %v", tid, err))
		}
	}
	return lost
}
