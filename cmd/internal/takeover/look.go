package takeover

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/host"
)

// An Nginx is the one whose place is taken, and how to bring it back.
type Nginx struct {
	PID       int      `json:"pid"`
	Program   string   `json:"program"`
	Arguments []string `json:"arguments"` // as it was started by hand, without the program
	Folder    string   `json:"folder"`    // in which it was
	Unit      string   `json:"unit,omitempty"`
	Enabled   []string `json:"enabled,omitempty"` // units that would start it with the machine
	Lines     []Line   `json:"lines,omitempty"`   // of start files, which do the same

	Restart string   `json:"-"` // what systemd does when it ends
	Others  []uint16 `json:"-"` // the ports besides ours that it serves
	Keeper  string   `json:"-"` // the program that would start it again; "": none
	Cron    []Line   `json:"-"` // lines of cron that would start it with the machine
}

// A Line is one of a file that is run at the start of the machine.
type Line struct {
	File   string `json:"file"`
	Number int    `json:"number"` // from 1
}

// String is FILE:NUMBER.
func (l Line) String() string { return l.File + ":" + strconv.Itoa(l.Number) }

// A Situation is what takes part in a takeover.
type Situation struct {
	Systemd bool
	Unit    host.Unit // of lqproxy
	Taken   bool      // somebody listens on the port
	Holder  *host.Process
	Nginx   *Nginx // nil: it is not nginx that does
}

// startFiles are run by root at the start of the machine.
var startFiles = []string{"/etc/rc.local", "/etc/rc.d/rc.local"}

// nginxUnits may start an nginx, whoever started the one that runs.
var nginxUnits = []string{"nginx.service"}

// Look finds out how things stand for the unit of an lqproxy that is to listen
// on ports. It changes nothing.
func Look(ctx context.Context, h host.Host, unit string, ports []uint16) Situation {
	s := Situation{Systemd: h.HasSystemd(), Unit: h.Unit(ctx, unit)}
	for _, port := range ports {
		holder, taken := h.Holder(port)
		s.Taken = s.Taken || taken
		if holder != nil {
			s.Holder = holder
			break
		}
	}
	if s.Holder != nil && s.Holder.Name == host.Nginx {
		s.Nginx = lookAtNginx(ctx, h, *s.Holder, ports)
	}
	return s
}

func lookAtNginx(ctx context.Context, h host.Host, p host.Process, ports []uint16) *Nginx {
	n := &Nginx{PID: p.PID, Program: p.Program, Folder: p.Folder, Lines: startLines(h), Cron: cronLines(h)}
	if arguments := h.Arguments(p.PID); len(arguments) > 0 {
		n.Arguments = arguments[1:]
	}
	for _, port := range p.Ports {
		if !slices.Contains(ports, port) {
			n.Others = append(n.Others, port)
		}
	}
	units := slices.Clone(nginxUnits)
	if own := ownUnit(ctx, h, p.PID); own.Name != "" {
		n.Unit, n.Restart = own.Name, own.Restart
		units = append(units, own.Name)
	} else {
		n.Keeper = h.KeeperOf(p.PID)
	}
	slices.Sort(units)
	for _, name := range slices.Compact(units) {
		if h.Unit(ctx, name).Enabled {
			n.Enabled = append(n.Enabled, name)
		}
	}
	return n
}

// ownUnit returns the unit that runs the process; zero if it was started by hand,
// or by a unit that starts other things, such as rc-local.service.
func ownUnit(ctx context.Context, h host.Host, pid int) host.Unit {
	name := h.UnitOf(pid)
	if name == "" {
		return host.Unit{}
	}
	u := h.Unit(ctx, name)
	if u.Known && (u.Holds(pid) || slices.Contains(nginxUnits, name)) {
		return u
	}
	return host.Unit{}
}

// mention is nginx as a command, in a line of a shell.
var mention = regexp.MustCompile(`(^|[\s;&|/"'])nginx($|[\s;&|"'])`)

// startLines returns the lines of start files that mention nginx. Of two names
// of a file one is looked at.
func startLines(h host.Host) []Line {
	var all []Line
	seen := map[string]bool{}
	for _, file := range startFiles {
		target, err := filepath.EvalSymlinks(h.Path(file))
		if err != nil || seen[target] {
			continue
		}
		seen[target] = true
		all = append(all, linesOf(h, file, mention)...)
	}
	return all
}

// cronFiles are root's tables of cron, and those of the system, where Red Hat and
// Debian have them.
var cronFiles = []string{"/etc/crontab", "/etc/cron.d/*", "/var/spool/cron/root", "/var/spool/cron/crontabs/root"}

// atReboot is a line of a table that is run when the machine has started, and
// has nginx in its command.
var atReboot = regexp.MustCompile(`^\s*@reboot\s.*` + mention.String())

// cronLines returns the lines of tables of cron that start nginx.
func cronLines(h host.Host) []Line {
	var all []Line
	for _, pattern := range cronFiles {
		for _, file := range h.Files(pattern) {
			all = append(all, linesOf(h, file, atReboot)...)
		}
	}
	return all
}

// linesOf returns the lines of a file that match and are no comments.
func linesOf(h host.Host, file string, match *regexp.Regexp) []Line {
	text, err := os.ReadFile(h.Path(file))
	if err != nil {
		return nil
	}
	var all []Line
	for i, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") && match.MatchString(line) {
			all = append(all, Line{file, i + 1})
		}
	}
	return all
}

// An Obstacle is why nothing is begun.
type Obstacle string

// The obstacles.
const (
	NoSystemd  Obstacle = "no_systemd"  // nothing could start lqproxy, now or with the machine
	NoService  Obstacle = "no_service"  // lqproxy is not installed as a service
	PortFree   Obstacle = "port_free"   // there is no place to take
	PortHidden Obstacle = "port_hidden" // who has it cannot be seen
	PortOther  Obstacle = "port_other"  // it is not nginx that has it
	OtherPorts Obstacle = "other_ports" // nginx serves more than ours
	Kept       Obstacle = "kept"        // something would start nginx again
	Scheduled  Obstacle = "scheduled"   // cron would, with the machine
)

// Obstacle returns what is in the way; "" if nothing is. That nginx serves other
// ports besides is none if whoever commands it says so.
func (s Situation) Obstacle(stopAnyway bool) Obstacle {
	switch {
	case !s.Taken:
		return PortFree
	case s.Holder == nil:
		return PortHidden
	case s.Nginx == nil:
		return PortOther
	case !s.Systemd:
		return NoSystemd
	case !s.Unit.Known:
		return NoService
	case s.Nginx.Keeper != "":
		return Kept
	case len(s.Nginx.Cron) > 0:
		return Scheduled
	case len(s.Nginx.Others) > 0 && !stopAnyway:
		return OtherPorts
	}
	return ""
}
