package daemon

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"go.uber.org/zap"
)

// signals returns the signals that others give orders with, which would end the
// process otherwise. An instance without a file leaves SIGHUP and SIGUSR2
// alone: it ends with its terminal.
func (d *Daemon) signals() chan os.Signal {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGUSR1)
	if d.o.File != "" {
		signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR2)
	}
	return signals
}

// obey follows signals until ctx is done: SIGHUP reloads, SIGUSR1 opens the log
// files anew, SIGUSR2 hands over to the installed binary.
func (d *Daemon) obey(ctx context.Context, signals <-chan os.Signal) error {
	var upgrades sync.WaitGroup
	defer upgrades.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-signals:
			switch s {
			case syscall.SIGUSR1:
				d.logs.Reopen()
			case syscall.SIGUSR2:
				upgrades.Go(func() {
					_, _ = d.upgradeFor(unknownOrder(Upgrade), func(Progress) {}) // which logs its error
				})
			default:
				d.obeyHangup()
			}
		}
	}
}

// obeyHangup reloads. During an upgrade it is put off to the end of that; later
// than that, or during a stop, it is nothing to this process.
func (d *Daemon) obeyHangup() {
	switch {
	case d.retired.Load() || !d.server.Ready():
		d.log.Info("SIGHUP ignored: this process is ending", zap.Bool(keyRetired, d.retired.Load()))
	case d.upgrading.Load():
		d.again.Store(true)
	default:
		_ = d.Reload() // which logs its error
	}
}
