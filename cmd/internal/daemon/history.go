package daemon

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/lqproxy/lqproxy/configs"
	"go.uber.org/zap"
)

// Where the configurations in force are kept, in the state directory: a file
// each, named by the second from which on it was in force, so that names sort.
const (
	historyFolder = "history"
	historyLayout = "20060102T150405Z.toml"
	historyKept   = 20
)

// A Past is a configuration that was, or is, in force.
type Past struct {
	Since  time.Time
	Config configs.Config
}

// History returns the last configurations in force of that state directory, the
// oldest first. What cannot be read, or understood any more, is left out.
func History(stateDir string) []Past {
	var history []Past
	for _, name := range pastFiles(stateDir) {
		since, err := time.Parse(historyLayout, filepath.Base(name))
		if err != nil {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if c, err := configs.Parse(text); err == nil {
			history = append(history, Past{since, c})
		}
	}
	return history
}

// pastFiles returns the names of the kept files, the oldest first.
func pastFiles(stateDir string) []string {
	names, _ := filepath.Glob(filepath.Join(stateDir, historyFolder, "*.toml")) // the pattern is well formed
	slices.Sort(names)
	return names
}

// remember keeps c as the configuration that is in force from now on, unless it
// is the last one. That it cannot be kept is no reason not to serve.
func (d *Daemon) remember(c configs.Config) {
	if c.StateDir == "" {
		return
	}
	if err := keep(c.StateDir, c.Effective(), time.Now()); err != nil {
		d.log.Error("the configuration in force cannot be kept in the history", zap.Error(err))
	}
}

func keep(stateDir string, text []byte, now time.Time) error {
	names := pastFiles(stateDir)
	if len(names) > 0 {
		if last, err := os.ReadFile(names[len(names)-1]); err == nil && bytes.Equal(last, text) {
			return nil
		}
	}
	folder := filepath.Join(stateDir, historyFolder)
	if err := os.Mkdir(folder, 0o750); err != nil && !os.IsExist(err) {
		return err
	}
	if err := replaceFile(filepath.Join(folder, now.UTC().Format(historyLayout)), text); err != nil {
		return err
	}
	names = pastFiles(stateDir)
	for _, name := range names[:max(0, len(names)-historyKept)] {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}
