package main

import (
	"context"
	"errors"
	"io/fs"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/host"
	"github.com/lqproxy/lqproxy/cmd/internal/takeover"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/spf13/cobra"
)

// takeoverFlags are the flags of takeover, as typed.
type takeoverFlags struct {
	settings
	back, yes, stopAnyway, noProbe bool
}

// newTakeover returns the command that puts lqproxy in the place of nginx.
func newTakeover(c *console) *cobra.Command {
	var f takeoverFlags
	cmd := &cobra.Command{
		Use:   "takeover [-c FILE] [-i NAME] [--yes] [--stop-nginx-anyway] [--no-probe] | takeover --back [--yes]",
		Short: c.In(words.ShortTakeover),
		RunE:  func(cmd *cobra.Command, _ []string) error { return f.carryOut(cmd.Context(), c, cmd) },
	}
	flags := cmd.Flags()
	f.settings.add(c, flags)
	flags.BoolVar(&f.back, "back", false, c.In(words.FlagBack))
	flags.BoolVar(&f.yes, "yes", false, c.In(words.FlagYes))
	flags.BoolVar(&f.stopAnyway, "stop-nginx-anyway", false, c.In(words.FlagStopAnyway))
	flags.BoolVar(&f.noProbe, "no-probe", false, c.In(words.FlagNoProbe))
	cmd.MarkFlagsMutuallyExclusive("back", "stop-nginx-anyway")
	cmd.MarkFlagsMutuallyExclusive("back", "no-probe")
	return cmd
}

// A takeoverRun is one run of takeover.
type takeoverRun struct {
	*console
	flags *takeoverFlags
	cfg   configs.Config
	host  host.Host
	ports []uint16
}

func (f *takeoverFlags) carryOut(ctx context.Context, c *console, cmd *cobra.Command) error {
	if c.uid != 0 {
		return &failure{code: exitFailed, text: c.In(words.TakeoverNoRoot), hints: []string{"sudo " + cmd.CommandPath()}}
	}
	if err := f.judge(c); err != nil {
		return err
	}
	v := check(f.settings, account(c.uid))
	if v.err != nil && !f.back {
		return configFailure(c, v.file, v.err)
	}
	if v.err != nil { // the way back is open with a bad file too
		v.config = configs.DefaultInstance(f.instance)
	} else {
		c.configured(v.config.Language)
	}
	if v.err == nil && !v.well() && !f.back {
		return v.say(c)
	}
	r := &takeoverRun{console: c, flags: f, cfg: v.config, host: host.Local(), ports: ports(v.config.Listen.Addresses)}
	if f.back {
		return r.back(ctx)
	}
	return r.take(ctx)
}

// take puts lqproxy in the place of nginx, after a look and a yes.
func (r *takeoverRun) take(ctx context.Context) error {
	s := takeover.Look(ctx, r.host, r.flags.service(), r.ports)
	if pid, ours := r.holds(s.Holder); ours {
		r.Say(words.TakeoverAlready, pid)
		return nil
	}
	if obstacle := s.Obstacle(r.flags.stopAnyway); obstacle == takeover.OtherPorts && r.asks() && !r.flags.yes {
		r.flags.stopAnyway = r.confirmed(r.In(words.TakeoverAskStop, words.PortList(s.Nginx.Others)))
	}
	if obstacle := s.Obstacle(r.flags.stopAnyway); obstacle != "" {
		return r.inTheWay(obstacle, s)
	}
	m := r.move(*s.Nginx)
	for _, line := range words.Wrap(r.In(words.TakeoverNginx, s.Nginx.PID, r.origin(*s.Nginx), words.PortList(r.ports)), reportWidth) {
		r.print(line)
	}
	agreed := r.agreed(*s.Nginx, takeover.StopNginx, takeover.StartLqproxy, takeover.AwaitLqproxy,
		takeover.Probe, takeover.DisableNginx, takeover.EnableLqproxy)
	if !agreed {
		return nil
	}
	record := takeover.Record{Taken: time.Now(), Nginx: *s.Nginx}
	if err := record.Write(takeover.Folder, r.flags.instance); err != nil {
		return err
	}
	outlive()
	gap, err := m.Take(ctx)
	if err != nil {
		return r.failed(err, true)
	}
	r.Say(words.TakeoverDone, gap.Seconds())
	r.Hint(words.TakeoverReturn)
	r.record(ctx, "nginx -> lqproxy")
	return nil
}

