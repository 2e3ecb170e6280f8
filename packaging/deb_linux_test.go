package packaging

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/probe/leqisim"
)

const configFile = "/etc/lqproxy/lqproxy.toml"

// installDeb installs a version and configures it for sim.
func (h *host) installDeb(version string, sim *leqisim.Server) {
	h.t.Helper()
	h.run("dpkg", "-i", h.bring(debOf(h.t, version)))
	h.write(configFile, settings(sim.Address().String(), 0, ""))
}

func TestDebInstallsAndStartsNothing(t *testing.T) {
	t.Parallel()
	h := boot(t)
	out := h.run("dpkg", "-i", h.bring(debOf(t, older)))
	wantText(t, "dpkg -i", out, "lqproxy setup", "lqproxy probe", "systemctl enable --now lqproxy")
	if out, _ := h.try("systemctl", "is-active", "lqproxy", "lqproxy-firewall.timer"); strings.Contains(out, "\nactive") || strings.HasPrefix(out, "active") {
		t.Errorf("after the installation: %s", out)
	}
	if out, _ := h.try("systemctl", "is-enabled", "lqproxy"); strings.TrimSpace(out) != "disabled" {
		t.Errorf("lqproxy is %s at the next boot, want disabled", out)
	}
	wantModes(h)

	// As shipped nobody is admitted: the service ends with 3, and is left alone.
	h.try("systemctl", "start", "lqproxy")
	if code, n := h.property("lqproxy.service", "ExecMainStatus"), h.property("lqproxy.service", "NRestarts"); code != "3" || n != "0" {
		t.Errorf("unconfigured: exit status %s, %s restarts, want 3 and 0", code, n)
	}
}

// wantModes checks who may read and write what was installed.
func wantModes(h *host) {
	h.t.Helper()
	want := `/etc/lqproxy 750 root:lqproxy
/etc/lqproxy/lqproxy.toml 640 root:lqproxy
/etc/lqproxy/package.conf 644 root:root
/usr/bin/lqproxy 755 root:root
/var/lib/lqproxy 750 lqproxy:lqproxy
/var/log/lqproxy 750 lqproxy:lqproxy
`
	got := h.sh("stat -c '%n %a %U:%G' /etc/lqproxy /etc/lqproxy/* /usr/bin/lqproxy /var/lib/lqproxy /var/log/lqproxy")
	if diff := cmp.Diff(want, got); diff != "" {
		h.t.Errorf("modes (-want +got):\n%s", diff)
	}
	user := strings.Split(strings.TrimSpace(h.run("getent", "passwd", "lqproxy")), ":")
	if home, shell := user[5], user[6]; home != "/var/lib/lqproxy" || shell != "/usr/sbin/nologin" {
		h.t.Errorf("user lqproxy has home %s and shell %s", home, shell)
	}
}

func TestDebSpeaksChinese(t *testing.T) {
	t.Parallel()
	h := boot(t)
	cmd := h.command("dpkg", "-i", h.bring(debOf(t, older)))
	cmd.Env = append(cmd.Env, "LQPROXY_LANG=", "LC_ALL=zh_CN.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("dpkg -i: %v\n%s", err, out)
	}
	wantText(t, "dpkg -i", string(out), "lqproxy 已安装", "lqproxy setup", "设为开机自动启动")
}

func TestServiceRunsReloadsAndRefusesABadFile(t *testing.T) {
	t.Parallel()
	h := boot(t)
	sim := h.simulate()
	h.installDeb(older, sim)
	h.run("lqproxy", "check")
	h.run("systemctl", "enable", "--now", "lqproxy")
	wantText(t, "lqproxy probe", h.run("lqproxy", "probe", "--unit", strings.Repeat("1", 20), "--via", fmt.Sprintf("http://127.0.0.1:%d", port)), "reached")

	pid := h.mainPID("lqproxy.service")
	h.write(configFile, settings(sim.Address().String(), 0, "[limits]\nheader_count = 50\n"))
	h.run("systemctl", "reload", "lqproxy")
	h.write(configFile, "nonsense = 1\n")
	if out, code := h.try("systemctl", "reload", "lqproxy"); code == 0 {
		t.Errorf("systemctl reload with a bad file succeeds: %s", out)
	}
	if err := h.callOnce(port, "after"); err != nil {
		t.Errorf("call after a refused reload: %v", err)
	}
	if got := h.mainPID("lqproxy.service"); got != pid {
		t.Errorf("main process = %d after reloads, want %d", got, pid)
	}
	h.wantVersion(older)
}

