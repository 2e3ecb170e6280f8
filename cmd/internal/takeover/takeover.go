// Package takeover puts lqproxy in the place of an nginx, and nginx back.
//
//  1. look.go finds out how things stand: who has the port, how it was started,
//     what would start it again. Nothing is begun where something is in the way.
//  2. A [Record] of nginx is written first, so that the way back is known
//     whatever happens.
//  3. nginx is told to quit: it closes its listeners and finishes the calls that
//     are under way, as systemctl stop of many a unit would not.
//  4. lqproxy is started, and has to be ready and, if that is wanted, to reach
//     Leqi.
//  5. Only then is it changed what starts with the machine. Until here a crash
//     of the machine brings nginx back by itself.
//
// A step that fails has all before it undone, the last one first: nginx listens
// again. Back goes the same way in the other direction.
package takeover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/host"
)

// A Step is a part of the way. Each is told before it begins.
type Step string

// The steps.
const (
	StopNginx       Step = "stop_nginx"
	StartLqproxy    Step = "start_lqproxy"
	AwaitLqproxy    Step = "await_lqproxy"
	Probe           Step = "probe"
	DisableNginx    Step = "disable_nginx"
	EnableLqproxy   Step = "enable_lqproxy"
	StopLqproxy     Step = "stop_lqproxy"
	StartNginx      Step = "start_nginx"
	EnableNginx     Step = "enable_nginx"
	DisableLqproxy  Step = "disable_lqproxy"
	BringNginxBack  Step = "bring_nginx_back"
	BringProxyBack  Step = "bring_proxy_back"
	RestoreStarting Step = "restore_starting"
)

// A Move is a takeover, or the way back.
type Move struct {
	Host  host.Host
	Unit  string   // of lqproxy
	Ports []uint16 // its listeners'
	Nginx Nginx

	// Ready reports whether lqproxy listens and is ready; Probe returns why Leqi
	// is not reached through it, nil skips that.
	Ready func() bool
	Probe func(ctx context.Context) error

	Observe func(Step)

	quit bool          // nginx was told to
	gone time.Time     // when the old listener was
	gap  time.Duration // until the new one was there
}

// A StepError is a step that failed. What came before it was undone; Undo says
// what of that failed too.
type StepError struct {
	Step Step
	Err  error
	Undo error
}

// Error implements error.
func (e *StepError) Error() string { return fmt.Sprintf("%s: %v", e.Step, e.Err) }

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

// An action is a step with its opposite.
type action struct {
	step Step
	do   func(context.Context) error
	undo func(context.Context) error // nil: there is nothing to undo
	name Step                        // of undo
}

// Take puts lqproxy in nginx's place, and returns for how long nobody could
// connect. The error is a *StepError.
func (m *Move) Take(ctx context.Context) (gap time.Duration, err error) {
	actions := []action{
		{StopNginx, m.quitNginx, m.startNginx, BringNginxBack},
		{StartLqproxy, m.startLqproxy, m.stopLqproxy, StopLqproxy},
		{AwaitLqproxy, m.awaitLqproxy, nil, ""},
	}
	if m.Probe != nil {
		actions = append(actions, action{Probe, m.Probe, nil, ""})
	}
	actions = append(actions,
		action{DisableNginx, m.disableNginx, m.enableNginx, RestoreStarting},
		action{EnableLqproxy, m.enableLqproxy, m.disableLqproxy, DisableLqproxy})
	err = m.walk(ctx, actions)
	return m.gap, err
}

// Back puts nginx in its place again, likewise.
func (m *Move) Back(ctx context.Context) (gap time.Duration, err error) {
	err = m.walk(ctx, []action{
		{StopLqproxy, m.stopLqproxy, m.startLqproxy, BringProxyBack},
		{StartNginx, m.startNginx, nil, ""},
		{EnableNginx, m.enableNginx, m.disableNginx, RestoreStarting},
		{DisableLqproxy, m.disableLqproxy, nil, ""},
	})
	return m.gap, err
}

// walk carries out actions; if one fails, it undoes those before it and the
// failed one, which may have been done by half.
func (m *Move) walk(ctx context.Context, actions []action) error {
	for i, a := range actions {
		m.Observe(a.step)
		err := a.do(ctx)
		if err == nil {
			err = context.Cause(ctx) // Ctrl-C counts as a failure of the step
		}
		if err == nil {
			continue
		}
		return &StepError{a.step, err, m.undo(context.WithoutCancel(ctx), actions[:i+1])}
	}
	return nil
}

func (m *Move) undo(ctx context.Context, done []action) error {
	var failed error
	for _, a := range slices.Backward(done) {
		if a.undo == nil {
			continue
		}
		m.Observe(a.name)
		failed = errors.Join(failed, a.undo(ctx))
	}
	return failed
}
