package main

import (
	"fmt"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/spf13/cobra"
)

// newConfig returns the command that prints configurations.
func newConfig(c *console) *cobra.Command {
	var s settings
	var effective bool
	cmd := &cobra.Command{
		Use:   "config [--effective [-c FILE] [-i NAME]]",
		Short: c.In(words.ShortConfig),
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := configText(c, cmd, s, effective)
			if err != nil {
				return err
			}
			if _, err := c.Data.Write(text); err != nil {
				return fmt.Errorf("printing configuration: %w", err)
			}
			return nil
		},
	}
	s.add(c, cmd.Flags())
	cmd.Flags().BoolVar(&effective, "effective", false, c.In(words.FlagEffective))
	return cmd
}

// configText returns the reference, or what is in force.
func configText(c *console, cmd *cobra.Command, s settings, effective bool) ([]byte, error) {
	if effective {
		cfg, err := s.load(c)
		if err != nil {
			return nil, err
		}
		return cfg.Effective(), nil
	}
	for _, name := range []string{"config", "instance"} {
		if cmd.Flags().Changed(name) {
			return nil, c.usage(c.In(words.ConfigEffective, "--"+name), helpHint(c, cmd))
		}
	}
	return configs.Reference(), nil
}
