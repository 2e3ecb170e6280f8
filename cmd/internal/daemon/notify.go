package daemon

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// statusEvery is how often systemd hears how it goes.
const statusEvery = 15 * time.Second

// notify tells systemd, if it started us. From the moment in which another
// process is the service this one says nothing.
func (d *Daemon) notify(state string) {
	if d.retired.Load() {
		return
	}
	if _, err := sdnotify.SdNotify(false, state); err != nil {
		d.log.Warn("systemd cannot be told", zap.Error(err))
	}
}

// readiness is the state of a service that begins; one that took over is
// another process than systemd knows.
func (d *Daemon) readiness() string {
	state := []string{sdnotify.SdNotifyReady, "STATUS=forwarding to " + d.current.Load().upstream.Authority()}
	if d.o.Succession.succeeds() {
		state = append([]string{fmt.Sprintf("MAINPID=%d", os.Getpid())}, state...)
	}
	return strings.Join(state, "\n")
}

// standIn makes this process, to which nobody connects any more, the service
// again in the place of one that crashed: systemd, which learns nothing of the end
// of a process that is not its child, sees the end of this one, and its failure.
func (d *Daemon) standIn() {
	if _, err := sdnotify.SdNotify(false, fmt.Sprintf("MAINPID=%d", os.Getpid())); err != nil {
		d.log.Warn("systemd cannot be told", zap.Error(err))
	}
}

// reloading is the state of a service that changes its configuration; READY=1
// is the end of it. MONOTONIC_USEC is for newer versions, which wait for that.
func reloading() string {
	return sdnotify.SdNotifyReloading + "\n" + strings.TrimSuffix(sdnotify.SdNotifyMonotonicUsec(), "\n")
}

// stopping is the state of a service whose stop may take that long.
func stopping(limit time.Duration) string {
	return fmt.Sprintf("%s\nEXTEND_TIMEOUT_USEC=%d", sdnotify.SdNotifyStopping, limit.Microseconds())
}

// tellStatus tells systemd how it goes, for "systemctl status", when that has
// changed.
func (d *Daemon) tellStatus(ctx context.Context) error {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		<-ctx.Done()
		return nil
	}
	ticker := time.NewTicker(statusEvery)
	defer ticker.Stop()
	for said := ""; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if line := d.statusLine(); line != said {
			said = line
			d.notify("STATUS=" + line)
		}
	}
}

// statusLine is how it goes in one line.
func (d *Daemon) statusLine() string {
	s := d.Status()
	failures := int64(0)
	for _, n := range s.Traffic.Failures {
		failures += n
	}
	up := "not reached yet"
	switch {
	case s.Upstream.Up:
		up = "up"
	case !s.Upstream.Since.IsZero():
		up = "DOWN since " + s.Upstream.Since.Format(time.DateTime)
	}
	return fmt.Sprintf("%d exchanges, %d failures; upstream %s %s", s.Traffic.Exchanges, failures, s.Target, up)
}
