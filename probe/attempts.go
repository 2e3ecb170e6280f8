package probe

import (
	"context"
	"math/rand/v2"
	"time"
)

// longestWait bounds the growing distance between attempts.
const longestWait = 30 * time.Second

// An asker makes one attempt.
type asker func(ctx context.Context, request func(host string) []byte) Attempt

// attempts asks until the answer is another than 403, and at most as often as
// the options allow. After a call that was forbidden to the end the next ones
// have one attempt each: to go on would be hammering.
func (p *prober) attempts(ctx context.Context, t Target, request func(string) []byte, ask asker) []Attempt {
	r := retry{most: p.o.Attempts, first: p.o.Wait}
	for _, c := range p.report.Calls {
		if c.Verdict == Forbidden {
			r.most = 1
		}
	}
	r.observe = func(attempt int, wait time.Duration) {
		p.o.Observe(Progress{Stage: StagePlatform, Target: t, Attempt: attempt, Attempts: r.most, Wait: wait})
	}
	return r.run(ctx, func(ctx context.Context) Attempt { return ask(ctx, request) })
}

// A retry repeats what is answered with 403.
type retry struct {
	most  int           // attempts
	first time.Duration // the first wait; each further one is twice as long, up to longestWait

	// observe is told of each wait before an attempt, and, with a wait of 0, of
	// the attempt itself.
	observe func(attempt int, wait time.Duration)
}

// run returns the attempts that were finished before ctx ended.
func (r retry) run(ctx context.Context, ask func(context.Context) Attempt) []Attempt {
	var all []Attempt
	wait, next := time.Duration(0), r.first
	for {
		r.observe(len(all)+1, 0)
		a := ask(ctx)
		if ctx.Err() != nil {
			return all
		}
		a.Waited = Took(wait)
		all = append(all, a)
		if a.Verdict != Forbidden || len(all) == r.most {
			return all
		}
		wait = jittered(min(next, longestWait))
		next = min(2*next, longestWait)
		r.observe(len(all)+1, wait)
		if !pause(ctx, wait) {
			return all
		}
	}
}

// jittered returns d and up to a fifth more.
func jittered(d time.Duration) time.Duration { return d + rand.N(d/5+1) }

// pause waits for d, and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
