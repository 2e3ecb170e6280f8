package main

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/migrate"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/spf13/cobra"
)

// newImportNginx returns the command that reads an nginx.
func newImportNginx(c *console) *cobra.Command {
	var choice migrate.Choice
	var to outlet
	cmd := &cobra.Command{
		Use:   "nginx FILE|DIR [--listen ADDRESS] [--output FILE [--force]]",
		Short: c.In(words.ShortImportNginx),
		Args: func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return c.usage(c.In(words.ImportNeedsFile), c.In(words.ImportWhere), helpHint(c, cmd))
			case 1:
				return nil
			}
			return c.usage(c.In(words.ImportOneFile, args[1]), helpHint(c, cmd))
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if err := to.judge(c); err != nil {
				return err
			}
			d, err := migrate.NGINX(args[0], choice)
			if err != nil {
				return importFailure(c, args[0], err, words.ImportWhere)
			}
			return to.deliver(c, d)
		},
	}
	cmd.Flags().StringVar(&choice.Listen, "listen", "", c.In(words.FlagImportListen))
	cmd.Flags().StringVar(&choice.Server, "server", "", c.In(words.FlagImportServer))
	to.add(c, cmd.Flags())
	return cmd
}

// importFailure puts an error of package migrate into words, with a way on:
// where says where such files are found.
func importFailure(c *console, file string, err error, where words.Text) error {
	if e, ok := errors.AsType[*migrate.ChoiceError](err); ok {
		return choiceFailure(c, file, e)
	}
	if e, ok := errors.AsType[*migrate.SyntaxError](err); ok {
		return &failure{code: exitFailed, text: c.In(words.ImportSyntax, e.At.String(), e.What), hints: []string{c.In(words.ImportTryNginx)}}
	}
	e, ok := errors.AsType[*migrate.ReadError](err)
	if !ok {
		return err
	}
	for _, known := range []struct {
		err        error
		text, hint words.Text
	}{
		{migrate.ErrBinary, words.ImportBinary, where},
		{migrate.ErrApache, words.ImportApache, words.ImportSetup},
		{migrate.ErrNotNginx, words.ImportNotNginx, words.ImportSetup},
		{migrate.ErrNoMain, words.ImportNoMain, where},
		{migrate.ErrNoFile, words.ImportNoFile, words.ImportTryNginx},
		{migrate.ErrTooBig, words.ImportTooBig, where},
		{migrate.ErrCycle, words.ImportCycle, words.ImportTryNginx},
		{migrate.ErrTooMany, words.ImportTooMany, words.ImportTryNginx},
		{migrate.ErrNoListing, words.ImportNoListing, where},
	} {
		if errors.Is(e.Err, known.err) {
			return &failure{code: exitFailed, text: c.In(known.text, e.File), hints: []string{c.In(known.hint)}}
		}
	}
	f := &failure{code: exitFailed, text: c.In(words.ImportUnread, e.File, e.Err), hints: []string{c.In(where)}}
	if e.From.File != "" {
		f.text = c.In(words.ImportIncluded, e.File, e.From.String(), e.Err)
	}
	if errors.Is(e.Err, fs.ErrPermission) {
		f.hints = []string{c.In(words.ImportRights)}
	}
	return f
}

// choiceFailure lists the servers that may be meant.
func choiceFailure(c *console, file string, e *migrate.ChoiceError) error {
	f := &failure{code: exitFailed, hints: []string{c.In(words.ImportSayWhich)}}
	asked := strings.Join(strings.Fields(e.Asked.Listen+" "+e.Asked.Server), " ")
	switch {
	case len(e.Candidates) == 0:
		f.text, f.hints = c.In(words.ImportNoForward), []string{c.In(words.ImportSetup)}
	case e.Fit > 1:
		f.text = c.In(words.ImportSeveral, e.Fit)
	case asked != "":
		f.text = c.In(words.ImportNoneAsked, asked)
	default:
		f.text = c.In(words.ImportNoneFits)
	}
	f.text = words.ImportAbout(c.Lang, file, "", f.text)
	for _, s := range e.Candidates {
		f.details = append(f.details, words.Wrap(serverLine(c, s.Server)+"  -> "+strings.Join(s.Targets, " "), reportWidth-2)...)
	}
	return f
}
