package packaging

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe/leqisim"
)

// The ports of the tests' configurations, which are no defaults of anything.
const (
	port  = 18864
	admin = 19864
)

// callID is the field by which the simulated Leqi tells requests apart.
const callID = "X-Call"

// stalls is how long a slow answer takes.
const stalls = 3 * time.Second

// settings is a configuration for the host's loopback; rest is appended.
func settings(upstream string, shift int, rest string) string {
	return fmt.Sprintf(`[listen]
addresses = ["127.0.0.1:%d"]
drain_timeout = "60s"
[allow]
sources = ["127.0.0.1"]
[upstream]
address = %q
[admin]
addresses = ["127.0.0.1:%d"]
%s`, port+shift, upstream, admin+shift, rest)
}

// simulate starts a Leqi on the host's loopback.
func (h *host) simulate(rules ...leqisim.Rule) *leqisim.Server {
	h.t.Helper()
	return h.simulateAt("127.0.0.1:0", rules...)
}

// simulateAt starts one at an address.
func (h *host) simulateAt(address string, rules ...leqisim.Rule) (sim *leqisim.Server) {
	h.t.Helper()
	err := h.inNetwork(func() (err error) {
		sim, err = leqisim.Start(leqisim.Options{Address: address, Rules: rules, CountBy: callID, Keep: -1, KeepBytes: -1})
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { sim.Close() })
	return sim
}

// call sends one request on a connection, and reads its answer.
func call(rw *bufio.ReadWriter, id string) (*http.Response, error) {
	fmt.Fprintf(rw, "POST /access/v2/invoke/202007/CXKYSL HTTP/1.1\r\nHost: lqproxy\r\n%s: %s\r\nContent-Length: 2\r\n\r\n{}", callID, id)
	if err := rw.Flush(); err != nil {
		return nil, err
	}
	r, err := http.ReadResponse(rw.Reader, nil)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	_, err = io.Copy(&body, r.Body)
	if err == nil && (r.StatusCode != http.StatusOK || body.Len() == 0) {
		err = fmt.Errorf("status %s: %s", r.Status, body.Bytes())
	}
	return r, err
}

// callOnce makes one call through the proxy.
func (h *host) callOnce(port int, id string) error {
	conn, err := h.dial(port)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = call(bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn)), id)
	return err
}

// A load calls the proxy without a pause, on several connections.
type load struct {
	host  *host
	stop  context.CancelFunc
	done  sync.WaitGroup
	calls atomic.Int64 // answered in good order
	mu    sync.Mutex   // guards errs
	errs  []error
}

// begin starts callers, until finish.
func (h *host) begin(callers int) *load {
	h.t.Helper()
	ctx, stop := context.WithCancel(h.t.Context())
	l := &load{host: h, stop: stop}
	for n := range callers {
		l.done.Go(func() { l.callers(ctx, n) })
	}
	h.await("the load to begin", func() bool { return l.calls.Load() >= int64(callers) })
	return l
}

// callers is one caller after the other, each with a connection as long as the
// proxy keeps it.
func (l *load) callers(ctx context.Context, n int) {
	for seq := 0; ctx.Err() == nil; {
		conn, err := l.host.dial(port)
		if err != nil {
			l.fail(fmt.Errorf("connecting: %w", err))
			return
		}
		rw := bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn))
		for stays := true; stays && ctx.Err() == nil; seq++ {
			r, err := call(rw, fmt.Sprintf("%d-%d", n, seq))
			if err != nil {
				l.fail(fmt.Errorf("call %d of caller %d: %w", seq, n, err))
				conn.Close()
				return
			}
			l.calls.Add(1)
			stays = !r.Close
		}
		conn.Close()
	}
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

// passed waits until so many more calls were answered.
func (l *load) passed(calls int64) {
	l.host.t.Helper()
	want := l.calls.Load() + calls
	l.host.await("calls to be answered", func() bool { return l.calls.Load() >= want || l.failed() })
}

func (l *load) failed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.errs) > 0
}

// finish ends the load: every call that was made has been answered, and reached
// the platform once.
func (l *load) finish(sim *leqisim.Server) {
	t := l.host.t
	t.Helper()
	l.stop()
	l.done.Wait()
	for _, err := range l.errs {
		t.Errorf("lost: %v", err)
	}
	if n := sim.Repeated(); len(n) > 0 {
		t.Errorf("sent more than once: %v", n)
	}
	t.Logf("%d calls, %d lost", l.calls.Load(), len(l.errs))
}

// version returns the version of the process that answers on an admin port.
func (h *host) version(port int) string {
	h.t.Helper()
	conn, err := h.dial(port)
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "lqproxy_build_info{"); ok {
			_, rest, _ = strings.Cut(rest, `,version="`)
			version, _, _ := strings.Cut(rest, `"`)
			return version
		}
	}
	h.t.Fatal("no lqproxy_build_info in /metrics")
	return ""
}

// mainPID is the process that systemd takes for a unit's own.
func (h *host) mainPID(unit string) int {
	h.t.Helper()
	pid, err := strconv.Atoi(h.property(unit, "MainPID"))
	if err != nil {
		h.t.Fatal(err)
	}
	return pid
}

// wantVersion checks which version serves, and that systemd follows.
func (h *host) wantVersion(want string) {
	h.t.Helper()
	if got := h.version(admin); got != want {
		h.t.Errorf("version that serves = %s, want %s", got, want)
	}
	if state := h.property("lqproxy.service", "ActiveState"); state != "active" {
		h.t.Errorf("state of lqproxy.service = %s, want active", state)
	}
	exe := strings.TrimSpace(h.run("readlink", fmt.Sprintf("/proc/%d/exe", h.mainPID("lqproxy.service"))))
	if exe != "/usr/bin/lqproxy" {
		h.t.Errorf("main process of lqproxy.service runs %s, want /usr/bin/lqproxy", exe)
	}
}

// wantText checks that a text says all of want.
func wantText(t *testing.T, what, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q:\n%s", what, w, text)
		}
	}
}
