package probe

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Silence is how long Leqi is left in peace after a verdict of Forbidden.
const Silence = 30 * time.Minute

// A Memory remembers in a file when an upstream answered 403 to the end. It
// belongs to one person; two commands at once may each forget what the other
// noted. The zero Memory remembers nothing.
type Memory struct{ file string }

// NewMemory returns the memory in that folder, which need not exist yet. The
// folder is the person's own, never the daemon's.
func NewMemory(folder string) Memory { return Memory{filepath.Join(folder, "last-forbidden.json")} }

// Forbidden returns when upstream was last forbidden, if that is less than
// Silence ago; else the zero time. A lost memory is none.
func (m Memory) Forbidden(upstream string, now time.Time) time.Time {
	at := m.read()[upstream]
	if age := now.Sub(at); age < 0 || age >= Silence {
		return time.Time{}
	}
	return at
}

// Note remembers that upstream was forbidden at that time; the zero time
// forgets it.
func (m Memory) Note(upstream string, at time.Time) error {
	if m.file == "" {
		return nil
	}
	all := m.read()
	if old, known := all[upstream]; old.Equal(at) || !known && at.IsZero() {
		return nil
	}
	all[upstream] = at
	if at.IsZero() {
		delete(all, upstream)
	}
	if err := m.write(all); err != nil {
		return fmt.Errorf("remembering the last 403: %w", err)
	}
	return nil
}

func (m Memory) read() map[string]time.Time {
	all := map[string]time.Time{}
	if m.file == "" {
		return all
	}
	if text, err := os.ReadFile(m.file); err == nil && json.Unmarshal(text, &all) != nil {
		return map[string]time.Time{}
	}
	return all
}

// write replaces the file. One that is damaged by a crash is a lost memory, and
// no more.
func (m Memory) write(all map[string]time.Time) error {
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(m.file), 0o700); err != nil {
		return err
	}
	return os.WriteFile(m.file, append(text, '\n'), 0o600)
}
