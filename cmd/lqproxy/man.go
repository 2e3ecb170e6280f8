package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newMan returns the command by which the packages get their manual pages. It
// is not for people, and so help does not list it.
func newMan(c *console) *cobra.Command {
	return &cobra.Command{
		Use:    "man FOLDER",
		Short:  c.In(words.ShortMan),
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeManual(c, cmd.Root(), args[0])
		},
	}
}

// writeManual writes a page for cmd and for each command below it.
func writeManual(c *console, cmd *cobra.Command, folder string) error {
	file := filepath.Join(folder, pageName(cmd)+".1")
	if err := os.WriteFile(file, manualPage(c, cmd), 0o644); err != nil {
		return fmt.Errorf("writing manual: %w", err)
	}
	for _, sub := range cmd.Commands() {
		if !sub.IsAvailableCommand() {
			continue
		}
		if err := writeManual(c, sub, folder); err != nil {
			return err
		}
	}
	return nil
}

// pageName is the name of the page about cmd: lqproxy-firewall-apply.
func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manualPage is the page about cmd, in the language of roff. It says what
// printHelp says.
func manualPage(c *console, cmd *cobra.Command) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"lqproxy %s\" \"lqproxy\"\n", strings.ToUpper(pageName(cmd)), build().Version)
	roffSection(&b, c.In(words.ManName))
	fmt.Fprintf(&b, "%s \\- %s\n", pageName(cmd), roff(cmd.Short))
	roffSection(&b, c.In(words.ManSynopsis))
	fmt.Fprintf(&b, "\\fB%s\\fR\n", roff(useLine(cmd)))
	if cmd.HasAvailableSubCommands() {
		roffSection(&b, c.In(words.ManCommands))
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				roffItem(&b, sub.Name(), sub.Short)
			}
		}
	}
	roffSection(&b, c.In(words.ManOptions))
	manualFlags(&b, c, cmd.LocalNonPersistentFlags())
	manualFlags(&b, c, cmd.Root().PersistentFlags())
	if cmd.Long != "" { // tables, which stay as they are
		roffSection(&b, c.In(words.ManDetails))
		fmt.Fprintf(&b, ".nf\n%s\n.fi\n", roff(strings.TrimSuffix(cmd.Long, "\n")))
	}
	if cmd.HasParent() {
		roffSection(&b, c.In(words.ManSee))
		fmt.Fprintf(&b, "\\fB%s\\fR(1)\n", pageName(cmd.Parent()))
	}
	return b.Bytes()
}

func roffSection(b *bytes.Buffer, title string) { fmt.Fprintf(b, ".SH %s\n", roff(title)) }

func roffItem(b *bytes.Buffer, name, text string) {
	fmt.Fprintf(b, ".TP\n\\fB%s\\fR\n%s\n", roff(name), roff(text))
}

func manualFlags(b *bytes.Buffer, c *console, set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			roffItem(b, strings.TrimSpace(flagNames(f)), flagUsage(c, f))
		}
	})
}

// roff escapes text: a backslash is itself, a hyphen can be copied into a shell,
// and no line is taken for a request.
func roff(text string) string {
	lines := strings.Split(strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
