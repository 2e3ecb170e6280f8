package main

import (
	"errors"
	"net"
	"syscall"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/firewall"
	"github.com/spf13/cobra"
)

// newFirewallRemove returns the command that takes our rules away. It needs no
// configuration: the record says what is ours.
func newFirewallRemove(c *console) *cobra.Command {
	var s settings
	var yes, restore, unused bool
	cmd := &cobra.Command{
		Use:   "remove [-i NAME] [--restore] [--unused] [--yes]",
		Short: c.In(words.ShortFirewallRemove),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := s.judge(c); err != nil {
				return err
			}
			if !yes && !c.asks() {
				return c.usage(c.In(words.FirewallNeedsYes), helpHint(c, cmd))
			}
			if !yes && !c.confirmed(c.In(words.FirewallAskRemove)) {
				c.Say(words.FirewallNothingNow)
				return nil
			}
			if unused && keptForOthers(c, cmd, s) {
				return nil
			}
			return removeFirewall(c, cmd, s, restore)
		},
	}
	cmd.Flags().StringVarP(&s.instance, "instance", "i", "", c.In(words.FlagInstance))
	cmd.Flags().BoolVar(&yes, "yes", false, c.In(words.FlagYes))
	cmd.Flags().BoolVar(&unused, "unused", false, c.In(words.FlagUnused))
	cmd.Flags().BoolVar(&restore, "restore", false, c.In(words.FlagRestore))
	return cmd
}

// keptForOthers reports whether something still listens on a port of the
// record, and says so: without our rules that port might stand open. What
// cannot be listened on for another reason is not in use.
func keptForOthers(c *console, cmd *cobra.Command, s settings) bool {
	record, _, _ := firewall.Applied(s.instance, firewall.DefaultFolders) // the removal says what is wrong with it
	var lc net.ListenConfig
	for _, address := range record.Listen {
		ln, err := lc.Listen(cmd.Context(), "tcp", address.String())
		if errors.Is(err, syscall.EADDRINUSE) {
			c.Say(words.FirewallKept, address.Port())
			return true
		}
		if err == nil {
			ln.Close() //nolint:errcheck // nobody has connected
		}
	}
	return false
}

// removeFirewall takes our rules away and has it recorded.
func removeFirewall(c *console, cmd *cobra.Command, s settings, restore bool) error {
	record, _, _ := firewall.Applied(s.instance, firewall.DefaultFolders) // Remove says what is wrong with it
	m := firewall.NewManager(firewall.Options{Instance: s.instance, Folders: firewall.DefaultFolders})
	err := m.Remove(cmd.Context(), restore)
	if errors.Is(err, firewall.ErrNotManaged) {
		c.Say(words.FirewallGone)
		return nil
	}
	if err != nil {
		return firewallFailure(c, cmd, err)
	}
	reportAction(cmd.Context(), c, stateDirOf(s), syslogAddress{},
		daemon.Order{Action: daemon.FirewallRemove, Changed: admissionsOf(record.Policy)})
	c.Say(words.FirewallRemoved)
	return nil
}
