package host

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fake is a host of files: links are written as "-> TARGET".
func fake(t *testing.T, files map[string]string) Host {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(text, "-> "); link {
			err = os.Symlink(target, name)
		} else {
			err = os.WriteFile(name, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return Host{Root: root}
}

// guided is a machine as the guide leaves it: nginx, its two processes, and a
// stranger on another port.
func guided(t *testing.T) Host {
	t.Helper()
	row := func(port, inode string) string {
		return fmt.Sprintf(" 0: 00000000:%s 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 %s 1\n", port, inode)
	}
	return fake(t, map[string]string{
		"proc/net/tcp":     "  sl  local_address\n" + row("22A0", "100") + row("0050", "101") + row("0016", "102"),
		"proc/net/tcp6":    row("22A0", "103") + strings.Replace(row("1F90", "104"), " 0A ", " 01 ", 1),
		"proc/700/fd/6":    "-> socket:[100]",
		"proc/700/fd/7":    "-> socket:[101]",
		"proc/700/fd/8":    "-> /dev/null",
		"proc/700/exe":     "-> /usr/local/nginx/sbin/nginx (deleted)",
		"proc/700/cwd":     "-> /root",
		"proc/700/cmdline": "nginx: master process /usr/local/nginx/sbin/nginx -c conf/nginx.conf\x00\x00 ",
		"proc/700/stat":    "700 (nginx) S 1 700 700",
		"proc/700/cgroup":  "3:cpu:/\n1:name=systemd:/system.slice/rc-local.service\n",
		"proc/701/fd/6":    "-> socket:[100]",
		"proc/701/exe":     "-> /usr/local/nginx/sbin/nginx",
		"proc/701/stat":    "701 (nginx: (worker) S) S 700 700 700",
		"proc/701/cgroup":  "0::/user.slice/user-0.slice/session-3.scope\n",
		"proc/800/fd/3":    "-> socket:[102]",
		"proc/800/comm":    "sshd\n",
		"proc/800/stat":    "800 (sshd) S 1 800 800",
		"proc/800/cmdline": "/usr/sbin/sshd\x00-D\x00",
		"proc/800/cgroup":  "0::/system.slice/ssh.service\n",
		"proc/900/stat":    "900 (nginx) S 901 1 1",
		"proc/901/exe":     "-> /usr/bin/supervisord",
		"proc/902/stat":    "902 (nginx) S 903 1 1",
		"proc/903/exe":     "-> /usr/lib/systemd/systemd",
	})
}

func TestHolder(t *testing.T) {
	t.Parallel()
	h := guided(t)
	want := &Process{PID: 700, Name: "nginx", Program: "/usr/local/nginx/sbin/nginx", Folder: "/root", Ports: []uint16{80, 8864}}
	got, taken := h.Holder(8864)
	if diff := cmp.Diff(want, got); diff != "" || !taken {
		t.Errorf("Holder(8864) = %v (-want +got):\n%s", taken, diff)
	}
	if got, taken := h.Holder(22); got == nil || got.Name != "sshd" || !taken {
		t.Errorf("Holder(22) = %+v, %v, want sshd", got, taken)
	}
	if got, taken := h.Holder(8080); got != nil || taken || h.Listening(8080) {
		t.Errorf("Holder(8080) = %+v, %v, want nobody: the socket is connected", got, taken)
	}
	os.RemoveAll(h.Path("/proc/700"))
	os.RemoveAll(h.Path("/proc/701"))
	if got, taken := h.Holder(8864); got != nil || !taken {
		t.Errorf("Holder(8864) that may not be seen = %+v, %v, want nil, true", got, taken)
	}
}

func TestProcesses(t *testing.T) {
	t.Parallel()
	h := guided(t)
	for pid, want := range map[int]struct {
		unit, keeper, arguments string
	}{
		700: {"rc-local.service", "", "/usr/local/nginx/sbin/nginx -c conf/nginx.conf"},
		701: {"", "nginx", ""},
		800: {"ssh.service", "", "/usr/sbin/sshd -D"},
		900: {"", "supervisord", ""},
		902: {"", "", ""},
	} {
		if got := h.UnitOf(pid); got != want.unit {
			t.Errorf("UnitOf(%d) = %q, want %q", pid, got, want.unit)
		}
		if got := h.KeeperOf(pid); got != want.keeper {
			t.Errorf("KeeperOf(%d) = %q, want %q", pid, got, want.keeper)
		}
		if got := strings.Join(h.Arguments(pid), " "); got != want.arguments {
			t.Errorf("Arguments(%d) = %q, want %q", pid, got, want.arguments)
		}
	}
	if !h.Runs(700, "/usr/local/nginx/sbin/nginx") || h.Runs(800, "nginx") || h.Runs(99, "nginx") {
		t.Error("Runs() of nginx, of what may not be seen, of nobody = not true, false, false")
	}
}

// What this machine says of a listener of ours is true.
func TestHolderOfThisMachine(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := uint16(ln.Addr().(*net.TCPAddr).Port)
	got, taken := Local().Holder(port)
	if got == nil || got.PID != os.Getpid() || !taken {
		t.Errorf("Holder(%d) = %+v, %v, want this process, %d", port, got, taken, os.Getpid())
	}
}

func TestUnit(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"nginx.service": "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nMainPID=700\nRestart=no\n",
		"old.service":   "LoadState=loaded\nActiveState=inactive\nUnitFileState=\nMainPID=0\n", // of /etc/init.d
		"none.service":  "LoadState=not-found\nActiveState=inactive\nUnitFileState=\n",
	}
	h := fake(t, map[string]string{"run/systemd/system/x": ""})
	h.Run = func(_ context.Context, argv ...string) (string, error) {
		if argv[1] == "is-enabled" {
			return "", nil
		}
		return answers[argv[2]], nil
	}
	for name, want := range map[string]Unit{
		"nginx.service": {Name: "nginx.service", Known: true, Active: true, Enabled: true, MainPID: "700", Restart: "no"},
		"old.service":   {Name: "old.service", Known: true, Enabled: true, MainPID: "0"},
		"none.service":  {Name: "none.service"},
	} {
		if diff := cmp.Diff(want, h.Unit(t.Context(), name)); diff != "" {
			t.Errorf("Unit(%q) (-want +got):\n%s", name, diff)
		}
	}
	if u := h.Unit(t.Context(), "nginx.service"); !u.Holds(700) || u.Holds(701) {
		t.Errorf("%+v does not hold 700 alone", u)
	}
	if got := (Host{Root: t.TempDir(), Run: h.Run}).Unit(t.Context(), "nginx.service"); got.Known {
		t.Errorf("without systemd Unit() = %+v, want none", got)
	}
}
