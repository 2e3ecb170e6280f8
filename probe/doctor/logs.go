package doctor

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A logFile is a log or what rotation has made of one.
type logFile struct {
	path     string
	day      string // of what is in it, where the name tells; else ""
	order    string // older files sort first
	size     int64
	modified time.Time
}

// logFiles returns the files of the log at path, the oldest first, the one that is
// written to last. They are lqproxy's own (access-2026-11-22.001.log) and those of
// logrotate (access.log.1, access.log-20261122), each perhaps with .gz. While a
// file is being compressed it is there twice: the plain one counts.
func (m machine) logFiles(path string) ([]logFile, error) {
	if path == "" {
		return nil, nil
	}
	folder := m.path(filepath.Dir(path))
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("listing logs: %w", err)
	}
	var files []logFile
	for _, e := range entries {
		f, ok := parseLogName(filepath.Base(path), e.Name())
		info, err := e.Info()
		if !ok || err != nil || !info.Mode().IsRegular() {
			continue
		}
		f.path, f.size, f.modified = filepath.Join(folder, e.Name()), info.Size(), info.ModTime()
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b logFile) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(len(a.path), len(b.path)))
	})
	return slices.CompactFunc(files, func(a, b logFile) bool { return a.order == b.order }), nil
}

var (
	ownRotation   = regexp.MustCompile(`^-(\d{4}-\d{2}-\d{2})\.(\d{3,9})$`)
	countRotation = regexp.MustCompile(`^\.(\d{1,4})$`)
	dateRotation  = regexp.MustCompile(`^-(\d{4})-?(\d{2})-?(\d{2})$`)
)

// parseLogName reports whether name is a file of the log that is called base. The
// order puts counted files (the higher the older) before dated ones.
func parseLogName(base, name string) (logFile, bool) {
	if name == base {
		return logFile{order: "3"}, true
	}
	name = strings.TrimSuffix(name, ".gz")
	ext := filepath.Ext(base)
	if middle, ok := strings.CutPrefix(name, strings.TrimSuffix(base, ext)); ok {
		if middle, ok = strings.CutSuffix(middle, ext); ok {
			if g := ownRotation.FindStringSubmatch(middle); g != nil {
				return logFile{day: g[1], order: "2 " + g[1] + padded(g[2])}, true
			}
		}
	}
	rest, ok := strings.CutPrefix(name, base)
	if !ok {
		return logFile{}, false
	}
	if g := dateRotation.FindStringSubmatch(rest); g != nil {
		return logFile{order: "2 " + g[1] + "-" + g[2] + "-" + g[3]}, true
	}
	if g := countRotation.FindStringSubmatch(rest); g != nil {
		n, _ := strconv.Atoi(g[1])
		return logFile{order: "1 " + padded(strconv.Itoa(9999-n))}, true
	}
	return logFile{}, false
}

// padded makes numbers sort as texts.
func padded(number string) string { return strings.Repeat("0", 10-len(number)) + number }

// sizeOf returns how much the files of that day take.
func sizeOf(files []logFile, day string) int64 {
	var n int64
	for _, f := range files {
		if f.day == day {
			n += f.size
		}
	}
	return n
}

// longestLine bounds a line of a log. The longest of ours have a few kilobytes.
const longestLine = 64 << 10

// eachLine calls line with each line of f, which may be compressed; what it is
// given is overwritten by the next. A line that is too long, or a file that ends
// badly, is a broken one: nil.
func (f logFile) eachLine(ctx context.Context, line func([]byte)) error {
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was read alone
	var src io.Reader = file
	if strings.HasSuffix(f.path, ".gz") {
		z, err := gzip.NewReader(file)
		if err != nil {
			line(nil)
			return nil
		}
		src = z
	}
	return eachLine(ctx, bufio.NewReaderSize(src, longestLine), line)
}

func eachLine(ctx context.Context, r *bufio.Reader, line func([]byte)) error {
	for ctx.Err() == nil {
		text, err := r.ReadSlice('\n')
		switch {
		case err == nil:
			line(text)
		case errors.Is(err, io.EOF):
			if len(text) > 0 {
				line(text)
			}
			return nil
		case errors.Is(err, bufio.ErrBufferFull):
			line(nil)
			if skipLine(r) != nil {
				return nil
			}
		default:
			line(nil)
			return nil
		}
	}
	return ctx.Err()
}

// skipLine reads to the end of a line.
func skipLine(r *bufio.Reader) error {
	for {
		if _, err := r.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}
