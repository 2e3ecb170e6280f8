package takeover

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
)

// Folder is where records are kept, beside that of the firewall. Root owns it:
// what is run from a record is run as root.
const Folder = "/var/lib/lqproxy-takeover"

// A Record is how to go back.
type Record struct {
	Taken time.Time `json:"taken"` // when it was begun
	Nginx Nginx     `json:"nginx"`
}

// recordFile returns the record of an instance; "" is the unnamed one.
func recordFile(folder, instance string) string {
	return filepath.Join(folder, cmp.Or(instance, "lqproxy")+".json")
}

// ReadRecord returns the record of an instance. Without one the error is
// fs.ErrNotExist: there is nothing to take back.
func ReadRecord(folder, instance string) (Record, error) {
	var r Record
	data, err := os.ReadFile(recordFile(folder, instance))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return r, fmt.Errorf("reading record of takeover: %w", err)
	}
	return r, nil
}

// Write makes r the record of an instance.
func (r Record) Write(folder, instance string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("writing record of takeover: %w", err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("writing record of takeover: %w", err)
	}
	file := recordFile(folder, instance)
	if err := renameio.WriteFile(file, append(data, '\n'), 0o600, renameio.WithTempDir(folder)); err != nil {
		return fmt.Errorf("writing record of takeover: %w", err)
	}
	return nil
}

// RemoveRecord forgets the record of an instance, if there is one.
func RemoveRecord(folder, instance string) error {
	err := os.Remove(recordFile(folder, instance))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing record of takeover: %w", err)
	}
	return nil
}
