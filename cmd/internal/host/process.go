package host

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Process is one that listens somewhere.
type Process struct {
	PID     int
	Name    string // of its program
	Program string // the file; "" if it may not be seen
	Folder  string // that it works in; likewise
	Ports   []uint16
}

// Nginx is the name of the program that the guide installs.
const Nginx = "nginx"

// Columns of /proc/net/tcp.
const (
	columnLocal = 1
	columnState = 3
	columnInode = 9

	stateListen = "0A"
)

// listening returns the ports of the sockets that listen, by their inodes.
func (h Host) listening() map[string]uint16 {
	ports := map[string]uint16{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for line := range strings.Lines(h.read(table)) {
			columns := strings.Fields(line)
			if len(columns) <= columnInode || columns[columnState] != stateListen {
				continue
			}
			_, digits, _ := strings.Cut(columns[columnLocal], ":")
			if port, err := strconv.ParseUint(digits, 16, 16); err == nil {
				ports[columns[columnInode]] = uint16(port)
			}
		}
	}
	return ports
}

// Listening reports whether anybody listens on port.
func (h Host) Listening(port uint16) bool {
	for _, p := range h.listening() {
		if p == port {
			return true
		}
	}
	return false
}

// Holder returns the process that listens on port: of several that share the
// socket, the first, which is the parent of the others. It is nil if nobody
// does, or he may not be seen; taken tells which.
func (h Host) Holder(port uint16) (p *Process, taken bool) {
	listening := h.listening()
	for _, open := range listening {
		taken = taken || open == port
	}
	if !taken {
		return nil, false
	}
	holders := h.holders(listening)
	var pids []int
	for pid, ports := range holders {
		if slices.Contains(ports, port) {
			pids = append(pids, pid)
		}
	}
	first := h.eldest(pids)
	if first == 0 {
		return nil, true
	}
	return h.process(first, holders[first]), true
}

// holders returns the ports on which each process listens, sorted.
func (h Host) holders(listening map[string]uint16) map[int][]uint16 {
	files, _ := filepath.Glob(h.Path("/proc/[0-9]*/fd/*")) // the pattern is a good one
	all := map[int][]uint16{}
	for _, file := range files {
		target, err := os.Readlink(file)
		inode, ok := strings.CutPrefix(target, "socket:[")
		port, open := listening[strings.TrimSuffix(inode, "]")]
		if err != nil || !ok || !open {
			continue
		}
		pid, _ := strconv.Atoi(path.Base(path.Dir(path.Dir(file))))
		all[pid] = append(all[pid], port)
	}
	for pid, ports := range all {
		slices.Sort(ports)
		all[pid] = slices.Compact(ports)
	}
	return all
}

// eldest returns the process of pids whose parent is none of them; 0 of none.
func (h Host) eldest(pids []int) int {
	slices.Sort(pids)
	for _, pid := range pids {
		if !slices.Contains(pids, h.parent(pid)) {
			return pid
		}
	}
	return 0
}

func (h Host) file(pid int, name string) string {
	return path.Join("/proc", strconv.Itoa(pid), name)
}

// parent returns the parent of a process, the fourth field of its stat: the
// second, its name in brackets, may hold anything.
func (h Host) parent(pid int) int {
	stat := h.read(h.file(pid, "stat"))
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

func (h Host) process(pid int, ports []uint16) *Process {
	p := &Process{PID: pid, Ports: ports}
	if exe, err := os.Readlink(h.Path(h.file(pid, "exe"))); err == nil {
		p.Program = strings.TrimSuffix(exe, deleted)
		p.Name = path.Base(p.Program)
	} else {
		p.Name = strings.TrimSpace(h.read(h.file(pid, "comm")))
	}
	p.Folder, _ = os.Readlink(h.Path(h.file(pid, "cwd")))
	return p
}

// Runs reports whether a process is there and has that program; one that has
// ended, and only waits for its parent to notice, has none.
func (h Host) Runs(pid int, program string) bool {
	exe, err := os.Readlink(h.Path(h.file(pid, "exe")))
	return err == nil && strings.TrimSuffix(exe, deleted) == program
}

// deleted marks a program in /proc that was replaced on disk.
const deleted = " (deleted)"

// title is how nginx names its first process, before the command line that
// started it.
const title = "nginx: master process "

// Arguments returns the command line of a process, program first; that of nginx
// as it was before nginx wrote its title over it.
func (h Host) Arguments(pid int) []string {
	line := strings.TrimRight(h.read(h.file(pid, "cmdline")), "\x00 ")
	if rest, ok := strings.CutPrefix(line, title); ok {
		return strings.Fields(rest)
	}
	return strings.Split(line, "\x00")
}

// UnitOf returns the unit of systemd that a process belongs to, by its control
// group; "" if it was started by hand.
func (h Host) UnitOf(pid int) string {
	for line := range strings.Lines(h.read(h.file(pid, "cgroup"))) {
		group := strings.TrimSpace(line)
		if parts := strings.SplitN(group, ":", 3); len(parts) == 3 && (parts[1] == "" || parts[1] == "name=systemd") {
			if unit := path.Base(parts[2]); strings.HasSuffix(unit, ".service") {
				return unit
			}
		}
	}
	return ""
}

// KeeperOf returns the program that started a process and is still there: it may
// start it again. What was left by whoever started it belongs to systemd or to
// process 1; of that it is "".
func (h Host) KeeperOf(pid int) string {
	parent := h.parent(pid)
	if parent <= 1 {
		return ""
	}
	if p := h.process(parent, nil); p.Name != "systemd" {
		return p.Name
	}
	return ""
}
