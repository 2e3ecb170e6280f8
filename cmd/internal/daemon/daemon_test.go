package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/probe/leqisim"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon bounds what a test waits for.
const soon = 20 * time.Second

// callPath is the path of the calls that tests make.
const callPath = "/access/v2/invoke/202007/CXKYSL"

// An instance is a daemon with its file and its platform.
type instance struct {
	*Daemon
	sim    *leqisim.Server
	dir    string
	file   string
	base   string // of the file: what all texts of a test have in common
	stderr *safeBuffer

	stop func() error // ends Run and returns its error
}

// A safeBuffer is written by the logs while a test reads it.
type safeBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// freeAddresses returns two addresses of loopback that are free.
func freeAddresses(t *testing.T) (a, b string) {
	t.Helper()
	var addresses [2]string
	for i := range addresses {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close() // after the loop, or both would be the same
		addresses[i] = ln.Addr().String()
	}
	return addresses[0], addresses[1]
}

// newInstance builds a daemon before a simulated platform; more is appended to its file.
func newInstance(t *testing.T, more string) *instance {
	t.Helper()
	sim, err := leqisim.Start(leqisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	i := &instance{sim: sim, dir: t.TempDir(), stderr: new(safeBuffer)}
	i.file = filepath.Join(i.dir, "lqproxy.toml")
	listen, admins := freeAddresses(t)
	i.base = strings.NewReplacer("$DIR", i.dir, "$PLATFORM", sim.Address().String(),
		"$LISTEN", listen, "$ADMIN", admins).Replace(`
state_dir = "$DIR"
admin.addresses = ["$ADMIN"]
log.error_file = ""
log.access_file = "off"
upstream.address = "$PLATFORM"
listen.addresses = ["$LISTEN"]
`)
	i.open(t, more)
	return i
}

// open builds the daemon of i.
func (i *instance) open(t *testing.T, more string) {
	t.Helper()
	i.write(t, more)
	c, err := configs.Load(i.file)
	if err != nil {
		t.Fatal(err)
	}
	i.Daemon, err = New(Options{
		Config: c, File: i.file, Build: admin.Build{Version: "1.2.3"},
		FirewallState: filepath.Join(i.dir, firewallName),
		Stdout:        io.Discard, Stderr: i.stderr,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (i *instance) write(t *testing.T, more string) {
	t.Helper()
	if err := os.WriteFile(i.file, []byte(i.base+more), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs i until its stop, at the latest with the test, and waits until it is ready.
func (i *instance) run(t *testing.T) {
	t.Helper()
	ready := make(chan struct{})
	i.o.OnReady = func() { close(ready) }
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- i.Run(ctx) }()
	i.stop = sync.OnceValue(func() error {
		cancel(errors.New("the test is over"))
		select {
		case err := <-done:
			return err
		case <-time.After(soon):
			return errors.New("Run does not end")
		}
	})
	t.Cleanup(func() {
		if err := i.stop(); err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	})
	select {
	case <-ready:
	case err := <-done:
		done <- err
		t.Fatalf("Run() = %v before it was ready", err)
	}
}

// ask makes a request on a connection of its own, and returns status and body.
func ask(t *testing.T, method, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Close = true
	answer, err := new(http.Client).Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Error(err)
	}
	return answer.StatusCode, string(body)
}

func (i *instance) call(t *testing.T) (int, string) {
	t.Helper()
	return ask(t, http.MethodPost, "http://"+i.Addresses()[0]+callPath)
}

func (i *instance) ask(t *testing.T, path string) (int, string) {
	t.Helper()
	return ask(t, http.MethodGet, "http://"+i.AdminAddresses()[0]+path)
}

const admitted = `allow.sources = ["127.0.0.1"]
`

func TestRunTwiceInOneProcess(t *testing.T) {
	for range 2 {
		i := newInstance(t, admitted)
		i.run(t)
		if status, body := i.call(t); status != 200 {
			t.Errorf("call = %d %s, want 200", status, body)
		}
		if status, _ := i.ask(t, "/readyz"); status != 200 {
			t.Errorf("/readyz = %d, want 200", status)
		}
		if err := i.stop(); err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
		if got := i.stderr.String(); !strings.Contains(got, `"event": "started"`) || !strings.Contains(got, `"event": "stopped"`) {
			t.Errorf("log = %s, want the events started and stopped", got)
		}
	}
}

func TestStopAnswersWhatRunsAndSaysNotReady(t *testing.T) {
	i := newInstance(t, admitted)
	release := make(chan struct{})
	i.sim.Add(leqisim.Rule{Behaviour: leqisim.Behaviour{Delay: 3 * time.Second}}) // long enough for both questions
	i.o.OnStopping = func(error) { close(release) }
	i.run(t)
	answered := make(chan int, 1)
	go func() {
		status, _ := i.call(t)
		answered <- status
	}()
	if err := i.sim.Wait(t.Context(), func(s leqisim.Stats) bool { return s.Requests == 1 }); err != nil {
		t.Fatal(err)
	}
	go i.stop() //nolint:errcheck // its error is looked at by the cleanup
	<-release
	if status, _ := i.ask(t, "/readyz"); status != 503 {
		t.Errorf("/readyz while stopping = %d, want 503", status)
	}
	if status, _ := i.ask(t, "/healthz"); status != 200 {
		t.Errorf("/healthz while stopping = %d, want 200", status)
	}
	if got := <-answered; got != 200 {
		t.Errorf("the call that ran = %d, want 200", got)
	}
	if err := i.stop(); err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
	if status, _ := i.call(t); status != 0 {
		t.Errorf("call after the stop = %d, want no connection", status)
	}
}

func TestStopCutsWhatOutlivesTheTimeout(t *testing.T) {
	i := newInstance(t, admitted+`listen.drain_timeout = "1s"
`)
	i.sim.Add(leqisim.Rule{Behaviour: leqisim.Behaviour{Fault: leqisim.Fault{Kind: leqisim.Stall, Phase: leqisim.PhaseHead}}})
	i.run(t)
	answered := make(chan int, 1)
	go func() {
		status, _ := i.call(t)
		answered <- status
	}()
	if err := i.sim.Wait(t.Context(), func(s leqisim.Stats) bool { return s.Requests == 1 }); err != nil {
		t.Fatal(err)
	}
	if err := i.stop(); err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
	if got := <-answered; got == 200 {
		t.Errorf("the call that was cut = %d, want no success", got)
	}
	if got := i.stderr.String(); !strings.Contains(got, "exchanges cut at the stop") {
		t.Errorf("log = %s, want word of the cut exchange", got)
	}
}

func TestRunEndsWithTheFirstFailure(t *testing.T) {
	i := newInstance(t, admitted)
	i.fronts.Load().of(keyAdminAddresses)[0].ln.Close()
	err := i.Run(t.Context())
	if !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "admin: ") {
		t.Errorf("Run() with a broken admin listener = %v, want admin: ... %v", err, net.ErrClosed)
	}
}

func TestNewNamesWhoHasThePort(t *testing.T) {
	i := newInstance(t, admitted)
	i.run(t)
	o := i.o
	o.Config.Admin.Addresses = []string{"127.0.0.1:0"}
	_, err := New(o)
	e, ok := errors.AsType[*ListenError](err)
	if !ok {
		t.Fatalf("New with a port that is taken = %v, want a *ListenError", err)
	}
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Skip("no /proc here")
	}
	got := []any{e.Key, e.Address, e.Taken(), e.Holder}
	want := []any{"listen.addresses", i.Addresses()[0], true, holderName(string(comm), strconv.Itoa(os.Getpid()))}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ListenError (-want +got):\n%s", diff)
	}
	if text := "listening on " + e.Address + " (listen.addresses): address already in use: " + e.Holder; e.Error() != text {
		t.Errorf("Error() = %q, want %q", e.Error(), text)
	}
}

func TestNewTakesAnAddressThatIsNotThereYet(t *testing.T) {
	i := newInstance(t, admitted+`limits.exchanges = 7
`)
	i.run(t)
	ln, err := bind("listen.addresses", "192.0.2.77:0")
	if err != nil {
		t.Fatalf("bind(an address of nobody) = %v, want nil", err)
	}
	defer ln.Close()
	warnIfAbsent(i.log, ln)
	warnIfAbsent(i.log, (*i.fronts.Load())[0].ln)
	if got := strings.Count(i.stderr.String(), "is not this machine's at the moment"); got > 1 {
		t.Errorf("%d warnings, want one at most", got)
	}
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	if got := i.stderr.String(); !strings.Contains(got, `"address": "192.0.2.77"`) {
		t.Errorf("log = %s, want a warning of 192.0.2.77", got)
	}
}

func TestSystemdIsTold(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	t.Setenv("NOTIFY_SOCKET", socket)
	ln, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	i := newInstance(t, admitted)
	i.run(t)
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"READY=1\nSTATUS=forwarding to " + i.sim.Address().String(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=145000000"} {
		b := make([]byte, 4096)
		n, err := ln.Read(b)
		if got := string(b[:n]); err != nil || got != want {
			t.Errorf("told %q, %v, want %q", got, err, want)
		}
	}
}

func TestADamagedRecordIsAnAlertAndNoMore(t *testing.T) {
	i := newInstance(t, admitted)
	if err := os.WriteFile(filepath.Join(i.dir, recordName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	i.known = i.openRecord()
	i.run(t)
	if status, body := i.call(t); status != 200 {
		t.Errorf("call = %d %s, want 200", status, body)
	}
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	if got := i.stderr.String(); !strings.Contains(got, "the record of upstream keys is lost") {
		t.Errorf("log = %s, want the alert", got)
	}
}
