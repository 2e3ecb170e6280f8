package logging

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestStatusTellsLossesAndSpace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := Options{AccessFile: filepath.Join(dir, "access.log"), ErrorFile: filepath.Join(dir, "none", "error.log"), MinFree: 7}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()

	l.Error.Info("the folder is missing")
	s := l.Status()
	if s.AccessFile != o.AccessFile || s.ErrorFile != o.ErrorFile || s.MinFree != 7 || s.Free == nil || *s.Free <= 0 {
		t.Errorf("Status() = %+v, want the files and the space", s)
	}
	if !slices.Equal(s.Failing, []string{outputError}) || s.Paused {
		t.Errorf("Status() = %+v, want the error log failing alone", s)
	}

	l.access.pause(true)
	l.Access.Info("")
	if s = l.Status(); !s.Paused || s.Lost < 1 {
		t.Errorf("Status() while paused = %+v, want a lost line", s)
	}
	l.access.pause(false)
	if err := os.Mkdir(filepath.Join(dir, "none"), 0o750); err != nil {
		t.Fatal(err)
	}
	l.Reopen()
	l.Error.Info("now it is there")
	if s = l.Status(); s.Paused || len(s.Failing) > 0 {
		t.Errorf("Status() afterwards = %+v, want no trouble", s)
	}

	if err := l.Reconfigure(Options{AccessFile: off}); err != nil {
		t.Fatal(err)
	}
	if s = l.Status(); s.Free != nil || s.Failing == nil {
		t.Errorf("Status() without files = %+v, want no space and an empty list", s)
	}
}
