// Bench measures lqproxy beside nginx and HAProxy: on one machine, in one run,
// over loopback. It starts a TLS upstream and the proxies, each proxy pinned to
// one core, upstream and callers to another, lets them take turns, and prints
// what each used and how lqproxy compares.
//
// The figure that holds on a busy machine is the CPU time per exchange, taken
// from the accounting of the processes; rates and latencies want a quiet one.
// Bench judges nothing: it fails only when it cannot measure.
//
// It runs on Linux and needs nginx, haproxy, h2load and taskset:
//
//	apt-get install nginx-light haproxy nghttp2-client util-linux
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: error: %v\n", err)
		os.Exit(1)
	}
}

// A plan says how much is measured.
type plan struct {
	rounds     int           // of the steady load and of the offered rate
	duration   time.Duration // of one round
	callers    int           // at once, while the upstream takes its time
	idle       int           // connections that do nothing
	bodyRounds int
	bodies     int // in a row, so that the clock ticks of one round are many
	bodySize   int64
}

func fullPlan() plan {
	return plan{rounds: 9, duration: 2 * time.Second, callers: 1000, idle: 10_000, bodyRounds: 3, bodies: 3, bodySize: 256 << 20}
}

func quickPlan() plan {
	return plan{rounds: 2, duration: time.Second, callers: 1000, idle: 4000, bodyRounds: 1, bodies: 1, bodySize: 256 << 20}
}

// options are what the command line says.
type options struct {
	plan
	binary   string // of lqproxy; empty: built from this tree
	markdown bool
}

func parse(args []string, stderr io.Writer) (options, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	quick := flags.Bool("quick", false, "a short run, for trying; its figures are rough")
	rounds := flags.Int("rounds", 0, "rounds (default 9)")
	duration := flags.Duration("duration", 0, "length of a round (default 2s)")
	binary := flags.String("lqproxy", "", "measure this binary (default: built from the tree)")
	markdown := flags.Bool("markdown", false, "print Markdown, for the README")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	o := options{plan: fullPlan(), binary: *binary, markdown: *markdown}
	if *quick {
		o.plan = quickPlan()
	}
	if *rounds > 0 {
		o.rounds = *rounds
	}
	if *duration > 0 {
		o.duration = *duration
	}
	return o, nil
}

// run is main without the process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if err := requireTools(); err != nil {
		return err
	}
	l, err := newLab(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()

	before := describeMachine(ctx)
	r, err := l.measure(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx) // rather than the errors of what it ended
	}
	if err != nil {
		return err
	}
	return report(stdout, before, o, r)
}