// back puts nginx in its place again.
func (r *takeoverRun) back(ctx context.Context) error {
	record, err := takeover.ReadRecord(takeover.Folder, r.flags.instance)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Say(words.TakeoverNever)
		return nil
	case err != nil:
		return err
	}
	m := r.move(record.Nginx)
	r.Say(words.TakeoverBack, record.Taken.Format(time.DateTime))
	if !r.agreed(record.Nginx, takeover.StopLqproxy, takeover.StartNginx, takeover.EnableNginx, takeover.DisableLqproxy) {
		return nil
	}
	outlive()
	r.record(ctx, "lqproxy -> nginx") // while there is a daemon to tell
	gap, err := m.Back(ctx)
	if err != nil {
		return r.failed(err, false)
	}
	r.Say(words.TakeoverBacked, gap.Seconds())
	return takeover.RemoveRecord(takeover.Folder, r.flags.instance)
}

// outlive lets the command go on when its console is lost, which must not happen
// between two listeners.
func outlive() { signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE) }

// holds reports whether it is the lqproxy of this configuration that has the
// port.
func (r *takeoverRun) holds(holder *host.Process) (pid int, ours bool) {
	if holder == nil {
		return 0, false
	}
	now := running(r.cfg)
	return holder.PID, now != nil && now.PID == holder.PID
}

// move returns the takeover from, or back to, n.
func (r *takeoverRun) move(n takeover.Nginx) *takeover.Move {
	m := &takeover.Move{
		Host: r.host, Unit: r.flags.service(), Ports: r.ports, Nginx: n,
		Ready: func() bool {
			holder, _ := r.host.Holder(r.ports[0])
			_, ours := r.holds(holder)
			return ours
		},
		Observe: func(s takeover.Step) { r.item("-", r.step(s, n)) },
	}
	if !r.flags.noProbe {
		m.Probe = r.probe
	}
	return m
}

// origin says how nginx was started.
func (r *takeoverRun) origin(n takeover.Nginx) string {
	if n.Unit != "" {
		return n.Unit
	}
	return r.In(words.TakeoverByHand)
}

// step says what a step does to n.
func (r *takeoverRun) step(s takeover.Step, n takeover.Nginx) string {
	how := n.Unit
	if how == "" {
		how = strings.TrimSpace(n.Program + " " + strings.Join(n.Arguments, " "))
	}
	starts := append([]string{}, n.Enabled...)
	for _, l := range n.Lines {
		starts = append(starts, l.String())
	}
	if len(starts) == 0 {
		starts = []string{r.In(words.TakeoverNowhere)}
	}
	return words.TakeoverStep(r.Lang, s, how, r.flags.service(), strings.Join(starts, ", "))
}

// agreed lists the steps and asks. Where nobody can be asked, only --yes is a
// yes, and the list was a look.
func (r *takeoverRun) agreed(n takeover.Nginx, steps ...takeover.Step) bool {
	number := 0
	for _, s := range steps {
		if s == takeover.Probe && r.flags.noProbe {
			continue
		}
		number++
		r.item("  "+strconv.Itoa(number)+" ", r.step(s, n))
	}
	r.Say(words.TakeoverUndo)
	switch {
	case r.flags.yes:
		return true
	case !r.asks():
		r.Say(words.TakeoverDry)
		return false
	case !r.confirmed(r.In(words.TakeoverAsk)):
		r.Say(words.TakeoverNothing)
		return false
	}
	return true
}

// item prints text behind a mark, in lines that fit the terminal.
func (r *takeoverRun) item(mark, text string) {
	for _, line := range words.Wrap(text, reportWidth-len(mark)-1) {
		r.print(mark + " " + line)
		mark = strings.Repeat(" ", len(mark))
	}
}

// record has it recorded what was done.
func (r *takeoverRun) record(ctx context.Context, changed string) {
	order := daemon.Order{Action: daemon.Takeover, Changed: changed}
	reportAction(ctx, r.console, r.cfg.StateDir, syslogAddress{}, order)
}

// failed is the failure of a takeover, or of the way back: what failed, and what
// it is like now.
func (r *takeoverRun) failed(err error, taking bool) error {
	e, ok := errors.AsType[*takeover.StepError](err)
	if !ok {
		return err
	}
	record, _ := takeover.ReadRecord(takeover.Folder, r.flags.instance)
	f := &failure{code: exitFailed, text: r.In(words.TakeoverFailed, r.step(e.Step, record.Nginx), words.TakeoverError(r.Lang, e.Err))}
	if e.Step == takeover.StartLqproxy || e.Step == takeover.AwaitLqproxy {
		f.hints = append(f.hints, r.In(words.TakeoverJournal, r.flags.service()))
	}
	if e.Undo != nil {
		f.details = []string{r.In(words.TakeoverStuck, words.TakeoverError(r.Lang, e.Undo))}
		f.hints = append(f.hints, r.In(words.TakeoverLook))
		return f
	}
	f.details = []string{r.In(words.TakeoverRestored)}
	if taking {
		if err := takeover.RemoveRecord(takeover.Folder, r.flags.instance); err != nil {
			f.details = append(f.details, err.Error())
		}
	}
	return f
}
