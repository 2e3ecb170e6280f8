package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/logging"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"go.uber.org/zap"
)

// An Outcome is what became of an order. The zero Outcome is success.
type Outcome struct {
	Problem Problem `json:"problem,omitempty"`
	Error   string  `json:"error,omitempty"` // in English, or in the words of the system

	Command  string        `json:"command,omitempty"`  // that does what this order could not; ProblemRestart and ProblemListen
	Refusal  *Refusal      `json:"refusal,omitempty"`  // ProblemConfig and ProblemRefused
	Listen   *Unlistenable `json:"listen,omitempty"`   // ProblemListen
	Reloaded *Reloaded     `json:"reloaded,omitempty"` // success of Reload
	Upgraded *Upgraded     `json:"upgraded,omitempty"` // success of Upgrade
}

// Problem says why an order was not carried out.
type Problem string

// The problems.
const (
	ProblemUnknown  Problem = "unknown_action"   // of another version, perhaps
	ProblemNoKey    Problem = "no_such_key"      // the record has no such key
	ProblemConfig   Problem = "configuration"    // the file is wrong: see Outcome.Refusal, or Error if it cannot be read
	ProblemRestart  Problem = "restart"          // a restart alone puts it in force: see Outcome.Command
	ProblemListen   Problem = "listen"           // an address cannot be bound: see Outcome.Listen
	ProblemBusy     Problem = "busy"             // an upgrade is under way
	ProblemStopping Problem = "stopping"         // the instance is
	ProblemNoFile   Problem = "no_file"          // the instance was started without one
	ProblemBinary   Problem = "binary"           // the installed one cannot be run: Error says why
	ProblemRefused  Problem = "binary_refuses"   // the installed one runs, and refuses the file: see Outcome.Refusal
	ProblemStart    Problem = "start"            // the new process did not become ready: Error says why
	ProblemFormer   Problem = "former_connected" // the process before this one still has connections
	ProblemFailed   Problem = "failed"           // see Outcome.Error
)

// A Refusal is a configuration that somebody does not accept.
type Refusal struct {
	File     string      `json:"file"`               // the configuration
	Binary   string      `json:"binary,omitempty"`   // that refuses it
	Mistakes []Complaint `json:"mistakes,omitempty"` // that this process found
	Said     []string    `json:"said,omitempty"`     // by the binary, in the language of the order
}

// A Complaint is a mistake on its way from one process to the other.
type Complaint struct {
	configs.Mistake
	Err string // in the place of the cause
}

// Mistakes returns what complaints were made of.
func (r *Refusal) mistakes() configs.Mistakes {
	all := make(configs.Mistakes, len(r.Mistakes))
	for i, c := range r.Mistakes {
		all[i] = c.Mistake
		if c.Err != "" {
			all[i].Err = errors.New(c.Err)
		}
	}
	return all
}

// Mistaken returns the mistakes that this process found in its file; nil if
// none are known.
func (o Outcome) Mistaken() configs.Mistakes {
	if o.Refusal == nil || len(o.Refusal.Mistakes) == 0 {
		return nil
	}
	return o.Refusal.mistakes()
}

// An Unlistenable is a [ListenError] on its way from one process to the other.
type Unlistenable struct {
	Key      string `json:"key"`
	Address  string `json:"address"`
	Cause    string `json:"cause"`
	Holder   string `json:"holder,omitempty"`
	Overlaps string `json:"overlaps,omitempty"`
}

// Reloaded says what a reload changed.
type Reloaded struct {
	Changed []string `json:"changed"` // keys, each as `key: old -> new`; none if the file says nothing new
}

// An errand is an order with who gave it.
type errand struct {
	Order
	uid int // of the process that gave it, as the kernel vouches for
}

// cause is what the reload of by puts a configuration in force for. Of others than
// the known ones the history would have to believe whoever gives the order.
func (by errand) cause() Cause {
	if by.Cause == CauseSetup {
		return CauseSetup
	}
	return CauseReload
}

// unknownUID is that of a signal, which names nobody.
const unknownUID = -1

func unknownOrder(a Action) errand { return errand{Order{Action: a}, unknownUID} }

// carryOut does what the order asks for, and says so in the log: who keeps
// watch over a machine wants to know who changed what.
func (d *Daemon) carryOut(o Order, uid int, tell func(Progress)) Outcome {
	by := errand{o, uid}
	switch o.Action {
	case Reload:
		changed, err := d.reloadFor(by)
		if err != nil {
			return d.outcomeOf(err)
		}
		return Outcome{Reloaded: &Reloaded{append([]string{}, changed...)}}
	case Upgrade:
		u, err := d.upgradeFor(by, tell)
		if err != nil {
			return d.outcomeOf(err)
		}
		return Outcome{Upgraded: &u}
	case TrustAccept:
		return d.trust(by, "accepted: false -> true", d.known.Accept)
	case TrustForget:
		return d.trust(by, "recorded: true -> false", d.known.Forget)
	case FirewallApply, FirewallRemove, Setup, Takeover: // it is done
		d.record(by, []string{o.Changed}, nil)
		return Outcome{}
	}
	return Outcome{Problem: ProblemUnknown, Error: fmt.Sprintf("no action is called %q", o.Action)}
}

// trust changes the record of keys. While it is handed over it is nobody's.
func (d *Daemon) trust(by errand, changed string, change func(upstream.Pin) error) Outcome {
	err := errUpgrading
	if !d.upgrading.Load() {
		err = change(by.Pin)
	}
	d.record(by, []string{changed}, err)
	return d.outcomeOf(err)
}

