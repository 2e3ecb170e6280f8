package main

import (
	"context"
	"errors"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/firewall"
	"github.com/spf13/cobra"
)

// newServe returns the command that runs the proxy.
func newServe(c *console) *cobra.Command {
	var s settings
	var allowRoot bool
	cmd := &cobra.Command{
		Use:   "serve [-c FILE] [-i NAME] [--allow-root]",
		Short: c.In(words.ShortServe),
		Long:  signalTable(c),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.uid == 0 && !allowRoot {
				return c.usage(c.In(words.ServeRoot), c.In(words.ServeRootHint))
			}
			return serve(cmd.Context(), c, s)
		},
	}
	s.add(c, cmd.Flags())
	cmd.Flags().BoolVar(&allowRoot, "allow-root", false, c.In(words.FlagAllowRoot))
	return cmd
}

// signalTable says what serve does at which signal.
func signalTable(c *console) string {
	t := words.Table{Indent: 2}
	t.Row("TERM, INT", c.In(words.SignalStop))
	t.Row("HUP", c.In(words.SignalReload))
	t.Row("USR1", c.In(words.SignalReopen))
	return titled(c, words.HelpSignals, t)
}

// serve runs the proxy until ctx is done.
func serve(ctx context.Context, c *console, s settings) error {
	cfg, err := s.load(c)
	if err != nil {
		return err
	}
	var d *daemon.Daemon
	d, err = daemon.New(daemon.Options{
		Config: cfg, File: s.path(), Instance: s.instance, Build: build(),
		FirewallState: firewall.DefaultFolders.State(s.instance),
		Stdout:        c.stdout, Stderr: c.stderr,
		OnReady: func() {
			c.Note(words.ServeReady, strings.Join(d.Addresses(), ", "), d.Status().Target, urls(d.AdminAddresses()))
		},
		OnStopping: func(cause error) { c.Note(words.ServeStopping, cause) },
	})
	if err != nil {
		return startFailure(c, err)
	}
	if err := d.Run(ctx); err != nil {
		return &failure{code: exitFailed, text: c.In(words.ServeFailed, err)}
	}
	c.Note(words.ServeStopped)
	return nil
}

// startFailure puts an error of daemon.New into words.
func startFailure(c *console, err error) error {
	e, ok := errors.AsType[*daemon.ListenError](err)
	if !ok {
		return err
	}
	f := &failure{code: exitFailed, text: c.In(words.ServeListen, e.Key, e.Address, e.Cause())}
	switch {
	case e.Holder != "":
		f.hints = []string{c.In(words.ServeHolder, e.Holder)}
	case e.Taken():
		f.hints = []string{c.In(words.ServePortTaken, e.Port())}
	}
	return f
}

// urls writes addresses of plain HTTP as people open them.
func urls(addresses []string) string { return "http://" + strings.Join(addresses, ", http://") }
