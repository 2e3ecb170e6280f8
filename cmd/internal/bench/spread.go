package main

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// spread offers rate requests per second at even distances, whether or not
// answers come, and returns the latencies, sorted, and how many requests
// failed. h2load cannot do that: its connections all send in the same moment.
// A latency counts from when the request was due to go, so that it holds the
// wait for a free connection.
func spread(ctx context.Context, address string, d time.Duration, rate float64) ([]time.Duration, int, error) {
	callers := make(crowd, connections)
	defer callers.close()
	if failed := callers.comeOneByOne(ctx, address); failed > 0 {
		return nil, failed, nil
	}
	due := make(chan time.Time, int(d.Seconds()*rate)+1) // the pace never waits for the callers
	found := make([]tally, len(callers))
	settledAt := time.Now().Add(settling)
	var wg sync.WaitGroup
	for i, c := range callers {
		wg.Go(func() { found[i] = c.callAll(due, settledAt) })
	}
	pace(ctx, due, d, rate)
	wg.Wait()

	var all tally
	for _, t := range found {
		all.latencies = append(all.latencies, t.latencies...)
		all.failed += t.failed
	}
	slices.Sort(all.latencies)
	return all.latencies, all.failed, nil
}

// pace sends to due, evenly for d, and closes it. It sleeps in the kernel, as
// the timers of the runtime tick in milliseconds.
func pace(ctx context.Context, due chan<- time.Time, d time.Duration, rate float64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(due)
	start := time.Now()
	gap := float64(time.Second) / rate
	for n := 0; ctx.Err() == nil; n++ {
		at := time.Duration(float64(n) * gap)
		if at >= d {
			return
		}
		if wait := at - time.Since(start); wait > 0 {
			ts := syscall.NsecToTimespec(wait.Nanoseconds())
			_ = syscall.Nanosleep(&ts, nil) // woken early it is early by one request
		}
		due <- time.Now()
	}
}

// A tally is what one caller found.
type tally struct {
	latencies []time.Duration
	failed    int
}

// callAll makes an exchange for each of due, until one fails: the connection is
// of no use then, and what it would have taken is left to the others.
func (c *caller) callAll(due <-chan time.Time, settledAt time.Time) tally {
	var t tally
	size, err := c.answerLength()
	if err != nil {
		t.failed++
		return t
	}
	answer := make([]byte, size)
	for since := range due {
		if err := c.exchangeAlike(answer); err != nil {
			t.failed++
			return t
		}
		if since.After(settledAt) {
			t.latencies = append(t.latencies, time.Since(since))
		}
	}
	return t
}

// answerLength returns how long an answer of the fast upstream is, head and
// body, after it came through a proxy. The next ones are as long.
func (c *caller) answerLength() (int, error) {
	if err := c.conn.SetDeadline(time.Now().Add(exchangeTimeout)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(quickRequest); err != nil {
		return 0, err
	}
	head := 0
	for {
		line, err := c.r.ReadSlice('\n')
		head += len(line)
		if err != nil {
			return 0, err
		}
		if len(line) == len("\r\n") {
			_, err := c.r.Discard(answerSize)
			return head + answerSize, err
		}
	}
}

var errNot200 = errors.New("answer is not 200")

// exchangeAlike is exchange without what costs: callers and upstream share a
// core, and who measures latency must not be what waits.
func (c *caller) exchangeAlike(answer []byte) error {
	if _, err := c.conn.Write(quickRequest); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.r, answer); err != nil {
		return err
	}
	if string(answer[len("HTTP/1.1 "):len("HTTP/1.1 200")]) != "200" {
		return errNot200
	}
	return nil
}
