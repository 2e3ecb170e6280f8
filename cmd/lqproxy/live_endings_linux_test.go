package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// liveStops stops the proxy while exchanges take their time, alone and while
// the former process of an upgrade drains: none is cut.
func liveStops(r *liveRig) {
	slow := 2 * liveSlow()
	r.start()
	r.book.begin(liveEvent{name: "nothing"})
	r.crowd.come(liveKinds(slow))
	r.settle()
	for range 2 {
		r.book.begin(liveEvent{name: "stop during long exchanges"})
		r.stop(slow, func() {}, r.pid())
		r.start()
		r.crowd.ending.Store(nil)
		r.during("start", func() {})
	}
	for _, program := range []string{r.programs.next, r.programs.old} {
		release := r.hold() // or the former process may end at once
		r.during("upgrade", func() { r.upgrade(program, upgradeBySignal) })
		r.book.begin(liveEvent{name: "stop while the former process drains"})
		both := r.processes()
		if len(both) != 2 {
			r.t.Errorf("processes %v run after an upgrade, want two", both)
		}
		r.stop(slow, release, both...)
		r.start()
		r.crowd.ending.Store(nil)
		r.during("start", func() {})
	}
	r.end()
}

// stop sends TERM to processes, as systemd does to all of a service, while
// exchanges are under way, and calls behind.
func (r *liveRig) stop(slow time.Duration, behind func(), pids ...int) {
	r.t.Helper()
	address := r.settings.listen[0]
	r.crowd.ending.Store(&address)
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			r.t.Errorf("stopping process %d: %v", pid, err)
		}
	}
	behind()
	began := time.Now()
	r.awaitEnd()
	if took := time.Since(began); took > 2*slow+livePatience/3 {
		r.t.Errorf("the stop took %v, want little more than the longest exchange, %v", took, slow+slow/2)
	}
}

// liveKills ends the process without warning, and starts it again with nothing
// done in between.
func liveKills(r *liveRig) {
	r.torn = true
	r.come("nothing")
	for range 3 {
		r.reloadByCommand() // so that state is being written
		var killed time.Time
		r.book.begin(liveEvent{
			name:    "kill -9",
			excused: func(x liveExchange) bool { return x.reason == "" }, // cut or refused, but not answered with an error
			lossy: func(x liveExchange) bool {
				return x.began.Before(killed) && x.ended.After(killed.Add(-lingerOfLines))
			},
		})
		r.awaitLines() // those of exchanges before
		killed = time.Now()
		r.signal(syscall.SIGKILL)
		r.awaitEnd()
		r.wantState()
		r.tear()
		r.start()
		r.recover()
		r.during("after kill -9", func() {})
	}
	r.end()
	text, err := os.ReadFile(filepath.Join(r.settings.logs, "access.log"))
	if n := strings.Count(string(text), tornLine+"\n"); err != nil || n != 3 {
		r.t.Errorf("the access log has %d torn lines that are followed by a whole one (%v), want 3", n, err)
	}
}

// lingerOfLines is how long a line of the access log waits for others, and some
// more on a busy machine.
const lingerOfLines = time.Second

// tornLine is the beginning of a line.
const tornLine = `{"time":"2026-11-22T13:`

// awaitLines waits until lines have been written to the access log that
// waited when it was called.
func (r *liveRig) awaitLines() {
	r.t.Helper()
	for range 2 { // a batch may be on its way
		before := r.logged()
		awaitLive(r.t, "the access log grows", func() bool { return r.logged() != before })
	}
}

// logged returns the size of the access log.
func (r *liveRig) logged() int64 {
	info, err := os.Stat(filepath.Join(r.settings.logs, "access.log"))
	if err != nil {
		return 0
	}
	return info.Size()
}

// wantState holds the files that the proxy left behind to being whole.
func (r *liveRig) wantState() {
	r.t.Helper()
	err := filepath.WalkDir(r.state(), func(path string, entry os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".json") {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && !json.Valid(text) {
			err = errors.New("it is no JSON: " + strconv.Quote(string(text)))
		}
		if err != nil {
			r.t.Errorf("after kill -9, %s: %v", path, err)
		}
		return nil
	})
	if err != nil {
		r.t.Error(err)
	}
	r.order(exitOK, "check")
}

// tear leaves half a line at the end of the access log, as a machine may that
// loses power.
func (r *liveRig) tear() {
	r.t.Helper()
	f, err := os.OpenFile(filepath.Join(r.settings.logs, "access.log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(tornLine); err != nil {
		r.t.Fatal(err)
	}
}

// liveFullDisk fills the disk of the logs, and empties it again.
func liveFullDisk(r *liveRig) {
	r.settings.logs = smallDisk(r.t, "64m")
	r.folders = []string{r.settings.logs}
	r.come("nothing")
	r.book.begin(liveEvent{name: "disk of the logs full", lossy: func(liveExchange) bool { return true }})
	ballast := filepath.Join(r.settings.logs, "ballast")
	fillDisk(r.t, ballast)
	awaitLive(r.t, "lines are lost", func() bool {
		n, _ := r.metric(`lqproxy_log_write_failures_total{file="access"}`)
		return n > 100
	})
	if err := os.Remove(ballast); err != nil {
		r.t.Fatal(err)
	}
	awaitLive(r.t, "the access log is written again", func() bool { return r.saidLost() > 0 })
	r.during("disk has room again", func() {})
	v := r.end()
	n := 0
	for _, row := range v.rows { // one that spans two events is in the row of the second
		n += row.lost
	}
	if n != r.saidLost() {
		r.t.Errorf("the access log lacks %d lines, and the proxy says it lost %d", n, r.saidLost())
	}
	screen, err := os.ReadFile(r.screen())
	if n := strings.Count(string(screen), "log_write_failed"); err != nil || n == 0 || n > 4 {
		r.t.Errorf("the proxy printed log_write_failed %d times (%v), want once for each log and cause:\n%s", n, err, screen)
	}
}

// fillDisk writes to file until there is no room left.
func fillDisk(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for len(block) > 0 {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// lostLines is how the proxy says, on its screen, what a full disk has cost.
var lostLines = regexp.MustCompile(`log is written again.*"file": ?"access".*"lost": ?([0-9]+)`)

// saidLost returns how many lines of the access log the proxy says are lost.
func (r *liveRig) saidLost() (n int) {
	for _, found := range lostLines.FindAllStringSubmatch(r.printed(), -1) {
		lost, _ := strconv.Atoi(found[1]) // digits
		n += lost
	}
	return n
}

// smallDisk mounts a file system of so many bytes, which takes root.
func smallDisk(t *testing.T, bytes string) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("lqproxy-live", dir, "tmpfs", 0, "mode=0700,size="+bytes)
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
