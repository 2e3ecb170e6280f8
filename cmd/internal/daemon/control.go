package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/logging"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"go.uber.org/zap"
)

// The control socket takes orders of commands: one line of JSON, an [Order], is
// answered by one line of JSON, an [Outcome], and the connection ends. It lies
// in the state directory and is open to the service's user and root alone.
const (
	controlName  = "control.sock"
	controlMode  = 0o600
	controlLimit = 10 * time.Second // of a connection
	orderSize    = 16 << 10         // bytes of an Order
)

// Action is what an order asks for.
type Action string

// The actions. What is not one of them is refused.
const (
	TrustAccept Action = "trust_accept" // a recorded key is one that is expected
	TrustForget Action = "trust_forget" // a key leaves the record

	// What root did beside the daemon, which keeps the record of it.
	FirewallApply  Action = "firewall_apply"
	FirewallRemove Action = "firewall_remove"
)

// An Order is what a command asks of the running daemon.
type Order struct {
	Action  Action       `json:"action"`
	Pin     upstream.Pin `json:"pin,omitzero"`      // of the key, for the actions of trust
	Changed string       `json:"changed,omitempty"` // for the actions of the firewall; at most 12 KiB
	Caller  Caller       `json:"caller"`
}

// A Caller is the person behind an order, as far as the command can tell.
type Caller struct {
	Login    string `json:"login,omitempty"`
	SudoUser string `json:"sudo_user,omitempty"`
	Terminal string `json:"terminal,omitempty"`
}

// Problem says why an order was not carried out.
type Problem string

// The problems.
const (
	ProblemUnknown Problem = "unknown_action" // of another version, perhaps
	ProblemNoKey   Problem = "no_such_key"    // the record has no such key
	ProblemFailed  Problem = "failed"         // see Outcome.Error
)

// An Outcome is what became of an order. The zero Outcome is success.
type Outcome struct {
	Problem Problem `json:"problem,omitempty"`
	Error   string  `json:"error,omitempty"`
}

// Errors of Send, beside those of the system.
var (
	// ErrNotRunning says that no daemon listens in the state directory.
	ErrNotRunning = errors.New("no instance is running")

	// ErrNotAllowed says that the caller may not give orders.
	ErrNotAllowed = errors.New("only root and the service's user may give orders")
)

// Send gives an order to the daemon whose state directory that is, and waits
// for the outcome.
func Send(ctx context.Context, stateDir string, o Order) (Outcome, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", filepath.Join(stateDir, controlName))
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return Outcome{}, ErrNotRunning
	case errors.Is(err, fs.ErrPermission):
		return Outcome{}, ErrNotAllowed
	case err != nil:
		return Outcome{}, fmt.Errorf("giving an order: %w", err)
	}
	defer conn.Close()                                      //nolint:errcheck // all was read
	conn.SetDeadline(time.Now().Add(controlLimit))          //nolint:errcheck // the read fails too
	stop := context.AfterFunc(ctx, func() { conn.Close() }) //nolint:errcheck // the read fails then
	defer stop()

	var outcome Outcome
	if err := json.NewEncoder(conn).Encode(o); err != nil {
		return outcome, fmt.Errorf("giving an order: %w", err)
	}
	if err := json.NewDecoder(conn).Decode(&outcome); err != nil {
		return outcome, fmt.Errorf("waiting for the outcome of an order: %w", err)
	}
	return outcome, nil
}

// takeOrders opens the control socket and returns what serves it until ctx is
// done. An instance without a state directory has none, and one whose socket
// cannot be made goes on without: calls are worth more than orders.
func (d *Daemon) takeOrders() func(ctx context.Context) error {
	ln, err := d.openControl()
	if err != nil {
		d.log.Error("the control socket cannot be opened; commands cannot give orders", zap.Error(err))
	}
	return func(ctx context.Context) error {
		if ln == nil {
			<-ctx.Done()
			return nil
		}
		return d.serveControl(ctx, ln)
	}
}

