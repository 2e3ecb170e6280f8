package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

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
			return succeed(cmd.Context(), c, s)
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
	t.Row("USR2", c.In(words.SignalUpgrade))
	return titled(c, words.HelpSignals, t)
}

// readyWithin is how long the process that is to take over has to become ready.
const readyWithin = 30 * time.Second

// succeed runs the proxy, in the place of the process before it, if there is
// one. To that it says why it fails: at its terminal somebody may wait.
func succeed(ctx context.Context, c *console, s settings) error {
	limitMemory()
	var succession *daemon.Succession
	if c.inherit != nil {
		var err error
		if succession, err = c.inherit(readyWithin); err != nil {
			c.Note(words.ServeNoUpgrade, err)
		}
	}
	err := serve(ctx, c, s, succession)
	if f, ok := errors.AsType[*failure](err); ok {
		succession.Fail(strings.Join(append([]string{f.text}, f.details...), "\n"))
	} else if err != nil {
		succession.Fail(err.Error())
	}
	return err
}

// serve runs the proxy until ctx is done, or another process has taken over
// and the last connection has ended.
func serve(ctx context.Context, c *console, s settings, succession *daemon.Succession) error {
	cfg, err := s.load(c)
	if err != nil {
		return err
	}
	var d *daemon.Daemon
	d, err = daemon.New(daemon.Options{
		Config: cfg, File: absolute(s.path()), Instance: s.instance, Build: build(),
		FirewallState: firewall.DefaultFolders.State(s.instance),
		Stdout:        c.stdout, Stderr: c.stderr,
		Succession: succession,
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
	if d.Retired() {
		c.Note(words.ServeRetired)
		return nil
	}
	c.Note(words.ServeStopped)
	return nil
}

// absolute returns the whole path of file, for those who read it elsewhere; file
// itself where the folder cannot be told.
func absolute(file string) string {
	if whole, err := filepath.Abs(file); err == nil {
		return whole
	}
	return file
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
