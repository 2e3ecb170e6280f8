package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
)

// during lets act happen as an event of that name, and goes on until callers
// have seen what it left behind.
func (r *liveRig) during(name string, act func()) {
	r.t.Helper()
	r.book.begin(liveEvent{name: name})
	act()
	r.settle()
}

// settle waits for a number of exchanges.
func (r *liveRig) settle() {
	r.t.Helper()
	const enough = 10
	before, _ := r.book.size()
	awaitLive(r.t, "exchanges go on", func() bool {
		all, _ := r.book.size()
		return all >= before+enough
	})
}

// eventReloaded is how the error log says that a file is in force.
const eventReloaded = `"event":"reloaded"`

// reloadBySignal puts the file in force by SIGHUP.
func (r *liveRig) reloadBySignal() {
	r.t.Helper()
	before := r.said(eventReloaded)
	r.configure()
	r.signal(syscall.SIGHUP)
	awaitLive(r.t, "the file is in force after SIGHUP", func() bool { return r.said(eventReloaded) > before })
}

// reloadByCommand puts the file in force by lqproxy reload.
func (r *liveRig) reloadByCommand() {
	r.t.Helper()
	r.configure()
	r.order(exitOK, "reload")
}

// reloads changes the file so many times, with exchanges in between.
func (r *liveRig) reloads(times int, reload func()) {
	r.t.Helper()
	for range times {
		r.settings.change++
		reload()
		r.settle()
	}
}

// reloadTaken has a reload refused that wants a port of somebody else.
func (r *liveRig) reloadTaken() {
	r.t.Helper()
	ln, err := net.Listen("tcp", r.address(8866))
	if err != nil {
		r.t.Fatal(err)
	}
	defer ln.Close()
	good := r.settings
	r.settings.listen = append(slices.Clone(good.listen), r.address(8866))
	r.settings.change++
	r.configure()
	if out := r.order(exitFailed, "reload"); !strings.Contains(out, r.address(8866)) {
		r.t.Errorf("reload to a port that is taken says %q, want the address", out)
	}
	r.settings = good
	r.reloadByCommand()
}

// reloadBroken has a reload refused, in both ways.
func (r *liveRig) reloadBroken() {
	r.t.Helper()
	r.replace(r.file(), []byte(r.settings.text(r)+"\nlimits.no_such_key = 1\n"), 0o600)
	if out := r.order(exitConfig, "reload"); !strings.Contains(out, "limits.no_such_key") {
		r.t.Errorf("reload of a broken file says %q, want the key", out)
	}
	r.signal(syscall.SIGHUP)
	awaitLive(r.t, "the refused reload is seen in the metrics", func() bool {
		ok, found := r.metric("lqproxy_config_last_reload_successful")
		return found && ok == 0
	})
	r.configure()
}

// addListener adds an address, and sends callers there.
func (r *liveRig) addListener(address string) {
	r.t.Helper()
	r.settings.listen = append(r.settings.listen, address)
	r.reloadByCommand()
	r.crowd.aim(r.settings.listen...)
}

// removeListener takes the last address away while callers go on calling it.
func (r *liveRig) removeListener() {
	r.t.Helper()
	last := len(r.settings.listen) - 1
	address := r.settings.listen[last]
	r.settings.listen = r.settings.listen[:last]
	r.crowd.ending.Store(&address)
	r.crowd.aim(r.settings.listen...)
	r.reloadByCommand()
	r.awaitRefused(address)
	r.settle()
	r.crowd.ending.Store(nil)
}