// upgradeFor is upgrade for somebody. Whoever waits hears of it at intervals.
func (d *Daemon) upgradeFor(by errand, tell func(Progress)) (Upgraded, error) {
	steps := make(chan Progress)
	done := make(chan struct{})
	go func() { // ends below
		defer close(done)
		repeat(steps, tell)
	}()
	u, err := d.upgrade(by.Lang, func(p Progress) { steps <- p })
	close(steps)
	<-done
	d.record(by, []string{fmt.Sprintf("version: %s -> %s", u.From, u.To)}, err)
	return u, err
}

// repeat tells each step, and each again while it lasts, so that nobody who
// waits takes the process for dead.
func repeat(steps <-chan Progress, tell func(Progress)) {
	ticker := time.NewTicker(controlLimit / 5)
	defer ticker.Stop()
	var last Progress
	for {
		select {
		case p, ok := <-steps:
			if !ok {
				return
			}
			last = p
		case <-ticker.C:
		}
		if last.Step != "" {
			tell(last)
		}
	}
}

// outcomeOf is err as an outcome; nil is success.
func (d *Daemon) outcomeOf(err error) Outcome {
	if err == nil {
		return Outcome{}
	}
	o := Outcome{Problem: problemOf(err), Error: err.Error()}
	if o.Problem == ProblemRestart || o.Problem == ProblemListen {
		o.Command = d.restartCommand()
	}
	if mistakes, ok := errors.AsType[configs.Mistakes](err); ok {
		o.Refusal = &Refusal{File: d.o.File}
		for _, m := range mistakes {
			c := Complaint{Mistake: m}
			if m.Err != nil {
				c.Err, c.Mistake.Err = m.Err.Error(), nil
			}
			o.Refusal.Mistakes = append(o.Refusal.Mistakes, c)
		}
	}
	if e, ok := errors.AsType[*ListenError](err); ok {
		o.Listen = &Unlistenable{e.Key, e.Address, e.Cause().Error(), e.Holder, e.Overlaps}
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok && o.Problem == ProblemConfig {
		o.Refusal = &Refusal{File: d.o.File}
		o.Error = path.Err.Error()
	}
	if e, ok := errors.AsType[*BinaryError](err); ok {
		o.Refusal = &Refusal{File: d.o.File, Binary: e.File, Said: e.Mistakes}
		o.Error = ""
		if e.Err != nil {
			o.Error = e.Err.Error()
		}
	}
	if e, ok := errors.AsType[*StartError](err); ok {
		o.Error = e.Reason
		if e.Reason == "" {
			o.Error = e.Err.Error()
		}
	}
	return o
}

// problemOf finds the problem that err is.
func problemOf(err error) Problem {
	for _, p := range []struct {
		err     error
		problem Problem
	}{
		{upstream.ErrNoSuchKey, ProblemNoKey},
		{ErrRestart, ProblemRestart},
		{errUpgrading, ProblemBusy},
		{errRetired, ProblemBusy},
		{errStopping, ProblemStopping},
		{errNoFile, ProblemNoFile},
		{errNoUpgrade, ProblemNoFile},
		{errFormerDrains, ProblemFormer},
	} {
		if errors.Is(err, p.err) {
			return p.problem
		}
	}
	switch {
	case isA[configs.Mistakes](err), errors.Is(err, errUnread):
		return ProblemConfig
	case isA[*ListenError](err):
		return ProblemListen
	case isA[*StartError](err):
		return ProblemStart
	}
	if e, ok := errors.AsType[*BinaryError](err); ok {
		if e.Refusal {
			return ProblemRefused
		}
		return ProblemBinary
	}
	return ProblemFailed
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// record says in the log what somebody had done, or wanted to. Of a reload or
// an upgrade that fails there is another line, which is the alarm.
func (d *Daemon) record(by errand, changed []string, err error) {
	fields := by.fields()
	switch {
	case err == nil:
		d.log.Info("admin action", append(fields, zap.String(keyChanged, strings.Join(changed, "; ")))...)
	case errors.Is(err, upstream.ErrNoSuchKey), by.Action == Reload, by.Action == Upgrade:
		d.log.Info("admin action refused", append(fields, zap.Error(err))...)
	default:
		d.log.Error("admin action failed", append(fields, zap.Error(err))...)
	}
}

// fields are those of the line about by.
func (by errand) fields() []zap.Field {
	fields := []zap.Field{zap.String(logging.KeyEvent, eventAdminAction), zap.String(keyAction, string(by.Action))}
	if by.Action == Reload {
		fields = append(fields, zap.String(keyCause, string(by.cause())))
	}
	if by.Pin != (upstream.Pin{}) {
		fields = append(fields, zap.Stringer(keyPin, by.Pin))
	}
	return append(fields,
		zap.String(keyLogin, by.Caller.Login),
		zap.String(keySudoUser, by.Caller.SudoUser),
		zap.String(keyTerminal, by.Caller.Terminal),
		zap.Int(keyUID, by.uid))
}

// Keys and the event of orders.
const (
	eventAdminAction = "admin_action"

	keyAction   = "action"
	keyPin      = "pin"
	keyLogin    = "login"
	keySudoUser = "sudo_user"
	keyTerminal = "terminal"
	keyUID      = "uid"
)
