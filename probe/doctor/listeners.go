package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A holder is a process that listens on a port.
type holder struct {
	pid  int
	name string // of its program
}

// port checks who listens on port.
func (m machine) port(port uint16, in Instance) Finding {
	inodes := m.listening(port)
	return judgePort(port, len(inodes) > 0, m.holders(inodes), in)
}

// judgePort judges a port; holders are those that could be seen.
func judgePort(port uint16, taken bool, holders []holder, in Instance) Finding {
	if !taken {
		return found(PortFree, int(port))
	}
	if len(holders) == 0 {
		if in.Running != nil { // which answers only once it has its port
			return found(PortOurs, int(port))
		}
		return found(PortHidden, int(port))
	}
	for _, h := range holders {
		if h.name == "lqproxy" || in.Running != nil && h.pid == in.Running.PID {
			return found(PortOurs, int(port))
		}
	}
	first := holders[0]
	if first.name == "nginx" {
		return found(PortNginx, int(port), first.pid)
	}
	return found(PortTaken, int(port), first.name, first.pid)
}

// Columns of /proc/net/tcp.
const (
	columnLocal = 1
	columnState = 3
	columnInode = 9

	stateListen = "0A"
)

// listening returns the inodes of the sockets that listen on port.
func (m machine) listening(port uint16) []string {
	var inodes []string
	suffix := fmt.Sprintf(":%04X", port)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := m.read(table)
		if err != nil {
			continue // without IPv6 there is no second
		}
		for line := range strings.Lines(text) {
			columns := strings.Fields(line)
			if len(columns) > columnInode && columns[columnState] == stateListen && strings.HasSuffix(columns[columnLocal], suffix) {
				inodes = append(inodes, columns[columnInode])
			}
		}
	}
	return inodes
}

// holders returns the processes that have one of the sockets open, as far as they
// may be seen, the oldest first.
func (m machine) holders(inodes []string) []holder {
	if len(inodes) == 0 {
		return nil
	}
	files, _ := filepath.Glob(m.path("/proc/[0-9]*/fd/*")) // the pattern is a good one
	var pids []int
	for _, file := range files {
		target, err := os.Readlink(file)
		inode, ok := strings.CutPrefix(target, "socket:[")
		if err != nil || !ok || !slices.Contains(inodes, strings.TrimSuffix(inode, "]")) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(file))))
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	var all []holder
	for _, pid := range slices.Compact(pids) {
		all = append(all, holder{pid, m.program(pid)})
	}
	return all
}

// program returns the name of the program that a process runs.
func (m machine) program(pid int) string {
	folder := "/proc/" + strconv.Itoa(pid)
	if exe, err := os.Readlink(m.path(folder + "/exe")); err == nil {
		return filepath.Base(strings.TrimSuffix(exe, deleted))
	}
	name, _ := m.read(folder + "/comm") // a process that has ended has none
	return name
}
