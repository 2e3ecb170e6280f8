package main

import (
	"context"
	"errors"

	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/spf13/cobra"
)

// newReload returns the command that puts the changed file in force.
func newReload(c *console) *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "reload [-c FILE] [-i NAME]",
		Short: c.In(words.ShortReload),
		RunE:  func(cmd *cobra.Command, _ []string) error { return reload(cmd.Context(), c, s, daemon.CauseReload) },
	}
	s.add(c, cmd.Flags())
	return cmd
}

func reload(ctx context.Context, c *console, s settings, cause daemon.Cause) error {
	outcome, err := giveOrder(ctx, c, s, daemon.Order{Action: daemon.Reload, Cause: cause}, func(daemon.Progress) {})
	if err != nil {
		return err
	}
	if len(outcome.Reloaded.Changed) == 0 {
		c.Say(words.ReloadSame, s.path())
		return nil
	}
	c.Say(words.ReloadDone, s.path())
	for _, change := range outcome.Reloaded.Changed {
		c.print("  " + change)
	}
	return nil
}

// giveOrder has the running instance that s names carry out o for whoever calls,
// and tells what it does meanwhile. The error is a failure.
func giveOrder(ctx context.Context, c *console, s settings, o daemon.Order, tell func(daemon.Progress)) (daemon.Outcome, error) {
	cfg, mistakes := s.whereabouts(c)
	if mistakes != nil && !errors.Is(mistakes, errMistaken) {
		return daemon.Outcome{}, configFailure(c, s.path(), mistakes)
	}
	o.Lang, o.Caller = string(c.Lang), whoCalls(c)
	outcome, err := daemon.Follow(ctx, cfg.StateDir, o, tell)
	switch {
	case errors.Is(err, daemon.ErrNotRunning):
		return outcome, &failure{
			code: exitFailed, text: c.In(words.OrderNotRunning, cfg.StateDir),
			hints: []string{c.In(words.OrderStart, "systemctl start "+admin.Unit(s.instance)), c.In(words.OrderWhich)},
		}
	case errors.Is(err, daemon.ErrNotAllowed):
		return outcome, &failure{code: exitFailed, text: c.In(words.TrustNotAllowed), hints: []string{c.In(words.TrustReader, serviceUser)}}
	case err != nil:
		return outcome, &failure{code: exitFailed, text: err.Error()}
	case outcome.Problem != "":
		return outcome, orderProblem(c, outcome)
	}
	return outcome, nil
}

// orderProblem puts into words why the running instance does not do it.
func orderProblem(c *console, o daemon.Outcome) *failure {
	f := &failure{code: exitFailed}
	switch o.Problem {
	case daemon.ProblemUnknown:
		f.text = c.In(words.TrustOtherOne)
	case daemon.ProblemStopping:
		f.text = c.In(words.OrderStopping)
	case daemon.ProblemBusy:
		f.text = c.In(words.OrderBusy)
	case daemon.ProblemNoFile:
		f.text = c.In(words.ReloadNoFile)
	case daemon.ProblemConfig:
		return refusedFile(c, o)
	case daemon.ProblemRestart:
		f.text = c.In(words.ReloadStateDir)
		f.hints = []string{c.In(words.ReloadRestart, o.Command), c.In(words.ReloadKept)}
	case daemon.ProblemListen:
		return refusedAddress(c, o)
	case daemon.ProblemBinary, daemon.ProblemRefused, daemon.ProblemStart, daemon.ProblemFormer:
		return upgradeProblem(c, o)
	default:
		f.text = c.In(words.OrderFailed, o.Error)
	}
	return f
}

// refusedFile is a configuration that is wrong.
func refusedFile(c *console, o daemon.Outcome) *failure {
	f := &failure{code: exitConfig, text: c.In(words.ReloadUnread, o.Refusal.File, o.Error)}
	if mistakes := o.Mistaken(); mistakes != nil {
		f = configFailure(c, o.Refusal.File, mistakes)
	}
	f.hints = append(f.hints, c.In(words.ReloadKept))
	return f
}

// refusedAddress is an address that cannot be listened on.
func refusedAddress(c *console, o daemon.Outcome) *failure {
	l := o.Listen
	f := &failure{code: exitFailed, text: c.In(words.ServeListen, l.Key, l.Address, l.Cause)}
	switch {
	case l.Overlaps != "":
		f.text = c.In(words.ReloadOverlap, l.Key, l.Address, l.Overlaps)
		f.hints = append(f.hints, c.In(words.ReloadRestart, o.Command))
	case l.Holder != "":
		f.hints = append(f.hints, c.In(words.ServeHolder, l.Holder))
	}
	f.hints = append(f.hints, c.In(words.ReloadKept))
	return f
}
