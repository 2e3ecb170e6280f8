package daemon

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"go.uber.org/zap"
)

// Waits for the other process while one takes over from the other. Either goes
// on without it in the end: it may have crashed.
const (
	releaseTimeout = 10 * time.Second // for its last writing and compressing
	takenTimeout   = 10 * time.Second
)

// takeCharge makes this the process that does what one alone may do. Where
// there was one before it, that one leaves first. It reports false if this one
// is to stop before that.
func (d *Daemon) takeCharge() bool {
	s := d.o.Succession
	if d.alive.Err() != nil && s.succeeds() {
		return false
	}
	if err := s.ready(d.o.Build.Version); err != nil {
		d.log.Warn("the process before this one cannot be told that this one is ready", zap.Error(err))
	}
	if !s.succeeds() {
		return true
	}
	if err := s.awaitRelease(); err != nil {
		d.log.Warn("the process before this one does not say that it left", zap.Error(err))
	}
	if err := d.known.Resume(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Error("the record of upstream keys is lost", zap.Error(err))
	}
	d.logs.Rotating(true)
	d.inCharge.Store(true)
	d.remember(d.current.Load().config, Origin{Cause: CauseUpgrade})
	return true
}

// handOver leaves the rest to the process that is ready at the other end of
// next: from now on this one accepts nobody and writes no file that is not its
// own alone. The error is that the other one crashed all the same.
func (d *Daemon) handOver(next *line) error {
	d.retired.Store(true)
	d.fronts.Load().leave()
	d.logs.Rotating(false)
	if err := d.duties.end(); err != nil {
		d.log.Warn("ending what the next process does", zap.Error(err))
	}
	if err := d.known.Suspend(); err != nil {
		d.log.Warn("the next process may not know the last keys of the upstream", zap.Error(err))
	}
	err := next.say(word{Released: true})
	if err == nil {
		err = next.await(takenTimeout, func(w word) bool { return w.Taken })
	}
	switch {
	case err == nil:
	case errors.Is(err, os.ErrDeadlineExceeded):
		d.log.Warn("the next process does not say that it took over", zap.Error(err))
	default: // the line is broken
		d.lost = errSuccessorLost
	}
	d.successor = next
	close(d.handedOver)
	return d.lost
}

// tellSuccessor says each second how many connections are left here, until ctx
// is done.
func (d *Daemon) tellSuccessor(ctx context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		n := d.server.Connections()
		_ = d.successor.say(word{Connections: &n}) // it may have gone
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// hearSuccessor ends the wait for connections when the next process stops, or
// has crashed: then nobody accepts, until systemd has started the service again.
func (d *Daemon) hearSuccessor(ctx context.Context, fail func(error)) error {
	defer context.AfterFunc(ctx, d.successor.close)()
	why := errSuccessorLost
	for {
		w, err := d.successor.hear(0)
		if err != nil { // it has gone, or we have
			break
		}
		if w.Stop {
			why = errSuccessorStops
			fail(why)
		}
	}
	if ctx.Err() == nil && why == errSuccessorLost {
		d.log.Error("the process that took over has crashed: this one ends soon, so that the service is started again")
		d.standIn()
		fail(why)
	}
	<-ctx.Done()
	return nil
}

// hearFormer takes note of what the process before this one says while it
// drains.
func (d *Daemon) hearFormer(ctx context.Context) error {
	if s := d.o.Succession; s != nil && s.before != nil {
		defer context.AfterFunc(ctx, s.before.close)()
		for {
			w, err := s.before.hear(0)
			if err != nil { // it has gone, or we have
				break
			}
			if w.Connections != nil {
				d.former.Store(int64(*w.Connections))
			}
			if w.Reload {
				_ = d.Reload() // which logs its error
			}
		}
	}
	<-ctx.Done()
	return nil
}

// ready tells the process before this one that this one serves.
func (s *Succession) ready(version string) error {
	if s == nil {
		return nil
	}
	if s.before != nil {
		_ = s.before.say(word{Version: version, PID: os.Getpid()}) // what counts is below
	}
	return s.upgrader.Ready()
}

// awaitRelease waits until the process before this one has left.
func (s *Succession) awaitRelease() error {
	if s.before == nil {
		return nil
	}
	return s.before.await(releaseTimeout, func(w word) bool { return w.Released })
}

// taken tells the process before this one that this one takes orders.
func (s *Succession) taken() {
	if s != nil && s.before != nil {
		_ = s.before.say(word{Taken: true}) // it may have gone
	}
}

// stopFormer tells the process before this one not to outlive this one.
func (s *Succession) stopFormer() {
	if s != nil && s.before != nil {
		_ = s.before.say(word{Stop: true}) // it has gone, mostly
	}
}

// close ends all upgrades: one under way fails, none begins.
func (s *Succession) close() {
	if s != nil {
		s.upgrader.Stop()
	}
}
