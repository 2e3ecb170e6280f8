package doctor

import (
	"bytes"
	"strings"
)

// mounts checks that the program may be executed where it lies.
func (m machine) mounts(binary string) []Finding {
	text, err := m.read("/proc/mounts")
	if err != nil || binary == "" {
		return nil
	}
	return []Finding{judgeMounts(text, binary)}
}

// judgeMounts reads /proc/mounts: the last mount of the longest path that leads
// to file is the one that counts.
func judgeMounts(mounts, file string) Finding {
	point, noexec := "", false
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		at := unescapeMount(fields[1])
		if !leadsTo(at, file) || len(at) < len(point) {
			continue
		}
		point, noexec = at, hasOption(fields[3], "noexec")
	}
	if noexec {
		return found(MountNoexec, file, point)
	}
	return found(MountsFit)
}

// unescapeMount undoes the escapes of /proc/mounts.
func unescapeMount(path string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(path)
}

// leadsTo reports whether file lies in folder.
func leadsTo(folder, file string) bool {
	rest, ok := strings.CutPrefix(file, strings.TrimSuffix(folder, "/"))
	return ok && strings.HasPrefix(rest, "/")
}

func hasOption(options, wanted string) bool {
	for o := range strings.SplitSeq(options, ",") {
		if o == wanted {
			return true
		}
	}
	return false
}

// auditSize bounds how much of the audit log is searched, in bytes from its end.
const auditSize = 4 << 20

// selinux checks whether SELinux denied something to a process named lqproxy.
func (m machine) selinux() Finding {
	mode, err := m.read("/sys/fs/selinux/enforce")
	if err != nil {
		return found(SELinuxOff)
	}
	enforcing := mode == "1"
	audit, err := m.tail("/var/log/audit/audit.log", auditSize)
	if err != nil && enforcing {
		return found(SELinuxUnread)
	}
	return judgeDenials(audit, enforcing)
}

func judgeDenials(audit []byte, enforcing bool) Finding {
	n, last := 0, ""
	for line := range bytes.Lines(audit) {
		if !bytes.Contains(line, []byte("avc:  denied")) || !bytes.Contains(line, []byte(`comm="lqproxy"`)) {
			continue
		}
		n++
		last = denial(string(line))
	}
	switch {
	case n == 0:
		return found(SELinuxQuiet)
	case enforcing:
		return found(SELinuxDenies, n, last)
	}
	return found(SELinuxWould, n, last)
}

// denial returns what was denied, without what is the same in every line:
// "{ name_connect } dest=8443 tclass=tcp_socket".
func denial(line string) string {
	_, rest, _ := strings.Cut(line, "denied")
	what, rest, _ := strings.Cut(rest, "}")
	parts := []string{strings.TrimSpace(what) + " }"}
	for field := range strings.FieldsSeq(rest) {
		name, _, _ := strings.Cut(field, "=")
		switch name {
		case "name", "path", "dest", "src", "tclass":
			parts = append(parts, field)
		}
	}
	return strings.Join(parts, " ")
}

// fips checks whether the system is in FIPS mode.
func (m machine) fips() Finding {
	if on, err := m.read("/proc/sys/crypto/fips_enabled"); err == nil && on == "1" {
		return found(FIPSOn)
	}
	return found(FIPSOff)
}
