package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"golang.org/x/sync/errgroup"
)

// livePrograms are two versions of lqproxy.
type livePrograms struct{ old, next string }

const liveOld, liveNext = "1.0.0", "2.0.0"

// buildLive builds both, with the race detector if the test has it.
func buildLive(t *testing.T) livePrograms {
	t.Helper()
	dir := t.TempDir()
	p := livePrograms{filepath.Join(dir, liveOld), filepath.Join(dir, liveNext)}
	var builds errgroup.Group
	for _, file := range []string{p.old, p.next} {
		builds.Go(func() error {
			args := []string{"build", "-pgo=off", "-ldflags", "-X main.version=" + filepath.Base(file), "-o", file}
			if liveRace {
				args = append(args, "-race")
			}
			out, err := exec.CommandContext(t.Context(), "go", append(args, ".")...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("building lqproxy: %w: %s", err, out)
			}
			return nil
		})
	}
	if err := builds.Wait(); err != nil {
		t.Fatal(err)
	}
	return p
}

// liveSettings are the configuration of a rig; see text.
type liveSettings struct {
	listen  []string
	admin   string
	sources string // who may call
	logs    string // folder
	change  int    // another one makes a difference
	more    string // lines of the file
}

// text returns the file. Changes go round over keys of all parts, among them
// those that replace the upstream and its connections.
func (s liveSettings) text(r *liveRig) string {
	changes := []string{
		"limits.exchanges = " + strconv.Itoa(1000+s.change),
		fmt.Sprintf("upstream.idle_timeout = %q", fmt.Sprintf("%ds", 11+s.change%40)),
		fmt.Sprintf(`units = [{id = "9%019d", name = "head-office"}]`, s.change),
		fmt.Sprintf("upstream.drop_headers = [\"X-Forwarded-For\", \"X-Change-%d\"]", s.change),
		fmt.Sprintf("log.retain_days = %d", 200+s.change),
	}
	return fmt.Sprintf(`
state_dir = %q
upstream.address = %q
listen.addresses = [%s]
listen.idle_timeout = "10s"
allow.sources = [%q]
admin.addresses = [%q]
admin.allow = ["127.0.0.1"]
log.access_file = %q
log.error_file = %q
log.rotate_size = "1MiB"
log.min_free = "0B"
firewall.backend = "none"
%s
%s
`, r.state(), r.upstream.addr, quoteAll(s.listen), s.sources, s.admin, filepath.Join(s.logs, "access.log"),
		filepath.Join(s.logs, "error.log"), changes[s.change%len(changes)], s.more)
}

func quoteAll(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = strconv.Quote(text)
	}
	return strings.Join(quoted, ", ")
}

// A liveRig is a proxy as it is installed, in front of an upstream, with
// callers.
type liveRig struct {
	t        *testing.T
	programs livePrograms
	dir      string
	upstream *liveUpstream
	settings liveSettings
	folders  []string // in which logs were
	book     *liveBook
	crowd    *liveCrowd
	torn     bool // a process was killed
	ip       netip.Addr
}

