package firewall

import (
	"bufio"
	"encoding/hex"
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// firewalldFolders are where firewalld reads its configuration, the one that
// wins first.
var firewalldFolders = [...]string{"/etc/firewalld", "/usr/lib/firewalld"}

// A firewalldFile is a zone or a service in firewalld's own format.
type firewalldFile struct {
	Target   string `xml:"target,attr"`
	Services []struct {
		Name string `xml:"name,attr"`
	} `xml:"service"`
	Ports []struct {
		Port     string `xml:"port,attr"`
		Protocol string `xml:"protocol,attr"`
	} `xml:"port"`
}

// defaultZoneOf returns what the default zone opens, read from the files of a
// firewalld that does not run. What cannot be read opens nothing.
func defaultZoneOf(folders [2]string) []portProtocol {
	zone := readFirewalld(folders, "zones", defaultZoneName(folders[0]))
	if zone.Target == targetAccept {
		return []portProtocol{{"0-65535", "tcp"}}
	}
	ports := zone.ports()
	for _, s := range zone.Services {
		ports = append(ports, readFirewalld(folders, "services", s.Name).ports()...)
	}
	return ports
}

func (f firewalldFile) ports() []portProtocol {
	var all []portProtocol
	for _, p := range f.Ports {
		all = append(all, portProtocol{p.Port, p.Protocol})
	}
	return all
}

func readFirewalld(folders [2]string, kind, name string) firewalldFile {
	var f firewalldFile
	for _, dir := range folders {
		data, err := os.ReadFile(filepath.Join(dir, kind, name+".xml"))
		if err == nil && xml.Unmarshal(data, &f) == nil {
			break
		}
	}
	return f
}

func defaultZoneName(folder string) string {
	data, _ := os.ReadFile(filepath.Join(folder, "firewalld.conf")) // without it, public is the default
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "DefaultZone="); ok {
			return name
		}
	}
	return "public"
}

// listeningPorts returns the TCP ports of this host that others can reach if
// nothing filters, sorted.
func listeningPorts() []uint16 {
	var ports []uint16
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(file)
		if err != nil {
			continue // a host without that family
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if port, ok := listeningPort(lines.Text()); ok {
				ports = append(ports, port)
			}
		}
		f.Close() //nolint:errcheck // it was read only
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// listeningPort reads a line of /proc/net/tcp or tcp6:
// "  0: 0100007F:1F90 00000000:0000 0A …", where 0A is a listener.
func listeningPort(line string) (port uint16, ok bool) {
	const listening = "0A"
	w := strings.Fields(line)
	if len(w) < 4 || w[3] != listening {
		return 0, false
	}
	address, digits, _ := strings.Cut(w[1], ":")
	n, err := strconv.ParseUint(digits, 16, 16)
	return uint16(n), err == nil && !isLoopbackWords(address)
}

// isLoopbackWords reports whether an address as the kernel lists it, in words
// of four bytes in the order of the host, is a loopback one. Both orders are
// tried, as these do not meet.
func isLoopbackWords(address string) bool {
	b, err := hex.DecodeString(address)
	if err != nil {
		return false
	}
	if len(b) == 4 {
		return b[3] == 127 || b[0] == 127
	}
	sum := 0
	for _, v := range b {
		sum += int(v)
	}
	return sum == 1 // ::1
}
