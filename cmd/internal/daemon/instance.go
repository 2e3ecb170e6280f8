package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"go.uber.org/zap"
)

// instanceName is the file by which commands find a running instance.
const instanceName = "instance.json"

// instanceMode lets the group read it, as it may read the logs: who watches a
// machine need not be root to find the instance.
const instanceMode = 0o640

// An Instance is what a running daemon says of itself in its state directory.
type Instance struct {
	PID     int      `json:"pid"`
	Admin   []string `json:"admin"` // addresses
	File    string   `json:"file"`  // of the configuration
	Version string   `json:"version"`
}

// ReadInstance returns what the daemon of that state directory says of itself.
// It may have ended without removing it. The error is ErrNotRunning where there
// is none.
func ReadInstance(stateDir string) (Instance, error) {
	var i Instance
	text, err := os.ReadFile(filepath.Join(stateDir, instanceName))
	if errors.Is(err, fs.ErrNotExist) {
		return i, ErrNotRunning
	}
	if err == nil {
		err = json.Unmarshal(text, &i)
	}
	if err != nil {
		return i, fmt.Errorf("reading the running instance: %w", err)
	}
	return i, nil
}

// announce writes the file. Without it commands do not find the instance, which
// is no reason not to serve.
func (d *Daemon) announce() {
	dir := d.o.Config.StateDir
	if dir == "" {
		return
	}
	text, err := json.Marshal(Instance{os.Getpid(), d.AdminAddresses(), d.o.File, d.o.Build.Version})
	if err == nil {
		err = replaceFile(filepath.Join(dir, instanceName), append(text, '\n'), instanceMode)
	}
	if err != nil {
		d.log.Error("the running instance cannot be announced", zap.Error(err))
	}
}

// withdraw takes the file away, unless it is the next process's by now.
func (d *Daemon) withdraw() {
	if dir := d.o.Config.StateDir; dir != "" && !d.retired.Load() {
		_ = os.Remove(filepath.Join(dir, instanceName))
	}
}

// replaceFile writes text whole and to the disk, then puts it in the place of
// name. A crash in between leaves a file that begins with a dot, and the old one.
func replaceFile(name string, text []byte, mode fs.FileMode) error {
	return renameio.WriteFile(name, text, mode, renameio.WithTempDir(filepath.Dir(name)), renameio.WithStaticPermissions(mode))
}
