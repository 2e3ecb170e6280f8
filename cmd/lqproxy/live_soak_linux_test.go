package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
)

// liveSoakTime is how long the soak goes on.
func liveSoakTime() time.Duration {
	if *soak > 0 {
		return *soak
	}
	return 12 * time.Second
}

// liveSoak changes the proxy at random while callers go on, and compares what
// it takes at the end with what it took at the beginning. One process lives
// through the first half, or what it leaks would end with it; in the second half
// there are upgrades.
func liveSoak(r *liveRig) {
	seed := *soakSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	r.t.Logf("-soak.seed=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	r.come("nothing")
	use := []liveUse{r.rest("the start", liveUse{})}
	began := time.Now()
	for events := []soakEvent(nil); time.Since(began) < liveSoakTime(); events = events[1:] {
		if len(events) == 0 {
			events = r.soakEvents()
			if time.Since(began) > liveSoakTime()/2 {
				events = append(events, r.soakUpgrades()...)
			}
			random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		}
		events[0].happen(r)
		if at := time.Since(began); at > time.Duration(len(use))*liveSoakTime()/5 {
			use = append(use, r.rest(at.Round(time.Second).String(), use[min(len(use)-1, 1)]))
		}
	}
	use = append(use, r.rest("the end", use[min(len(use)-1, 1)]))
	r.end()
	wantLevel(r.t, use)
}

// A soakEvent is something that may happen to a running proxy.
type soakEvent struct {
	name  string
	act   func() // happens under that name
	whole func() // or names itself
}

// happen makes it so.
func (e soakEvent) happen(r *liveRig) {
	r.t.Helper()
	if e.act != nil {
		r.during(e.name, e.act)
	} else {
		e.whole()
	}
}

// other returns the program that does not run.
func (r *liveRig) other() string {
	r.t.Helper()
	i, err := daemon.ReadInstance(r.state())
	if err != nil {
		r.t.Fatal(err)
	}
	if i.Version == liveOld {
		return r.programs.next
	}
	return r.programs.old
}

// soakEvents are those that a process survives.
func (r *liveRig) soakEvents() []soakEvent {
	return []soakEvent{
		{name: "reload by SIGHUP", act: func() { r.settings.change++; r.reloadBySignal() }},
		{name: "reload by command", act: func() { r.settings.change++; r.reloadByCommand() }},
		{name: "reload of the same file", act: r.reloadByCommand},
		{name: "reload of a broken file", act: r.reloadBroken},
		{name: "listener added and removed", act: func() {
			r.addListener(r.address(8865))
			r.settle()
			r.removeListener()
		}},
		{name: "admin listener moved", act: func() {
			r.moveAdmin(otherPort(r.settings.admin))
		}},
		{name: "log folder renamed, SIGUSR1", act: r.moveLogs},
		{name: "upgrade in vain", act: func() { r.awaitOne(); r.upgradeInVain() }},
		{name: "upstream restart", whole: r.restartUpstream},
	}
}

// soakUpgrades are the others.
func (r *liveRig) soakUpgrades() []soakEvent {
	return []soakEvent{
		{name: "upgrade by command", act: func() { r.upgrade(r.other(), upgradeByCommand) }},
		{name: "upgrade by SIGUSR2", act: func() { r.awaitOne(); r.upgrade(r.other(), upgradeBySignal) }},
	}
}

// A liveUse is what the proxy takes while nothing goes on.
type liveUse struct {
	when                    string
	exchanges               int
	goroutines, descriptors int   // without connections to the upstream, which are kept for a while
	resident                int64 // bytes
	processes               int
}

// rest lets all callers leave, waits until the proxy has nothing to do, and
// measures it, again and again while it is above level. Callers come back.
func (r *liveRig) rest(when string, level liveUse) liveUse {
	r.t.Helper()
	r.crowd.leave()
	r.awaitOne()
	awaitLive(r.t, "no caller is connected", func() bool {
		n, found := r.metric("lqproxy_connections_open")
		return found && n == 0
	})
	u := r.use(when)
	for limit := time.Now().Add(5 * time.Second); u.above(level) && time.Now().Before(limit); {
		u = r.use(when) // what has ended takes a moment to be gone
	}
	r.crowd.come(liveKinds(liveSlow()))
	return u
}

// use measures the proxy.
func (r *liveRig) use(when string) liveUse {
	r.t.Helper()
	pid := r.pid()
	u := liveUse{when: when, processes: len(r.processes()), resident: residentMemory(pid)}
	goroutines, _ := r.metric("go_goroutines")
	u.goroutines = int(goroutines)
	files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	pooled, _ := r.metric("lqproxy_upstream_connections")
	u.descriptors = len(files) - int(pooled)
	u.exchanges, _ = r.book.size()
	return u
}

// above reports whether u is more than level, whose zero value is no level.
func (u liveUse) above(level liveUse) bool {
	const spare = 5 // of the background's own, which come and go
	return level.goroutines > 0 && (u.goroutines > level.goroutines+spare || u.descriptors > level.descriptors+spare)
}

// residentMemory returns VmRSS of a process.
func residentMemory(pid int) (bytes int64) {
	text, _ := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "status"))
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &bytes); err == nil {
			return bytes << 10
		}
	}
	return 0
}

// wantLevel shows a table, and has the test fail if anything grew.
func wantLevel(t *testing.T, use []liveUse) {
	t.Helper()
	var b strings.Builder
	b.WriteString("| at | exchanges | processes | goroutines | descriptors | resident memory |\n|---|--:|--:|--:|--:|--:|\n")
	for _, u := range use {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %.1f MiB |\n", u.when, u.exchanges, u.processes, u.goroutines, u.descriptors, float64(u.resident)/(1<<20))
	}
	t.Log("\n" + b.String())
	first := use[1] // caches and pools have their size by then
	for _, u := range use[2:] {
		if u.above(first) {
			t.Errorf("at %s there are %d goroutines and %d descriptors, want those at %s: %d and %d",
				u.when, u.goroutines, u.descriptors, first.when, first.goroutines, first.descriptors)
		}
		if u.resident > first.resident*3/2 {
			t.Errorf("at %s %d bytes are resident, want about those at %s: %d", u.when, u.resident, first.when, first.resident)
		}
	}
}

// otherPort returns the one of two ports that is not address's.
func otherPort(address string) int {
	if strings.HasSuffix(address, ":9864") {
		return 9865
	}
	return 9864
}
