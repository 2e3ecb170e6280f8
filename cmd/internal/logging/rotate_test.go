package logging

import (
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
)

func TestArchiveKnowsItsOwnNamesOnly(t *testing.T) {
	t.Parallel()
	a := archiveOf("/var/log/lqproxy/access.log")
	for _, tt := range []struct {
		name   string
		number int // 0: not ours
		suffix string
	}{
		{"access-2026-11-22.001.log", 1, ""},
		{"access-2026-11-22.012.log.gz", 12, ".gz"},
		{"access-2026-11-22.1000.log.gz.tmp", 1000, ".gz.tmp"},
		{"access-2026-11-22.1.log", 0, ""},
		{"access-2026-11-22.0001.log", 0, ""},
		{"access-2026-11-22.log", 0, ""},
		{"access-2026-11-22", 0, ""},
		{"access-2026-11-22.+01.log", 0, ""},
		{"access-2026-11-22.001.log.gz.tmp.x", 0, ""},
		{"access-2026-11-22.001.log.bz2", 0, ""},
		{"access-2026-11-22.001.txt", 0, ""},
		{"access-2026-13-22.001.log", 0, ""},
		{"access-2026-1-2.001.log", 0, ""},
		{"access-20261122.001.log", 0, ""},
		{"access-.001.log", 0, ""},
		{"access.log", 0, ""},
		{"access.log-20261122", 0, ""},
		{"error-2026-11-22.001.log", 0, ""},
		{"xaccess-2026-11-22.001.log", 0, ""},
	} {
		f, ok := a.parse(tt.name)
		want := rotated{}
		if tt.number > 0 {
			want = rotated{path: filepath.Join(a.dir, tt.name), day: "2026-11-22", number: tt.number, suffix: tt.suffix}
		}
		if f != want || ok != (tt.number > 0) {
			t.Errorf("parse(%q) = %+v, %v, want %+v, %v", tt.name, f, ok, want, tt.number > 0)
		}
	}
}

func TestArchiveNamesSortByAge(t *testing.T) {
	t.Parallel()
	a := archiveOf("access.log")
	byAge := []string{
		a.name("2026-09-30", 1), a.name("2026-09-30", 2), a.name("2026-09-30", 10) + suffixPacked,
		a.name("2026-10-01", 1), a.name("2026-10-01", 100),
	}
	if sorted := slices.Sorted(slices.Values(byAge)); !slices.Equal(sorted, byAge) {
		t.Errorf("sorted names = %q, want %q", sorted, byAge)
	}
}

// mustLocal reads a local time.
func mustLocal(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04:05", text, time.Local)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Not parallel: it moves the local time zone.
func TestDueAtLocalMidnightWhateverTheClockDoes(t *testing.T) {
	zone := time.Local
	t.Cleanup(func() { time.Local = zone })
	path := filepath.Join(t.TempDir(), "x.log")
	writeFile(t, path, "{}\n")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, zone, day, now string
		daily                bool
		size                 int64
		want                 bool
	}{
		{"same day", "Asia/Shanghai", "2026-11-22", "2026-11-22 23:59:59", true, 3, false},
		{"midnight", "Asia/Shanghai", "2026-11-22", "2026-11-23 00:00:00", true, 3, true},
		{"years later", "Asia/Shanghai", "2026-11-22", "2031-01-01 00:00:00", true, 3, true},
		{"rotation off", "Asia/Shanghai", "2026-11-22", "2026-11-23 00:00:00", false, 3, false},
		{"nothing to rotate", "Asia/Shanghai", "2026-11-22", "2026-11-23 00:00:00", true, 0, false},
		{"size", "Asia/Shanghai", "2026-11-22", "2026-11-22 10:00:00", true, 100, true},
		{"clock steps back over midnight", "Asia/Shanghai", "2026-11-23", "2026-11-22 23:59:59", true, 3, false},
		{"clock was far ahead", "Asia/Shanghai", "2036-01-01", "2026-11-22 12:00:00", true, 3, true},
		{"day of 23 hours", "America/New_York", "2026-03-08", "2026-03-08 23:30:00", true, 3, false},
		{"day after 23 hours", "America/New_York", "2026-03-08", "2026-03-09 00:00:00", true, 3, true},
		{"day of 25 hours", "America/New_York", "2026-11-01", "2026-11-01 23:59:59", true, 3, false},
		{"midnight that does not exist", "America/Havana", "2026-03-07", "2026-03-08 01:00:00", true, 3, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if time.Local, err = time.LoadLocation(tt.zone); err != nil {
				t.Fatal(err)
			}
			o := output{path: path, info: info, day: tt.day, size: tt.size, rotation: rotation{daily: tt.daily, size: 100}}
			if got := o.due(mustLocal(t, tt.now)); got != tt.want {
				t.Errorf("due(%s) of a file of %s = %v, want %v", tt.now, tt.day, got, tt.want)
			}
		})
	}
}

