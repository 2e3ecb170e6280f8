package doctor

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// judgeConfig judges what the service's user makes of the configuration.
func judgeConfig(c Config) []Finding {
	switch {
	case c.Missing:
		return []Finding{found(ConfigMissing, c.File)}
	case c.Error != nil:
		return []Finding{found(ConfigUnread, c.File, c.Error)}
	case c.Mistakes > 0:
		return []Finding{found(ConfigBad, c.File, c.Mistakes)}
	case len(c.Denied) == 0:
		return []Finding{found(ConfigGood, c.File)}
	}
	var all []Finding
	for _, file := range c.Denied {
		all = append(all, found(ConfigDenied, file, c.User))
	}
	return all
}

// deleted marks the program of a process in /proc that was replaced on disk.
const deleted = " (deleted)"

// service checks whether the service runs, will run after a reboot, and matches
// what is on the disk.
func (m machine) service(ctx context.Context, in Instance, config string) []Finding {
	unit, err := m.unit(ctx, in.Unit)
	all := []Finding{judgeUnit(in, unit, err)}
	if unit["ActiveState"] == "active" && !starts(unit["UnitFileState"]) {
		all = append(all, found(ServiceOff, in.Unit))
	}
	if in.Running == nil {
		return all
	}
	if in.Running.Reload != "" {
		all = append(all, found(ServiceKeeps, in.Running.Reload))
	} else if m.changedSince(config, in.Running.Loaded) {
		all = append(all, found(ServiceOlder, config))
	}
	exe, err := os.Readlink(m.path("/proc/" + strconv.Itoa(in.Running.PID) + "/exe"))
	if err == nil && strings.HasSuffix(exe, deleted) {
		all = append(all, found(ServiceBinary, in.Running.PID))
	}
	if len(in.Former) > 0 && len(in.Starters) > 0 {
		all = append(all, found(ServiceFormer, strings.Join(in.Former, ", "), strings.Join(in.Starters, ", ")))
	}
	return all
}

// unit returns the properties of a unit. systemd of CentOS 7 wants them one by one.
func (m machine) unit(ctx context.Context, name string) (map[string]string, error) {
	argv := []string{"systemctl", "show", name}
	for _, property := range []string{"LoadState", "ActiveState", "UnitFileState", "MainPID", "Result"} {
		argv = append(argv, "-p", property)
	}
	out, err := m.run(ctx, argv...)
	if err != nil {
		return nil, err
	}
	return parseRelease(out), nil // the same form
}

// judgeUnit judges whether the service runs.
func judgeUnit(in Instance, unit map[string]string, err error) Finding {
	switch {
	case unit["ActiveState"] == "active" || unit["ActiveState"] == "reloading":
		pid, _ := strconv.Atoi(unit["MainPID"])
		return found(ServiceRuns, in.Unit, pid)
	case in.Running != nil:
		return found(ServiceHand, in.Running.PID)
	case err != nil || unit["LoadState"] == "":
		return found(ServiceUnread)
	case unit["LoadState"] == "not-found":
		return found(ServiceNone, in.Unit)
	case unit["ActiveState"] == "failed":
		return found(ServiceFailed, in.Unit, unit["Result"])
	}
	return found(ServiceStops, in.Unit)
}

// starts reports whether a unit in that state starts with the machine, or by
// another one's doing.
func starts(state string) bool {
	return slices.Contains([]string{"enabled", "enabled-runtime", "static", "alias", "indirect", "generated", "linked"}, state)
}

// slack is how much the times of files and of the daemon may differ.
const slack = 2 * time.Second

func (m machine) changedSince(file string, t time.Time) bool {
	info, err := os.Stat(m.path(file))
	return err == nil && info.ModTime().After(t.Add(slack))
}
