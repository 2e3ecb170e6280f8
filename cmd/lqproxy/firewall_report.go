package main

import (
	"context"
	"encoding/json"
	"log/syslog"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/firewall"
)

// reportedChanges is how many changes a report names: an order has a size.
const reportedChanges = 50

// A syslogAddress is where a syslog listens; the zero one is this machine's.
type syslogAddress struct{ network, address string }

// reportAction has it recorded what a person did beside the daemon: by the
// daemon, or by the syslog where none runs. Without either it is done all the
// same, and nobody is bothered.
func reportAction(ctx context.Context, c *console, stateDir string, to syslogAddress, o daemon.Order) {
	if o.Changed == "" {
		return
	}
	o.Caller = whoCalls(c)
	ctx = context.WithoutCancel(ctx) // it is done: a signal does not undo it
	if outcome, err := daemon.Send(ctx, stateDir, o); err == nil && outcome.Problem == "" {
		return
	}
	w, err := syslog.Dial(to.network, to.address, syslog.LOG_NOTICE|syslog.LOG_AUTHPRIV, "lqproxy")
	if err != nil {
		return
	}
	defer w.Close()             //nolint:errcheck // there is nobody to tell
	w.Notice(adminAction(c, o)) //nolint:errcheck // likewise
}

// adminAction is o in the words of the daemon's log.
func adminAction(c *console, o daemon.Order) string {
	line, err := json.Marshal(struct {
		Event  string        `json:"event"`
		Action daemon.Action `json:"action"`
		daemon.Caller
		UID     int    `json:"uid"`
		Changed string `json:"changed"`
	}{"admin_action", o.Action, o.Caller, c.uid, o.Changed})
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return "admin action " + string(line)
}

// changesMade says what an apply changed; "" if nothing.
func changesMade(r firewall.Report) string {
	var all []string
	for _, change := range r.Changes {
		change.From = "" // the configuration has it
		all = append(all, change.String())
	}
	return shortened(all)
}

// admissionsOf says what a removal of p takes away.
func admissionsOf(p firewall.Policy) string {
	var all []string
	for _, a := range p.Admissions() {
		all = append(all, firewall.Change{Source: a.Source, Port: a.Port}.String())
	}
	return shortened(all)
}

// shortened joins changes; the last of too many are left out.
func shortened(changes []string) string {
	if len(changes) > reportedChanges {
		changes = append(changes[:reportedChanges:reportedChanges], "...")
	}
	return strings.Join(changes, "; ")
}

// stateDirOf returns where the daemon of an instance would listen. A file that
// cannot be read says nothing against the default.
func stateDirOf(s settings) string {
	cfg, err := configs.LoadInstance(s.path(), s.instance)
	if err != nil {
		cfg = configs.DefaultInstance(s.instance)
	}
	return cfg.StateDir
}