func TestRotationByDay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l, stop := start(t, Options{AccessFile: filepath.Join(dir, "access.log"), ErrorFile: filepath.Join(dir, "error.log"), Rotate: rotateDaily})
		var days []string
		for i := range 3 {
			days = append(days, dayOf(time.Now()))
			logExchange(l, &exchange{ID: i})
			time.Sleep(24 * time.Hour)
		}
		stop()
		want := []string{
			"access-" + days[0] + ".001.log",
			"access-" + days[1] + ".001.log",
			"access-" + days[2] + ".001.log", // at midnight, without a line
			"access.log",
			"error.log",
		}
		if diff := cmp.Diff(want, names(t, dir)); diff != "" {
			t.Fatalf("files (-want +got):\n%s", diff)
		}
		for i, name := range want[:3] {
			if diff := cmp.Diff([]int{i}, ids(readLines(t, filepath.Join(dir, name)))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

func TestRotationBySizeNumbersTheFilesOfADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		day := dayOf(time.Now())
		packed := "access-" + day + ".004.log.gz"
		writeFile(t, filepath.Join(dir, packed), "of an earlier run")
		l, stop := start(t, Options{AccessFile: filepath.Join(dir, "access.log"), Rotate: rotateDaily, RotateSize: 100})
		for i := range 3 {
			logExchange(l, &exchange{ID: i, Padding: "more than a hundred bytes altogether"})
			time.Sleep(time.Second)
		}
		stop()
		want := []string{packed, "access-" + day + ".005.log", "access-" + day + ".006.log", "access-" + day + ".007.log", "access.log"}
		if diff := cmp.Diff(want, names(t, dir)); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	})
}

func TestFileOfAnEarlierRunIsRotatedByItsOwnDay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "access.log")
	writeFile(t, path, `{"id":0}`+"\n")
	before := time.Now().AddDate(0, 0, -3)
	if err := os.Chtimes(path, before, before); err != nil {
		t.Fatal(err)
	}
	l := open(t, Options{AccessFile: path, Rotate: rotateDaily})
	logExchange(l, &exchange{ID: 1})
	l.Close()
	want := []string{"access-" + dayOf(before) + ".001.log", "access.log"}
	if diff := cmp.Diff(want, names(t, dir)); diff != "" {
		t.Fatalf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{1}, ids(readLines(t, path))); diff != "" {
		t.Errorf("new file (-want +got):\n%s", diff)
	}
}

func TestATornLastLineOfAnEarlierRunIsEnded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ before, want string }{
		{"", "new\n"},
		{"whole\n", "whole\nnew\n"},
		{"whole\nto", "whole\nto\nnew\n"},
	} {
		path := filepath.Join(t.TempDir(), "access.log")
		writeFile(t, path, tt.before)
		s := newSink(outputAccess, 0, new(atomic.Bool), func(string) {})
		s.log = zap.NewNop()
		s.direct(output{path: path})
		if _, err := s.Write([]byte("new\n")); err != nil {
			t.Fatalf("Write() = %v, want nil", err)
		}
		s.close()
		if got, err := os.ReadFile(path); err != nil || string(got) != tt.want {
			t.Errorf("after %q the log is %q, %v, want %q", tt.before, got, err, tt.want)
		}
	}
}

