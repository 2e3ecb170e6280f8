package main

import (
	"context"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/spf13/cobra"
)

// newUpgrade returns the command that has the installed binary take over.
func newUpgrade(c *console) *cobra.Command {
	var s settings
	var back, yes bool
	cmd := &cobra.Command{
		Use:   "upgrade [-c FILE] [-i NAME] | upgrade --rollback [--yes]",
		Short: c.In(words.ShortUpgrade),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if back {
				return rollback(cmd.Context(), c, cmd, yes)
			}
			return upgrade(cmd.Context(), c, s)
		},
	}
	s.add(c, cmd.Flags())
	cmd.Flags().BoolVar(&back, "rollback", false, c.In(words.FlagRollback))
	cmd.Flags().BoolVar(&yes, "yes", false, c.In(words.FlagYes))
	return cmd
}

func upgrade(ctx context.Context, c *console, s settings) error {
	var last daemon.Progress
	outcome, err := giveOrder(ctx, c, s, daemon.Order{Action: daemon.Upgrade}, func(p daemon.Progress) {
		if p != last {
			last = p
			tellStep(c, p)
		}
	})
	if err != nil {
		return err
	}
	u := outcome.Upgraded
	c.Say(words.UpgradeDone, u.From, u.To, u.PID)
	c.Say(words.UpgradeDrains)
	return nil
}

func tellStep(c *console, p daemon.Progress) {
	switch p.Step {
	case daemon.StepWaiting:
		c.Note(words.UpgradeWaiting, p.Connections)
	case daemon.StepChecking:
		c.Note(words.UpgradeChecking)
	case daemon.StepStarting:
		c.Note(words.UpgradeStarting)
	}
}

// upgradeProblem puts into words why the installed binary did not take over.
func upgradeProblem(c *console, o daemon.Outcome) *failure {
	f := &failure{code: exitFailed}
	switch o.Problem {
	case daemon.ProblemBinary:
		f.text = c.In(words.UpgradeBinary, o.Refusal.Binary, o.Error)
	case daemon.ProblemRefused:
		f.code = exitConfig
		f.text = c.In(words.UpgradeRefused, o.Refusal.Binary, o.Refusal.File)
		f.details = o.Refusal.Said
		if o.Error != "" {
			f.details = append(f.details, o.Error)
		}
		f.hints = []string{c.In(words.UpgradeEarlier)}
	case daemon.ProblemFormer:
		f.text = c.In(words.UpgradeFormer)
	default:
		f.text = c.In(words.UpgradeStart, o.Error)
	}
	f.hints = append(f.hints, c.In(words.UpgradeKept))
	return f
}
