package daemon

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
)

// stopMargin is how much longer than grace and drain a stop may take: systemd
// is told so.
const stopMargin = 15 * time.Second

// Why a process that was followed by another ends early, or in vain.
var (
	errSuccessorStops = errors.New("the process that took over stops")

	// errSuccessorLost ends this process with a failure, upon which systemd,
	// for whom it still is the service, starts another one.
	errSuccessorLost = errors.New("the process that took over has crashed")
)

// stop ends the acceptance of callers and waits for those who are connected,
// here and in the process before this one. After a failure there is no grace.
func (d *Daemon) stop() error {
	limits := d.current.Load().config.Proxy
	grace := limits.DrainGrace
	if d.failed() {
		grace = 0
	}
	d.server.Stop()
	d.notify(stopping(grace + limits.DrainTimeout + stopMargin))
	d.o.Succession.stopFormer()
	cause := context.Cause(d.alive)
	d.log.Info("stopping", zap.NamedError(keyCause, cause), zap.Duration(keyGrace, limits.DrainGrace))
	if d.o.OnStopping != nil {
		d.o.OnStopping(cause)
	}
	<-time.After(grace)
	d.draining.Store(true)
	err := d.fronts.Load().of(keyListenAddresses).end()

	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.alive), limits.DrainTimeout)
	defer cancel()
	d.drain(ctx)
	d.awaitFormerEnd(limits.DrainTimeout + stopMargin/2)
	return err
}

// failed reports whether a part of the daemon failed, and did not merely have
// to stop.
func (d *Daemon) failed() bool { return d.asked.Err() == nil }

// drain ends all connections until ctx is done, and cuts what is left.
func (d *Daemon) drain(ctx context.Context) {
	if cut := d.server.Drain(ctx); cut > 0 {
		d.log.Warn("exchanges cut at the stop", zap.Int(keyCut, cut),
			zap.Duration(keyTimeout, d.current.Load().config.Proxy.DrainTimeout))
	}
}

// awaitFormerEnd waits until the process before this one has ended, so that
// systemd, for whom this one is the service, does not end the other.
func (d *Daemon) awaitFormerEnd(limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.alive), limit)
	defer cancel()
	if err := d.o.Succession.ended(ctx); err != nil {
		d.log.Warn("the process before this one has not ended", zap.Error(err))
	}
}

// retire waits until the connections have ended that were there when another
// process took over: each behind its next answer, or after its idle time. A
// signal to stop shortens that: it ends idle connections after two seconds.
func (d *Daemon) retire(fail func(error)) error {
	limits := d.current.Load().config.Proxy
	ctx, cancel := context.WithTimeout(d.alive, limits.IdleTimeout+limits.DrainTimeout)
	defer cancel()
	talk := d.begin(task{"next process", d.tellSuccessor}, task{"order of the next process", func(ctx context.Context) error {
		return d.hearSuccessor(ctx, fail)
	}})
	defer talk.end() //nolint:errcheck // neither fails
	if d.server.Retire(ctx) > 0 && d.alive.Err() != nil {
		d.log.Info("stopping while connections end after an upgrade", zap.NamedError(keyCause, context.Cause(d.alive)))
	}
	limit := time.Duration(0)
	if d.alive.Err() != nil {
		limit = limits.DrainTimeout
	}
	d.draining.Store(true)
	ending, end := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer end()
	d.drain(ending)
	err := d.fronts.Load().of(keyListenAddresses).end()
	if d.lost != nil || errors.Is(context.Cause(d.alive), errSuccessorLost) {
		err = errors.Join(errSuccessorLost, err)
	}
	return err
}