// The documented way, from nothing to a call that was answered: where Leqi is
// looked for, a simulated one stands.
func TestFromNothingToReached(t *testing.T) {
	t.Parallel()
	h := boot(t)
	h.sh("echo 127.0.0.1 lqpt.chinatax.gov.cn >>/etc/hosts")
	h.simulateAt("127.0.0.1:8443")
	h.run("dpkg", "-i", h.bring(debOf(t, older)))
	unit := strings.Repeat("1", 20)
	h.run("lqproxy", "setup", "--cloud", "private", "--source", "127.0.0.1", "--unit", unit, "--device", "none", "--yes")
	wantText(t, "lqproxy probe", h.run("lqproxy", "probe"), "reached")
	h.run("systemctl", "enable", "--now", "lqproxy")
	wantText(t, "lqproxy probe --via", h.run("lqproxy", "probe", "--via", "http://127.0.0.1:8864"), "reached")
	wantText(t, "lqproxy status", h.run("lqproxy", "status"), "ready")
}

// writes notes which folders it can write to, in the first one that it must be
// able to write to.
const writes = `#!/bin/sh
for folder in /etc/lqproxy /srv /opt /usr/share/lqproxy /var/lib /var /run /home /root /var/lib/lqproxy /var/log/lqproxy; do
	touch $folder/written 2>/dev/null && echo $folder
done >/var/lib/lqproxy/list
exit 0
`

// What the service may write is its state and its logs, even where the modes of
// other folders would let it.
func TestServiceWritesOnlyItsOwnFolders(t *testing.T) {
	t.Parallel()
	h := boot(t)
	h.installDeb(older, h.simulate())
	h.run("chmod", "0777", "/etc/lqproxy", "/srv", "/opt", "/usr/share/lqproxy", "/var", "/var/lib", "/run", "/home", "/root")
	h.write("/usr/bin/writes", writes)
	h.run("chmod", "0755", "/usr/bin/writes")
	h.run("mkdir", "/etc/systemd/system/lqproxy.service.d")
	h.write("/etc/systemd/system/lqproxy.service.d/writes.conf", "[Service]\nType=oneshot\nExecStart=\nExecStart=/usr/bin/writes\n")
	h.run("systemctl", "daemon-reload")
	h.run("systemctl", "start", "lqproxy")
	if diff := cmp.Diff("/var/lib/lqproxy\n/var/log/lqproxy\n", h.run("cat", "/var/lib/lqproxy/list")); diff != "" {
		t.Errorf("folders that the service writes to (-want +got):\n%s", diff)
	}
}

func TestUpgradeAndBackLoseNothing(t *testing.T) {
	t.Parallel()
	h := boot(t)
	sim := h.simulate()
	h.installDeb(older, sim)
	h.run("systemctl", "start", "lqproxy")
	first, second := debOf(t, older), debOf(t, newer)

	l := h.begin(8)
	h.run("dpkg", "-i", h.bring(second))
	h.wantVersion(newer)
	l.passed(200)
	h.run("dpkg", "-i", h.bring(first))
	h.wantVersion(older)
	l.passed(200)
	wantText(t, "lqproxy upgrade --rollback", h.run("lqproxy", "upgrade", "--rollback", "--yes"), older, newer)
	h.wantVersion(newer)
	l.passed(200)
	l.finish(sim)
}

