package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/spf13/cobra"
)

// shells are those that a completion script can be had for.
var shells = []string{"bash", "zsh", "fish", "powershell"}

// newCompletion returns the command that prints completion scripts.
func newCompletion(c *console) *cobra.Command {
	return &cobra.Command{
		Use:       "completion " + strings.Join(shells, "|"),
		Short:     c.In(words.ShortCompletion),
		ValidArgs: shells,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells, args[0]) {
				return c.usage(c.In(words.NeedShell, strings.Join(shells, ", ")), helpHint(c, cmd))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := complete(cmd.Root(), args[0], c.Data); err != nil {
				return fmt.Errorf("printing completion script: %w", err)
			}
			return nil
		},
	}
}

func complete(root *cobra.Command, shell string, w io.Writer) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(w, true)
	case "zsh":
		return root.GenZshCompletion(w)
	case "fish":
		return root.GenFishCompletion(w, true)
	}
	return root.GenPowerShellCompletionWithDesc(w)
}