func TestOnlyTheProcessThatRotatesTouchesFiles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		old := "access-" + dayOf(time.Now().AddDate(-2, 0, 0)) + ".001.log"
		writeFile(t, filepath.Join(dir, old), "old\n")
		l, stop := start(t, Options{AccessFile: filepath.Join(dir, "access.log"), Rotate: rotateDaily, RetainDays: 10, Compress: true})
		l.Rotating(false)
		time.Sleep(time.Millisecond) // the first look of the keeper may have come before
		writeFile(t, filepath.Join(dir, old), "old\n")
		logExchange(l, &exchange{})
		time.Sleep(72 * time.Hour)
		if diff := cmp.Diff([]string{old, "access.log"}, names(t, dir)); diff != "" {
			t.Errorf("files while not rotating (-want +got):\n%s", diff)
		}
		l.Rotating(true)
		time.Sleep(5 * time.Minute)
		stop()
		if got := names(t, dir); slices.Contains(got, old) || len(got) != 2 || !strings.HasSuffix(got[0], suffixPacked) {
			t.Errorf("files while rotating = %q, want the file of the first day, compressed, and access.log", got)
		}
	})
}

func TestRetentionDeletesNothingButItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		day := func(ago int) string { return dayOf(time.Now().AddDate(0, 0, -ago)) }
		keep := []string{
			"access-" + day(30) + ".001.log",
			"access-" + day(31) + ".1.log",
			"access-" + day(31) + ".001.log.bak",
			"other-" + day(400) + ".001.log",
		}
		gone := []string{
			"access-" + day(31) + ".001.log",
			"access-" + day(400) + ".002.log.gz",
			"access-" + day(31) + ".002.log.gz.tmp",
			"error-" + day(31) + ".001.log",
		}
		for _, name := range slices.Concat(keep, gone) {
			writeFile(t, filepath.Join(dir, name), "x\n")
		}
		folder := "access-" + day(500) + ".001.log"
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
		_, stop := start(t, Options{AccessFile: filepath.Join(dir, "access.log"), ErrorFile: filepath.Join(dir, "error.log"), Rotate: rotateDaily, RetainDays: 30})
		time.Sleep(time.Second)
		stop()
		want := slices.Sorted(slices.Values(append(keep, folder, "access.log", "error.log")))
		if diff := cmp.Diff(want, slices.Sorted(slices.Values(names(t, dir)))); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}
	})
}

func TestCompressionWaitsUntilNobodyWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		name := "access-" + dayOf(time.Now().AddDate(0, 0, -1)) + ".001.log"
		writeFile(t, filepath.Join(dir, name), "hello\n")
		writeFile(t, filepath.Join(dir, name+".gz"), "complete, but the plain file was not removed")
		writeFile(t, filepath.Join(dir, name+".gz.tmp"), "torn by a crash")
		_, stop := start(t, Options{AccessFile: filepath.Join(dir, "access.log"), Rotate: rotateDaily, Compress: true})
		time.Sleep(settled / 2)
		if got := names(t, dir); !slices.Contains(got, name) {
			t.Errorf("files at once = %q, want %s still", got, name)
		}
		time.Sleep(keepEvery + settled)
		stop()
		if diff := cmp.Diff([]string{name + ".gz", "access.log"}, names(t, dir)); diff != "" {
			t.Fatalf("files (-want +got):\n%s", diff)
		}
		if got := unpack(t, filepath.Join(dir, name+".gz")); got != "hello\n" {
			t.Errorf("unpacked = %q, want %q", got, "hello\n")
		}
	})
}

func unpack(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestPackKeepsTimeAndMode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access-2026-11-22.001.log")
	text := strings.Repeat(`{"id":1}`+"\n", 100_000)
	writeFile(t, path, text)
	at := time.Date(2026, 11, 22, 23, 59, 58, 0, time.UTC)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
	if err := pack(t.Context(), path); err != nil {
		t.Fatalf("pack() = %v, want nil", err)
	}
	info, err := os.Stat(path + suffixPacked)
	if err != nil {
		t.Fatal(err)
	}
	if !info.ModTime().Equal(at) || info.Mode().Perm()&^fileMode != 0 {
		t.Errorf("time, mode = %v, %v, want %v, at most %v", info.ModTime(), info.Mode(), at, os.FileMode(fileMode))
	}
	if got := unpack(t, path+suffixPacked); got != text {
		t.Errorf("unpacked text differs: %d bytes, want %d", len(got), len(text))
	}
}

func TestPackThatIsStoppedLeavesThePlainFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "access-2026-11-22.001.log")
	writeFile(t, path, "x\n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pack(ctx, path); err == nil {
		t.Error("pack() = nil, want an error")
	}
	if diff := cmp.Diff([]string{filepath.Base(path)}, names(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
