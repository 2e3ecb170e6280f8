package daemon

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// holder says who listens on port, as /proc tells; "" where it does not. Other
// users' processes are seen by root alone.
func holder(port string) string {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return ""
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for _, inode := range listeners(table, uint16(n)) {
			if who := owner(inode); who != "" {
				return who
			}
		}
	}
	return ""
}

// Columns of /proc/net/tcp.
const (
	columnLocal = 1
	columnState = 3
	columnInode = 9

	stateListen = "0A"
)

// listeners returns the inodes of the sockets in table that listen on port.
func listeners(table string, port uint16) []string {
	f, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // it was read alone
	var inodes []string
	suffix := fmt.Sprintf(":%04X", port)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		columns := strings.Fields(lines.Text())
		if len(columns) > columnInode && columns[columnState] == stateListen && strings.HasSuffix(columns[columnLocal], suffix) {
			inodes = append(inodes, columns[columnInode])
		}
	}
	return inodes
}

// owner returns the name and id of a process that has the socket open.
func owner(inode string) string {
	files, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return ""
	}
	for _, file := range files {
		if target, err := os.Readlink(file); err != nil || target != "socket:["+inode+"]" {
			continue
		}
		pid := strings.Split(file, "/")[2]
		name, err := os.ReadFile("/proc/" + pid + "/comm")
		if err != nil {
			continue // it has ended
		}
		return holderName(string(name), pid)
	}
	return ""
}

func holderName(comm, pid string) string {
	return fmt.Sprintf("%s (pid %s)", strings.TrimSpace(comm), pid)
}
