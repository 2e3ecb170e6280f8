package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/dialogue"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/firewall"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// newFirewall returns the commands about the host's firewall.
func newFirewall(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "firewall plan|apply|status|remove|watch",
		Short: c.In(words.ShortFirewall),
		Args:  cobra.ArbitraryArgs,
		RunE:  func(cmd *cobra.Command, args []string) error { return noCommand(c, cmd, args) },

		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(newFirewallPlan(c), newFirewallApply(c), newFirewallStatus(c), newFirewallRemove(c), newFirewallWatch(c))
	for _, sub := range cmd.Commands() {
		finish(c, sub)
	}
	return cmd
}

// firewallManager returns the manager of the instance that s names, for its
// configuration.
func firewallManager(c *console, s settings) (*firewall.Manager, configs.Config, error) {
	cfg, err := s.load(c)
	if err != nil {
		return nil, cfg, err
	}
	return firewall.NewManager(firewall.Options{
		Instance: s.instance,
		Backend:  cfg.Firewall.Backend,
		Policy:   cfg.FirewallPolicy(),
		Zones:    cfg.Firewall.Zones,
		Listen:   cfg.FirewallListen(),
		Folders:  firewall.DefaultFolders,
	}), cfg, nil
}

// nothingToFilter says why cfg has nothing for a firewall to do, if that is so.
func nothingToFilter(c *console, cfg configs.Config) bool {
	switch {
	case cfg.Firewall.Backend == firewall.None:
		c.Say(words.FirewallKeepsOut)
	case len(cfg.FirewallPolicy().Admits) == 0:
		c.Say(words.FirewallLocal)
	default:
		return false
	}
	return true
}

// firewallFailure puts an error of package firewall into words, with a remedy.
func firewallFailure(c *console, cmd *cobra.Command, err error) error {
	f := &failure{code: exitFailed, text: words.FirewallError(c.Lang, err), hints: firewallHints(c, cmd, err)}
	if e, ok := errors.AsType[*firewall.StoppedError](err); ok {
		f.text = c.In(words.FirewallStopped)
		if len(e.Closes) > 0 {
			f.details = []string{c.In(words.FirewallWouldShut, words.PortList(e.Closes))}
		}
	}
	if e, ok := errors.AsType[*firewall.HalfwayError](err); ok {
		for _, change := range e.Stands {
			f.details = append(f.details, c.In(words.FirewallStands, changeLine(c, change)))
		}
	}
	return f
}

// firewallHints says what helps against err.
func firewallHints(c *console, cmd *cobra.Command, err error) []string {
	if e, ok := errors.AsType[*firewall.ZoneError](err); ok {
		return []string{c.In(words.FirewallZones, strings.Join(e.Known, ", "))}
	}
	if _, ok := errors.AsType[*firewall.StoppedError](err); ok {
		return []string{c.In(words.FirewallStart), c.In(words.FirewallUseTables)}
	}
	if _, ok := errors.AsType[*firewall.UnknownBackendError](err); ok {
		return []string{c.In(words.FirewallBackends)}
	}
	switch {
	case errors.Is(err, firewall.ErrNotRoot):
		return []string{"sudo " + cmd.CommandPath()}
	case errors.Is(err, firewall.ErrNoBackend), errors.Is(err, firewall.ErrNoFirewalld):
		return []string{c.In(words.FirewallInstall)}
	case errors.Is(err, firewall.ErrNoBus):
		return []string{"systemctl start dbus firewalld", c.In(words.FirewallUseTables)}
	case errors.Is(err, firewall.ErrEmptyPolicy):
		return []string{c.In(words.FirewallEmptyHint)}
	case errors.Is(err, firewall.ErrNotManaged), errors.Is(err, firewall.ErrDisabled):
		return nil
	}
	return []string{c.In(words.FirewallRetry)}
}

// asks reports whether there is somebody to ask: both ends are a terminal.
func (c *console) asks() bool {
	in, ok := c.stdin.(*os.File)
	return ok && term.IsTerminal(int(in.Fd())) && words.IsTerminal(c.stderr)
}

// confirmed asks a question, to which everything but yes is no.
func (c *console) confirmed(question string) bool {
	io.WriteString(c.Err, question+" [y/N] ") //nolint:errcheck // there is nobody to tell
	line, err := bufio.NewReader(words.Incoming(c.stdin, c.getenv)).ReadString('\n')
	yes, _ := dialogue.YesOrNo(line)
	return err == nil && yes
}
