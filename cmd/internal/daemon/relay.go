package daemon

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// A relay runs one runner at a time, each until another takes its place.
type relay struct {
	next chan runner
}

// A runner returns nil once ctx is done.
type runner func(ctx context.Context) error

// newRelay returns a relay that can be handed one runner before it runs.
func newRelay() *relay { return &relay{next: make(chan runner, 1)} }

// hand lets r take the place of what runs now, which ends meanwhile. It is
// not called by several at once, nor after the end of run.
func (l *relay) hand(r runner) { l.next <- r }

// run runs what it is handed until ctx is done.
func (l *relay) run(ctx context.Context) error {
	runners, ctx := errgroup.WithContext(ctx)
	end := func() {}
	for {
		select {
		case r := <-l.next:
			end()
			var own context.Context
			own, end = context.WithCancel(ctx)
			runners.Go(func() error { return r(own) })
		case <-ctx.Done():
			end()
			return runners.Wait()
		}
	}
}
