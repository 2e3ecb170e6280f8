package logging

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
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

func TestTornLineIsContinuedOrWrittenAgain(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("a", 100<<10) + "\n"
	for _, tt := range []struct {
		name    string
		foreign string // what another process appends in between
	}{
		{"alone", ""},
		{"with another process", "{}\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := smallDisk(t, "256k")
			ballast, path := filepath.Join(dir, "ballast"), filepath.Join(dir, "access.log")
			writeFile(t, ballast, strings.Repeat("b", 200<<10))
			s := newSink(outputAccess, 0, new(atomic.Bool), func(string) {})
			s.log = zap.NewNop()
			s.direct(output{path: path})
			if _, err := s.Write([]byte(line)); err != nil {
				t.Fatalf("Write() = %v, want nil", err)
			}
			torn, err := os.ReadFile(path)
			if err != nil || len(torn) == 0 || len(torn) >= len(line) {
				t.Fatalf("%d bytes on the full disk, %v, want a part of the line", len(torn), err)
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			want := line
			if tt.foreign != "" {
				appendFile(t, path, tt.foreign)
				want = string(torn) + tt.foreign + line
			}
			s.close()
			got, err := os.ReadFile(path)
			if err != nil || string(got) != want {
				t.Errorf("%d bytes at the end, %v, want %d", len(got), err, len(want))
			}
		})
	}
}

func appendFile(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
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
