package upstream

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"
)

// While the host is down, Run connects after 5 s, then 10 s and so on to at most
// 60 s: retryMost with its fifth of jitter.
const (
	retryFirst = 5 * time.Second
	retryMost  = 50 * time.Second
)

// saveAgain is how long a record that could not be written waits.
const saveAgain = time.Minute

// Run resolves the host at the start, every 30 s and when all addresses fail, connects once at
// the start and, while the host is down, again after 5 s to 60 s, and ends idle connections at
// their time, until ctx is done. It then closes idle connections and waits for its goroutines.
// It returns nil, and must be called once.
func (u *Upstream) Run(ctx context.Context) error {
	u.m.owner.Store(u)
	u.gauges.setAddresses(len(u.addrs.order(time.Now())))
	if leaf := u.leaf.Load(); leaf != nil {
		u.gauges.setNotAfter(leaf.NotAfter)
	}

	var wg sync.WaitGroup
	wg.Go(func() { u.resolver.keep(ctx) })
	wg.Go(func() { u.keepConnected(ctx) })
	wg.Go(func() { u.keepRecord(ctx) })
	wg.Go(func() { u.pool.keep(ctx.Done()) })
	wg.Wait()
	u.Close()
	return nil
}

// keepConnected connects once, and again while the host is down.
func (u *Upstream) keepConnected(ctx context.Context) {
	u.warm(ctx)
	for delay := retryFirst; ctx.Err() == nil; {
		if !u.down() {
			delay = retryFirst
			select {
			case <-u.wentDown:
			case <-ctx.Done():
			}
			continue
		}
		if !pause(ctx, delay+rand.N(delay/5), nil) {
			return
		}
		delay = min(2*delay, retryMost)
		if u.down() {
			u.warm(ctx)
		}
	}
}

// warm leaves a new connection in the pool.
func (u *Upstream) warm(ctx context.Context) {
	if c, err := u.connect(ctx); err == nil { // a failure is noted there
		c.Put(0)
	}
}

// keepRecord writes the record of keys when it changed, and once more at the end.
func (u *Upstream) keepRecord(ctx context.Context) {
	var failed bool
	for {
		var again <-chan time.Time
		if failed {
			again = time.After(saveAgain)
		}
		select {
		case <-u.keys.changed:
		case <-again:
		case <-ctx.Done():
			u.save(&failed)
			return
		}
		u.save(&failed)
	}
}

// save writes the record. A failure is logged once, until it succeeds.
func (u *Upstream) save(failed *bool) {
	err := u.keys.save()
	if err != nil && !*failed {
		u.log.Error("the record of upstream keys cannot be written", zap.Error(err))
	}
	*failed = err != nil
}
