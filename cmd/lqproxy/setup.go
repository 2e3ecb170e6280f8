package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/dialogue"
	"github.com/lqproxy/lqproxy/cmd/internal/host"
	"github.com/lqproxy/lqproxy/cmd/internal/setup"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/spf13/cobra"
)

// newSetup returns the command that writes a configuration.
func newSetup(c *console) *cobra.Command {
	var f setupFlags
	cmd := &cobra.Command{
		Use:   "setup [-c FILE] [-i NAME] | setup --cloud public|private [FLAGS] --yes",
		Short: c.In(words.ShortSetup),
		Long:  deviceTable(c),
		RunE:  func(cmd *cobra.Command, _ []string) error { return f.carryOut(c, cmd) },
	}
	f.add(c, cmd.Flags())
	return cmd
}

// deviceTable lists the values of --device.
func deviceTable(c *console) string {
	t := words.Table{Indent: 2}
	for _, d := range setup.Devices {
		t.Row(string(d), words.SetupDevice(c.Lang, d))
	}
	return titled(c, words.SetupDevicesTitle, t)
}

// standardOutput is the value of --output that is no file.
const standardOutput = "-"

// A setupRun is one run of setup.
type setupRun struct {
	*console
	flags  *setupFlags
	cmd    *cobra.Command
	host   host.Host
	person *dialogue.Person // nil: there is nobody to ask
	file   string           // to be written
	draft  *setup.Draft
	device setup.Device
	behind []string // the device's addresses
	hidden []string // the sources of whom it tells nothing
}

// carryOut takes the answers, and writes what they make.
func (f *setupFlags) carryOut(c *console, cmd *cobra.Command) error {
	r, err := f.begin(c, cmd)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	if err := r.takeFlags(); err != nil {
		return err
	}
	if r.person == nil {
		err = r.needFlags()
	} else {
		err = r.dialogue(ctx)
	}
	if err != nil {
		return r.ended(err)
	}
	result, err := r.draft.Finish()
	if err != nil {
		return r.unusable(err)
	}
	r.show(result)
	if f.output == standardOutput {
		_, err := c.Data.Write(result.Text)
		return err
	}
	wanted, err := r.agreed(ctx, result)
	switch {
	case err != nil:
		return r.ended(err)
	case !wanted:
		c.Say(words.SetupUntouched)
		return nil
	}
	if err := r.write(ctx, result); err != nil {
		return err
	}
	return r.goOn(ctx, result.Config)
}

// begin looks at the flags, the file that is to be written and the one to start
// from, before anybody is asked anything.
func (f *setupFlags) begin(c *console, cmd *cobra.Command) (*setupRun, error) {
	if err := f.judge(c); err != nil {
		return nil, err
	}
	r := &setupRun{console: c, flags: f, cmd: cmd, host: host.Local(), file: f.path()}
	if f.output != "" {
		r.file = f.output
	}
	if f.output == standardOutput {
		c.Out = c.Err // stdout is the configuration's
	} else if err := setup.Writable(r.file); err != nil {
		return nil, r.closed(err)
	}
	if c.asks() && !f.yes {
		r.person = dialogue.NewPerson(words.Incoming(c.stdin, c.getenv), c.Err)
	}
	draft, err := setup.Begin(f.path(), f.instance)
	if err != nil {
		return nil, r.unusable(err)
	}
	r.draft = draft
	device, behind := setup.DeviceOf(draft.Now)
	r.device, r.behind = device, prefixTexts(behind)
	if f.instance == "" || draft.Exists {
		c.configured(draft.Now.Language)
	}
	return r, nil
}

// closed is the failure of a file that cannot be written.
func (r *setupRun) closed(err error) error {
	f := &failure{code: exitFailed, text: r.In(words.SetupUnwritten, err), hints: []string{r.In(words.SetupOr)}}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.hints = []string{r.In(words.SetupNoFolder, filepath.Dir(r.file))}
	case errors.Is(err, fs.ErrPermission) && r.uid != 0:
		f.hints = []string{"sudo " + r.cmd.CommandPath(), r.In(words.SetupOr)}
	}
	return f
}

// unusable is the failure of a file that cannot be built on, or of answers that
// do not go together.
func (r *setupRun) unusable(err error) error {
	if errors.Is(err, configs.ErrForm) {
		return &failure{
			code: exitConfig, text: r.In(words.SetupForm, r.flags.path()),
			hints: []string{r.In(words.SetupFormHint, r.flags.path())},
		}
	}
	f := configFailure(r.console, r.flags.path(), err)
	if r.draft == nil {
		f.hints = []string{r.In(words.SetupOldFirst, r.flags.path())}
	} else { // nobody admitted is no surprise here, and the file is not to blame
		f.hints = nil
	}
	return f
}

// ended is the failure of a run that was given up.
func (r *setupRun) ended(err error) error {
	if _, ok := errors.AsType[*failure](err); ok {
		return err
	}
	return &failure{code: exitFailed, text: r.In(words.SetupGone)}
}

// show prints what would be written, and what to think of it.
func (r *setupRun) show(result setup.Result) {
	switch {
	case !r.draft.Exists:
		printSummary(r.console, result.Config)
	case len(result.Diff) > 0:
		r.print(strings.TrimSuffix(string(result.Diff), "\n"))
	}
	for _, w := range setup.Warnings(result.Config, r.device) {
		r.paragraph(words.SetupWarning(r.Lang, w))
	}
}

// paragraph notes text in lines that fit the terminal.
func (r *setupRun) paragraph(text string) {
	for _, line := range words.Wrap(text, reportWidth) {
		r.Note(words.Verbatim, line)
	}
}

// agreed asks whether to write. Where nobody can be asked, --yes has said so.
func (r *setupRun) agreed(ctx context.Context, result setup.Result) (bool, error) {
	if r.person == nil {
		return true, nil
	}
	question := r.In(words.SetupAskWrite, r.file)
	if _, err := os.Stat(r.file); err == nil {
		if r.file == r.flags.path() && len(result.Diff) == 0 {
			return true, nil // there is nothing to write
		}
		r.paragraph(r.In(words.SetupKeeps))
		question = r.In(words.SetupAskReplace, r.file)
	}
	return r.person.Confirm(ctx, question, true, r.In(words.SetupYesNo))
}

// write replaces the file, and has it recorded who did so.
func (r *setupRun) write(ctx context.Context, result setup.Result) error {
	if r.draft.Exists && r.file == r.flags.path() && len(result.Diff) == 0 {
		r.Say(words.SetupSame, r.file)
		return nil
	}
	backup, err := setup.Write(r.file, result.Text, serviceUser, time.Now())
	if err != nil {
		return &failure{code: exitFailed, text: r.In(words.SetupUnwritten, err)}
	}
	r.Say(words.SetupWritten, r.file)
	if backup != "" {
		r.Say(words.SetupBackup, backup)
	}
	if r.flags.output == "" {
		order := daemon.Order{Action: daemon.Setup, Changed: shortened(result.Changes)}
		reportAction(ctx, r.console, r.draft.Now.StateDir, syslogAddress{}, order)
	}
	return nil
}

// mistakeText is a mistake without its place: whoever reads it has just typed
// the value.
func mistakeText(c *console, m configs.Mistake) string {
	m.Key, m.Line = "", 0
	return words.Mistake(c.Lang, m)
}

// flagName is a flag as it is typed.
func flagName(name string) string { return fmt.Sprintf("--%s", name) }
