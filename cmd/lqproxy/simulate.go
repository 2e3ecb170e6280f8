package main

import (
	"context"
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
		Long:  c.In(words.SimulateScenarios) + "\n" + strings.Join(scenarioLines(c), "\n") + "\n",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := leqisim.FindScenario(scenario)
			if err != nil {
				return &failure{
					code: exitUsage, text: c.In(words.SimulateUnknown, scenario),
					details: append([]string{c.In(words.SimulateKnown)}, scenarioLines(c)...),
				}
			}
			return simulate(cmd.Context(), c, s, listen)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8443", c.In(words.FlagListen))
	cmd.Flags().StringVar(&scenario, "scenario", leqisim.Scenarios()[0].Name, c.In(words.FlagScenario))
	return cmd
}

// scenarioLines is the table of scenarios, in the language of c.
func scenarioLines(c *console) []string {
	t := words.Table{Indent: 2}
	for _, s := range leqisim.Scenarios() {
		t.Row(s.Name, c.In(words.Text{EN: s.English, ZH: s.Chinese}))
	}
	var b strings.Builder
	t.WriteTo(&b) //nolint:errcheck // a Builder takes everything
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

// simulate runs s until ctx is done, and prints each exchange.
func simulate(ctx context.Context, c *console, s leqisim.Scenario, listen string) error {
	o := s.Options
	o.Address = listen
	var printing sync.Mutex // exchanges end at once
	o.OnExchange = func(x leqisim.Exchange) {
		printing.Lock()
		defer printing.Unlock()
		c.Say(words.SimulateExchange, x.Began.Format(time.TimeOnly), x.Method, x.Target, outcome(x))
	}
	sim, err := leqisim.Start(o)
	if err != nil {
		return &failure{code: exitFailed, text: err.Error()}
	}
	c.Say(words.SimulateReady, sim.Address(), s.Name)
	if err := sim.Run(ctx); err != nil {
		return err
	}
	c.Say(words.SimulateEnded, sim.Stats().Requests)
	return nil
}
