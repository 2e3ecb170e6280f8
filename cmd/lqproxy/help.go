package main

import (
	"strconv"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newHelp returns "lqproxy help COMMAND", which is "lqproxy COMMAND --help".
func newHelp(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: c.In(words.ShortHelp),
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return noCommand(c, cmd.Root(), args)
			}
			return found.Help()
		},
	}
}

// printHelp explains cmd: what it does, how it is called, and its Long, which
// is printed as it is.
func printHelp(c *console, cmd *cobra.Command) {
	c.print(cmd.Short, "", c.In(words.HelpUsage), "  "+useLine(cmd))
	if cmd.HasAvailableSubCommands() {
		c.print("", c.In(words.HelpCommands))
		printCommands(c, cmd)
	}
	printFlags(c, words.HelpFlags, cmd.LocalNonPersistentFlags())
	printFlags(c, words.HelpGlobal, cmd.Root().PersistentFlags())
	if cmd.Long != "" {
		c.print("", strings.TrimSuffix(cmd.Long, "\n"))
	}
	if cmd.HasAvailableSubCommands() {
		c.print("", c.In(words.HelpMore, cmd.CommandPath()))
	}
}

func useLine(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND"
	}
	return cmd.UseLine()
}

func printCommands(c *console, cmd *cobra.Command) {
	t := words.Table{Indent: 2}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			t.Row(sub.Name(), sub.Short)
		}
	}
	t.WriteTo(c.Out) //nolint:errcheck // there is nobody to tell
}

// printFlags prints the flags of set below title; nothing if there are none.
func printFlags(c *console, title words.Text, set *pflag.FlagSet) {
	if !set.HasAvailableFlags() {
		return
	}
	t := words.Table{Indent: 2}
	set.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			t.Row(flagNames(f), flagUsage(c, f))
		}
	})
	c.print("", c.In(title))
	t.WriteTo(c.Out) //nolint:errcheck // there is nobody to tell
}

// flagNames is a flag as it is typed: "-c, --config FILE".
func flagNames(f *pflag.Flag) string {
	names := "    --" + f.Name
	if f.Shorthand != "" {
		names = "-" + f.Shorthand + ", --" + f.Name
	}
	if value, _ := pflag.UnquoteUsage(f); f.Value.Type() != "bool" {
		names += " " + value
	}
	return names
}

func flagUsage(c *console, f *pflag.Flag) string {
	_, usage := pflag.UnquoteUsage(f)
	if f.DefValue == "" || f.Value.Type() == "bool" {
		return usage
	}
	return c.In(words.FlagDefault, usage, f.DefValue)
}

// exitCodes is the table of the codes with which lqproxy ends.
func exitCodes(c *console) string {
	t := words.Table{Indent: 2}
	for code, meaning := range []words.Text{
		exitOK:        words.ExitOK,
		exitFailed:    words.ExitFailed,
		exitUsage:     words.ExitUsage,
		exitConfig:    words.ExitConfig,
		exitForbidden: words.ExitForbidden,
		exitUnreached: words.ExitUnreached,
		exitUnproven:  words.ExitUnproven,
	} {
		t.Row(strconv.Itoa(code), c.In(meaning))
	}
	return titled(c, words.ExitHeading, t)
}

// titled is a table below its title, for the help of a command.
func titled(c *console, title words.Text, t words.Table) string {
	var b strings.Builder
	b.WriteString(c.In(title) + "\n")
	t.WriteTo(&b) //nolint:errcheck // a Builder takes everything
	return b.String()
}
