package main

import (
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/spf13/cobra"
)

// newRoot returns the command line.
func newRoot(c *console) *cobra.Command {
	root := &cobra.Command{
		Use:           "lqproxy",
		Short:         c.In(words.ShortRoot),
		Long:          exitCodes(c),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs, // a command that there is not is an argument
		RunE:          func(cmd *cobra.Command, args []string) error { return noCommand(c, cmd, args) },

		SuggestionsMinimumDistance: 2,
	}
	root.SetOut(c.Out)
	root.SetErr(c.Err)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { printHelp(c, cmd) })
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return c.usage(words.FlagError(c.Lang, err), helpHint(c, cmd))
	})
	root.PersistentFlags().String("lang", "", c.In(words.FlagLang))
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if !words.Known(c.flag) {
			return c.usage(c.In(words.UnknownLang, c.flag))
		}
		return nil
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(newHelp(c))
	root.AddCommand(newServe(c), newCheck(c), newConfig(c), newDemo(c), newDoctor(c), newFirewall(c), newImport(c), newSimulate(c), newProbe(c), newReload(c), newSetup(c), newStatus(c), newTakeover(c), newTrust(c), newUpgrade(c), newVersion(c), newCompletion(c), newMan(c))
	for _, cmd := range root.Commands() {
		finish(c, cmd)
	}
	finish(c, root)
	return root
}

// finish gives cmd what all commands have.
func finish(c *console, cmd *cobra.Command) {
	cmd.InitDefaultHelpFlag()
	cmd.Flags().Lookup("help").Usage = c.In(words.FlagHelp)
	cmd.DisableFlagsInUseLine = true
	if cmd.Args == nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return c.usage(c.In(words.NoArguments, cmd.CommandPath(), args[0]), helpHint(c, cmd))
		}
	}
}

// noCommand is what remains when no command was named that there is.
func noCommand(c *console, root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.usage(c.In(words.NeedCommand), helpHint(c, root))
	}
	var hints []string
	path := root.CommandPath() + " "
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		hints = append(hints, c.In(words.MeantCommand, path+strings.Join(near, ", "+path)))
	}
	return c.usage(c.In(words.UnknownCommand, args[0]), append(hints, helpHint(c, root))...)
}

func helpHint(c *console, cmd *cobra.Command) string {
	return c.In(words.HelpHint, cmd.CommandPath()+" --help")
}
