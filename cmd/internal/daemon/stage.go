package daemon

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// A task is one long-lived part of the daemon. run returns nil once ctx is
// done, and an error for anything else; either way its goroutines have ended.
type task struct {
	name string
	run  func(ctx context.Context) error
}

// A stage is tasks that end together, when their turn comes at the stop.
type stage struct {
	cancel context.CancelFunc
	tasks  errgroup.Group
}

// errEnded is a task that ended before it was told to.
var errEnded = errors.New("ended by itself")

// begin starts tasks. They do not end with ctx, from which they have values
// alone, but when their stage is ended. fail is told when one fails.
func begin(ctx context.Context, fail func(error), tasks ...task) *stage {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &stage{cancel: cancel}
	for _, t := range tasks {
		s.tasks.Go(func() error {
			err := t.run(ctx)
			if err == nil && ctx.Err() == nil {
				err = errEnded
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", t.name, err)
				fail(err)
			}
			return err
		})
	}
	return s
}

// end ends the tasks, waits for them, and returns the error of the first that failed.
func (s *stage) end() error {
	s.cancel()
	return s.tasks.Wait()
}
