package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/configs"
	"go.uber.org/zap"
)

// Where the configurations in force are kept, in the state directory: a file
// each, named by the moment from which on it was in force, so that names sort.
const (
	historyFolder = "history"
	historyLayout = "20060102T150405.000Z"
	historyParsed = "20060102T150405Z" // a fraction is taken as well; earlier versions wrote none
	historySuffix = ".toml"
	historyKept   = 20

	// originMark begins the first line of a file, a comment with its Origin.
	// Files without one are older, and just as good.
	originMark = "# origin: "
)

// A Cause is what put a configuration in force.
type Cause string

// The causes. Another version may know others.
const (
	CauseStart   Cause = "start"
	CauseReload  Cause = "reload"
	CauseSetup   Cause = "setup"   // a reload that lqproxy setup asked for, behind the file it wrote
	CauseUpgrade Cause = "upgrade" // the binary that took over read another file than the one before it
)

// An Origin says why a configuration came into force, and who was behind it.
// The zero Origin is one that was not recorded.
type Origin struct {
	Cause  Cause  `json:"cause,omitempty"`
	Caller Caller `json:"caller,omitzero"` // zero: not known, as with a signal
}

// A Past is a configuration that was, or is, in force.
type Past struct {
	Since time.Time
	By    Origin
	Text  []byte // the file of what was in force, with every key
}

// Config reads Text. One that another version kept may have keys that this one
// does not know; the error is then a configs.Mistakes.
func (p Past) Config() (configs.Config, error) { return configs.Parse(p.Text) }

// HistoryFolder returns where History looks.
func HistoryFolder(stateDir string) string { return filepath.Join(stateDir, historyFolder) }

// History returns the last configurations in force of that state directory, the
// oldest first; none if nothing ever ran there. An error is one of reading:
// fs.ErrPermission to all but the service's user and root.
func History(stateDir string) ([]Past, error) {
	names, err := pastFiles(stateDir)
	if err != nil {
		return nil, err
	}
	history := make([]Past, 0, len(names))
	for _, name := range names {
		past, err := readPast(name)
		if errors.Is(err, fs.ErrNotExist) { // the daemon made room in the meantime
			continue
		}
		if err != nil {
			return nil, err
		}
		history = append(history, past)
	}
	return history, nil
}

// pastFiles returns the kept files, the oldest first. What else lies in the
// folder is nobody's.
func pastFiles(stateDir string) ([]string, error) {
	entries, err := os.ReadDir(HistoryFolder(stateDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing configurations kept: %w", err)
	}
	var names []string
	for _, e := range entries {
		if _, ok := sinceOf(e.Name()); ok {
			names = append(names, filepath.Join(HistoryFolder(stateDir), e.Name()))
		}
	}
	slices.Sort(names)
	return names, nil
}

// sinceOf reads the name of a kept file.
func sinceOf(name string) (since time.Time, ok bool) {
	text, ok := strings.CutSuffix(filepath.Base(name), historySuffix)
	if !ok {
		return time.Time{}, false
	}
	since, err := time.Parse(historyParsed, text)
	return since, err == nil
}

func readPast(name string) (Past, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return Past{}, fmt.Errorf("reading configuration kept: %w", err)
	}
	since, _ := sinceOf(name) // or it would not have been listed
	by, text := splitOrigin(data)
	return Past{Since: since, By: by, Text: text}, nil
}

// splitOrigin separates the comment about the origin from the file below it.
func splitOrigin(data []byte) (by Origin, text []byte) {
	first, rest, _ := bytes.Cut(data, []byte("\n"))
	record, ok := bytes.CutPrefix(first, []byte(originMark))
	if !ok || json.Unmarshal(record, &by) != nil {
		return Origin{}, data
	}
	return by, rest
}

// withOrigin is what splitOrigin separates.
func withOrigin(by Origin, text []byte) []byte {
	record, err := json.Marshal(by)
	if err != nil {
		panic("BUG: daemon: " + err.Error()) // it is strings alone
	}
	return slices.Concat([]byte(originMark), record, []byte("\n"), text)
}

// remember keeps c as the configuration that is in force from now on, unless it
// is the last one. That it cannot be kept is no reason not to serve.
func (d *Daemon) remember(c configs.Config, by Origin) {
	if c.StateDir == "" {
		return
	}
	if err := keep(c.StateDir, Past{time.Now(), by, c.Effective()}); err != nil {
		d.log.Error("the configuration in force cannot be kept in the history", zap.Error(err))
	}
}

// keep adds p to the files, and removes those that are too many.
func keep(stateDir string, p Past) error {
	names, err := pastFiles(stateDir)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		newest := names[len(names)-1]
		if last, err := readPast(newest); err == nil && bytes.Equal(last.Text, p.Text) {
			return nil
		}
		// Where the clock was set back, the order still says which is in force.
		if since, _ := sinceOf(newest); !p.Since.After(since) {
			p.Since = since.Add(time.Millisecond)
		}
	}
	folder := HistoryFolder(stateDir)
	if err := os.Mkdir(folder, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making folder of configurations kept: %w", err)
	}
	name := filepath.Join(folder, p.Since.UTC().Format(historyLayout)+historySuffix)
	if err := replaceFile(name, withOrigin(p.By, p.Text), 0o600); err != nil {
		return err
	}
	for _, old := range names[:max(0, len(names)+1-historyKept)] {
		if err := os.Remove(old); err != nil {
			return fmt.Errorf("removing oldest configuration kept: %w", err)
		}
	}
	return nil
}
