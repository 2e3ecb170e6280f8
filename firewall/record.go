package firewall

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
)

// Folders are where records and states are kept. Root owns both.
type Folders struct {
	Records string // what was applied
	States  string // what the daemon reads
}

// DefaultFolders are those of an installed lqproxy.
var DefaultFolders = Folders{Records: "/var/lib/lqproxy-firewall", States: "/run/lqproxy-firewall"}

// unnamed is the name of the instance without one, in files.
const unnamed = "lqproxy"

func fileName(instance string) string {
	if instance == "" {
		instance = unnamed
	}
	return instance + ".json"
}

// State returns the state file of an instance.
func (f Folders) State(instance string) string { return filepath.Join(f.States, fileName(instance)) }

// Record returns the record of an instance.
func (f Folders) Record(instance string) string { return filepath.Join(f.Records, fileName(instance)) }

// Instances returns the instances that have a record, sorted; "" is the
// unnamed one.
func (f Folders) Instances() ([]string, error) {
	files, err := filepath.Glob(filepath.Join(f.Records, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", f.Records, err)
	}
	var names []string
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if name == unnamed {
			name = ""
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// A Record is what was applied last: what a healing brings back, and what a
// removal takes away.
type Record struct {
	Backend Kind             `json:"backend"`
	Policy  Policy           `json:"policy"`
	Zones   []string         `json:"zones,omitempty"` // as configured
	Listen  []netip.AddrPort `json:"listen"`
	Applied time.Time        `json:"applied"`
	Owned   []Owned          `json:"owned,omitempty"`   // firewalld: rules of ours on the host
	Removed []Owned          `json:"removed,omitempty"` // adopted rules that we took away
	Former  []string         `json:"former,omitempty"`  // what concerned the ports before the first apply
}

// readRecord returns the record of file; not found if nothing was applied yet.
func readRecord(file string) (r Record, found bool, err error) {
	data, err := readOwned(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return r, false, fmt.Errorf("reading record %s: %w", file, err)
	}
	return r, true, nil
}

// readOwned reads a file that only root, or we ourselves, could have written:
// root acts upon it.
func readOwned(file string) ([]byte, error) {
	info, err := os.Lstat(file)
	if err != nil {
		return nil, err
	}
	const othersWrite = 0o022
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.Mode().IsRegular() || info.Mode().Perm()&othersWrite != 0 || ok && owner.Uid != 0 && int(owner.Uid) != os.Geteuid() {
		return nil, errors.New("others than root could have written it")
	}
	return os.ReadFile(file)
}

// writeFile writes v as JSON, whole and to the disk, then renamed.
func writeFile(file string, mode fs.FileMode, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	folderMode := mode | mode>>2&0o111 // who may read files may enter
	if err := os.MkdirAll(filepath.Dir(file), folderMode); err != nil {
		return err
	}
	return renameio.WriteFile(file, append(data, '\n'), mode,
		renameio.WithTempDir(filepath.Dir(file)), renameio.WithStaticPermissions(mode))
}

func (r Record) write(file string) error {
	if err := writeFile(file, 0o600, r); err != nil {
		return fmt.Errorf("writing record: %w", err)
	}
	return nil
}

// A Sync is what the last look at the host found; the daemon reads it.
type Sync struct {
	Backend  Kind      `json:"backend"`
	InSync   bool      `json:"in_sync"`
	Checked  time.Time `json:"checked"`
	Policy   Policy    `json:"policy"` // that was applied
	Problems []string  `json:"problems,omitempty"`
}

// ReadState returns what file says. The error is [fs.ErrNotExist] if nothing
// was ever applied.
func ReadState(file string) (Sync, error) {
	var s Sync
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return s, fmt.Errorf("reading firewall state: %w", err)
	}
	return s, nil
}

func (s Sync) write(file string) error {
	if err := writeFile(file, 0o644, s); err != nil {
		return fmt.Errorf("writing firewall state: %w", err)
	}
	return nil
}

// lockFile holds the lock of an instance: a person's apply and the timer's wait
// for each other. The caller must close it.
func lockFile(file string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", file, err), f.Close())
	}
	return f, nil
}
