package logging

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

const (
	fileMode  = 0o640
	lookEvery = time.Second // between looks at what a path names
)

// rotation says when a file is rotated.
type rotation struct {
	daily bool
	size  int64 // bytes; 0 is never
}

// An output is a file known by its path, which others may rename at any time, or a writer. The zero output of a path is
// closed; prepare opens it.
type output struct {
	path     string
	w        io.Writer // when path is ""
	rotation rotation

	file   *os.File
	info   os.FileInfo // identifies file
	looked time.Time
	astray error  // what kept the last look from ending at the path
	size   int64  // bytes, as of the last look and with what we wrote since
	day    string // of the first lines
	torn   int64  // size after a write that failed half way; 0 is none
}

// usable reports whether there is something to write to.
func (o *output) usable() bool { return o.path == "" && o.w != nil || o.file != nil }

// prepare makes sure that the file is the one under the path, and rotates it when it is time and rotate is true. After
// an error the output may still be usable: a file whose folder was moved away takes lines until the path leads to one.
func (o *output) prepare(now time.Time, rotate bool) error {
	if o.path == "" {
		return nil
	}
	if err := o.follow(now); err != nil {
		return err
	}
	if rotate && o.due(now) {
		return o.rotate(now)
	}
	return nil
}

func (o *output) follow(now time.Time) error {
	if o.file != nil && now.Sub(o.looked) < lookEvery {
		return o.astray
	}
	o.looked, o.astray = now, nil
	if o.file != nil {
		if info, err := os.Stat(o.path); err == nil && os.SameFile(info, o.info) {
			o.size = info.Size()
			return nil
		}
	}
	o.astray = o.open(now)
	return o.astray
}

// open replaces the file by what the path names now.
func (o *output) open(now time.Time) error {
	// Without O_NONBLOCK a named pipe that nobody reads would hold us here; a file does not care.
	f, err := os.OpenFile(o.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, fileMode)
	if err != nil {
		if o.file != nil && deleted(o.file) {
			o.close() // what it took would be gone
		}
		return fmt.Errorf("opening log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("opening log: %w", err), f.Close())
	}
	o.close()
	o.file, o.info, o.looked, o.size = f, info, now, info.Size()
	o.day = dayOf(now)
	if o.size > 0 {
		o.day = dayOf(info.ModTime()) // lines of an earlier run
		return o.endTornLine()
	}
	return nil
}

// endTornLine ends the last line of the file if it has no end: a process was killed, or the power failed, within its
// last write. The next line would be as unreadable as that one.
func (o *output) endTornLine() error {
	if !o.info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(o.path)
	if err != nil {
		return nil // it may be written and not read: then nobody reads it anyway
	}
	defer f.Close() //nolint:errcheck // it was only read
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, o.size-1); err != nil || last[0] == '\n' {
		return nil
	}
	_, err = o.write([]byte{'\n'})
	return err
}

// due reports whether the file has lines and is to be rotated. A clock that steps back over midnight does not rotate
// twice, one that was days ahead does.
func (o *output) due(now time.Time) bool {
	if o.size == 0 || !o.rotation.daily || !o.info.Mode().IsRegular() {
		return false
	}
	if o.rotation.size > 0 && o.size >= o.rotation.size {
		return true
	}
	return o.day < dayOf(now) || o.day > dayOf(now.AddDate(0, 0, 1))
}

// rotate renames the file after the day of its first lines and opens a new one.
func (o *output) rotate(now time.Time) error {
	o.looked = time.Time{} // whoever else renamed the file within the last second has done our work
	if err := o.follow(now); err != nil || !o.due(now) {
		return err
	}
	name, err := archiveOf(o.path).next(o.day)
	if err != nil {
		return fmt.Errorf("rotating log: %w", err)
	}
	if err := os.Rename(o.path, name); err != nil {
		return fmt.Errorf("rotating log: %w", err)
	}
	return o.open(now)
}

// write appends p with one write(2), unless the system takes it in parts.
func (o *output) write(p []byte) (int, error) {
	if o.path == "" {
		n, err := o.w.Write(p)
		return min(max(n, 0), len(p)), err
	}
	n, err := o.file.Write(p)
	o.size += int64(n)
	o.torn = 0
	if err != nil {
		o.torn = o.length()
		return n, fmt.Errorf("writing log: %w", err)
	}
	return n, nil
}

// untouched reports whether nothing was appended since a write that failed half way.
func (o *output) untouched() bool {
	return o.path == "" || o.torn > 0 && o.torn == o.length()
}

// length is the size of the file at this moment; 0 when it cannot be told.
func (o *output) length() int64 {
	info, err := o.file.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// close closes the file, not the writer, which is the caller's.
func (o *output) close() {
	if o.file != nil {
		_ = o.file.Close() // every write was checked
	}
	o.file, o.info, o.torn = nil, nil, 0
}

// deleted reports whether no name leads to f any more.
func deleted(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink == 0
}
