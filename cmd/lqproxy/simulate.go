package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/probe/leqisim"
	"github.com/spf13/cobra"
)

// newSimulate returns the command that runs a simulated Leqi.
func newSimulate(c *console) *cobra.Command {
	var listen, scenario string
	cmd := &cobra.Command{
		Use:   "simulate [--listen ADDRESS] [--scenario SCENARIO]",
		Short: c.In(words.ShortSimulate),
		Long:  titled(c, words.SimulateScenarios, scenarioTable(c)),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := leqisim.FindScenario(scenario)
			if err != nil {
				return noScenario(c, scenario)
			}
			return simulate(cmd.Context(), c, s, listen)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8443", c.In(words.FlagListen))
	cmd.Flags().StringVar(&scenario, "scenario", leqisim.Scenarios()[0].Name, c.In(words.FlagScenario))
	return cmd
}

// scenarioTable is all scenarios in the language of c.
func scenarioTable(c *console) words.Table {
	t := words.Table{Indent: 2}
	for _, s := range leqisim.Scenarios() {
		t.Row(s.Name, c.In(words.Text{EN: s.English, ZH: s.Chinese}))
	}
	return t
}

// noScenario is the failure of a name that no scenario has; it lists those there are.
func noScenario(c *console, name string) error {
	list := strings.TrimSuffix(titled(c, words.SimulateKnown, scenarioTable(c)), "\n")
	f := c.usage(c.In(words.SimulateUnknown, name))
	f.details = strings.Split(list, "\n")
	return f
}

// simulate runs s until ctx is done, and prints each exchange.
func simulate(ctx context.Context, c *console, s leqisim.Scenario, listen string) error {
	o := s.Options
	o.Address = listen
	var printing sync.Mutex // exchanges end at once
	o.OnExchange = func(x leqisim.Exchange) {
		printing.Lock()
		defer printing.Unlock()
		c.print(x.Began.Format(time.TimeOnly) + " " + x.String())
	}
	sim, err := leqisim.Start(o)
	if err != nil {
		return simulateFailure(c, listen, err)
	}
	c.Say(words.SimulateReady, sim.Address(), s.Name)
	if err := sim.Run(ctx); err != nil {
		return err
	}
	c.Say(words.SimulateEnded, sim.Stats().Requests)
	return nil
}

// simulateFailure puts an error of starting into words.
func simulateFailure(c *console, listen string, err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return &failure{code: exitFailed, text: c.In(words.SimulateListen, listen, op.Err)}
	}
	return err
}
