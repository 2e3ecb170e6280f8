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

	"github.com/lqproxy/lqproxy/proxy/upstream"
	"go.uber.org/zap"
)

// The control socket takes orders of commands: one line of JSON, an [Order], is
// answered by one line of JSON, an [Outcome], and the connection ends. Before
// that line there may be others, each a [Progress], and they are never far
// apart. The socket lies in the state directory and is open to the service's
// user and root alone.
const (
	controlName  = "control.sock"
	controlMode  = 0o600
	controlLimit = 15 * time.Second // for a line to come, or to be taken
	orderSize    = 16 << 10         // bytes of an Order
)

// Action is what an order asks for.
type Action string

// The actions. What is not one of them is refused.
const (
	Reload  Action = "reload"  // the file is read again and put in force
	Upgrade Action = "upgrade" // the installed binary takes over

	TrustAccept Action = "trust_accept" // a recorded key is one that is expected
	TrustForget Action = "trust_forget" // a key leaves the record

	// What root did beside the daemon, which keeps the record of it.
	FirewallApply  Action = "firewall_apply"
	FirewallRemove Action = "firewall_remove"
	Setup          Action = "setup"    // it wrote the configuration
	Takeover       Action = "takeover" // of nginx's place, or back
)

// An Order is what a command asks of the running daemon.
type Order struct {
	Action  Action       `json:"action"`
	Cause   Cause        `json:"cause,omitempty"`   // of a Reload: CauseSetup, or "" for CauseReload
	Pin     upstream.Pin `json:"pin,omitzero"`      // of the key, for the actions of trust
	Changed string       `json:"changed,omitempty"` // for what was done beside the daemon; at most 12 KiB
	Lang    string       `json:"lang,omitempty"`    // in which the installed binary is to judge the file, for Upgrade
	Caller  Caller       `json:"caller"`
}

// A Caller is the person behind an order, as far as the command can tell.
type Caller struct {
	Login    string `json:"login,omitempty"`
	SudoUser string `json:"sudo_user,omitempty"`
	Terminal string `json:"terminal,omitempty"`
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
	return Follow(ctx, stateDir, o, func(Progress) {})
}

// Follow is Send for an order that takes its time: tell hears what is done
// meanwhile.
func Follow(ctx context.Context, stateDir string, o Order, tell func(Progress)) (Outcome, error) {
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
	stop := context.AfterFunc(ctx, func() { conn.Close() }) //nolint:errcheck // the read fails then
	defer stop()

	conn.SetDeadline(time.Now().Add(controlLimit)) //nolint:errcheck // the write fails too
	if err := json.NewEncoder(conn).Encode(o); err != nil {
		return Outcome{}, fmt.Errorf("giving an order: %w", err)
	}
	for in := json.NewDecoder(conn); ; {
		conn.SetReadDeadline(time.Now().Add(controlLimit)) //nolint:errcheck // the read fails too
		var r reply
		switch err := in.Decode(&r); {
		case err != nil:
			return Outcome{}, fmt.Errorf("waiting for the outcome of an order: %w", err)
		case r.Progress == nil:
			return r.Outcome, nil
		}
		tell(*r.Progress)
	}
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

// serveControl accepts orders until ctx is done, and closes ln. An order that
// came has its outcome then.
func (d *Daemon) serveControl(ctx context.Context, ln *net.UnixListener) error {
	stop := context.AfterFunc(ctx, func() { ln.Close() }) //nolint:errcheck // accepting ends
	defer stop()

	var connections sync.WaitGroup
	defer connections.Wait()
	defer d.removeControl()
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
// state directory. It takes the place of the one of an earlier process, if that
// left one behind, or has just handed over: commands find the one or the other.
func (d *Daemon) openControl() (*net.UnixListener, error) {
	dir := d.o.Config.StateDir
	if dir == "" {
		return nil, nil
	}
	name := filepath.Join(dir, controlName)
	own := fmt.Sprintf("%s.%d", name, os.Getpid())
	if err := os.Remove(own); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("removing old control socket: %w", err)
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: own, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("opening control socket: %w", err)
	}
	ln.SetUnlinkOnClose(false) // it is called otherwise by then
	if err = os.Chmod(own, controlMode); err == nil {
		err = os.Rename(own, name)
	}
	if err != nil {
		ln.Close()         //nolint:errcheck // nobody has connected
		_ = os.Remove(own) // or the next start does
		return nil, fmt.Errorf("opening control socket to those who may: %w", err)
	}
	return ln, nil
}

// removeControl removes the socket, unless it is the next process's by now.
func (d *Daemon) removeControl() {
	if dir := d.o.Config.StateDir; dir != "" && !d.retired.Load() {
		_ = os.Remove(filepath.Join(dir, controlName))
	}
}

// serveOrder carries out the order of one connection.
func (d *Daemon) serveOrder(ctx context.Context, conn *net.UnixConn) {
	defer conn.Close()                             //nolint:errcheck // the outcome is written
	conn.SetDeadline(time.Now().Add(controlLimit)) //nolint:errcheck // the read fails too
	stop := context.AfterFunc(ctx, func() {
		conn.SetReadDeadline(time.Now()) //nolint:errcheck // a closed one has ended
	})
	defer stop()

	var order Order
	line, err := bufio.NewReader(io.LimitReader(conn, orderSize)).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &order)
	}
	outcome := Outcome{Problem: ProblemUnknown}
	if err != nil {
		outcome.Error = err.Error()
	} else {
		outcome = d.carryOut(order, peerUID(conn), func(p Progress) { _ = write(conn, reply{Progress: &p}) })
	}
	if err := write(conn, reply{Outcome: outcome}); err != nil {
		d.log.Warn("the outcome of an order cannot be told", zap.Error(err))
	}
}

// A reply is one line to whoever gave an order.
type reply struct {
	Progress *Progress `json:"progress,omitempty"` // the last line has none
	Outcome
}

// write sends r to whoever may have gone meanwhile.
func write(conn *net.UnixConn, r reply) error {
	if err := conn.SetWriteDeadline(time.Now().Add(controlLimit)); err != nil {
		return err
	}
	return json.NewEncoder(conn).Encode(r)
}
