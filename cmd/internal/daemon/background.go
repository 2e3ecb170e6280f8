package daemon

import (
	"context"
	"slices"

	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/probe"
)

// schedule returns what the background probe does under c.
func (d *Daemon) schedule(c configs.Config) probe.Schedule {
	s := probe.Schedule{Interval: c.Probe.Interval, Scope: c.Probe.Environment, Upstream: c.Upstream, Known: d.known}
	if units := c.Proxy.Units; len(units) > 0 { // the first is the probe's
		s.Unit, s.UnitName = units[0].ID, units[0].Name
	}
	return s
}

// probeWith has the background probe go on as c says. What it remembers of the
// pace stays.
func (d *Daemon) probeWith(c configs.Config) {
	s := d.schedule(c)
	d.probes.hand(func(ctx context.Context) error { return d.background.Run(ctx, s) })
}

// sameProbe reports whether a and b are probed in the same way.
func sameProbe(a, b configs.Config) bool {
	return a.Probe.Interval == b.Probe.Interval && a.Probe.Environment == b.Probe.Environment &&
		slices.Equal(a.Proxy.Units, b.Proxy.Units) && sameUpstream(a.Upstream, b.Upstream)
}
