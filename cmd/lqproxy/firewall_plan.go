package main

import (
	"errors"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/firewall"
	"github.com/spf13/cobra"
)

// newFirewallPlan returns the command that shows what apply would do.
func newFirewallPlan(c *console) *cobra.Command {
	var s settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plan [-c FILE] [-i NAME] [--json]",
		Short: c.In(words.ShortFirewallPlan),
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, cfg, err := firewallManager(c, s)
			if err != nil {
				return err
			}
			if !asJSON && nothingToFilter(c, cfg) {
				printChallenges(c, cfg, cfg.Firewall.Backend)
				return nil
			}
			r, err := m.Inspect(cmd.Context())
			if asJSON {
				return firewallJSON(c, cmd, documentOf(s.instance, r, err), err)
			}
			if err != nil {
				return firewallFailure(c, cmd, err)
			}
			printFirewall(c, r)
			if len(r.Changes) == 0 {
				c.Say(words.FirewallNothing)
			}
			printChallenges(c, cfg, r.Backend)
			return nil
		},
	}
	s.add(c, cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, c.In(words.FlagJSON))
	return cmd
}

// firewallJSON prints the document, and returns the failure of err.
func firewallJSON(c *console, cmd *cobra.Command, document any, err error) error {
	if printed := printJSON(c, document); printed != nil {
		return printed
	}
	if err == nil || errors.Is(err, firewall.ErrDisabled) {
		return nil
	}
	return firewallFailure(c, cmd, err)
}