// newLiveRig returns a rig of which nothing runs but the upstream. It has an
// address of its own, so that its ports are nobody else's.
func newLiveRig(t *testing.T, p livePrograms) *liveRig {
	t.Helper()
	r := &liveRig{t: t, programs: p, dir: t.TempDir(), book: &liveBook{}}
	for _, folder := range []string{"bin", "state", "log"} {
		if err := os.Mkdir(filepath.Join(r.dir, folder), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	r.ip = netip.AddrFrom4([4]byte{127, byte(64 + rand.N(128)), byte(rand.N(256)), byte(1 + rand.N(254))})
	r.upstream = startLiveUpstream(t, netip.AddrPortFrom(r.ip, 8443))
	r.settings = liveSettings{
		listen: []string{r.address(8864)}, admin: r.address(9864), sources: "127.0.0.1", logs: filepath.Join(r.dir, "log"),
	}
	r.folders = []string{r.settings.logs}
	r.crowd = &liveCrowd{book: r.book, name: fmt.Sprintf("%x", rand.N(1<<32))}
	r.crowd.aim(r.settings.listen...)
	r.install(p.old)
	t.Cleanup(r.abandon)
	return r
}

func (r *liveRig) address(port int) string {
	return net.JoinHostPort(r.ip.String(), strconv.Itoa(port))
}
func (r *liveRig) state() string  { return filepath.Join(r.dir, "state") }
func (r *liveRig) file() string   { return filepath.Join(r.dir, "lqproxy.toml") }
func (r *liveRig) binary() string { return filepath.Join(r.dir, "bin", "lqproxy") }

// install puts a program into the place of the one that runs, as packages do.
// Another process copies it: were the copy open for writing here, a child that
// is being started at the moment could have it open too, and it could not be run.
func (r *liveRig) install(program string) {
	r.t.Helper()
	if out, err := exec.CommandContext(r.t.Context(), "cp", program, r.binary()+".new").CombinedOutput(); err != nil {
		r.t.Fatalf("copying %s: %v: %s", program, err, out)
	}
	if err := os.Rename(r.binary()+".new", r.binary()); err != nil {
		r.t.Fatal(err)
	}
}

// replace writes a file whole and renames it.
func (r *liveRig) replace(file string, text []byte, mode os.FileMode) {
	r.t.Helper()
	if err := os.WriteFile(file+".new", text, mode); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		r.t.Fatal(err)
	}
}

// configure writes the file.
func (r *liveRig) configure() {
	r.t.Helper()
	r.replace(r.file(), []byte(r.settings.text(r)), 0o600)
}

// command returns lqproxy with a command for this rig.
func (r *liveRig) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, r.binary(), append(args, "-c", r.file())...)
	cmd.Dir = r.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "LQPROXY_LANG=en"}
	return cmd
}

// run runs a command.
func (r *liveRig) run(args ...string) (code int, out string) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*livePatience)
	defer cancel()
	cmd := r.command(ctx, args...)
	text, _ := cmd.CombinedOutput() // the exit code says it
	return cmd.ProcessState.ExitCode(), string(text)
}

// order runs a command, which is expected to end with that exit code.
func (r *liveRig) order(code int, args ...string) string {
	r.t.Helper()
	got, out := r.run(args...)
	if got != code {
		r.t.Fatalf("lqproxy %s ended with %d, want %d:\n%s\nthe proxy had printed:\n%s", strings.Join(args, " "), got, code, out, r.printed())
	}
	return out
}

func (r *liveRig) screen() string { return filepath.Join(r.dir, "stderr") }

