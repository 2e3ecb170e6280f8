package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.uber.org/zap"
)

// instanceName is the file by which commands find a running instance.
const instanceName = "instance.json"

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

// announce writes the file, or takes it away at the end. Without it commands do
// not find the instance, which is no reason not to serve.
func (d *Daemon) announce(running bool) {
	dir := d.o.Config.StateDir
	if dir == "" {
		return
	}
	name := filepath.Join(dir, instanceName)
	if !running {
		_ = os.Remove(name)
		return
	}
	text, err := json.Marshal(Instance{os.Getpid(), d.AdminAddresses(), d.o.File, d.o.Build.Version})
	if err == nil {
		err = replaceFile(name, append(text, '\n'))
	}
	if err != nil {
		d.log.Error("the running instance cannot be announced", zap.Error(err))
	}
}

// replaceFile writes text whole, then puts it in the place of name.
func replaceFile(name string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}