// awaitRefused waits until nobody listens on address.
func (r *liveRig) awaitRefused(address string) {
	r.t.Helper()
	awaitLive(r.t, "connections to "+address+" are refused", func() bool {
		c, err := new(net.Dialer).DialContext(r.t.Context(), "tcp", address)
		if err == nil {
			c.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
}

// moveAdmin gives the admin listener another port.
func (r *liveRig) moveAdmin(port int) {
	r.t.Helper()
	old := r.settings.admin
	r.settings.admin = r.address(port)
	r.reloadByCommand()
	awaitLive(r.t, "the new admin listener answers", func() bool {
		status, _, err := get(r.t.Context(), r.url("/readyz"))
		return err == nil && status == http.StatusOK
	})
	r.awaitRefused(old)
}

// moveLogs renames the folder of the logs, as an archiver would, and has the
// proxy open its files anew.
func (r *liveRig) moveLogs() {
	r.t.Helper()
	moved := filepath.Join(r.dir, "log-"+strconv.Itoa(len(r.folders)))
	if err := os.Rename(r.settings.logs, moved); err != nil {
		r.t.Fatal(err)
	}
	r.folders = append(r.folders, moved)
	if err := os.Mkdir(r.settings.logs, 0o750); err != nil {
		r.t.Fatal(err)
	}
	r.signal(syscall.SIGUSR1)
	awaitLive(r.t, "a new access log has lines", func() bool { return r.logged() > 0 })
}

// rotated returns how many files the access log was rotated into.
func (r *liveRig) rotated() (n int) {
	for _, folder := range r.folders {
		files, _ := filepath.Glob(filepath.Join(folder, "access-*"))
		n += len(files)
	}
	return n
}

// A liveUpgrade is a way to ask for an upgrade.
type liveUpgrade func(*liveRig)

// upgradeByCommand is lqproxy upgrade, which returns when it is done.
func upgradeByCommand(r *liveRig) { r.order(exitOK, "upgrade") }

// upgradeBySignal is SIGUSR2.
func upgradeBySignal(r *liveRig) { r.signal(syscall.SIGUSR2) }

// upgrade hands over to a version.
func (r *liveRig) upgrade(program string, ask liveUpgrade) {
	r.t.Helper()
	before := r.pid()
	r.install(program)
	ask(r)
	awaitLive(r.t, "another process is the instance", func() bool {
		i, err := daemon.ReadInstance(r.state())
		return err == nil && i.PID != before && i.Version == filepath.Base(program)
	})
}

// upgradeInVain asks for upgrades that must fail, and leave all as it was.
func (r *liveRig) upgradeInVain() {
	r.t.Helper()
	before, ok := r.pid(), r.binary()+".good"
	for _, broken := range []struct {
		what, text string
		mode       os.FileMode
	}{
		{what: "a program that is not executable", text: "\x7fELF", mode: 0o644},
		{what: "a program that is none", text: "\x7fELF", mode: 0o755},
		{what: "a program that crashes", text: "#!/bin/sh\necho boom >&2\nkill -SEGV $$\n", mode: 0o755},
		{what: "a program that ends at once", text: "#!/bin/sh\nexit 0\n", mode: 0o755},
		{
			what: "a program that crashes as soon as it serves", mode: 0o755,
			text: "#!/bin/sh\n[ \"$1\" != serve ] || exit 7\nexec " + ok + " \"$@\"\n",
		},
	} {
		r.install(r.programs.next)
		if err := os.Rename(r.binary(), ok); err != nil {
			r.t.Fatal(err)
		}
		r.replace(r.binary(), []byte(broken.text), broken.mode)
		r.wantRefused(ok, broken.what, before)
	}
	good := r.settings.text(r)
	r.install(r.programs.next)
	r.replace(r.file(), []byte(good+"\nlimits.no_such_key = 1\n"), 0o600)
	r.wantRefused(r.binary(), "a file that the program refuses", before)
	r.configure()
}

// wantRefused asks for an upgrade by a program that can.
func (r *liveRig) wantRefused(program, what string, pid int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*livePatience)
	defer cancel()
	cmd := r.command(ctx, "upgrade")
	cmd.Path = program
	out, err := cmd.CombinedOutput()
	if err == nil || len(out) == 0 {
		r.t.Errorf("upgrade to %s = %v, %q, want it refused with the reason", what, err, out)
	}
	if now := r.pid(); now != pid {
		r.t.Errorf("after the upgrade to %s process %d is the instance, want %d", what, now, pid)
	}
}

// rotateBetween hands over to a version while an exchange holds the former
// process, and waits until the log is rotated beside it.
func (r *liveRig) rotateBetween(program string) {
	r.t.Helper()
	release := r.hold()
	r.upgrade(program, upgradeByCommand)
	before := r.rotated()
	awaitLive(r.t, "the access log is rotated", func() bool { return r.rotated() > before })
	if all := r.processes(); len(all) != 2 {
		r.t.Errorf("processes %v run while an exchange holds the former one, want two", all)
	}
	release()
}

// hold begins an exchange that is answered at release.
func (r *liveRig) hold() (release func()) {
	r.t.Helper()
	held := &liveCaller{crowd: r.crowd, kind: liveKind{name: "held", fresh: true}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		held.exchange(liveAsk{delay: liveHeld, send: 300, receive: 300})
	}()
	r.settle() // it is under way
	return func() {
		r.upstream.release()
		<-done
	}
}

// awaitOne waits until no process drains any more.
func (r *liveRig) awaitOne() {
	r.t.Helper()
	awaitLive(r.t, "the former process has ended", func() bool { return len(r.processes()) == 1 })
}

// restartUpstream takes the upstream away for a moment.
func (r *liveRig) restartUpstream() {
	r.t.Helper()
	r.book.begin(liveEvent{name: "upstream restart", excused: lostUpstream})
	_, before := r.book.size()
	r.upstream.stop()
	awaitLive(r.t, "exchanges fail without an upstream", func() bool {
		_, failed := r.book.size()
		return failed >= before+10
	})
	if err := r.upstream.start(); err != nil {
		r.t.Fatal(err)
	}
	r.recover()
}

// recover waits until exchanges have come well for a second.
func (r *liveRig) recover() {
	r.t.Helper()
	_, failed := r.book.size()
	since := time.Now()
	awaitLive(r.t, "exchanges come well again", func() bool {
		if _, now := r.book.size(); now != failed {
			failed, since = now, time.Now()
		}
		return time.Since(since) > time.Second
	})
	r.settle()
}

// lostUpstream reports whether x failed as it may when the upstream goes away:
// with the reason, or within the answer.
func lostUpstream(x liveExchange) bool {
	switch x.status {
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return x.reason != "" && (x.delivered == "no" || x.delivered == "unknown")
	case http.StatusOK:
		return x.reason == "" // it is cut, and not passed off as whole
	}
	return false
}