// start runs the proxy and waits until it is ready.
func (r *liveRig) start() {
	r.t.Helper()
	r.configure()
	out, err := os.OpenFile(r.screen(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer out.Close()
	cmd := r.command(context.Background(), "serve", "--allow-root")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }() // abandon ends it at the latest
	awaitLive(r.t, "the proxy is ready: "+r.screen(), func() bool {
		select {
		case err := <-exited:
			r.t.Fatalf("serve ended: %v\n%s", err, r.printed())
		default:
		}
		status, _, err := get(r.t.Context(), r.url("/readyz"))
		return err == nil && status == 200
	})
}

func (r *liveRig) url(path string) string { return "http://" + r.settings.admin + path }

// printed returns what the processes printed, the end of it.
func (r *liveRig) printed() string {
	text, _ := os.ReadFile(r.screen())
	return liveTail(string(text))
}

// said returns how often the error log says something.
func (r *liveRig) said(what string) int { return strings.Count(r.errorLog(), what) }

// liveTail returns the end of a long text.
func liveTail(text string) string { return text[max(0, len(text)-8<<10):] }

// pid returns the process that is the instance.
func (r *liveRig) pid() int {
	r.t.Helper()
	i, err := daemon.ReadInstance(r.state())
	if err != nil {
		r.t.Fatal(err)
	}
	return i.PID
}

func (r *liveRig) signal(s syscall.Signal) {
	r.t.Helper()
	if err := syscall.Kill(r.pid(), s); err != nil {
		r.t.Fatalf("sending %v: %v", s, err)
	}
}

// processes returns those that run a program of this rig.
func (r *liveRig) processes() (pids []int) {
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		if target, err := os.Readlink(link); err != nil || !strings.HasPrefix(target, r.dir+"/") {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(link, "/")[2]); err == nil && !ended(pid) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// ended reports whether a process has ended; somebody else may still have to
// hear of it.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || bytes.HasPrefix(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" Z"))
}

// abandon ends what still runs at the end of a test, and shows what there was
// to see when it did not come to its end.
func (r *liveRig) abandon() {
	for _, pid := range r.processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by now
	}
	if r.crowd.over != nil {
		r.crowd.leave()
		r.t.Logf("the test did not come to its end; %s\n%s", r.rate(), r.book.judge(r.upstream, readLiveLog(true, r.folders...)))
		r.t.Logf("at last the proxy had printed:\n%s\nand the error log:\n%s", r.printed(), liveTail(r.errorLog()))
	}
}

// end stops the proxy, waits for all its processes, and judges everything.
func (r *liveRig) end() *liveVerdict {
	r.t.Helper()
	r.crowd.leave()
	r.signal(syscall.SIGTERM)
	r.awaitEnd()
	return r.judge()
}

func (r *liveRig) awaitEnd() {
	r.t.Helper()
	awaitLive(r.t, "all processes have ended", func() bool { return len(r.processes()) == 0 })
}

// judge shows the table, and has the test fail for each thing that is wrong.
func (r *liveRig) judge() *liveVerdict {
	r.t.Helper()
	v := r.book.judge(r.upstream, readLiveLog(r.torn, r.folders...))
	r.t.Logf("%s\n%s", r.rate(), v)
	const most = 10
	for i, p := range v.problems {
		if i == most {
			r.t.Errorf("and %d more", len(v.problems)-most)
			break
		}
		r.t.Error(p)
	}
	said, _ := os.ReadFile(r.screen())
	for _, bad := range []string{"DATA RACE", "panic:", "fatal error:", "SIGSEGV"} {
		if bytes.Contains(said, []byte(bad)) {
			r.t.Errorf("the proxy said %q:\n%s", bad, said)
		}
	}
	if r.t.Failed() {
		r.t.Logf("at last the proxy had printed:\n%s\nand the error log:\n%s", r.printed(), liveTail(r.errorLog()))
	}
	return v
}

// rate says how many exchanges there were.
func (r *liveRig) rate() string {
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	if len(r.book.exchanges) == 0 {
		return "no exchanges"
	}
	first, last := r.book.exchanges[0].began, r.book.exchanges[len(r.book.exchanges)-1].ended
	return fmt.Sprintf("%d exchanges in %v, %.0f a second", len(r.book.exchanges), last.Sub(first).Round(time.Second),
		float64(len(r.book.exchanges))/last.Sub(first).Seconds())
}

// errorLog returns the error log of all folders.
func (r *liveRig) errorLog() string {
	var all bytes.Buffer
	for _, folder := range r.folders {
		files, _ := filepath.Glob(filepath.Join(folder, "error*.log"))
		for _, file := range files {
			if f, err := os.Open(file); err == nil {
				_, _ = io.Copy(&all, f)
				f.Close()
			}
		}
	}
	return all.String()
}

// metric returns the sum of the time series that begin with name.
func (r *liveRig) metric(name string) (sum float64, found bool) {
	_, body, err := get(context.Background(), r.url("/metrics"))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(body)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
		if err != nil {
			return 0, false
		}
		sum, found = sum+value, true
	}
	return sum, found
}
