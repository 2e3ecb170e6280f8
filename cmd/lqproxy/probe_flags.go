package main

import (
	"net/netip"
	"regexp"
	"slices"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/spf13/cobra"
)

// allUnits is the value of --unit that stands for every configured one.
const allUnits = "all"

// longestProbeWait bounds --wait.
const longestProbeWait = 5 * time.Minute

// probeFlags are the flags of probe, as typed.
type probeFlags struct {
	settings
	env, unit, using, ability string
	address, local, via       string
	attempts                  int
	wait                      time.Duration
	asJSON, pin               bool
}

// add adds the flags to cmd's.
func (f *probeFlags) add(c *console, cmd *cobra.Command) {
	flags := cmd.Flags()
	f.settings.add(c, flags)
	flags.StringVar(&f.env, "env", "", c.In(words.FlagEnv))
	flags.StringVar(&f.unit, "unit", "", c.In(words.FlagUnit))
	flags.StringVar(&f.using, "using-unit", "", c.In(words.FlagUsingUnit))
	flags.StringVar(&f.ability, "ability", probe.DefaultAbility, c.In(words.FlagAbility))
	flags.StringVar(&f.address, "address", "", c.In(words.FlagAddress))
	flags.StringVar(&f.local, "local-address", "", c.In(words.FlagLocal))
	flags.StringVar(&f.via, "via", "", c.In(words.FlagVia))
	flags.IntVar(&f.attempts, "attempts", probe.DefaultAttempts, c.In(words.FlagAttempts))
	flags.DurationVar(&f.wait, "wait", probe.DefaultWait, c.In(words.FlagWait))
	flags.BoolVar(&f.asJSON, "json", false, c.In(words.FlagJSON))
	flags.BoolVar(&f.pin, "pin", false, c.In(words.FlagPin))
}

// wish reads the flags and the configuration. Its failure names the right form.
func (f *probeFlags) wish(c *console, cmd *cobra.Command) (wish, error) {
	if err := f.judgeValues(c); err != nil {
		return wish{}, err
	}
	o := probe.Options{Ability: f.ability, Attempts: f.attempts, Wait: f.wait, TryTLS: true, AcceptSHA1: daemon.AcceptSHA1}
	if f.via != "" {
		via, err := probe.ParseVia(f.via)
		if err != nil {
			return wish{}, c.usage(c.In(words.ProbeVia, f.via), c.In(words.ProbeViaHint))
		}
		o.Via = via
	}
	cfg, file, err := configurationFor(c, f.settings)
	if err != nil {
		return wish{}, err
	}
	if cfg.Upstream.TLS.Legacy {
		daemon.AcceptSHA1()
	}
	o.Upstream, o.Known = cfg.Upstream, knownKeys(cfg)
	o.AnswerTimeout = min(cfg.Proxy.ResponseTimeout, probe.DefaultAnswerTimeout)
	if err := f.place(c, &o); err != nil {
		return wish{}, err
	}
	if !f.pin {
		o.Targets, err = f.targets(c, cmd, cfg)
	}
	if err == nil && o.Via != nil && len(o.Targets) == 0 {
		err = c.usage(c.In(words.ProbeViaUnit))
	}
	return wish{options: o, file: file, asJSON: f.asJSON, pinAlone: f.pin}, err
}

// judgeValues returns the failure of the first flag whose value cannot be.
func (f *probeFlags) judgeValues(c *console) error {
	switch {
	case f.env != "" && len(probe.Scope(f.env).Environments()) == 0:
		return c.usage(c.In(words.ProbeEnv, f.env))
	case f.attempts < 1 || f.attempts > probe.MaxAttempts:
		return c.usage(c.In(words.ProbeAttempts, probe.MaxAttempts, f.attempts))
	case f.wait < time.Second || f.wait > longestProbeWait:
		return c.usage(c.In(words.ProbeWait, longestProbeWait, f.wait))
	case !abilityCode.MatchString(f.ability):
		return c.usage(c.In(words.ProbeAbility, f.ability))
	}
	return nil
}

// abilityCode is what may stand in a path.
var abilityCode = regexp.MustCompile(`^[0-9A-Za-z]{1,27}$`)

// place sets the two ends of the connection.
func (f *probeFlags) place(c *console, o *probe.Options) error {
	for _, end := range []struct {
		flag, value string
		addr        *netip.Addr
	}{{"--address", f.address, &o.Address}, {"--local-address", f.local, &o.Upstream.LocalAddress}} {
		if end.value == "" {
			continue
		}
		addr, err := netip.ParseAddr(end.value)
		if err != nil {
			return c.usage(c.In(words.ProbeAddress, end.flag, end.value))
		}
		*end.addr = addr.Unmap()
	}
	return judgeFamilies(c, o)
}

// judgeFamilies returns a failure if the one end cannot reach the other.
func judgeFamilies(c *console, o *probe.Options) error {
	local, ends := o.Upstream.LocalAddress, o.Upstream.FixedIPs
	if o.Address.IsValid() {
		ends = []netip.Addr{o.Address}
	}
	same := func(end netip.Addr) bool { return end.Is4() == local.Is4() }
	if len(ends) == 0 || !local.IsValid() || slices.ContainsFunc(ends, same) {
		return nil
	}
	return c.usage(c.In(words.ProbeFamily, ends[0], local))
}

// targets returns what is to be called: every unit asked for in every
// environment. Without a unit there is nothing to call.
func (f *probeFlags) targets(c *console, cmd *cobra.Command, cfg configs.Config) ([]probe.Target, error) {
	units, err := f.units(c, cfg.Proxy.Units)
	if err != nil {
		return nil, err
	}
	using, err := unitOf(c, "--using-unit", f.using, cfg.Proxy.Units)
	if err != nil {
		return nil, err
	}
	scope := cfg.Probe.Environment
	if cmd.Flags().Changed("env") {
		scope = probe.Scope(f.env)
	}
	var targets []probe.Target
	for _, u := range units {
		for _, e := range scope.Environments() {
			targets = append(targets, probe.Target{Environment: e, Unit: u.ID, UsingUnit: using.ID, Name: u.Name})
		}
	}
	return targets, nil
}

// units returns the units that --unit stands for.
func (f *probeFlags) units(c *console, configured []proxy.Unit) ([]proxy.Unit, error) {
	switch {
	case f.unit == allUnits && len(configured) == 0:
		return nil, c.usage(c.In(words.ProbeNoUnits))
	case f.unit == allUnits:
		return configured, nil
	case f.unit == "":
		return configured[:min(len(configured), 1)], nil
	}
	u, err := unitOf(c, "--unit", f.unit, configured)
	return []proxy.Unit{u}, err
}

// unitID is an id as the configuration takes it.
var unitID = regexp.MustCompile(`^[0-9A-Za-z]{1,64}$`)

// unitOf returns the configured unit of that name or id, else the unit whose id
// it is; none for "".
func unitOf(c *console, flag, value string, configured []proxy.Unit) (proxy.Unit, error) {
	i := slices.IndexFunc(configured, func(u proxy.Unit) bool { return u.Name == value || u.ID == value })
	switch {
	case value == "":
		return proxy.Unit{}, nil
	case i >= 0:
		return configured[i], nil
	case !unitID.MatchString(value):
		return proxy.Unit{}, c.usage(c.In(words.ProbeUnit, flag, value))
	}
	return proxy.Unit{ID: value}, nil
}