// systemd knows whom to watch after an upgrade.
func TestNextProcessIsSupervised(t *testing.T) {
	t.Parallel()
	h := boot(t)
	h.installDeb(older, h.simulate())
	h.run("systemctl", "start", "lqproxy")
	h.run("dpkg", "-i", h.bring(debOf(t, newer)))
	h.wantVersion(newer)
	next := h.mainPID("lqproxy.service")
	h.awaitOneProcess()
	h.sh(fmt.Sprintf("kill -KILL %d", next))
	h.await("systemd to start another", func() bool {
		pid := h.mainPID("lqproxy.service")
		return pid != 0 && pid != next && h.property("lqproxy.service", "ActiveState") == "active"
	})
	h.wantVersion(newer)
	h.run("systemctl", "stop", "lqproxy")
	if result := h.property("lqproxy.service", "Result"); result != "success" {
		t.Errorf("result of the service = %s, want success", result)
	}
}

// A file that the new version refuses keeps the former one in service, and the
// package is installed all the same.
func TestUpgradeRefusedServesOn(t *testing.T) {
	t.Parallel()
	h := boot(t)
	sim := h.simulate()
	h.installDeb(older, sim)
	h.run("systemctl", "start", "lqproxy")
	h.write(configFile, "nonsense = 1\n")
	out := h.run("dpkg", "-i", h.bring(debOf(t, newer)))
	wantText(t, "dpkg -i", out, "lqproxy.service goes on with the former version", "lqproxy upgrade")
	if got := h.version(admin); got != older {
		t.Errorf("version that serves = %s, want %s", got, older)
	}
	h.write(configFile, settings(sim.Address().String(), 0, ""))
	h.run("lqproxy", "upgrade")
	h.wantVersion(newer)
}

// forgetful stands for a former version that does not know a key yet.
const forgetful = `#!/bin/sh
if [ "$1" = check ] && grep -q header_count "$6"; then
	echo '{"mistakes":[{"message":"limits.header_count: no such key"}]}'
	exit 3
fi
exec /opt/lqproxy "$@"
`

func TestRollbackBringsBackTheFile(t *testing.T) {
	t.Parallel()
	h := boot(t)
	sim := h.simulate()
	h.installDeb(older, sim)
	h.run("systemctl", "start", "lqproxy")
	h.run("dpkg", "-i", h.bring(debOf(t, newer)))
	h.wantVersion(newer)
	h.write(configFile, settings(sim.Address().String(), 0, "[limits]\nheader_count = 50\n"))
	h.run("systemctl", "reload", "lqproxy")
	h.run("mv", "/usr/lib/lqproxy/previous/lqproxy", "/opt/lqproxy")
	h.write("/usr/lib/lqproxy/previous/lqproxy", forgetful)
	h.run("chmod", "0755", "/usr/lib/lqproxy/previous/lqproxy")

	if out, code := h.try("lqproxy", "upgrade", "--rollback"); code != 2 {
		t.Errorf("lqproxy upgrade --rollback, with nobody to ask: exit code %d, want 2\n%s", code, out)
	}
	out := h.run("lqproxy", "upgrade", "--rollback", "--yes")
	wantText(t, "lqproxy upgrade --rollback", out, older+" does not know the present "+configFile)
	if got := h.version(admin); got != older {
		t.Errorf("version that serves = %s, want %s", got, older)
	}
	if diff := cmp.Diff(settings(sim.Address().String(), 0, ""), h.run("cat", configFile)); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if got := strings.TrimSpace(h.run("stat", "-c", "%a %U:%G", configFile)); got != "640 root:lqproxy" {
		t.Errorf("mode and owner of the configuration = %s, want 640 root:lqproxy", got)
	}
	h.run("grep", "-q", "header_count", "/usr/lib/lqproxy/previous/lqproxy.toml") // for the way forward
}

