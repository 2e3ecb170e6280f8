package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/renameio/v2"
)

// mode is that of a configuration: it is the service's business, and nobody
// else's, who may call.
const mode = 0o640

// Writable returns why file could not be written, before anybody is asked
// anything: its folder is missing, or closed to us.
func Writable(file string) error {
	probe, err := os.CreateTemp(filepath.Dir(file), ".lqproxy-*")
	if err != nil {
		return inFolder(file, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// inFolder names the folder instead of a file that nobody knows.
func inFolder(file string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return fmt.Errorf("writing to %s: %w", filepath.Dir(file), err)
}

// Write replaces file by text as a whole or not at all, and returns the name
// that the old one has now; "" if there was none. A link stays one. As root it
// gives the file to the group, if there is one of that name.
func Write(file string, text []byte, group string, now time.Time) (backup string, err error) {
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	pending, err := renameio.NewPendingFile(file, renameio.WithTempDir(filepath.Dir(file)), renameio.WithStaticPermissions(mode))
	if err != nil {
		return "", inFolder(file, err)
	}
	defer pending.Cleanup() //nolint:errcheck // after the replacement there is nothing left
	if _, err := pending.Write(text); err != nil {
		return "", inFolder(file, err)
	}
	if err := give(pending.File, group); err != nil {
		return "", inFolder(file, err)
	}
	if err := pending.Sync(); err != nil { // a full disk is found here, while the old file stands
		return "", inFolder(file, err)
	}
	if backup, err = keep(file, now); err != nil {
		return "", err
	}
	if err := pending.CloseAtomicallyReplace(); err != nil {
		return backup, fmt.Errorf("replacing %s: %w", file, err)
	}
	return backup, nil
}

// give makes the group the owner's.
func give(f *os.File, group string) error {
	g, err := user.LookupGroup(group)
	if err != nil || os.Geteuid() != 0 {
		return nil // not installed as a service
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return fmt.Errorf("reading group %s: %w", group, err)
	}
	return f.Chown(0, gid)
}

// keep gives the old file a second name, which needs no space and keeps its
// owner and dates.
func keep(file string, now time.Time) (string, error) {
	backup := file + "." + now.Format("20060102-150405")
	err := os.Link(file, backup)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("keeping the old file: %w", err)
	}
	return backup, nil
}
