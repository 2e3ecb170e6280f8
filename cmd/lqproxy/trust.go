package main

import (
	"errors"
	"io/fs"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"github.com/spf13/cobra"
)

// newTrust returns the commands about the upstream's recorded keys.
func newTrust(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trust list|accept|forget",
		Short: c.In(words.ShortTrust),
		Args:  cobra.ArbitraryArgs,
		RunE:  func(cmd *cobra.Command, args []string) error { return noCommand(c, cmd, args) },

		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(newTrustList(c),
		newTrustOrder(c, trustOrder{"accept", words.ShortTrustAccept, daemon.TrustAccept, words.TrustIsAccepted}),
		newTrustOrder(c, trustOrder{"forget", words.ShortTrustForget, daemon.TrustForget, words.TrustForgotten}))
	for _, sub := range cmd.Commands() {
		finish(c, sub)
	}
	return cmd
}

// newTrustList returns the command that lists the record.
func newTrustList(c *console) *cobra.Command {
	var s settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [-c FILE] [-i NAME] [--json]",
		Short: c.In(words.ShortTrustList),
		RunE: func(*cobra.Command, []string) error {
			dir, err := stateDir(c, s)
			if err != nil {
				return err
			}
			keys, err := recordedKeys(c, dir)
			switch {
			case err != nil:
				return err
			case asJSON:
				return printJSON(c, append([]upstream.KnownKey{}, keys...))
			}
			printKeys(c, dir, keys, time.Now())
			return nil
		},
	}
	s.add(c, cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, c.In(words.FlagJSON))
	return cmd
}

// stateDir returns the state directory of the instance that s names.
func stateDir(c *console, s settings) (string, error) {
	cfg, _, err := configurationFor(c, s)
	return cfg.StateDir, err
}

// recordedKeys reads the record. One that is not there yet is empty.
func recordedKeys(c *console, dir string) ([]upstream.KnownKey, error) {
	known, err := upstream.OpenKnownKeys(daemon.RecordFile(dir))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return known.List(), nil
	}
	f := &failure{code: exitFailed, text: c.In(words.TrustUnread, err)}
	if errors.Is(err, fs.ErrPermission) {
		f.hints = []string{c.In(words.TrustReader, serviceUser)}
	}
	return nil, f
}

// printKeys prints the record for people.
func printKeys(c *console, dir string, keys []upstream.KnownKey, now time.Time) {
	if len(keys) == 0 {
		c.Say(words.TrustEmpty, dir)
		return
	}
	for _, k := range keys {
		state, seen := words.TrustWaiting, words.TrustSeen
		if k.Accepted {
			state = words.TrustAccepted
		}
		if k.NotAfter.Before(now) {
			seen = words.TrustExpired
		}
		c.print(k.Pin.String() + "  " + c.In(state))
		for _, line := range []string{
			c.In(words.TrustSubject, k.Subject),
			c.In(words.TrustIssuer, k.Issuer),
			c.In(seen, day(k.FirstSeen), day(k.LastSeen), day(k.NotAfter)),
		} {
			reportPrinter{c}.paragraph(detailIndent, line)
		}
	}
}

func day(t time.Time) string { return t.Format(time.DateOnly) }

// A trustOrder is a command that changes the record, through the daemon.
type trustOrder struct {
	name   string
	short  words.Text
	action daemon.Action
	done   words.Text
}

func newTrustOrder(c *console, o trustOrder) *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   o.name + " [-c FILE] [-i NAME] PIN",
		Short: c.In(o.short),
		Args:  cobra.ArbitraryArgs, // judged below, where the record is known
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := stateDir(c, s)
			if err != nil {
				return err
			}
			pin, err := pinIn(c, cmd, dir, args)
			if err != nil {
				return err
			}
			outcome, err := daemon.Send(cmd.Context(), dir, daemon.Order{Action: o.action, Pin: pin, Caller: whoCalls(c)})
			if err := orderFailure(c, dir, pin, outcome, err); err != nil {
				return err
			}
			c.Say(o.done, pin)
			return nil
		},
	}
	s.add(c, cmd.Flags())
	return cmd
}

// pinIn reads the argument of cmd. Its failure names the keys that wait, as one
// of them is most likely meant.
func pinIn(c *console, cmd *cobra.Command, dir string, args []string) (upstream.Pin, error) {
	var f *failure
	if len(args) != 1 {
		f = c.usage(c.In(words.TrustNeedPin, cmd.CommandPath()+" sha256/..."))
	} else {
		pin, err := upstream.ParsePin(args[0])
		if err == nil {
			return pin, nil
		}
		f = c.usage(c.In(words.TrustNotPin, args[0]))
	}
	keys, _ := recordedKeys(c, dir) // it was only a hint
	for _, k := range keys {
		if !k.Accepted {
			f.hints = append(f.hints, c.In(words.TrustWaits, k.Pin))
		}
	}
	f.hints = append(f.hints, c.In(words.TrustListHint))
	return upstream.Pin{}, f
}

// orderFailure puts what became of an order into words; nil is success.
func orderFailure(c *console, dir string, pin upstream.Pin, o daemon.Outcome, err error) error {
	fail := func(text string, hints ...string) error {
		return &failure{code: exitFailed, text: text, hints: hints}
	}
	switch {
	case errors.Is(err, daemon.ErrNotRunning):
		return fail(c.In(words.TrustNotRunning, dir), c.In(words.TrustStart))
	case errors.Is(err, daemon.ErrNotAllowed):
		return fail(c.In(words.TrustNotAllowed), c.In(words.TrustReader, serviceUser))
	case err != nil:
		return fail(err.Error())
	case o.Problem == daemon.ProblemNoKey:
		return fail(c.In(words.TrustNoKey, pin), c.In(words.TrustListHint))
	case o.Problem == daemon.ProblemUnknown:
		return fail(c.In(words.TrustOtherOne))
	case o.Problem != "":
		return fail(c.In(words.TrustFailed, o.Error))
	}
	return nil
}