func TestUpgradeWaitsForTheChangeWindow(t *testing.T) {
	t.Parallel()
	h := boot(t)
	h.installDeb(older, h.simulate())
	h.run("systemctl", "start", "lqproxy")
	h.write("/etc/lqproxy/package.conf", "handover=no\n")
	out := h.run("dpkg", "-i", h.bring(debOf(t, newer)))
	wantText(t, "dpkg -i", out, "change window", "  lqproxy upgrade\n")
	if got := h.version(admin); got != older {
		t.Errorf("version that serves = %s, want %s", got, older)
	}
	h.run("lqproxy", "upgrade")
	h.wantVersion(newer)
}

func TestStopCutsNoExchange(t *testing.T) {
	t.Parallel()
	h := boot(t)
	sim := h.simulate(leqisim.Rule{Behaviour: leqisim.Behaviour{Delay: stalls}})
	h.installDeb(older, sim)
	h.run("systemctl", "start", "lqproxy")
	calls := h.longCalls(sim, "before")
	h.run("dpkg", "-i", h.bring(debOf(t, newer))) // now two processes have exchanges
	h.wantVersion(newer)
	h.stopDuring(calls, h.longCalls(sim, "behind"))

	h.run("systemctl", "start", "lqproxy")
	h.run("lqproxy", "upgrade")
	h.awaitOneProcess() // which is no child of systemd's
	h.stopDuring(h.longCalls(sim, "alone"))
}

// stopDuring stops the service, and checks that the calls are answered.
func (h *host) stopDuring(calls ...<-chan error) {
	h.t.Helper()
	begun := time.Now()
	h.run("systemctl", "stop", "lqproxy")
	for _, answers := range calls {
		for range longCallers {
			if err := <-answers; err != nil {
				h.t.Errorf("call during a stop: %v", err)
			}
		}
	}
	if result := h.property("lqproxy.service", "Result"); result != "success" {
		h.t.Errorf("result of the service = %s after %v, want success", result, time.Since(begun))
	}
}

// awaitOneProcess waits until the process before an upgrade has ended.
func (h *host) awaitOneProcess() {
	h.t.Helper()
	h.await("the process before to end", func() bool {
		return strings.Count(h.sh("cat /proc/[0-9]*/comm 2>/dev/null || true"), "lqproxy\n") == 1
	})
}

const longCallers = 10

// longCalls begins calls that take long, and returns when the platform has them.
func (h *host) longCalls(sim *leqisim.Server, name string) <-chan error {
	h.t.Helper()
	answers := make(chan error, longCallers)
	want := sim.Stats().Requests + longCallers
	for n := range longCallers {
		go func() { answers <- h.callOnce(port, fmt.Sprint(name, n)) }()
	}
	h.await("the calls to reach the platform", func() bool { return sim.Stats().Requests >= want })
	return answers
}

func TestSecondInstanceBesideTheFirst(t *testing.T) {
	t.Parallel()
	h := boot(t)
	sim, other := h.simulate(), h.simulate()
	h.installDeb(older, sim)
	h.write("/etc/lqproxy/declare.toml", settings(other.Address().String(), 1, ""))
	h.run("chgrp", "lqproxy", "/etc/lqproxy/declare.toml")
	h.run("systemctl", "enable", "--now", "lqproxy", "lqproxy@declare")
	for n, s := range []*leqisim.Server{sim, other} {
		before := s.Stats().Requests
		if err := h.callOnce(port+n, "one"); err != nil {
			t.Errorf("call of instance %d: %v", n, err)
		}
		if got := s.Stats().Requests - before; got != 1 {
			t.Errorf("platform of instance %d got %d requests, want 1", n, got)
		}
	}
	h.run("systemctl", "reload", "lqproxy@declare")
	h.run("dpkg", "-i", h.bring(debOf(t, newer)))
	for _, p := range []int{admin, admin + 1} {
		if got := h.version(p); got != newer {
			t.Errorf("version on port %d = %s, want %s", p, got, newer)
		}
	}
	h.run("systemctl", "stop", "lqproxy@declare")
	if err := h.callOnce(port, "two"); err != nil {
		t.Errorf("call of the first instance once the second has stopped: %v", err)
	}
}

