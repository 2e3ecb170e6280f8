package packaging

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// need leaves the test out where the machine lacks something, but for CI, where
// nothing is left out.
func need(t *testing.T, commands ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out: it is not short")
	}
	var missing []string
	for _, c := range commands {
		if _, err := exec.LookPath(c); err != nil {
			missing = append(missing, c)
		}
	}
	leaveOut(t, missing)
}

func leaveOut(t *testing.T, missing []string) {
	t.Helper()
	switch {
	case len(missing) == 0:
	case os.Getenv("CI") == "true":
		t.Fatalf("needs %s", strings.Join(missing, ", "))
	default:
		t.Skipf("left out: needs %s", strings.Join(missing, ", "))
	}
}

// suite is what the tree of a host has beside Debian's smallest set.
const suite = "systemd,systemd-sysv,dbus,iproute2,curl,ca-certificates,iptables,rpm,man-db"

// tree returns a Debian, which is made once and then kept in the user's cache.
// It is never changed: hosts lay their own files over it.
func tree(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(suite))
	dir := filepath.Join(cache, "lqproxy-test", "bookworm-"+hex.EncodeToString(sum[:4]))
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	os.RemoveAll(dir + ".new") // of a test that was broken off
	ctx, end := context.WithTimeout(t.Context(), 10*time.Minute)
	defer end()
	cmd := exec.CommandContext(ctx, "debootstrap", "--variant=minbase", "--include="+suite, "bookworm", dir+".new")
	if out, err := cmd.CombinedOutput(); err != nil {
		os.RemoveAll(dir + ".new")
		leaveOut(t, []string{fmt.Sprintf("a Debian from a mirror (%v: %.200s)", err, out)})
	}
	if err := os.Rename(dir+".new", dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A host is a booted Debian without a network, but for loopback.
type host struct {
	t    *testing.T
	root string // its files, as seen from outside
	pid  int    // of its systemd
}

// booted counts the hosts of this process, whose names must differ.
var booted atomic.Int32

// boot starts a host, which ends with the test.
func boot(t *testing.T) *host {
	t.Helper()
	need(t, "debootstrap", "systemd-nspawn", "nsenter")
	if os.Geteuid() != 0 {
		leaveOut(t, []string{"root"})
	}
	h := &host{t: t, root: overlay(t, tree(t))}
	// The old hierarchy is what the tests' own machine may have; systemd in the
	// tree can do with both.
	nspawn := exec.Command("systemd-nspawn", "--quiet", "--directory="+h.root, "--boot", "--register=no", "--keep-unit",
		"--private-network", "--console=pipe", fmt.Sprintf("--machine=lqproxy-%d-%d", os.Getpid(), booted.Add(1)))
	nspawn.Env = append(os.Environ(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=0")
	if err := nspawn.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if h.pid != 0 {
			syscall.Kill(h.pid, syscall.SIGKILL) // and all that run in its namespace
		}
		nspawn.Process.Kill()
		nspawn.Wait()
	})
	h.await("the host to boot", func() bool {
		if h.pid == 0 {
			h.pid = systemdOf(nspawn.Process.Pid)
		}
		if h.pid == 0 {
			return false
		}
		state, _ := h.try("systemctl", "is-system-running")
		return strings.Contains(state, "running") || strings.Contains(state, "degraded")
	})
	return h
}

// overlay returns a copy of tree, in memory, which ends with the test.
func overlay(t *testing.T, tree string) string {
	t.Helper()
	dir := t.TempDir()
	mount := func(source, target, kind, options string) {
		if err := unix.Mount(source, target, kind, 0, options); err != nil {
			t.Fatalf("mounting %s: %v", kind, err)
		}
		t.Cleanup(func() { unix.Unmount(target, unix.MNT_DETACH) })
	}
	mount("tmpfs", dir, "tmpfs", "mode=0755")
	for _, name := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	root := filepath.Join(dir, "root")
	mount("overlay", root, "overlay", fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", tree, dir, dir))
	return root
}

// systemdOf returns the systemd that a systemd-nspawn has started; 0 as long as
// there is none. A child that is still in our namespaces is not it: what is meant
// for the host would happen to this machine.
func systemdOf(nspawn int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", nspawn, nspawn))
	if err != nil {
		return 0
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	for _, kind := range []string{"net", "pid", "mnt"} {
		ours, err := os.Readlink("/proc/self/ns/" + kind)
		theirs, err2 := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", child, kind))
		if err != nil || err2 != nil || ours == theirs {
			return 0
		}
	}
	return child
}

// await polls until done, for a minute at most.
func (h *host) await(what string, done func() bool) {
	h.t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(time.Minute); !done(); <-ticker.C {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited a minute for %s", what)
		}
	}
}

// command returns a command in all namespaces of the host.
func (h *host) command(argv ...string) *exec.Cmd {
	enter := []string{"--target", strconv.Itoa(h.pid), "--all"}
	cmd := exec.CommandContext(h.t.Context(), "nsenter", slices.Concat(enter, argv)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "LQPROXY_LANG=en"}
	return cmd
}

// try runs a command on the host and returns what it says, and its exit code.
func (h *host) try(argv ...string) (string, int) {
	h.t.Helper()
	out, err := h.command(argv...).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), exit.ExitCode()
	}
	if err != nil {
		h.t.Fatalf("%s: %v", strings.Join(argv, " "), err)
	}
	return string(out), 0
}

