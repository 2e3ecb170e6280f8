// Package host looks at the machine that a command runs on: who listens where,
// which units systemd has, and where nginx comes from. It changes nothing.
//
// What may not be seen, by someone who is not root, is left out.
package host

import (
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Host is a machine. The zero Host has no systemctl; Local returns this one.
type Host struct {
	Root string // where its files lie; "" is /

	// Run runs a command and returns what it printed, with the error of package
	// os/exec, whose Stderr says why it failed.
	Run func(ctx context.Context, argv ...string) (string, error)
}

// Local returns the machine that the process runs on.
func Local() Host { return Host{Run: run} }

func run(ctx context.Context, argv ...string) (string, error) {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
	return string(out), err
}

// Path returns where a file of the host lies for us.
func (h Host) Path(file string) string { return filepath.Join("/", h.Root, file) }

// Files returns the files of the host that match a pattern of package
// path/filepath, which must be a good one, by their names there.
func (h Host) Files(pattern string) []string {
	files, err := filepath.Glob(h.Path(pattern))
	if err != nil {
		panic("BUG: host: " + err.Error())
	}
	for i, file := range files {
		files[i] = filepath.Join("/", strings.TrimPrefix(file, h.Path("/")))
	}
	return files
}

// read returns a file as text, "" if there is none that can be read.
func (h Host) read(file string) string {
	text, _ := os.ReadFile(h.Path(file))
	return string(text)
}

// Addresses returns the addresses by which others reach this machine, IPv4
// first.
func Addresses() []netip.Addr {
	found, _ := net.InterfaceAddrs() // without them there are none
	var all []netip.Addr
	for _, a := range found {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && prefix.Addr().IsGlobalUnicast() {
			all = append(all, prefix.Addr())
		}
	}
	slices.SortStableFunc(all, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return all
}

// A Unit is what systemd says of one of its units; zero where there is none.
type Unit struct {
	Name    string // as it was asked for
	Known   bool   // there is such a unit
	Active  bool   // it runs, or is about to
	Enabled bool   // it will run after a start of the machine
	MainPID string // "0": none
	Restart string // what systemd does when it ends
}

// HasSystemd reports whether systemd runs the machine, as sd_booted(3) finds out.
func (h Host) HasSystemd() bool {
	_, err := os.Lstat(h.Path("/run/systemd/system"))
	return err == nil && h.Run != nil
}

// Unit returns the unit of that name.
func (h Host) Unit(ctx context.Context, name string) Unit {
	u := Unit{Name: name}
	if !h.HasSystemd() {
		return u
	}
	argv := []string{"systemctl", "show", name}
	for _, p := range []string{"LoadState", "ActiveState", "UnitFileState", "MainPID", "Restart"} {
		argv = append(argv, "-p", p) // systemd of CentOS 7 wants them one by one
	}
	out, err := h.Run(ctx, argv...)
	if err != nil {
		return u
	}
	properties := map[string]string{}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		properties[key] = value
	}
	u.Known = properties["LoadState"] == "loaded"
	u.Active = slices.Contains([]string{"active", "activating", "reloading"}, properties["ActiveState"])
	u.Enabled = slices.Contains([]string{"enabled", "enabled-runtime"}, properties["UnitFileState"])
	if properties["UnitFileState"] == "generated" || properties["UnitFileState"] == "" { // of a script in /etc/init.d
		_, err := h.Run(ctx, "systemctl", "is-enabled", "--quiet", name)
		u.Enabled = u.Known && err == nil
	}
	u.MainPID, u.Restart = properties["MainPID"], properties["Restart"]
	return u
}

// Holds reports whether pid is the unit's main process.
func (u Unit) Holds(pid int) bool { return u.MainPID == strconv.Itoa(pid) }
