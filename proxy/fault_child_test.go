package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// A child is a proxy in a process of its own, whose descriptors and memory are
// its own too. It is this test binary, told by these flags what to be.
var (
	childUpstream    = flag.String("fault.upstream", "", "upstreams, with commas and of one port, of the proxy that a fault test starts")
	childDescriptors = flag.Uint64("fault.descriptors", 0, "descriptors of that proxy; 0: as they are")
	childHurried     = flag.Bool("fault.hurried", false, "that proxy has short timeouts")
)

// TestFaultChild is that proxy. It prints its address, and an answer to each
// order that it reads, and ends with its input.
func TestFaultChild(t *testing.T) {
	if *childUpstream == "" {
		return // nobody asked for one
	}
	g := startFaultChild(t)
	if *childDescriptors > 0 {
		limit := syscall.Rlimit{Cur: *childDescriptors, Max: *childDescriptors}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println(g.addr)
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		switch orders.Text() {
		case "state":
			s := currentState()
			fmt.Println(g.gauge("lqproxy_limit_current", "connections"), s.goroutines, s.descriptors, s.heap, s.resident)
		case "outcomes":
			fmt.Println(g.log.outcomes())
		case "reload":
			g.Reload(childOptions(), g.upstream, nil)
			fmt.Println("reloaded")
		}
	}
}

func startFaultChild(t *testing.T) *faultRig {
	t.Helper()
	var addrs []netip.AddrPort
	for text := range strings.SplitSeq(*childUpstream, ",") {
		addrs = append(addrs, netip.MustParseAddrPort(text))
	}
	g := startFault(t, addrs[0], faultParts{
		run:     true,
		options: func(o *proxy.Options) { *o = childOptions() },
		upstream: func(o *upstream.Options) {
			for _, a := range addrs[1:] {
				o.FixedIPs = append(o.FixedIPs, a.Addr())
			}
			if *childHurried {
				o.IdleTimeout, o.DialTimeout = time.Second, 300*time.Millisecond
			}
		},
	})
	g.log.brief = true
	return g
}

func childOptions() proxy.Options {
	o := faultOptions()
	o.Limits.Connections = 20_000
	o.IdleTimeout *= 10
	if *childHurried {
		o.ResponseTimeout = 500 * time.Millisecond
	}
	return o
}

// A faultState is what a process takes.
type faultState struct {
	connections, goroutines, descriptors int

	heap     int // bytes of heap and stacks in use, without garbage
	resident int // bytes
}

// currentState returns that of this process; connections are not known to it.
func currentState() (s faultState) {
	runtime.GC()
	runtime.GC() // what pools held is garbage only now
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.heap = int(m.HeapInuse + m.StackInuse)
	s.goroutines = runtime.NumGoroutine()
	var pages int
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		fmt.Sscan(string(statm), new(int), &pages)
	}
	s.resident = pages * os.Getpagesize()
	open, err := os.ReadDir("/proc/self/fd")
	s.descriptors = len(open) - 1 // not the one of this reading
	if errors.Is(err, syscall.EMFILE) {
		s.descriptors = int(*childDescriptors)
	}
	return s
}

// A faultChild is the parent's side of it.
type faultChild struct {
	t     *testing.T
	addr  string
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// startChild starts a child, and ends it with the test.
func startChild(t *testing.T, flags ...string) *faultChild {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-test.run=^TestFaultChild$", "-test.timeout=0"}, flags...)
	cmd := exec.CommandContext(context.Background(), self, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c := &faultChild{t: t, lines: bufio.NewScanner(stdout)}
	if c.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.stdin.Close()
		var last []string
		for c.lines.Scan() {
			last = append(last, c.lines.Text())
		}
		if err := cmd.Wait(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("a proxy in a process of its own: %v\n%s\n%s", err, strings.Join(last, "\n"), stderr.String())
		}
	})
	c.addr = c.line()
	return c
}

func (c *faultChild) line() string {
	c.t.Helper()
	if !c.lines.Scan() {
		c.t.Fatalf("the proxy ended: %v", c.lines.Err())
	}
	return c.lines.Text()
}

// order has the child do something, and returns its answer.
func (c *faultChild) order(what string) string {
	c.t.Helper()
	if _, err := io.WriteString(c.stdin, what+"\n"); err != nil {
		c.t.Fatal(err)
	}
	return c.line()
}

// state asks for the child's state.
func (c *faultChild) state() (s faultState) {
	c.t.Helper()
	line := c.order("state")
	if _, err := fmt.Sscan(line, &s.connections, &s.goroutines, &s.descriptors, &s.heap, &s.resident); err != nil {
		c.t.Fatalf("reading the state %q: %v", line, err)
	}
	return s
}

// String says it for people.
func (s faultState) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %.1f MiB in use, %.1f MiB resident",
		s.goroutines, s.descriptors, float64(s.heap)/(1<<20), float64(s.resident)/(1<<20))
}