// serveControl accepts orders until ctx is done, and closes ln.
func (d *Daemon) serveControl(ctx context.Context, ln *net.UnixListener) error {
	stop := context.AfterFunc(ctx, func() { ln.Close() }) //nolint:errcheck // accepting ends
	defer stop()

	var connections sync.WaitGroup
	defer connections.Wait()
	for {
		conn, err := ln.AcceptUnix()
		switch {
		case err == nil:
			connections.Go(func() { d.serveOrder(ctx, conn) })
		case ctx.Err() != nil:
			return nil
		default: // out of descriptors, which passes
			d.log.Warn("accepting an order failed", zap.Error(err))
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}
}

// openControl returns the listener of the control socket; nil where there is no
// state directory. A socket that an earlier process left behind is removed: who
// runs holds the listen addresses, so there is no other one now.
func (d *Daemon) openControl() (*net.UnixListener, error) {
	dir := d.o.Config.StateDir
	if dir == "" {
		return nil, nil
	}
	name := filepath.Join(dir, controlName)
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("removing old control socket: %w", err)
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("opening control socket: %w", err)
	}
	if err := os.Chmod(name, controlMode); err != nil {
		ln.Close() //nolint:errcheck // nobody has connected
		return nil, fmt.Errorf("closing control socket to others: %w", err)
	}
	return ln, nil
}

// serveOrder carries out the order of one connection.
func (d *Daemon) serveOrder(ctx context.Context, conn *net.UnixConn) {
	defer conn.Close()                                      //nolint:errcheck // the outcome is written
	conn.SetDeadline(time.Now().Add(controlLimit))          //nolint:errcheck // the read fails too
	stop := context.AfterFunc(ctx, func() { conn.Close() }) //nolint:errcheck // the read fails then
	defer stop()

	line, err := bufio.NewReader(io.LimitReader(conn, orderSize)).ReadBytes('\n')
	var order Order
	if err == nil {
		err = json.Unmarshal(line, &order)
	}
	outcome := Outcome{Problem: ProblemUnknown}
	if err != nil {
		outcome.Error = err.Error()
	} else {
		outcome = d.carryOut(order, peerUID(conn))
	}
	if err := json.NewEncoder(conn).Encode(outcome); err != nil {
		d.log.Warn("the outcome of an order cannot be told", zap.Error(err))
	}
}

// carryOut does what the order asks for, and says so in the log: who keeps
// watch over a machine wants to know who changed what.
func (d *Daemon) carryOut(o Order, uid int) Outcome {
	var err error
	var changed string
	switch o.Action {
	case TrustAccept:
		changed, err = "accepted: false -> true", d.known.Accept(o.Pin)
	case TrustForget:
		changed, err = "recorded: true -> false", d.known.Forget(o.Pin)
	case FirewallApply, FirewallRemove: // it is done
		changed = o.Changed
	default:
		return Outcome{Problem: ProblemUnknown, Error: fmt.Sprintf("no action is called %q", o.Action)}
	}
	fields := o.fields(uid)
	switch {
	case err == nil:
		d.log.Info("admin action", append(fields, zap.String(keyChanged, changed))...)
		return Outcome{}
	case errors.Is(err, upstream.ErrNoSuchKey):
		d.log.Info("admin action refused", append(fields, zap.Error(err))...)
		return Outcome{ProblemNoKey, err.Error()}
	}
	d.log.Error("admin action failed", append(fields, zap.Error(err))...)
	return Outcome{ProblemFailed, err.Error()}
}

// fields are those of the line about o, which the user uid gave.
func (o Order) fields(uid int) []zap.Field {
	fields := []zap.Field{zap.String(logging.KeyEvent, eventAdminAction), zap.String(keyAction, string(o.Action))}
	if o.Pin != (upstream.Pin{}) {
		fields = append(fields, zap.Stringer(keyPin, o.Pin))
	}
	return append(fields,
		zap.String(keyLogin, o.Caller.Login),
		zap.String(keySudoUser, o.Caller.SudoUser),
		zap.String(keyTerminal, o.Caller.Terminal),
		zap.Int(keyUID, uid))
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
