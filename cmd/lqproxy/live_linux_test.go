package main

import (
	"flag"
	"testing"
	"time"
)

// soak gives the live tests another time than a short one; soakSeed makes the
// order of events that of an earlier run.
var (
	soak     = flag.Duration("soak", 0, "how long the live proxy is changed at random; 0: for seconds")
	soakSeed = flag.Uint64("soak.seed", 0, "of the order of changes, as an earlier run printed it; 0: another one")
)

// liveSlow is how long slow exchanges take at least, and rare callers pause.
func liveSlow() time.Duration {
	if *soak > 0 {
		return 2 * time.Second
	}
	return time.Second
}

// TestLive changes a running proxy in all ways that there are, while callers go
// on, and counts what became of each exchange: none fails, none reaches the
// upstream twice, and each is in the access log once.
func TestLive(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	stories := []liveStory{
		{"Reload", liveReload},
		{"Upgrade", liveUpgrades},
		{"Certificates", liveCertificates},
		{"Stop", liveStops},
		{"Kill", liveKills},
		{"FullDisk", liveFullDisk},
		{"Soak", liveSoak},
	}
	for _, d := range liveDevices {
		stories = append(stories, liveStory{d.name, d.story})
	}
	p := buildLive(t)
	for _, story := range stories {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			story.run(newLiveRig(t, p))
		})
	}
}

// A liveStory is what happens to one rig.
type liveStory struct {
	name string
	run  func(*liveRig)
}

// come starts the proxy, and has callers come.
func (r *liveRig) come(event string) {
	r.t.Helper()
	r.start()
	r.book.begin(liveEvent{name: event})
	r.crowd.come(liveKinds(liveSlow()))
	r.settle()
}

// liveReload reloads, with all that a reload may change, and moves the logs.
func liveReload(r *liveRig) {
	byCommand := 5 // of ten
	if *soak == 0 {
		byCommand = 1
	}
	r.come("nothing")
	for range 10 {
		r.during("reload by SIGHUP", func() { r.reloads(10-byCommand, r.reloadBySignal) })
		r.during("reload by command", func() { r.reloads(byCommand, r.reloadByCommand) })
	}
	r.during("reload of the same file", r.reloadByCommand)
	r.during("reload of a broken file, refused", r.reloadBroken)
	for range byCommand {
		r.during("listener added", func() { r.addListener(r.address(8865)) })
		r.during("listener removed", r.removeListener)
	}
	r.during("reload to a port that is taken, refused", r.reloadTaken)
	r.during("admin listener moved", func() { r.moveAdmin(9865) })
	r.during("log folder renamed, SIGUSR1", r.moveLogs)
	r.restartUpstream()
	r.during("after the upstream restart", func() {})
	r.end()
}

// liveUpgrades hands over between two versions, up and down.
func liveUpgrades(r *liveRig) {
	r.come("nothing")
	rounds := 5
	if *soak == 0 {
		rounds = 2
	}
	for round := range rounds {
		ask := []liveUpgrade{upgradeByCommand, upgradeBySignal}[round%2]
		r.during("upgrade", func() { r.upgrade(r.programs.next, ask) })
		r.during("log folder renamed while a process drains", r.moveLogs)
		r.awaitOne()
		if round == 0 {
			r.during("upgrade that fails", r.upgradeInVain)
		}
		r.during("downgrade", func() { r.upgrade(r.programs.old, ask) })
		r.during("reload while a process drains", func() { r.settings.change++; r.reloadByCommand() })
		if round%2 == 1 {
			r.awaitOne() // a signal is lost on one who still waits for the former process; a command waits, too
		}
	}
	r.awaitOne()
	r.during("rotation beside a process that drains", func() { r.rotateBetween(r.programs.next) })
	r.awaitOne()
	r.end()
}
