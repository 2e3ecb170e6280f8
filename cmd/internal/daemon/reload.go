package daemon

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/logging"
	"github.com/lqproxy/lqproxy/configs"
	"go.uber.org/zap"
)

// Errors of a reload, beside configs.Mistakes.
var (
	// ErrRestart is a change that takes effect at a restart alone; the error
	// around it names the keys.
	ErrRestart = errors.New("it takes effect at a restart alone: systemctl restart lqproxy")

	errNoFile   = errors.New("this instance has no configuration file")
	errStopping = errors.New("the instance is stopping")
)

// Reload reads the file again and puts it in force. If anything is wrong, all
// stays as it was and the error says what; it is also logged, counted and
// shown in the status. A file that says nothing new changes nothing. It is not
// called after the end of Run; during a stop it does nothing but fail.
func (d *Daemon) Reload() error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	if !d.server.Ready() {
		return errStopping
	}
	before := d.current.Load().config.FirewallPolicy()
	changed, err := d.reload()
	d.settle(err)
	if err != nil {
		d.log.Error("reload refused: the old configuration stays in force",
			zap.String(logging.KeyEvent, eventReloadFailed), zap.String(keyFile, d.o.File), zap.Error(err))
		return err
	}
	d.log.Info("reloaded", zap.String(logging.KeyEvent, eventReloaded), zap.String(keyFile, d.o.File), zap.Bool(keyChanged, changed))
	if !before.Equal(d.current.Load().config.FirewallPolicy()) {
		d.warnIfPending()
	}
	return nil
}

// reload reports whether the file says anything new.
func (d *Daemon) reload() (changed bool, err error) {
	if d.o.File == "" {
		return false, errNoFile
	}
	c, err := configs.LoadInstance(d.o.File, d.o.Instance)
	if err != nil {
		return false, err
	}
	old := d.current.Load()
	if same(old.config, c) {
		return false, nil
	}
	if err := reloadable(old.config, c); err != nil {
		return false, err
	}
	next, err := d.build(c, old)
	if err != nil {
		return false, err
	}
	if err := d.logs.Reconfigure(d.logOptions(c.Log)); err != nil { // the last that can fail
		return false, fmt.Errorf("changing logs: %w", err)
	}
	d.enforce(next)
	return true, nil
}

// reloadable returns an error that names what a reload cannot change.
func reloadable(old, next configs.Config) error {
	var keys []string
	if !slices.Equal(old.Listen.Addresses, next.Listen.Addresses) {
		keys = append(keys, "listen.addresses")
	}
	if !slices.Equal(old.Admin.Addresses, next.Admin.Addresses) {
		keys = append(keys, "admin.addresses")
	}
	if old.StateDir != next.StateDir {
		keys = append(keys, "state_dir")
	}
	if len(keys) == 0 {
		return nil
	}
	return fmt.Errorf("changing %s: %w", strings.Join(keys, ", "), ErrRestart)
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
