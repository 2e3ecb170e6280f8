package daemon

import (
	"cmp"
	"os"
	"slices"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"go.uber.org/zap"
)

// Status returns what is known of the instance now.
func (d *Daemon) Status() admin.Status {
	g := d.current.Load()
	activity := d.metrics.proxy.Activity()
	traffic, err := admin.ReadTraffic(d.registry, activity)
	if err != nil {
		d.log.Error("the traffic cannot be read", zap.Error(err))
	}
	up := g.upstream.Status()
	return admin.Status{
		Build:    d.o.Build,
		Time:     time.Now(),
		State:    d.state(),
		PID:      os.Getpid(),
		Started:  d.started,
		Instance: d.o.Instance,
		File:     d.o.File,
		Listen:   d.listenStatus(g),
		Admin:    d.AdminAddresses(),
		Sources:  sources(g, activity.Refused),
		Target:   g.upstream.Authority(),
		Upstream: up,
		Identity: identity(g.config.Upstream.TLS, up),
		Probes:   d.background.Outcomes(),
		Traffic:  traffic,
		Reload:   d.lastReload(),
		Firewall: d.firewallStatus(g),
		Log:      d.logs.Status(),
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

func sources(g *generation, refused []proxy.RefusedSource) admin.Sources {
	s := admin.Sources{Prefixes: len(g.config.Proxy.Sources.Prefixes()), Presets: []string{}, Refused: refused}
	for _, p := range g.config.InForce() {
		s.Presets = append(s.Presets, p.Name)
	}
	return s
}

// identity says what o makes of the key that the upstream showed last.
func identity(o upstream.TLS, up upstream.Status) admin.Identity {
	i := admin.Identity{Verify: o.Verify, OnChange: cmp.Or(o.OnChange, upstream.OnChangeAlert)}
	switch {
	case up.Shown == nil:
	case o.Verify == upstream.VerifyPin && slices.Contains(o.Pins, up.Shown.Pin):
		i.Key = admin.KeyPinned
	case o.Verify == upstream.VerifyPin:
		i.Key = admin.KeyForeign
	case o.Verify == upstream.VerifyFirstUse && up.Changed:
		i.Key = admin.KeyNew
	case o.Verify == upstream.VerifyFirstUse:
		i.Key = admin.KeyKnown
	}
	return i
}

// listenStatus says where callers connect, and what certificate they are shown.
func (d *Daemon) listenStatus(g *generation) admin.Listen {
	l := admin.Listen{Addresses: d.Addresses(), TLS: string(g.config.Listen.TLS)}
	if g.certificate != nil {
		s := g.certificate.State()
		l.NotAfter, l.Certificate = &s.NotAfter, admin.NewCertificate(s)
	}
	return l
}
