package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const handoverPath = "/access/v2/invoke/202007/CXKYSL"

// TestHandover has real processes of two versions follow each other.
func TestHandover(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds lqproxy twice")
	}
	p := buildLive(t)
	for _, story := range []struct {
		name string
		run  func(*relayRace)
	}{
		{"UpAndDown", handUpAndDown},
		{"InVain", handInVain},
		{"NeverReady", handNeverReady},
		{"Twice", handTwice},
		{"HangupDuringIt", handDuringHangup},
		{"StopBoth", handThenStopBoth},
		{"StopTheNewOne", handThenStopOne},
		{"StopTwice", handThenStopTwice},
		{"ByName", handByName},
		{"FolderGone", handWithoutFolder},
		{"RemovedListener", handWithoutListener},
		{"CrashBehindReady", handToACrash},
		{"Challenge", handChallenge},
		{"Lost", handThenLose},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			story.run(newRelayRace(t, p))
		})
	}
}

// handUpAndDown goes to another version and back, and looks at all that the two
// processes share.
func handUpAndDown(r *relayRace) {
	t := r.t
	r.start()
	if got := r.told(); !strings.HasPrefix(got, "READY=1 STATUS=forwarding to ") {
		t.Errorf("systemd was told %q at the start, want READY=1", got)
	}
	first := r.instance().PID
	call, ready := holdOpen(t, r.listen), holdOpen(t, r.admin)
	if status, ends := call.ask(http.MethodPost, handoverPath); status != 200 || ends {
		t.Errorf("call = %d, ends %v, want 200 on a connection that stays", status, ends)
	}
	if status, ends := ready.ask(http.MethodGet, "/readyz"); status != 200 || ends {
		t.Errorf("/readyz = %d, ends %v, want 200 on a connection that stays", status, ends)
	}
	second := r.upgrade(r.programs.next)
	if got, want := r.told(), fmt.Sprintf("MAINPID=%d READY=1 STATUS=forwarding to ", second); !strings.HasPrefix(got, want) || strings.Contains(got, "\n") {
		t.Errorf("systemd was told %q, want %q and nothing else", got, want)
	}
	if status, ends := ready.ask(http.MethodGet, "/readyz"); status != 200 || !ends {
		t.Errorf("/readyz of the old process = %d, ends %v, want 200 and the end of the connection", status, ends)
	}
	r.signal(first, syscall.SIGHUP)
	r.logged(`SIGHUP ignored`)
	if status, ends := call.ask(http.MethodPost, handoverPath); status != 200 || !ends {
		t.Errorf("call of the old process = %d, ends %v, want 200 and the end of the connection", status, ends)
	}
	call.end()
	r.await("the old process ends", func() bool { return processEnded(first) })
	if err := <-r.exited; err != nil {
		t.Errorf("the old process ended with %v, want 0", err)
	}
	if !r.exists("instance.json") || !r.exists("control.sock") {
		t.Error("the old process removed files of the new one")
	}
	r.logged(`"event":"upgraded","from":"1.0.0","to":"2.0.0","pid":` + fmt.Sprint(second))
	r.logged(`"action":"upgrade","login":"li".*"changed":"version: 1.0.0 -> 2.0.0"`)

	r.addUnknownMembers()
	third := r.upgrade(r.programs.old)
	r.await("the newer process ends", func() bool { return processEnded(second) })
	if status, body, err := get(t.Context(), "http://"+r.admin+"/readyz"); status != 200 || err != nil {
		t.Errorf("/readyz = %d %s, %v, want 200", status, body, err)
	}
	if text, _ := os.ReadFile(r.log()); regexp.MustCompile("record of upstream keys is lost|cannot be kept").Match(text) {
		t.Errorf("files with unknown members trouble the older version: %s", text)
	}
	r.told()
	r.signal(third, syscall.SIGTERM)
	r.await("the last process ends", func() bool { return processEnded(third) })
	if got := r.told(); !regexp.MustCompile(`^STOPPING=1 EXTEND_TIMEOUT_USEC=\d+$`).MatchString(got) {
		t.Errorf("systemd was told %q at the stop, want STOPPING=1 alone", got)
	}
	if r.exists("instance.json") || r.exists("control.sock") {
		t.Error("the last process left its files")
	}
}

