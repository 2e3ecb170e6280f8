package main

import (
	"fmt"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/spf13/cobra"
)

// configFlags are those of "lqproxy config".
type configFlags struct {
	settings
	effective, history, asJSON bool
	diff                       string
}

// newConfig returns the command that prints configurations.
func newConfig(c *console) *cobra.Command {
	var f configFlags
	cmd := &cobra.Command{
		Use:   "config [--effective|--history [--json]|--diff N [-c FILE] [-i NAME]]",
		Short: c.In(words.ShortConfig),
		Long:  c.In(words.ConfigHelp),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.judgeAll(c, cmd); err != nil {
				return err
			}
			return f.print(c, cmd)
		},
	}
	f.add(c, cmd.Flags())
	cmd.Flags().BoolVar(&f.effective, "effective", false, c.In(words.FlagEffective))
	cmd.Flags().BoolVar(&f.history, "history", false, c.In(words.FlagHistory))
	cmd.Flags().StringVar(&f.diff, "diff", "", c.In(words.FlagDiff))
	cmd.Flags().BoolVar(&f.asJSON, "json", false, c.In(words.FlagJSON))
	return cmd
}

// judgeAll returns a failure if the flags do not go together.
func (f *configFlags) judgeAll(c *console, cmd *cobra.Command) error {
	given := cmd.Flags().Changed
	asked := 0
	for _, is := range []bool{f.effective, f.history, given("diff")} {
		if is {
			asked++
		}
	}
	switch {
	case asked > 1:
		return c.usage(c.In(words.ConfigOneOf), helpHint(c, cmd))
	case f.asJSON && !f.history:
		return c.usage(c.In(words.ConfigJSON), helpHint(c, cmd))
	case asked == 1:
		return nil
	}
	for _, name := range []string{"config", "instance"} {
		if given(name) {
			return c.usage(c.In(words.ConfigEffective, "--"+name), helpHint(c, cmd))
		}
	}
	return nil
}

// print prints what was asked for; the reference, if it was nothing else.
func (f *configFlags) print(c *console, cmd *cobra.Command) error {
	switch {
	case f.history:
		return f.printHistory(c)
	case cmd.Flags().Changed("diff"):
		return f.printDiff(c)
	case !f.effective:
		return printText(c, configs.Reference())
	}
	cfg, err := f.load(c)
	if err != nil {
		return err
	}
	return printText(c, cfg.Effective())
}

// printText prints a configuration, which programs may read.
func printText(c *console, text []byte) error {
	if _, err := c.Data.Write(text); err != nil {
		return fmt.Errorf("printing configuration: %w", err)
	}
	return nil
}
