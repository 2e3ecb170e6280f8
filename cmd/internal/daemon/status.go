package daemon

import (
	"os"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"go.uber.org/zap"
)

// Status returns what is known of the instance now.
func (d *Daemon) Status() admin.Status {
	g := d.current.Load()
	traffic, err := admin.ReadTraffic(d.registry)
	if err != nil {
		d.log.Error("the traffic cannot be read", zap.Error(err))
	}
	return admin.Status{
		Build:    d.o.Build,
		State:    d.state(),
		PID:      os.Getpid(),
		Started:  d.started,
		Instance: d.o.Instance,
		File:     d.o.File,
		Listen:   admin.Listen{Addresses: d.Addresses(), TLS: string(g.config.Listen.TLS), NotAfter: g.notAfter()},
		Admin:    d.AdminAddresses(),
		Sources:  sources(g),
		Target:   g.upstream.Authority(),
		Upstream: g.upstream.Status(),
		Traffic:  traffic,
		Reload:   d.lastReload(),
		Firewall: d.firewallStatus(g),
	}
}

func (d *Daemon) state() admin.State {
	switch {
	case d.draining.Load():
		return admin.StateDraining
	case !d.server.Ready():
		return admin.StateStopping
	}
	return admin.StateReady
}

func (d *Daemon) lastReload() admin.Reload {
	d.outcomeLock.Lock()
	defer d.outcomeLock.Unlock()
	return d.outcome
}

func sources(g *generation) admin.Sources {
	s := admin.Sources{Prefixes: len(g.config.Proxy.Sources.Prefixes()), Presets: []string{}}
	for _, p := range g.config.InForce() {
		s.Presets = append(s.Presets, p.Name)
	}
	return s
}

// notAfter is the end of the listener's certificate; nil if there is none.
func (g *generation) notAfter() *time.Time {
	if g.certificate == nil {
		return nil
	}
	return new(g.certificate.Leaf().NotAfter)
}
