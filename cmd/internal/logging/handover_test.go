package logging

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Two processes write the same logs while one takes over from the other, files
// grow beyond their size, and the folder is moved: each line is there once.
func TestNoLineIsLostWhenAnotherProcessTakesOver(t *testing.T) {
	t.Parallel()
	const lines, size = 4000, 64 << 10
	root := t.TempDir()
	folder := filepath.Join(root, "log")
	if err := os.Mkdir(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	o := Options{AccessFile: filepath.Join(folder, "access.log"), Rotate: rotateDaily, RotateSize: size}
	old, stopOld := start(t, o)
	o.Joining = true
	next, stopNext := start(t, o)

	half := make(chan struct{}, 2)
	var writers sync.WaitGroup
	write := func(l *Logs, first int) {
		for id := first; id < 2*lines; id += 2 {
			logExchange(l, &exchange{ID: id, Padding: strings.Repeat("x", 100)})
			if id/2 == lines/2 {
				half <- struct{}{}
			}
			if id/2%50 == 0 {
				<-time.After(5 * time.Millisecond) // so that there are many batches
			}
		}
	}
	writers.Go(func() { write(old, 0) })
	writers.Go(func() { write(next, 1) })
	<-half
	old.Rotating(false)
	next.Rotating(true)
	moved := filepath.Join(root, "log.moved")
	if err := os.Rename(folder, moved); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	next.Reopen()
	old.Reopen()
	writers.Wait()
	stopOld()
	stopNext()

	files, err := filepath.Glob(filepath.Join(root, "*", "access*.log"))
	if err != nil || len(files) < 2*lines*150/size/2 {
		t.Errorf("files = %q, %v, want rotated ones", files, err)
	}
	var got []int
	for _, file := range files {
		got = append(got, ids(readLines(t, file))...)
	}
	slices.Sort(got)
	if want := upTo(2 * lines); !slices.Equal(got, want) {
		t.Errorf("%d lines in %d files, %d of them different, want each of %d once", len(got), len(files), len(slices.Compact(got)), len(want))
	}
}

// A process that joins another does not rotate, not even the file of an earlier
// day that it finds.
func TestAProcessThatJoinsLeavesTheFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "access.log")
	writeFile(t, file, "{\"id\":0}\n")
	yesterday := time.Now().AddDate(0, 0, -1)
	if err := os.Chtimes(file, yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	l, stop := start(t, Options{AccessFile: file, Rotate: rotateDaily, Joining: true})
	logExchange(l, &exchange{ID: 1})
	if err := l.Access.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); fmt.Sprint(got) != "[access.log]" {
		t.Errorf("files while another process rotates = %q, want access.log alone", got)
	}
	l.Rotating(true)
	logExchange(l, &exchange{ID: 2})
	stop()
	want := []string{"access-" + dayOf(yesterday) + ".001.log", "access.log"}
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("files = %q, want %q", got, want)
	}
}

// A compression that another process may begin, too, is given up.
func TestCompressingEndsWithTheTakingOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "access-2026-11-20.001.log")
	writeFile(t, file, strings.Repeat("x", 1<<20))
	l := open(t, Options{AccessFile: filepath.Join(dir, "access.log"), Rotate: rotateDaily, Compress: true})
	defer l.Close()
	l.Rotating(false)
	if err := l.keeper.pack(t.Context(), file); err != nil {
		t.Errorf("pack() = %v, want nil", err)
	}
	if got := names(t, dir); !slices.Contains(got, filepath.Base(file)) || slices.Contains(got, filepath.Base(file)+suffixPacked) {
		t.Errorf("files = %q, want the file as it was", got)
	}
}
