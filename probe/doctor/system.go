package doctor

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// What lqproxy and the guide ask of a machine.
const (
	leastCores  = 2
	leastMemory = 3584 << 20 // of 4 GiB firmware and kernel keep some
	leastKernel = "3.2"      // of the Go runtime
)

// supported are the systems that lqproxy is built for, by ID and the beginning of
// VERSION_ID in os-release. The guide's list has those that are listed.
var supported = []struct {
	id, version string
	listed      bool
}{
	{"centos", "7", true},
	{"ubuntu", "22.04", true},
	{"rhel", "8", true},
	{"rhel", "9", false},
	{"kylin", "V10", true},
	{"openEuler", "22.03", true},
	{"debian", "12", false},
}

// system checks which system this is.
func (m machine) system() (string, Finding) {
	text, err := m.read("/etc/os-release")
	if err != nil {
		text, err = m.read("/usr/lib/os-release")
	}
	if err != nil {
		return "", found(SystemUnread)
	}
	return judgeSystem(parseRelease(text))
}

// parseRelease reads os-release: NAME=value or NAME="value".
func parseRelease(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if plain, err := strconv.Unquote(value); err == nil {
			value = plain
		}
		values[name] = strings.Trim(value, `'"`)
	}
	return values
}

// judgeSystem returns the name of a system, and whether it is supported.
func judgeSystem(release map[string]string) (string, Finding) {
	name := release["PRETTY_NAME"]
	if name == "" {
		name = strings.TrimSpace(release["ID"] + " " + release["VERSION_ID"])
	}
	if name == "" {
		return "", found(SystemUnread)
	}
	for _, s := range supported {
		if !strings.EqualFold(s.id, release["ID"]) || !isVersion(release["VERSION_ID"], s.version) {
			continue
		}
		if s.listed {
			return name, found(SystemListed, name)
		}
		return name, found(SystemBuilt, name)
	}
	return name, found(SystemUnknown, name)
}

// isVersion reports whether version is wanted, or one within it: 8.8 is within 8.
func isVersion(version, wanted string) bool {
	rest, ok := strings.CutPrefix(version, wanted)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == ' ')
}

// kernel checks the release of the kernel.
func (m machine) kernel() (string, Finding) {
	release, err := m.read("/proc/sys/kernel/osrelease")
	if err != nil || release == "" {
		return "", found(KernelUnread)
	}
	if slices.Compare(numbers(release), numbers(leastKernel)) < 0 {
		return release, found(KernelOld, release, leastKernel)
	}
	return release, found(KernelFits, release)
}

// numbers returns the numbers with which a version begins: 3 and 10 of
// 3.10.0-1160.el7.
func numbers(version string) []int {
	var all []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return all
		}
		all = append(all, n)
	}
	return all
}

// judgeArch judges the architecture of this program.
func judgeArch(arch string) Finding {
	if arch == "amd64" || arch == "arm64" {
		return found(ArchBuilt, arch)
	}
	return found(ArchOther, arch)
}

// resources checks the processors and the memory.
func (m machine) resources() Finding {
	online, err := m.read("/sys/devices/system/cpu/online")
	cores := countCores(online)
	if err != nil || cores == 0 {
		cores = runtime.NumCPU()
	}
	info, err := m.read("/proc/meminfo")
	if err != nil {
		return found(ResourcesNone)
	}
	return judgeResources(cores, totalMemory(info))
}

// countCores counts a list of ranges: 0-1,4 is three.
func countCores(list string) int {
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil || to < from {
			return 0
		}
		n += to - from + 1
	}
	return n
}

// totalMemory returns the bytes that /proc/meminfo has.
func totalMemory(info string) Bytes {
	for line := range strings.Lines(info) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "MemTotal:" {
			continue
		}
		kib, _ := strconv.ParseInt(fields[1], 10, 64)
		return Bytes(kib << 10)
	}
	return 0
}

func judgeResources(cores int, memory Bytes) Finding {
	if cores < leastCores || memory < leastMemory {
		return found(ResourcesFew, cores, memory)
	}
	return found(ResourcesFit, cores, memory)
}

// descriptors checks how many files a process of the service may have open. The
// runtime raises the soft limit to the hard one.
func (m machine) descriptors(pid, needed int) Finding {
	process := "self"
	if pid != 0 {
		process = strconv.Itoa(pid)
	}
	text, err := m.read("/proc/" + process + "/limits")
	if err != nil {
		return found(FilesUnread)
	}
	return judgeDescriptors(text, needed)
}

// judgeDescriptors reads /proc/PID/limits.
func judgeDescriptors(limits string, needed int) Finding {
	for line := range strings.Lines(limits) {
		rest, ok := strings.CutPrefix(line, "Max open files")
		fields := strings.Fields(rest)
		if !ok || len(fields) < 2 {
			continue
		}
		hard, err := strconv.Atoi(fields[1])
		if err == nil && hard < needed {
			return found(FilesFew, hard, needed)
		}
		return found(FilesFit, fields[1]) // a number or "unlimited"
	}
	return found(FilesUnread)
}