func TestDebRemovalKeepsPurgeCleans(t *testing.T) {
	t.Parallel()
	h := boot(t)
	sim := h.simulate()
	before := h.snapshot()
	h.installDeb(older, sim)
	h.run("systemctl", "enable", "--now", "lqproxy")
	if err := h.callOnce(port, "one"); err != nil {
		t.Fatal(err)
	}
	h.run("dpkg", "-r", "lqproxy")
	if _, err := os.Stat(h.root + "/usr/lib/lqproxy"); err == nil {
		t.Error("/usr/lib/lqproxy is left behind")
	}
	h.run("test", "-s", configFile)
	h.run("test", "-e", "/var/log/lqproxy/access.log")

	h.run("dpkg", "-i", h.bring(debOf(t, newer)))
	h.run("systemctl", "enable", "--now", "lqproxy") // with the configuration of before
	h.wantVersion(newer)
	h.run("dpkg", "-P", "lqproxy")
	if diff := cmp.Diff(before, h.snapshot()); diff != "" {
		t.Errorf("files of the host (-before +after):\n%s", diff)
	}
	if state, _ := h.try("systemctl", "is-system-running"); strings.TrimSpace(state) != "running" {
		t.Errorf("the host is %s", state)
	}
}

// guarded is a listener that a firewall has work with.
const guarded = `
[firewall]
backend = "iptables"
`

func TestRemovalTakesOurRulesAway(t *testing.T) {
	t.Parallel()
	h := boot(t)
	sim := h.simulate()
	h.run("dpkg", "-i", h.bring(debOf(t, older)))
	everywhere := strings.Replace(settings(sim.Address().String(), 0, guarded), "127.0.0.1:18864", ":18864", 1)
	h.write(configFile, strings.Replace(everywhere, `sources = ["127.0.0.1"]`, `sources = ["127.0.0.1", "10.1.2.3"]`, 1))
	h.run("lqproxy", "firewall", "apply", "--yes")
	h.run("systemctl", "start", "lqproxy")

	// The timer's service brings back what somebody flushed.
	h.run("iptables", "-F")
	h.run("systemctl", "start", "lqproxy-firewall.service")
	wantText(t, "iptables-save", h.run("iptables-save"), "10.1.2.3")

	// Another program on the port keeps its protection.
	h.run("systemctl", "stop", "lqproxy")
	other := h.simulateAt(fmt.Sprintf("0.0.0.0:%d", port))
	wantText(t, "dpkg -r", h.run("dpkg", "-r", "lqproxy"), "something else listens on port 18864")
	wantText(t, "iptables-save", h.run("iptables-save"), "10.1.2.3")
	wantText(t, "dpkg -P", h.run("dpkg", "-P", "lqproxy"), "firewall rules still stand", "/var/lib/lqproxy-firewall/lqproxy.json")
	other.Close()

	h.run("dpkg", "-i", h.bring(debOf(t, older)))
	h.run("dpkg", "-P", "lqproxy")
	for line := range strings.Lines(h.run("iptables-save")) {
		if strings.Contains(line, fmt.Sprint(port)) || strings.Contains(strings.ToLower(line), "lqproxy") {
			t.Errorf("left behind: %s", line)
		}
	}
	h.run("test", "!", "-e", "/var/lib/lqproxy-firewall")
}

// Without systemd, as while an image is made, packages come and go as well.
func TestDebWithoutSystemd(t *testing.T) {
	t.Parallel()
	need(t, "debootstrap", "chroot")
	if os.Geteuid() != 0 {
		leaveOut(t, []string{"root"})
	}
	root := overlay(t, tree(t))
	for _, version := range []string{older, newer} {
		text, err := os.ReadFile(debOf(t, version))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root+"/root/"+version+".deb", text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"-i /root/" + older + ".deb", "-i /root/" + newer + ".deb", "-r lqproxy", "-P lqproxy"} {
		if out, err := chroot(t, root, "dpkg "+line); err != nil || strings.Contains(out, "ystemd") || strings.Contains(out, "rror") {
			t.Errorf("dpkg %s: %v\n%s", line, err, out)
		}
	}
}