// run is try for what must succeed.
func (h *host) run(argv ...string) string {
	h.t.Helper()
	out, code := h.try(argv...)
	if code != 0 {
		h.t.Fatalf("%s: exit code %d\n%s", strings.Join(argv, " "), code, out)
	}
	return out
}

// sh runs a line of shell on the host, which must succeed.
func (h *host) sh(line string) string {
	h.t.Helper()
	return h.run("sh", "-c", line)
}

// write makes a file on the host, as an administrator would.
func (h *host) write(name, text string) {
	h.t.Helper()
	cmd := h.command("sh", "-c", `cat >"$0"`, name)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("writing %s: %v\n%s", name, err, out)
	}
}

// bring puts a file of this machine on the host, in /root.
func (h *host) bring(file string) string {
	h.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		h.t.Fatal(err)
	}
	name := "/root/" + filepath.Base(file)
	h.write(name, string(text))
	return name
}

// chroot runs a line of shell in a tree in which nothing runs.
func chroot(t *testing.T, root, line string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "chroot", root, "sh", "-c", line)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "LQPROXY_LANG=en"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// inNetwork runs f in the host's network: what it opens stays there.
func (h *host) inNetwork(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // not unlocked: the thread ends with the goroutine
		target, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", h.pid))
		if err == nil {
			defer target.Close()
			err = unix.Setns(int(target.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// dial connects to a port of the host's loopback.
func (h *host) dial(port int) (conn net.Conn, err error) {
	err = h.inNetwork(func() error {
		conn, err = net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 10*time.Second)
		return err
	})
	return conn, err
}

// property returns what systemd knows of a unit.
func (h *host) property(unit, name string) string {
	h.t.Helper()
	return strings.TrimSpace(h.run("systemctl", "show", "--property="+name, "--value", unit))
}

// snapshot returns all files of the host with their modes and owners, but for
// what a host changes by itself.
func (h *host) snapshot() []string {
	h.t.Helper()
	var list []string
	err := filepath.WalkDir(h.root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path := "/" + strings.TrimPrefix(strings.TrimPrefix(name, h.root), "/")
		if slices.ContainsFunc(itsOwn, func(prefix string) bool { return strings.HasPrefix(path, prefix) }) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		stat := info.Sys().(*syscall.Stat_t)
		list = append(list, fmt.Sprintf("%s %v %d:%d", path, info.Mode(), stat.Uid, stat.Gid))
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

// itsOwn are the paths that the host, dpkg and rpm change by themselves.
var itsOwn = []string{
	"/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/root", "/var/log/journal", "/var/log/wtmp", "/var/log/dpkg.log",
	"/var/log/alternatives.log", "/var/lib/dpkg", "/var/lib/rpm", "/var/lib/systemd", "/var/cache", "/var/log/lastlog", "/var/log/faillog",
	"/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/.pwd.lock", "/etc/subuid-", "/etc/subgid-", "/etc/machine-id", "/etc/resolv.conf",
}
