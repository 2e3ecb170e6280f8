package main

import (
	"errors"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/firewall"
	"github.com/spf13/cobra"
)

// applyFlags are the flags of firewall apply, as typed.
type applyFlags struct {
	settings
	consent          firewall.Consent
	yes, heal, quiet bool
}

// newFirewallApply returns the command that changes the host's firewall.
func newFirewallApply(c *console) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply [-c FILE] [-i NAME] [--yes] [--adopt] [--close-open-port] | apply --heal [-i NAME] [--quiet]",
		Short: c.In(words.ShortFirewallApply),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.heal {
				return f.bringBack(c, cmd)
			}
			return f.apply(c, cmd)
		},
	}
	flags := cmd.Flags()
	f.settings.add(c, flags)
	flags.BoolVar(&f.yes, "yes", false, c.In(words.FlagYes))
	flags.BoolVar(&f.consent.Adopt, "adopt", false, c.In(words.FlagAdopt))
	flags.BoolVar(&f.consent.ClosePorts, "close-open-port", false, c.In(words.FlagClosePort))
	flags.BoolVar(&f.heal, "heal", false, c.In(words.FlagHeal))
	flags.BoolVar(&f.quiet, "quiet", false, c.In(words.FlagQuiet))
	return cmd
}

// bringBack is apply --heal: it reads the record, never the configuration.
func (f *applyFlags) bringBack(c *console, cmd *cobra.Command) error {
	for _, name := range []string{"config", "adopt", "close-open-port"} {
		if cmd.Flags().Changed(name) {
			return c.usage(c.In(words.FirewallOtherFlag, "--"+name), helpHint(c, cmd))
		}
	}
	if err := f.judge(c); err != nil {
		return err
	}
	r, err := firewall.Heal(cmd.Context(), f.instance, firewall.DefaultFolders)
	switch {
	case errors.Is(err, firewall.ErrNotManaged): // the timer may run before the first apply
		if !f.quiet {
			c.Say(words.FirewallUnsaid)
		}
		return nil
	case err != nil:
		return firewallFailure(c, cmd, err)
	case len(r.Changes) > 0:
		printFirewall(c, r)
		record, _, err := firewall.Applied(f.instance, firewall.DefaultFolders)
		if err != nil {
			return err
		}
		c.Say(words.FirewallHealed, record.Applied.Format(time.DateTime))
	case !f.quiet:
		printFirewall(c, r)
		c.Say(words.FirewallNothing)
	}
	if !r.InSync() {
		return &failure{code: exitFailed}
	}
	return nil
}

// apply shows what is to change, asks, and changes it.
func (f *applyFlags) apply(c *console, cmd *cobra.Command) error {
	m, cfg, err := firewallManager(c, f.settings)
	if err != nil {
		return err
	}
	if nothingToFilter(c, cfg) {
		printChallenges(c, cfg, cfg.Firewall.Backend)
		return nil
	}
	r, err := m.Inspect(cmd.Context())
	if err != nil {
		return firewallFailure(c, cmd, err)
	}
	printFirewall(c, r)
	printChallenges(c, cfg, r.Backend)
	rest := f.leftovers(r)
	if r.Managed && len(r.Steps) == 0 && len(rest) == 0 && len(r.Leftovers()) == 0 {
		c.Say(words.FirewallNothing)
		return f.end(c, r)
	}
	agreed, err := f.agreed(c, cmd, rest)
	if err != nil {
		return err
	}
	if !agreed {
		c.Say(words.FirewallNothingNow)
		return nil
	}
	return f.carryOut(c, cmd, m, cfg.StateDir)
}

// leftovers returns what could be removed, and is not asked for.
func (f *applyFlags) leftovers(r firewall.Report) []firewall.Finding {
	var rest []firewall.Finding
	for _, l := range r.Leftovers() {
		open := l.Kind == firewall.OpenPort
		if open && !f.consent.ClosePorts || !open && !f.consent.Adopt {
			rest = append(rest, l)
		}
	}
	return rest
}

// agreed asks whether to go on, and whether the leftovers go too. Where nobody
// can be asked, --yes is the answer to the former alone.
func (f *applyFlags) agreed(c *console, cmd *cobra.Command, rest []firewall.Finding) (bool, error) {
	switch {
	case !f.yes && !c.asks():
		return false, c.usage(c.In(words.FirewallNeedsYes), helpHint(c, cmd))
	case f.yes:
		if len(rest) > 0 {
			c.Hint(words.FirewallLeftovers)
		}
		return true, nil
	}
	if len(rest) > 0 {
		var names []string
		for _, l := range rest {
			names = append(names, words.FirewallFinding(c.Lang, l))
		}
		if c.confirmed(c.In(words.FirewallAskRest, strings.Join(names, "; "))) {
			f.consent = firewall.Consent{Adopt: true, ClosePorts: true}
		}
	}
	return c.confirmed(c.In(words.FirewallAsk)), nil
}

func (f *applyFlags) carryOut(c *console, cmd *cobra.Command, m *firewall.Manager, stateDir string) error {
	done, err := m.Apply(cmd.Context(), f.consent)
	if err != nil {
		return firewallFailure(c, cmd, err)
	}
	reportAction(cmd.Context(), c, stateDir, syslogAddress{}, daemon.Order{Action: daemon.FirewallApply, Changed: changesMade(done)})
	printForeign(c, done.Findings)
	return f.end(c, done)
}

// end says what the host is like now.
func (f *applyFlags) end(c *console, r firewall.Report) error {
	if !r.InSync() {
		c.Say(words.FirewallMostly)
		return &failure{code: exitFailed}
	}
	c.Say(words.FirewallApplied)
	return nil
}
