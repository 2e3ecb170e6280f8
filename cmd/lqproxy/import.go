package main

import (
	"fmt"
	"os"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/migrate"
	"github.com/lqproxy/lqproxy/cmd/internal/setup"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newImport returns the commands that make a configuration from what is there.
func newImport(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import nginx|firewalld",
		Short: c.In(words.ShortImport),
		Args:  cobra.ArbitraryArgs,
		RunE:  func(cmd *cobra.Command, args []string) error { return noCommand(c, cmd, args) },

		SuggestionsMinimumDistance: 2,
	}
	cmd.AddCommand(newImportNginx(c), newImportFirewalld(c))
	for _, sub := range cmd.Commands() {
		finish(c, sub)
	}
	return cmd
}

// An outlet is where an import goes: stdout, or the file of --output.
type outlet struct {
	file  string
	force bool
}

// add adds the flags to a command's.
func (o *outlet) add(c *console, flags *pflag.FlagSet) {
	flags.StringVar(&o.file, "output", "", c.In(words.FlagImportOutput))
	flags.BoolVar(&o.force, "force", false, c.In(words.FlagImportForce))
}

// judge returns a failure if the flags do not go together, or would replace a
// file that nobody said may be.
func (o *outlet) judge(c *console) error {
	if o.file == "" && o.force {
		return c.usage(c.In(words.ImportNoForce))
	}
	if _, err := os.Lstat(o.file); err == nil && !o.force {
		return &failure{code: exitFailed, text: c.In(words.ImportExists, o.file), hints: []string{c.In(words.ImportForce)}}
	}
	return nil
}

// deliver prints or writes d, and sums it up on stderr.
func (o *outlet) deliver(c *console, d migrate.Draft) error {
	text := draftText(c, d)
	if o.file == "" {
		if _, err := c.Data.Write(text); err != nil {
			return fmt.Errorf("printing configuration: %w", err)
		}
	} else if err := o.write(c, text); err != nil {
		return err
	}
	sumUp(c, d, text)
	file := o.file
	if file == "" {
		file = configs.DefaultFile
		c.Hint(words.ImportSave, file)
	}
	c.Hint(words.ImportCheck, file)
	return nil
}

// write writes the file, and keeps the old one.
func (o *outlet) write(c *console, text []byte) error {
	backup, err := setup.Write(o.file, text, serviceUser, time.Now())
	if err != nil {
		return &failure{code: exitFailed, text: c.In(words.SetupUnwritten, err)}
	}
	c.Note(words.ImportWrote, o.file)
	if backup != "" {
		c.Note(words.SetupBackup, backup)
	}
	return nil
}
