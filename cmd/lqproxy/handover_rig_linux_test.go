package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/probe/leqisim"
)

// A relayRace is an instance whose processes follow each other, with nobody
// calling but the test.
type relayRace struct {
	t        *testing.T
	dir      string
	programs livePrograms
	binary   string // that is installed
	base     string // of the file
	listen   string
	admin    string
	notices  *net.UnixConn
	cmd      *exec.Cmd // of the first process
	exited   chan error
}

// newRelayRace returns an instance that is not started yet.
func newRelayRace(t *testing.T, p livePrograms) *relayRace {
	t.Helper()
	sim, err := leqisim.Start(leqisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	r := &relayRace{t: t, dir: t.TempDir(), programs: p}
	for _, folder := range []string{"bin", "state"} {
		if err := os.Mkdir(filepath.Join(r.dir, folder), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	r.binary = filepath.Join(r.dir, "bin", "lqproxy")
	r.listen, r.admin = unusedAddress(t), unusedAddress(t)
	r.base = fmt.Sprintf(`
state_dir = %q
upstream.address = %q
listen.idle_timeout = "20s"
log.access_file = "off"
log.error_file = %q
log.min_free = "0B"
firewall.backend = "none"
allow.sources = ["127.0.0.1"]
`, filepath.Join(r.dir, "state"), sim.Address(), r.log())
	socket := filepath.Join(r.dir, "notify")
	if r.notices, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.notices.Close() })
	r.configure("")
	r.install(p.old)
	return r
}

func unusedAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func (r *relayRace) file() string { return filepath.Join(r.dir, "lqproxy.toml") }
func (r *relayRace) log() string  { return filepath.Join(r.dir, "error.log") }

// configure writes the file; more is appended.
func (r *relayRace) configure(more string) {
	r.t.Helper()
	text := fmt.Sprintf("%slisten.addresses = [%q]\nadmin.addresses = [%q]\n%s\n", r.base, r.listen, r.admin, more)
	if err := os.WriteFile(r.file(), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// install puts a program in the place of the installed one.
func (r *relayRace) install(program string) {
	r.t.Helper()
	_ = os.Remove(r.binary)
	if err := os.Link(program, r.binary); err == nil {
		return
	}
	text, err := os.ReadFile(program)
	if err == nil {
		err = os.WriteFile(r.binary, text, 0o755)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// installScript puts a shell script in the place of the installed program. In
// it $LQPROXY is the newer program.
func (r *relayRace) installScript(text string, mode os.FileMode) {
	r.t.Helper()
	_ = os.Remove(r.binary)
	text = "#!/bin/sh\nLQPROXY=" + r.programs.next + "\n" + text
	if err := os.WriteFile(r.binary, []byte(text), mode); err != nil {
		r.t.Fatal(err)
	}
}

// start starts the installed program by its path.
func (r *relayRace) start() {
	r.t.Helper()
	r.startIn(r.dir, r.binary, r.file())
}

// startIn starts the installed program in a folder, under a name and with a
// file as somebody may have typed them.
func (r *relayRace) startIn(folder, name, file string) {
	r.t.Helper()
	out, err := os.Create(filepath.Join(r.dir, "screen"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer out.Close()
	r.cmd = &exec.Cmd{
		Path: r.binary, Args: []string{name, "serve", "--allow-root", "-c", file}, Dir: folder, Stdout: out, Stderr: out,
		Env: []string{"PATH=" + filepath.Dir(r.binary) + ":" + os.Getenv("PATH"), "LQPROXY_LANG=en", "NOTIFY_SOCKET=" + filepath.Join(r.dir, "notify")},
	}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.exited = make(chan error, 1)
	go func() { r.exited <- r.cmd.Wait() }()
	r.t.Cleanup(r.abandon)
	r.await("the first process is ready", func() bool {
		i, err := daemon.ReadInstance(filepath.Join(r.dir, "state"))
		return err == nil && i.PID == r.cmd.Process.Pid
	})
}

// abandon ends what a failed test left, which runs programs of this folder, or
// links to those that were built.
func (r *relayRace) abandon() {
	if r.t.Failed() {
		screen, _ := os.ReadFile(filepath.Join(r.dir, "screen"))
		log, _ := os.ReadFile(r.log())
		r.t.Logf("the processes had printed:\n%s\nand logged:\n%s", screen, log)
	}
	_ = r.cmd.Process.Kill()
	if i, err := daemon.ReadInstance(filepath.Join(r.dir, "state")); err == nil && i.PID > 1 {
		_ = syscall.Kill(i.PID, syscall.SIGKILL)
	}
}

// await waits until f reports true.
func (r *relayRace) await(what string, f func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 3*patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.t.Fatalf("waiting in vain: %s", what)
		}
	}
}

// instance returns what the process in charge says of itself.
func (r *relayRace) instance() daemon.Instance {
	r.t.Helper()
	i, err := daemon.ReadInstance(filepath.Join(r.dir, "state"))
	if err != nil {
		r.t.Fatal(err)
	}
	return i
}

// run runs a command of the older program, and returns its exit code and what
// it printed.
func (r *relayRace) run(args ...string) (code int, out string) {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), r.programs.old, append(args, "-c", r.file())...)
	cmd.Env = []string{"LQPROXY_LANG=en", "LOGNAME=li"}
	text, _ := cmd.CombinedOutput() // the exit code says it
	return cmd.ProcessState.ExitCode(), string(text)
}

// upgrade hands over to program, and returns the process that took over.
func (r *relayRace) upgrade(program string) int {
	r.t.Helper()
	before := r.instance().PID
	r.install(program)
	if code, out := r.run("upgrade"); code != exitOK {
		r.t.Fatalf("lqproxy upgrade = %d, %s, want %d", code, out, exitOK)
	}
	i := r.instance()
	if i.PID == before || i.Version != filepath.Base(program) {
		r.t.Fatalf("behind the upgrade from %d: %+v, want another process of %s", before, i, filepath.Base(program))
	}
	return i.PID
}

func (r *relayRace) signal(pid int, s syscall.Signal) {
	r.t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		r.t.Fatalf("sending %v to %d: %v", s, pid, err)
	}
}

// logged waits for a line of the log.
func (r *relayRace) logged(pattern string) {
	r.t.Helper()
	r.await("the log has "+pattern, func() bool {
		text, err := os.ReadFile(r.log())
		return err == nil && regexp.MustCompile(pattern).Match(text)
	})
}

// told returns all that systemd was told so far, a message a line.
func (r *relayRace) told() string {
	var all []string
	for buffer := make([]byte, 4096); ; {
		if err := r.notices.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			r.t.Fatal(err)
		}
		n, err := r.notices.Read(buffer)
		if err != nil {
			return strings.Join(all, "\n")
		}
		all = append(all, strings.ReplaceAll(string(buffer[:n]), "\n", " "))
	}
}

// exists reports whether a file of the state folder is there.
func (r *relayRace) exists(name string) bool {
	_, err := os.Stat(filepath.Join(r.dir, "state", name))
	return err == nil
}

// processEnded reports whether pid has ended.
func processEnded(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

// handOverHeld starts a process and has the next one take over, while a
// connection that stays holds the first.
func (r *relayRace) handOverHeld() (first, second int, call *held) {
	r.t.Helper()
	r.start()
	first = r.instance().PID
	call = holdOpen(r.t, r.listen)
	call.ask(http.MethodPost, handoverPath)
	return first, r.upgrade(r.programs.next), call
}

// A held is a connection that a test keeps.
type held struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	end  func()
}

func holdOpen(t *testing.T, address string) *held {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	h := &held{t, conn, bufio.NewReader(conn), sync.OnceFunc(func() { conn.Close() })}
	t.Cleanup(h.end)
	if err := conn.SetDeadline(time.Now().Add(3 * patience)); err != nil {
		t.Fatal(err)
	}
	return h
}

// ask makes a request, and returns the status and whether the connection ends.
func (h *held) ask(method, path string) (status int, ends bool) {
	h.t.Helper()
	fmt.Fprintf(h.conn, "%s %s HTTP/1.1\r\nHost: p\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n", method, path)
	answer, err := http.ReadResponse(h.in, nil)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		h.t.Error(err)
	}
	return answer.StatusCode, answer.Close
}
