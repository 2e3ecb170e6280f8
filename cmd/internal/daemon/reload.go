package daemon

import (
	"errors"
	"fmt"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/logging"
	"github.com/lqproxy/lqproxy/configs"
	"go.uber.org/zap"
)

// Errors of a reload, beside configs.Mistakes and *ListenError.
var (
	// ErrRestart is a change that takes effect at a restart alone; the error
	// around it names the key.
	ErrRestart = errors.New("it takes effect at a restart alone")

	errNoFile   = errors.New("this instance has no configuration file")
	errUnread   = errors.New("the configuration cannot be read")
	errStopping = errors.New("the instance is stopping")
)

// Reload reads the file again and puts it in force. If anything is wrong, all
// stays as it was and the error says what; it is also logged, counted and
// shown in the status. A file that says nothing new changes no setting, but the
// files of a certificate are read again. It is not called after the end of Run;
// during a stop, an upgrade and behind it it does nothing but fail.
func (d *Daemon) Reload() error {
	_, err := d.reloadFor(unknownOrder(Reload))
	return err
}

// reloadFor is Reload for somebody. It returns the changed keys, old -> new.
func (d *Daemon) reloadFor(by errand) (changed []string, err error) {
	if d.upgrading.Load() {
		return nil, errUpgrading
	}
	d.changing.Lock()
	defer d.changing.Unlock()
	switch {
	case d.retired.Load():
		return nil, errRetired
	case !d.server.Ready():
		return nil, errStopping
	}
	d.notify(reloading())
	defer func() { d.notify(d.readiness()) }()
	before := d.current.Load().config
	changed, err = d.reload(by)
	d.settle(err)
	d.record(by, changed, err)
	if err != nil {
		d.log.Error("reload refused: the old configuration stays in force",
			zap.String(logging.KeyEvent, eventReloadFailed), zap.String(keyFile, d.o.File), zap.Error(err))
		return nil, err
	}
	d.log.Info("reloaded", zap.String(logging.KeyEvent, eventReloaded), zap.String(keyFile, d.o.File),
		zap.Bool(keyChanged, len(changed) > 0))
	if !before.FirewallPolicy().Equal(d.current.Load().config.FirewallPolicy()) {
		d.warnIfPending()
	}
	return changed, nil
}

// reload builds all that the file describes, then swaps it in.
func (d *Daemon) reload(by errand) (changed []string, err error) {
	if d.o.File == "" {
		return nil, errNoFile
	}
	c, err := configs.LoadInstance(d.o.File, d.o.Instance)
	if isA[configs.Mistakes](err) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnread, err)
	}
	old := d.current.Load()
	if same(old.config, c) {
		old.refresh()
		return nil, nil
	}
	if old.config.StateDir != c.StateDir {
		return nil, fmt.Errorf("changing state_dir: %w: %s", ErrRestart, d.restartCommand())
	}
	had := *d.fronts.Load()
	next, err := d.open(had, c)
	if err != nil {
		return nil, err
	}
	g, err := d.build(c, old)
	if err == nil {
		if err = d.logs.Reconfigure(d.logOptions(c.Log)); err != nil { // the last that can fail
			err = fmt.Errorf("changing logs: %w", err)
		}
	}
	if err != nil {
		next.without(had).leave()
		return nil, err
	}
	d.enforce(g, Origin{Cause: by.cause(), Caller: by.Caller})
	g.refresh()
	d.swap(had, next)
	return changes(old.config, c), nil
}

// swap serves next in the place of had. What is new is open before what is old
// is closed.
func (d *Daemon) swap(had, next fronts) {
	d.fronts.Store(&next)
	for _, f := range next.without(had) {
		d.serve(f)
		warnIfAbsent(d.log, f.ln)
	}
	if err := had.without(next).end(); err != nil {
		d.log.Warn("ending a listener that is not wanted any more", zap.Error(err))
	}
	if len(next.without(had))+len(had.without(next)) > 0 {
		d.announce()
	}
}

// refresh has the files of the certificate read again.
func (g *generation) refresh() {
	if g.certificate != nil {
		g.certificate.Refresh()
	}
}

// restartCommand is what puts in force what a reload cannot.
func (d *Daemon) restartCommand() string {
	unit := "lqproxy"
	if d.o.Instance != "" {
		unit += "@" + d.o.Instance
	}
	return "systemctl restart " + unit
}

// settle notes the outcome of a reload, or of the start.
func (d *Daemon) settle(err error) {
	d.metrics.reloaded(err == nil)
	d.outcomeLock.Lock()
	defer d.outcomeLock.Unlock()
	d.outcome.Successful, d.outcome.Error = err == nil, ""
	if err != nil {
		d.outcome.Error = err.Error()
		return
	}
	d.outcome.At = time.Now()
}
