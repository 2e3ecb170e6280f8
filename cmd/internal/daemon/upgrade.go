package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/logging"
	"go.uber.org/zap"
)

// Errors of an upgrade, beside *BinaryError and *StartError.
var (
	errNoUpgrade    = errors.New("this instance was not started as a service, and cannot be upgraded")
	errUpgrading    = errors.New("an upgrade is under way")
	errRetired      = errors.New("another process has taken over")
	errFormerDrains = errors.New("the process before this one still has connections")
)

// formerEvery is how often whoever waits hears of it.
const formerEvery = time.Second

// An Upgraded says which process took over.
type Upgraded struct {
	From string `json:"from"` // version
	To   string `json:"to"`
	PID  int    `json:"pid"` // of the new process
}

// A Progress is what an upgrade does at the moment.
type Progress struct {
	Step        Step `json:"step"`
	Connections int  `json:"connections,omitempty"` // that the process before this one still has, for StepWaiting
}

// A Step is a part of an upgrade.
type Step string

// The steps, in their order.
const (
	StepWaiting  Step = "waiting"  // for the connections of the process before this one
	StepChecking Step = "checking" // the installed binary, and the file with it
	StepStarting Step = "starting"
)

// upgrade hands over to the installed binary, and tells what it does meanwhile.
// If anything is wrong this process goes on as if nothing had been.
func (d *Daemon) upgrade(lang string, tell func(Progress)) (Upgraded, error) {
	switch {
	case d.o.Succession == nil:
		return Upgraded{}, errNoUpgrade
	case d.o.File == "":
		return Upgraded{}, errNoFile
	case !d.upgrading.CompareAndSwap(false, true):
		return Upgraded{}, errUpgrading
	}
	d.changing.Lock() // a reload under way has ended
	defer d.afterUpgrade()
	switch {
	case d.retired.Load():
		return Upgraded{}, errRetired
	case d.alive.Err() != nil:
		return Upgraded{}, errStopping
	}
	u, err := d.succeed(lang, tell)
	if err == nil {
		d.log.Info("upgraded", zap.String(logging.KeyEvent, eventUpgraded),
			zap.String(keyFrom, u.From), zap.String(keyTo, u.To), zap.Int(keyPID, u.PID))
		return u, nil
	}
	switch {
	case d.retired.Load():
		d.log.Error("upgrade failed: this process ends", zap.Error(err))
		return Upgraded{}, err
	case d.alive.Err() != nil:
		err = errStopping
	}
	d.log.Error("upgrade failed: this process goes on", zap.Error(err))
	return Upgraded{}, err
}

// succeed lets another process succeed this one.
func (d *Daemon) succeed(lang string, tell func(Progress)) (Upgraded, error) {
	if err := d.awaitFormer(tell); err != nil {
		return Upgraded{}, err
	}
	tell(Progress{Step: StepChecking})
	version, err := d.preflight(d.alive, lang)
	if err != nil {
		return Upgraded{}, err
	}
	tell(Progress{Step: StepStarting})
	next, said, err := d.o.Succession.start(*d.fronts.Load())
	if err != nil {
		return Upgraded{}, err
	}
	if err := d.handOver(next); err != nil {
		return Upgraded{}, err
	}
	if said.Version != "" {
		version = said.Version
	}
	return Upgraded{From: d.o.Build.Version, To: version, PID: said.PID}, nil
}

// awaitFormer waits until the process before this one has ended, as there are
// two at once at most. That takes its idle_timeout and drain_timeout at most.
func (d *Daemon) awaitFormer(tell func(Progress)) error {
	limits := d.current.Load().config.Proxy
	ctx, cancel := context.WithTimeout(d.alive, limits.IdleTimeout+limits.DrainTimeout+stopMargin)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- d.o.Succession.ended(ctx) }() // received below, at the latest when ctx is done
	ticker := time.NewTicker(formerEvery)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				return fmt.Errorf("%w: %d", errFormerDrains, d.former.Load())
			}
			return nil
		case <-ticker.C:
			tell(Progress{StepWaiting, int(d.former.Load())})
		}
	}
}

// afterUpgrade lets others change the process again. A reload that was asked
// for by a signal meanwhile is now due, here or in the process that took over.
func (d *Daemon) afterUpgrade() {
	d.changing.Unlock()
	d.upgrading.Store(false)
	switch {
	case !d.again.Swap(false):
	case d.retired.Load():
		_ = d.successor.say(word{Reload: true}) // it may have gone
	default:
		_ = d.Reload() // which logs its error
	}
}

// settleUpgrade waits for the end of an upgrade under way, which fails if it is
// not through yet, and lets none begin. It reports whether another process has
// taken over. If not, this one is not ready any more.
func (d *Daemon) settleUpgrade() bool {
	d.o.Succession.close()
	d.changing.Lock()
	defer d.changing.Unlock()
	if d.retired.Load() {
		return true
	}
	d.server.Stop()
	return false
}