// addUnknownMembers makes the files of the state folder those of a newer version.
func (r *relayRace) addUnknownMembers() {
	r.t.Helper()
	file := filepath.Join(r.dir, "state", "upstream-keys.json")
	var record map[string]any
	r.await("the record of keys is written", func() bool {
		text, err := os.ReadFile(file)
		return err == nil && json.Unmarshal(text, &record) == nil && len(record["keys"].([]any)) == 1
	})
	record["version"], record["curves"] = 7, []string{"x"}
	record["keys"].([]any)[0].(map[string]any)["gateway"] = map[string]any{"name": "east"}
	text, err := json.Marshal(record)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err == nil {
		past := filepath.Join(r.dir, "state", "history", "29990101T000000.000Z.toml")
		err = os.WriteFile(past, []byte("# origin: {\"cause\":\"telepathy\",\"mood\":1}\n[colour]\nof = \"a newer version\"\n"), 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// handInVain tries binaries that cannot take over.
func handInVain(r *relayRace) {
	r.start()
	pid := r.instance().PID
	other := r.programs.next
	for _, tt := range []struct {
		name    string
		install func()
		code    int
		want    []string
	}{
		{"missing", func() { os.Remove(r.binary) }, exitFailed, []string{"the installed binary " + r.binary + " cannot be run: no such file or directory"}},
		{"not executable", func() { r.installScript("", 0o644) }, exitFailed, []string{"cannot be run: permission denied"}},
		{"another program", func() { r.installScript("echo hello\n", 0o755) }, exitFailed, []string{"cannot be run: it is not an lqproxy"}},
		{"fails at once", func() { r.installScript("echo cannot load libfoo >&2; exit 127\n", 0o755) }, exitFailed, []string{"cannot be run: exit status 127: cannot load libfoo"}},
		{
			"crashes", func() { r.installScript("case $1 in serve) kill -SEGV $$;; esac; exec "+other+" \"$@\"\n", 0o755) }, exitFailed,
			[]string{"the new process did not start: ", "signal: segmentation fault"},
		},
		{"refuses the file", func() {
			r.install(other)
			r.configure("log.colour = true")
		}, exitConfig, []string{"the installed binary " + r.binary + " refuses the configuration " + r.file(), "log.colour: there is no such key"}},
		{"finds its port taken", func() {
			r.install(other)
			moved := *r
			_, port, _ := strings.Cut(r.admin, ":")
			moved.admin = "0.0.0.0:" + port
			moved.configure("admin.allow = [\"127.0.0.1\"]")
		}, exitFailed, []string{"the new process did not start: admin.addresses: cannot listen on 0.0.0.0:", "address already in use"}},
	} {
		r.configure("")
		tt.install()
		code, out := r.run("upgrade")
		for _, want := range append(tt.want, "hint: the running process serves on as before") {
			if !strings.Contains(out, want) {
				r.t.Errorf("%s: upgrade said %s, want %q", tt.name, out, want)
			}
		}
		if code != tt.code {
			r.t.Errorf("%s: exit code %d, want %d", tt.name, code, tt.code)
		}
		if i := r.instance(); i.PID != pid {
			r.t.Errorf("%s: the instance is %+v, want process %d", tt.name, i, pid)
		}
		if status, _ := holdOpen(r.t, r.listen).ask(http.MethodPost, handoverPath); status != 200 {
			r.t.Errorf("%s: call = %d, want 200", tt.name, status)
		}
	}
	r.logged(`"msg":"upgrade failed: this process goes on","error":"the new process did not start`)
	r.configure("")
	r.upgrade(other)
}

// handNeverReady starts a process that does nothing.
func handNeverReady(r *relayRace) {
	r.start()
	pid := r.instance().PID
	r.installScript("case $1 in serve) exec sleep 300;; esac; exec $LQPROXY \"$@\"\n", 0o755)
	began := time.Now()
	code, out := r.run("upgrade")
	if code != exitFailed || !strings.Contains(out, "the new process did not start: new child pid=") || time.Since(began) < readyWithin {
		r.t.Errorf("upgrade = %d, %s after %v, want %d when %v have passed", code, out, time.Since(began), exitFailed, readyWithin)
	}
	if i := r.instance(); i.PID != pid {
		r.t.Errorf("the instance is %+v, want process %d", i, pid)
	}
	r.upgrade(r.programs.next)
}

// handTwice asks for a second upgrade while a process still has a connection.
func handTwice(r *relayRace) {
	first, second, call := r.handOverHeld()
	type outcome struct {
		code int
		out  string
	}
	done := make(chan outcome)
	go func() {
		code, out := r.run("upgrade")
		done <- outcome{code, out}
	}()
	select {
	case o := <-done:
		r.t.Errorf("the second upgrade = %+v while process %d drains, want it to wait", o, first)
	case <-time.After(2500 * time.Millisecond):
	}
	if code, out := r.run("upgrade"); code != exitFailed || !strings.Contains(out, "an upgrade is under way") {
		r.t.Errorf("a third upgrade = %d, %s, want %d", code, out, exitFailed)
	}
	if code, out := r.run("reload"); code != exitFailed || !strings.Contains(out, "an upgrade is under way") {
		r.t.Errorf("a reload = %d, %s, want %d", code, out, exitFailed)
	}
	call.end()
	o := <-done
	if o.code != exitOK || !strings.Contains(o.out, "waiting for the process before: 1 connections left") {
		r.t.Errorf("the second upgrade = %+v, want success behind a wait for 1 connection", o)
	}
	if third := r.instance().PID; third == second || third == first {
		r.t.Errorf("process %d is in charge, want a third one", third)
	}
}

// handDuringHangup asks for a reload while a new process starts with the old file.
func handDuringHangup(r *relayRace) {
	r.start()
	first := r.instance().PID
	// The new process has read its file when it says so here.
	r.installScript("case $1 in version) echo here >> "+filepath.Join(r.dir, "here")+"; sleep 1;; esac; exec $LQPROXY \"$@\"\n", 0o755)
	r.signal(first, syscall.SIGUSR2)
	r.await("the upgrade begins", func() bool { _, err := os.Stat(filepath.Join(r.dir, "here")); return err == nil })
	r.signal(first, syscall.SIGHUP)
	r.await("another process is in charge", func() bool { return r.instance().PID != first })
	r.logged(`"event":"reloaded"`)
	r.logged(`"event":"upgraded"`)
}

// handThenStopBoth does what systemd does at a stop.
func handThenStopBoth(r *relayRace) {
	first, second, _ := r.handOverHeld()
	began := time.Now()
	r.signal(second, syscall.SIGTERM)
	r.signal(first, syscall.SIGTERM)
	firstEnded := false
	r.await("both end", func() bool {
		ended := processEnded(second)
		firstEnded = firstEnded || processEnded(first)
		if ended && !firstEnded && !processEnded(first) {
			r.t.Fatal("the new process ended before the old one")
		}
		return ended
	})
	if d := time.Since(began); d < 1900*time.Millisecond || d > 15*time.Second {
		r.t.Errorf("the stop took %v, want the two seconds of an idle connection", d)
	}
	if err := <-r.exited; err != nil {
		r.t.Errorf("the old process ended with %v, want 0", err)
	}
}

// handThenStopOne stops the new process alone: the old one goes with it.
func handThenStopOne(r *relayRace) {
	first, second, _ := r.handOverHeld()
	r.signal(second, syscall.SIGTERM)
	r.await("both end", func() bool { return processEnded(second) && processEnded(first) })
	if err := <-r.exited; err != nil {
		r.t.Errorf("the old process ended with %v, want 0", err)
	}
}

// handThenLose kills the new process while the old one still has a connection:
// the old one becomes the service again for systemd, and ends with a failure, so
// that systemd starts another.
func handThenLose(r *relayRace) {
	first, second, _ := r.handOverHeld()
	r.told()
	r.signal(second, syscall.SIGKILL)
	r.await("the old process ends", func() bool { return processEnded(first) })
	if err := <-r.exited; err == nil {
		r.t.Error("the old process ended with 0, want a failure, upon which systemd starts another")
	}
	if got, want := r.told(), fmt.Sprintf("MAINPID=%d", first); got != want {
		r.t.Errorf("systemd was told %q, want %q", got, want)
	}
	r.logged("the process that took over has crashed")
}

// handThenStopTwice ends a process that drains at once.
func handThenStopTwice(r *relayRace) {
	first, _, _ := r.handOverHeld()
	r.signal(first, syscall.SIGTERM)
	r.logged("stopping while connections end after an upgrade")
	r.signal(first, syscall.SIGTERM)
	if err := <-r.exited; err == nil || r.cmd.ProcessState.ExitCode() != exitFailed {
		r.t.Errorf("the old process ended with %v, want exit code %d", err, exitFailed)
	}
	if status, _ := holdOpen(r.t, r.listen).ask(http.MethodPost, handoverPath); status != 200 {
		r.t.Errorf("call = %d, want 200", status)
	}
}

// handByName starts the first process as a shell finds it, with a file beside it.
func handByName(r *relayRace) {
	r.startIn(r.dir, "lqproxy", "lqproxy.toml")
	r.upgrade(r.programs.next)
	r.upgrade(r.programs.old)
	if got := r.instance().File; got != r.file() {
		r.t.Errorf("file = %q, want %q", got, r.file())
	}
}

// handWithoutFolder removes the folder in which the first process was started.
func handWithoutFolder(r *relayRace) {
	started := filepath.Join(r.dir, "started")
	if err := os.Mkdir(started, 0o750); err != nil {
		r.t.Fatal(err)
	}
	r.startIn(started, r.binary, r.file())
	if err := os.RemoveAll(started); err != nil {
		r.t.Fatal(err)
	}
	r.install(r.programs.next)
	if code, out := r.run("upgrade"); code != exitFailed || !strings.Contains(out, "the folder that this process was started in is gone") {
		r.t.Errorf("upgrade = %d, %s, want %d and the folder", code, out, exitFailed)
	}
	if code, out := r.run("reload"); code != exitOK {
		r.t.Errorf("reload = %d, %s, want %d", code, out, exitOK)
	}
}

// handWithoutListener removes a listener, hands over, and removes another one
// that was handed over.
func handWithoutListener(r *relayRace) {
	r.start()
	second := unusedAddress(r.t)
	first := r.listen
	move := func(address string) {
		r.t.Helper()
		r.listen = address
		r.configure("")
		if code, out := r.run("reload"); code != exitOK || !strings.Contains(out, "listen.addresses: ") {
			r.t.Fatalf("reload = %d, %s, want %d and the key", code, out, exitOK)
		}
	}
	closed := func(address string) {
		r.t.Helper()
		if _, _, err := get(r.t.Context(), "http://"+address); err == nil || !strings.Contains(err.Error(), "connection refused") {
			r.t.Errorf("connecting to %s: %v, want a refusal", address, err)
		}
	}
	r.upgrade(r.programs.next)
	move(second)
	closed(first)
	r.upgrade(r.programs.old)
	closed(first)
	move(first)
	closed(second)
	if status, _ := holdOpen(r.t, first).ask(http.MethodPost, handoverPath); status != 200 {
		r.t.Errorf("call = %d, want 200", status)
	}
	r.signal(r.instance().PID, syscall.SIGTERM)
	r.await("the end", func() bool { return !r.exists("instance.json") })
	closed(first)
}

// handToACrash hands over to a process that dies when it is ready: systemd must
// learn of it by the old one's end.
func handToACrash(r *relayRace) {
	r.start()
	r.installScript(`case $1 in
serve) printf '*' >&3; sleep 0.5; exit 9;; # what tableflip takes for readiness
esac
exec $LQPROXY "$@"
`, 0o755)
	if code, out := r.run("upgrade"); code != exitFailed || !strings.Contains(out, "the process that took over has crashed") {
		r.t.Errorf("upgrade = %d, %s, want %d and the crash", code, out, exitFailed)
	}
	if err := <-r.exited; err == nil || r.cmd.ProcessState.ExitCode() != exitFailed {
		r.t.Errorf("the old process ended with %v, want exit code %d", err, exitFailed)
	}
	r.logged("the process that took over has crashed")
}
