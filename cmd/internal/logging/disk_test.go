package logging

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// smallDisk mounts a file system of so many bytes, which takes root.
func smallDisk(t *testing.T, bytes string) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("lqproxy-test", dir, "tmpfs", 0, "mode=0700,size="+bytes)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		if os.Getenv("CI") == "true" {
			t.Fatal("mounting a small disk takes root")
		}
		t.Skip("mounting a small disk takes root")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
	return dir
}

func TestFullDiskCostsLinesAndRecovers(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "6m")
	synctest.Test(t, func(t *testing.T) {
		ballast := filepath.Join(dir, "ballast")
		writeFile(t, ballast, strings.Repeat("b", 5<<20))
		var stderr screen
		var failed failures
		path := filepath.Join(dir, "access.log")
		l, stop := start(t, Options{AccessFile: path, Stderr: &stderr, OnFailure: failed.count})

		const total = 6000 // of some 800 bytes each: more than fits on the disk and into the buffer
		for i := range total {
			logExchange(l, &exchange{ID: i, Padding: strings.Repeat("z", 700)})
			if i%50 == 0 {
				time.Sleep(accessLinger)
			}
		}
		before := failed.n.Load()
		if before == 0 || !strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("OnFailure was called %d times, stderr:\n%s", before, stderr.String())
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		after := failed.n.Load()
		time.Sleep(time.Minute)
		if failed.n.Load() != after {
			t.Error("OnFailure is still called after the recovery")
		}
		stop()
		checkEpisode(t, path, total, stderr.String())
	})
}

func TestTornLineIsNeverMixedWithAnother(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "64k")
	path := filepath.Join(dir, "access.log")
	o := output{path: path}
	if err := o.prepare(time.Now(), false); err != nil {
		t.Fatal(err)
	}
	defer o.close()
	line := strings.Repeat("a", 70<<10) + "\n"
	n, err := o.write([]byte(line))
	if !errors.Is(err, syscall.ENOSPC) || n == 0 || n == len(line) {
		t.Fatalf("write() = %d, %v, want a part of the line and ENOSPC", n, err)
	}
	if !o.untouched() {
		t.Error("untouched() = false, want true: nothing was appended")
	}
	if err := os.Truncate(path, int64(n-5)); err != nil { // as if another process had changed the file
		t.Fatal(err)
	}
	if o.untouched() {
		t.Error("untouched() = true, want false: the file has changed")
	}
}

func TestReadOnlyDiskCostsLinesAndNoStart(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "6m")
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	synctest.Test(t, func(t *testing.T) {
		var stderr screen
		path := filepath.Join(dir, "access.log")
		l, stop := start(t, Options{AccessFile: path, Stderr: &stderr})
		if !strings.Contains(stderr.String(), "read-only file system") {
			t.Errorf("stderr at the start = %q, want the reason", stderr.String())
		}
		const total = 4000
		for i := range total {
			logExchange(l, &exchange{ID: i, Padding: strings.Repeat("z", 700)})
		}
		time.Sleep(time.Minute)
		remount(0)
		time.Sleep(time.Minute)
		stop()
		checkEpisode(t, path, total, stderr.String())
	})
}

func TestLowDiskDeletesOldFilesThenPausesTheAccessLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		day := func(ago int) string { return dayOf(time.Now().AddDate(0, 0, -ago)) }
		kept := "access-" + day(mustKeep) + ".001.log.gz"
		for _, name := range []string{kept, "access-" + day(mustKeep+1) + ".001.log.gz", "error-" + day(300) + ".001.log"} {
			writeFile(t, filepath.Join(dir, name), "x\n")
		}
		var stderr screen
		var failed failures
		path := filepath.Join(dir, "access.log")
		o := Options{
			AccessFile: path, ErrorFile: filepath.Join(dir, "error.log"), Rotate: rotateDaily, RetainDays: 365,
			Stderr: &stderr, OnFailure: failed.count,
		}
		l, stop := start(t, o)
		logExchange(l, &exchange{ID: 0})
		time.Sleep(time.Minute)

		o.MinFree = math.MaxInt64 / 2
		reconfigure(t, l, o)
		time.Sleep(keepEvery + time.Second)
		logExchange(l, &exchange{ID: 1})
		logExchange(l, &exchange{ID: 2})
		time.Sleep(time.Hour)
		if diff := cmp.Diff([]string{kept, "access.log", "error.log"}, names(t, dir)); diff != "" {
			t.Errorf("files (-want +got):\n%s", diff)
		}

		o.MinFree = 1
		reconfigure(t, l, o)
		time.Sleep(keepEvery + time.Second)
		logExchange(l, &exchange{ID: 3})
		stop()

		if diff := cmp.Diff([]int{0, 3}, ids(readLines(t, path))); diff != "" {
			t.Errorf("ids (-want +got):\n%s", diff)
		}
		if got := failed.n.Load(); got != 2 {
			t.Errorf("OnFailure was called %d times, want 2", got)
		}
		for text, want := range map[string]int{
			"disk low: old log deleted":                  2,
			"disk low: access log paused":                1,
			`"event": "` + eventDiskLow:                  3,
			"access log resumed":                         1,
			`"lost": 2}`:                                 1,
			eventWriteFailed:                             0,
			filepath.Join(dir, "error-"+day(300)+".001"): 1,
		} {
			if got := stderr.count(text); got != want {
				t.Errorf("stderr has %q %d times, want %d:\n%s", text, got, want, stderr.String())
			}
		}
	})
}

func reconfigure(t *testing.T, l *Logs, o Options) {
	t.Helper()
	if err := l.Reconfigure(o); err != nil {
		t.Fatalf("Reconfigure() = %v, want nil", err)
	}
}
