package packaging

import (
	"strings"
	"testing"

	"github.com/lqproxy/lqproxy/probe/leqisim"
)

// rpm is rpm on a Debian: what a package needs is not in its database.
func (h *host) rpm(args ...string) string {
	h.t.Helper()
	return h.run(append([]string{"rpm", "--nodeps"}, args...)...)
}

// installRPM installs a version and configures it for sim.
func (h *host) installRPM(version string, sim *leqisim.Server) string {
	h.t.Helper()
	out := h.rpm("-ivh", h.bring(rpmOf(h.t, version)))
	h.write(configFile, settings(sim.Address().String(), 0, ""))
	return out
}

func TestRPMLifecycle(t *testing.T) {
	t.Parallel()
	h := boot(t)
	sim := h.simulate()
	out := h.installRPM(older, sim)
	wantText(t, "rpm -ivh", out, "lqproxy setup", "lqproxy probe", "systemctl enable --now lqproxy")
	wantModes(h)
	if state, _ := h.try("systemctl", "is-active", "lqproxy"); strings.TrimSpace(state) != "inactive" {
		t.Errorf("after the installation lqproxy is %s", state)
	}
	h.run("systemctl", "enable", "--now", "lqproxy")

	l := h.begin(4)
	h.rpm("-Uvh", h.bring(rpmOf(t, newer)))
	h.wantVersion(newer)
	l.passed(100)
	h.rpm("-Uvh", "--oldpackage", h.bring(rpmOf(t, older)))
	h.wantVersion(older)
	l.passed(100)
	l.finish(sim)
	h.run("grep", "-q", "drain_timeout", configFile) // the administrator's

	h.rpm("-e", "lqproxy")
	if state, _ := h.try("systemctl", "is-active", "lqproxy"); strings.TrimSpace(state) != "inactive" {
		t.Errorf("after the removal lqproxy is %s", state)
	}
	h.run("grep", "-q", "drain_timeout", configFile+".rpmsave")
	h.run("test", "-e", "/var/log/lqproxy/access.log")
	h.run("test", "!", "-e", "/usr/bin/lqproxy")
	h.run("test", "!", "-e", "/usr/lib/lqproxy")
	h.run("test", "!", "-L", "/etc/systemd/system/multi-user.target.wants/lqproxy.service")
}

// What rpm 4.11, that of CentOS 7, can unpack and check.
func TestRPMIsForOldHosts(t *testing.T) {
	t.Parallel()
	need(t, "rpm")
	file := rpmOf(t, older)
	for format, want := range map[string]string{
		"%{PAYLOADCOMPRESSOR}":  "gzip",
		"%{PAYLOADFORMAT}":      "cpio",
		"%{FILEDIGESTALGO}":     "8", // SHA-256
		"%{LICENSE}":            "Apache-2.0",
		"%{VERSION}-%{RELEASE}": older + "-1",
	} {
		if got := output(t, "rpm", "-qp", "--qf", format, file); got != want {
			t.Errorf("%s of the rpm = %s, want %s", format, got, want)
		}
	}
	for line := range strings.Lines(output(t, "rpm", "-qp", "--requires", file)) {
		if strings.HasPrefix(line, "rpmlib(") && !strings.Contains(line, "CompressedFileNames") && !strings.Contains(line, "PayloadFilesHavePrefix") {
			t.Errorf("the rpm needs of rpm: %s", line)
		}
	}
	configs := output(t, "rpm", "-qp", "--configfiles", file)
	if want := "/etc/lqproxy/lqproxy.toml\n/etc/lqproxy/package.conf\n"; configs != want {
		t.Errorf("configuration files of the rpm = %q, want %q", configs, want)
	}
}
