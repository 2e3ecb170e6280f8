package takeover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/lqproxy/lqproxy/cmd/internal/host"
)

// mark stands before a line of a start file that is out of use.
const mark = "#lqproxy-takeover# "

// off takes a line out of use.
func off(line string) string {
	if strings.HasPrefix(line, mark) {
		return line
	}
	return mark + line
}

// on takes it into use again.
func on(line string) string { return strings.TrimPrefix(line, mark) }

// switchLines changes lines of start files, each of which keeps a copy of what it
// was. A line that is not there any more, nor mentions nginx, was changed by
// somebody else and is left alone.
func switchLines(h host.Host, lines []Line, change func(string) string) error {
	files := map[string][]int{}
	for _, l := range lines {
		files[l.File] = append(files[l.File], l.Number)
	}
	var failed error
	for file, numbers := range files {
		if err := switchFile(h.Path(file), numbers, change); err != nil {
			failed = errors.Join(failed, fmt.Errorf("changing %s: %w", file, err))
		}
	}
	return failed
}

func switchFile(name string, numbers []int, change func(string) string) error {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	lines := strings.Split(string(old), "\n")
	for _, n := range numbers {
		if n <= len(lines) && mention.MatchString(lines[n-1]) {
			lines[n-1] = change(lines[n-1])
		}
	}
	text := strings.Join(lines, "\n")
	if text == string(old) {
		return nil
	}
	copied := name + "." + time.Now().Format("20060102-150405")
	if err := os.Link(name, copied); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return renameio.WriteFile(name, []byte(text), 0o755, renameio.WithExistingPermissions(), renameio.WithTempDir(filepath.Dir(name)))
}
