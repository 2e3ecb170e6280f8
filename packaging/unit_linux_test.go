package packaging

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unitsFolder is the source of the units.
const unitsFolder = "systemd"

// oldest is the systemd of CentOS 7.
const oldest = 219

// A setting is a line of a unit.
type setting struct{ section, name, value string }

// readUnit returns the settings of a unit.
func readUnit(t *testing.T, file string) []setting {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []setting
	section := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
		default:
			name, value, ok := strings.Cut(line, "=")
			if !ok {
				t.Fatalf("%s: no directive: %s", file, line)
			}
			list = append(list, setting{section, name, value})
		}
	}
	return list
}

// A directive is what the table testdata/directives knows of one, or of a value
// that came later than the directive.
type directive struct {
	since   int
	ignored bool // it may be
}

// readDirectives returns the table, by section/name or section/name=value.
func readDirectives(t *testing.T) map[string]directive {
	t.Helper()
	f, err := os.Open("testdata/directives")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table := map[string]directive{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		since, err := strconv.Atoi(fields[1])
		if err != nil {
			t.Fatalf("testdata/directives: %v", err)
		}
		table[fields[0]] = directive{since, len(fields) > 2 && fields[2] == "hardening"}
	}
	return table
}

// lookUp returns what the table says of s: of its value, if it does, else of its
// name.
func lookUp(table map[string]directive, s setting) (directive, bool) {
	key := s.section + "/" + s.name
	value, _, _ := strings.Cut(s.value, " ")
	if d, ok := table[key+"="+value]; ok {
		return d, true
	}
	d, ok := table[key]
	return d, ok
}

func unitFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(unitsFolder + "/*")
	if err != nil || len(files) != 6 {
		t.Fatalf("units = %v, %v, want 6", files, err)
	}
	return files
}

// Every directive is in the table, and what systemd 219 does not know is
// hardening: it works without.
func TestUnitsNeedNothingNew(t *testing.T) {
	t.Parallel()
	table := readDirectives(t)
	used := map[string]bool{}
	for _, file := range unitFiles(t) {
		for _, s := range readUnit(t, file) {
			d, ok := lookUp(table, s)
			used[s.section+"/"+s.name] = true
			switch {
			case !ok:
				t.Errorf("%s: testdata/directives does not know [%s] %s", file, s.section, s.name)
			case d.since > oldest && !d.ignored:
				t.Errorf("%s: %s= came with systemd %d, and is needed", file, s.name, d.since)
			}
		}
	}
	for key := range table {
		if name, _, _ := strings.Cut(key, "="); !used[name] {
			t.Errorf("testdata/directives: no unit has %s", key)
		}
	}
}

// What design and experience forbid.
func TestUnitsAvoidTraps(t *testing.T) {
	t.Parallel()
	for _, file := range unitFiles(t) {
		for _, s := range readUnit(t, file) {
			switch {
			case s.name == "AmbientCapabilities", s.name == "StateDirectory", s.name == "LogsDirectory":
				t.Errorf("%s: %s= fails or is missing on old hosts", file, s.name)
			case s.name == "Type" && s.value == "notify-reload":
				t.Errorf("%s: Type=notify-reload needs systemd 253", file)
			case s.name == "SystemCallFilter" && !strings.HasPrefix(s.value, "~"):
				t.Errorf("%s: systemd 219 knows no groups: a list of what is allowed would be empty there, and kill the service", file)
			}
		}
	}
}

// The template is the unit, with the instance's name. It makes the folders that
// the package makes for the unnamed one.
func TestTemplatesAreTheUnits(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"lqproxy%s.service", "lqproxy-firewall%s.service", "lqproxy-firewall%s.timer"} {
		plain := readUnit(t, filepath.Join(unitsFolder, fmt.Sprintf(kind, "")))
		template := slices.DeleteFunc(readUnit(t, filepath.Join(unitsFolder, fmt.Sprintf(kind, "@"))), func(s setting) bool {
			return s.name == "ExecStartPre"
		})
		if len(plain) != len(template) {
			t.Errorf("%s has %d directives, its template %d", kind, len(plain), len(template))
			continue
		}
		for i, s := range template {
			value := s.value
			for _, instance := range []string{" -i %i", "@%i", " (%i)"} {
				value = strings.ReplaceAll(value, instance, "")
			}
			if want := plain[i]; s.name != want.name || value != want.value {
				t.Errorf("%s: template has %s=%s where the unit has %s=%s", kind, s.name, s.value, want.name, want.value)
			}
		}
	}
}

// cutDown is a unit with what a systemd of that version would read of it.
func cutDown(t *testing.T, file string, version int) string {
	t.Helper()
	table := readDirectives(t)
	var text strings.Builder
	section := ""
	for _, s := range readUnit(t, file) {
		if s.section != section {
			section = s.section
			fmt.Fprintf(&text, "[%s]\n", section)
		}
		if d, _ := lookUp(table, s); d.since <= version {
			fmt.Fprintf(&text, "%s=%s\n", s.name, s.value)
		}
	}
	return text.String()
}

func TestServiceOnOldSystemd(t *testing.T) {
	t.Parallel()
	h := boot(t)
	sim := h.simulate()
	h.installDeb(older, sim)
	for _, unit := range []string{"lqproxy.service", "lqproxy-firewall.service", "lqproxy-firewall.timer"} {
		h.write("/etc/systemd/system/"+unit, cutDown(t, filepath.Join(unitsFolder, unit), oldest))
	}
	h.run("systemctl", "daemon-reload")
	h.run("systemctl", "start", "lqproxy")
	if got := h.property("lqproxy.service", "ProtectSystem"); got != "full" {
		t.Errorf("ProtectSystem of the cut unit = %s, want full", got)
	}
	h.run("systemctl", "reload", "lqproxy")
	if err := h.callOnce(port, "one"); err != nil {
		t.Error(err)
	}
	h.run("systemctl", "start", "lqproxy-firewall")
	h.run("systemctl", "stop", "lqproxy")
	if result := h.property("lqproxy.service", "Result"); result != "success" {
		t.Errorf("result of the service = %s, want success", result)
	}
}

// exposed is what the unit may score with systemd-analyze security, in tenths:
// less is better.
const exposed = 17

func TestUnitsAreSoundAndHardened(t *testing.T) {
	t.Parallel()
	h := boot(t)
	h.run("dpkg", "-i", h.bring(debOf(t, older)))
	units := []string{"lqproxy.service", "lqproxy@a.service", "lqproxy-firewall.service", "lqproxy-firewall.timer", "lqproxy-firewall@a.service", "lqproxy-firewall@a.timer"}
	for _, unit := range units {
		if out, code := h.try("systemd-analyze", "verify", "--man=yes", unit); code != 0 || out != "" {
			t.Errorf("systemd-analyze verify %s: exit code %d\n%s", unit, code, out)
		}
	}
	if out, code := h.try("systemd-analyze", "security", "--no-pager", "--threshold="+strconv.Itoa(exposed), "lqproxy.service"); code != 0 {
		t.Errorf("lqproxy.service is exposed by more than %d tenths:\n%s", exposed, out)
	}
	if out, _ := h.try("journalctl", "--no-pager", "--grep=lqproxy.*(Unknown|ignoring|Failed to parse)", "--quiet", "--boot", "--output=cat"); out != "" {
		t.Errorf("systemd does not understand:\n%s", out)
	}
}
