package daemon

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// orders returns the signals that others give orders with, which would end the
// process otherwise. An instance without a file leaves SIGHUP alone: it ends
// with its terminal.
func (d *Daemon) orders() chan os.Signal {
	orders := make(chan os.Signal, 2)
	signal.Notify(orders, syscall.SIGUSR1)
	if d.o.File != "" {
		signal.Notify(orders, syscall.SIGHUP)
	}
	return orders
}

// obey follows orders until ctx is done: SIGHUP reloads, SIGUSR1 opens the log
// files anew.
func (d *Daemon) obey(ctx context.Context, orders <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-orders:
			if s == syscall.SIGUSR1 {
				d.logs.Reopen()
				continue
			}
			_ = d.Reload() // which logs its error
		}
	}
}

// notify tells systemd, if it started us.
func (d *Daemon) notify(state string) {
	if _, err := sdnotify.SdNotify(false, state); err != nil {
		d.log.Warn("systemd cannot be told", zap.Error(err))
	}
}
