package logging

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	dayLayout     = "2006-01-02"
	suffixPacked  = ".gz"
	suffixPartial = ".tmp" // of a .gz that is being written
)

// dayOf is the local day of t. Days compare as strings.
func dayOf(t time.Time) string { return t.Local().Format(dayLayout) }

// An archive is the rotated files of one log: beside access.log they are access-2026-11-22.001.log, then .002 when the
// size made it rotate again that day, and so on, with .gz when compressed. Every one is numbered so that they sort by
// age in any locale.
type archive struct{ dir, stem, ext string }

// rotated is one file of an archive.
type rotated struct {
	path   string
	day    string
	number int
	suffix string // "", .gz or .gz.tmp
}

func archiveOf(path string) archive {
	ext := filepath.Ext(path)
	return archive{dir: filepath.Dir(path), stem: strings.TrimSuffix(filepath.Base(path), ext), ext: ext}
}

func (a archive) name(day string, number int) string {
	return fmt.Sprintf("%s-%s.%03d%s", a.stem, day, number, a.ext)
}

// parse reports whether name is a file of the archive. It is strict, since such files may be deleted.
func (a archive) parse(name string) (rotated, bool) {
	rest, ok := strings.CutPrefix(name, a.stem+"-")
	if !ok || len(rest) < len(dayLayout) {
		return rotated{}, false
	}
	day, rest := rest[:len(dayLayout)], rest[len(dayLayout):]
	if _, err := time.Parse(dayLayout, day); err != nil {
		return rotated{}, false
	}
	digits := strings.TrimPrefix(rest, ".")
	if i := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = digits[:i]
	}
	number, err := strconv.Atoi(digits)
	if err != nil {
		return rotated{}, false
	}
	suffix, ok := strings.CutPrefix(name, a.name(day, number))
	if !ok || suffix != "" && suffix != suffixPacked && suffix != suffixPacked+suffixPartial {
		return rotated{}, false
	}
	return rotated{path: filepath.Join(a.dir, name), day: day, number: number, suffix: suffix}, true
}

// list returns the regular files of the archive, oldest first.
func (a archive) list() ([]rotated, error) {
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		return nil, fmt.Errorf("listing rotated logs: %w", err)
	}
	var files []rotated
	for _, e := range entries {
		if f, ok := a.parse(e.Name()); ok && e.Type().IsRegular() {
			files = append(files, f)
		}
	}
	slices.SortFunc(files, rotated.compare)
	return files, nil
}

func (r rotated) compare(s rotated) int {
	return cmp.Or(cmp.Compare(r.day, s.day), cmp.Compare(r.number, s.number), cmp.Compare(r.suffix, s.suffix))
}

// next returns the path under which a file of day is to be kept.
func (a archive) next(day string) (string, error) {
	files, err := a.list()
	if err != nil {
		return "", err
	}
	number := 1
	for _, f := range files {
		if f.day == day {
			number = f.number + 1
		}
	}
	return filepath.Join(a.dir, a.name(day, number)), nil
}

// pack replaces a rotated file by its .gz, which has its time and, if ctx or the machine ends half way, appears not at
// all. The lowest level is taken: log lines shrink to a tenth even so, and the time belongs to the exchanges.
func pack(ctx context.Context, path string) error {
	partial := path + suffixPacked + suffixPartial
	if err := packInto(ctx, partial, path); err != nil {
		_ = os.Remove(partial) // or the next attempt does
		return fmt.Errorf("compressing log: %w", err)
	}
	if err := os.Rename(partial, path+suffixPacked); err != nil {
		return fmt.Errorf("compressing log: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("compressing log: %w", err)
	}
	return nil
}

func packInto(ctx context.Context, partial, path string) (err error) {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // only read
	info, err := from.Stat()
	if err != nil {
		return err
	}
	to, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()

	z, err := gzip.NewWriterLevel(to, gzip.BestSpeed)
	if err != nil {
		return err
	}
	z.Name, z.ModTime = filepath.Base(path), info.ModTime()
	if _, err := io.Copy(z, &contextReader{ctx, from}); err != nil {
		return err
	}
	if err := errors.Join(z.Close(), to.Sync()); err != nil {
		return err
	}
	return os.Chtimes(partial, time.Time{}, info.ModTime())
}

// A contextReader ends with the error of its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
