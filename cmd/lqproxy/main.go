// Command lqproxy forwards the calls of invoicing software to the Leqi
// platform. "lqproxy --help" lists what it can be told.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
)

func main() {
	ctx, end := withSignals(context.Background())
	code := run(ctx, os.Args[1:], process{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, uid: os.Geteuid(),
		inherit: daemon.Inherit,
	})
	end()
	os.Exit(code)
}

// withSignals returns a context that SIGINT or SIGTERM ends, with the signal
// as its cause. A second one ends the process at once.
func withSignals(parent context.Context) (context.Context, context.CancelFunc) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancelCause(parent)
	go func() { // ends with the process
		cancel(errors.New((<-signals).String()))
		<-signals
		os.Exit(exitFailed)
	}()
	return ctx, func() { cancel(nil) }
}

// A process is what a command sees of the process that it runs in.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	uid            int

	// inherit takes over from the process before this one; nil: there are no upgrades.
	inherit func(patience time.Duration) (*daemon.Succession, error)
}

// run is main without the process: it reads no globals and never exits, so a
// test can drive every command in memory.
func run(ctx context.Context, args []string, p process) int {
	c := newConsole(args, p)
	root := newRoot(c)
	root.SetArgs(args)
	return c.report(root.ExecuteContext(ctx))
}
