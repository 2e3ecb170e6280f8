package packaging

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unpack puts an archive on a tree, and returns its folder there.
func unpack(t *testing.T, root, version string) string {
	t.Helper()
	file, folder := archiveOf(t, version)
	if out, err := exec.CommandContext(t.Context(), "tar", "-xzf", file, "-C", filepath.Join(root, "root")).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	return "/root/" + folder
}

func TestArchiveLifecycle(t *testing.T) {
	t.Parallel()
	h := boot(t)
	sim := h.simulate()
	before := h.snapshot()
	first, second := unpack(t, h.root, older), unpack(t, h.root, newer)
	wantText(t, "install.sh", h.run(first+"/install.sh"), "lqproxy setup", "lqproxy probe", "systemctl enable --now lqproxy")
	wantModes(h)
	installed := h.snapshot()
	h.run(first + "/install.sh")
	if diff := cmp.Diff(installed, h.snapshot()); diff != "" {
		t.Errorf("the second run of install.sh changes (-before +after):\n%s", diff)
	}
	h.write(configFile, settings(sim.Address().String(), 0, ""))
	h.run("systemctl", "enable", "--now", "lqproxy")

	l := h.begin(4)
	h.run("bash", second+"/install.sh")
	h.wantVersion(newer)
	l.passed(100)
	h.run("lqproxy", "upgrade", "--rollback", "--yes")
	h.wantVersion(older)
	l.passed(100)
	l.finish(sim)

	h.run("/usr/lib/lqproxy/install.sh", "--uninstall")
	h.run("grep", "-q", "drain_timeout", configFile)
	h.run("test", "!", "-e", "/usr/bin/lqproxy")
	h.run(first + "/install.sh")
	h.run("systemctl", "start", "lqproxy") // with the configuration of before
	h.wantVersion(older)
	h.run("/usr/lib/lqproxy/install.sh", "--purge")
	if diff := cmp.Diff(before, h.snapshot()); diff != "" {
		t.Errorf("files of the host (-before +after):\n%s", diff)
	}
}

// paths returns what a tree has, in its places for programs and settings.
func paths(t *testing.T, root string) []string {
	t.Helper()
	out, err := chroot(t, root, "find /etc /usr /opt /var/lib /var/log -path /var/lib/dpkg -prune -o -printf '%p %m %u:%g\n' | sort; cut -d: -f1 /etc/passwd /etc/group")
	if err != nil {
		t.Fatalf("find: %v\n%s", err, out)
	}
	return slices.DeleteFunc(strings.Split(out, "\n"), func(p string) bool {
		name, _, _ := strings.Cut(p, " ")
		return strings.HasSuffix(name, "-") || strings.HasSuffix(name, ".lock") // the user database's own
	})
}

func TestArchiveInEachShell(t *testing.T) {
	t.Parallel()
	need(t, "debootstrap", "chroot")
	if os.Geteuid() != 0 {
		leaveOut(t, []string{"root"})
	}
	for _, shell := range []string{"dash", "bash --posix", "bash"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			root := overlay(t, tree(t))
			folder := unpack(t, root, older)
			// Where SELinux is, files get the labels of their places.
			if err := os.WriteFile(root+"/usr/sbin/restorecon", []byte("#!/bin/sh\necho \"$@\" >>/root/labels\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			for _, args := range []string{"", "", "--uninstall", "--prefix /opt/lqproxy", "--purge"} {
				script := folder + "/install.sh "
				if args == "--purge" {
					script = "/opt/lqproxy/lib/lqproxy/install.sh " // knows its prefix
				}
				if out, err := chroot(t, root, shell+" "+script+args); err != nil {
					t.Errorf("install.sh %s: %v\n%s", args, err, out)
				}
				if !strings.HasPrefix(args, "--prefix /opt") {
					continue
				}
				out, err := chroot(t, root, "/opt/lqproxy/bin/lqproxy version && grep ExecStart= /etc/systemd/system/lqproxy.service && ls /usr/bin/lqproxy")
				if err == nil || !strings.Contains(out, "ExecStart=/opt/lqproxy/bin/lqproxy serve") {
					t.Errorf("below --prefix: %v\n%s", err, out)
				}
			}
			if out, err := chroot(t, root, "cat /root/labels"); err != nil || !strings.Contains(out, " /usr/bin/lqproxy ") || !strings.Contains(out, " /var/log/lqproxy") {
				t.Errorf("restorecon was told: %v\n%s", err, out)
			}
			if out, err := chroot(t, root, "ls -d /etc/lqproxy /var/lib/lqproxy /var/log/lqproxy /opt/lqproxy /etc/systemd/system/lqproxy*"); err == nil || strings.Contains(out, "\n/") {
				t.Errorf("left after --purge:\n%s", out)
			}
		})
	}
}

// What install.sh refuses, it says, and the host is as it was.
func TestArchiveRefusals(t *testing.T) {
	t.Parallel()
	need(t, "debootstrap", "chroot", "mount")
	if os.Geteuid() != 0 {
		leaveOut(t, []string{"root"})
	}
	const small = "mount -t tmpfs -o size=%dk tmpfs /opt"
	for _, test := range []struct {
		name, prepare, run, want string
		code                     int
	}{
		{"architecture", "echo riscv64 >FOLDER/architecture", "FOLDER/install.sh", "this archive is for riscv64", 1},
		{"prefix", "true", "FOLDER/install.sh --prefix relative", "--prefix must begin with /", 1},
		{"usage", "true", "FOLDER/install.sh --colour", "usage: install.sh", 2},
		{"user", "useradd -M someone && chmod -R a+rX /root", "su -s /bin/sh someone -c FOLDER/install.sh", "run this as root", 1},
		{"space", fmt.Sprintf(small, 4096), "FOLDER/install.sh --prefix /opt", "nothing was changed", 1},
		// The check passes, and then the disk fills up.
		{"disk", fmt.Sprintf(small, 4096) + " && sed -i 's/^check_space$/:/; s/^\tcheck_space$/\t:/' FOLDER/install.sh", "FOLDER/install.sh --prefix /opt", "the host is as it was", 1},
		{"chinese", "echo riscv64 >FOLDER/architecture", "LQPROXY_LANG=zh FOLDER/install.sh", "此安装包适用于 riscv64", 1},
		{"package", "dpkg -i /root/lqproxy.deb", "FOLDER/install.sh", "the deb package of lqproxy is installed", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := overlay(t, tree(t))
			folder := unpack(t, root, older)
			if err := os.Link(debOf(t, older), root+"/root/lqproxy.deb"); err != nil { // another file system
				text, err := os.ReadFile(debOf(t, older))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(root+"/root/lqproxy.deb", text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			line := func(s string) string { return strings.ReplaceAll(s, "FOLDER", folder) }
			if out, err := chroot(t, root, line(test.prepare)); err != nil {
				t.Fatalf("%s: %v\n%s", test.prepare, err, out)
			}
			t.Cleanup(func() { exec.Command("umount", "--lazy", root+"/opt").Run() })
			before := paths(t, root)
			out, err := chroot(t, root, line(test.run))
			if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != test.code {
				t.Errorf("%s: %v, want exit code %d", test.run, err, test.code)
			}
			wantText(t, test.run, out, test.want)
			if diff := cmp.Diff(before, paths(t, root)); diff != "" {
				t.Errorf("the host (-before +after):\n%s", diff)
			}
		})
	}
}
