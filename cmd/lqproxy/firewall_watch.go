package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/firewall"
	"github.com/spf13/cobra"
)

// newFirewallWatch returns the command that shows who knocks: so is a new
// address of a caller found.
func newFirewallWatch(c *console) *cobra.Command {
	var s settings
	var long time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "watch [-c FILE] [-i NAME] [--for LONG] [--json]",
		Short: c.In(words.ShortFirewallWatch),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load(c)
			if err != nil {
				return err
			}
			policy := cfg.FirewallPolicy()
			if len(policy.Admits) == 0 {
				c.Say(words.FirewallLocal)
				return nil
			}
			ctx := cmd.Context()
			if long > 0 {
				var end context.CancelFunc
				ctx, end = context.WithTimeout(ctx, long)
				defer end()
			}
			c.Note(words.WatchBegins, words.PortList(policy.Ports()))
			knocks, err := firewall.Watch(ctx, policy, func(k firewall.Knock) { knockLine(c, k) })
			if err != nil {
				return firewallFailure(c, cmd, err)
			}
			if asJSON {
				return printJSON(c, knocks)
			}
			printKnocks(c, knocks)
			return nil
		},
	}
	s.add(c, cmd.Flags())
	cmd.Flags().DurationVar(&long, "for", 0, c.In(words.FlagFor))
	cmd.Flags().Lookup("for").DefValue = "" // or the help says "default 0s"
	cmd.Flags().BoolVar(&asJSON, "json", false, c.In(words.FlagJSON))
	return cmd
}

// knockLine notes a source when it first knocks.
func knockLine(c *console, k firewall.Knock) {
	c.Note(words.Verbatim, fmt.Sprintf("%s  %s → %d  %s", k.First.Format(time.TimeOnly), k.Source, k.Port, knockVerdict(c, k)))
}

func knockVerdict(c *console, k firewall.Knock) string {
	if k.Admitted {
		return c.In(words.WatchAdmitted)
	}
	return c.In(words.WatchDropped)
}

// printKnocks prints all sources, and the line that would admit the others.
func printKnocks(c *console, knocks []firewall.Knock) {
	if len(knocks) == 0 {
		c.Say(words.WatchNobody)
		return
	}
	t := words.Table{}
	t.Row(c.In(words.WatchSource), c.In(words.WatchPort), c.In(words.WatchCount), c.In(words.WatchVerdict))
	var lines []string
	for _, k := range knocks {
		t.Row(k.Source.String(), strconv.Itoa(int(k.Port)), strconv.Itoa(k.Count), knockVerdict(c, k))
		if !k.Admitted {
			lines = append(lines, fmt.Sprintf("  sources = [%q]", k.Source))
		}
	}
	t.WriteTo(c.Out) //nolint:errcheck // there is nobody to tell
	if len(lines) > 0 {
		c.Say(words.WatchAddLine)
		c.print(lines...)
	}
}
