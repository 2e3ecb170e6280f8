package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// measure goes through all stages.
func (l *lab) measure(ctx context.Context) (results, error) {
	r := results{records: map[string]record{}}
	for _, p := range programs {
		r.records[p.name] = record{}
	}
	stages := []func(context.Context, *results) error{l.load, l.crowd, l.idleConnections, l.bigBodies}
	for _, stage := range stages {
		if err := errors.Join(ctx.Err(), stage(ctx, &r)); err != nil {
			return results{}, err
		}
	}
	return r, nil
}

// running starts all of ps before upstream, and stops them after do.
func (l *lab) running(ctx context.Context, upstream string, ps []program, do func([]*process) error) error {
	var started []*process
	defer func() {
		for _, p := range started {
			p.stop()
		}
	}()
	for _, p := range ps {
		pr, err := l.start(ctx, p, upstream, l.proxyCPU)
		if err != nil {
			return err
		}
		started = append(started, pr)
	}
	return do(started)
}

// load measures the programs under a steady load and then at an offered rate.
func (l *lab) load(ctx context.Context, r *results) error {
	return l.running(ctx, l.fast.address, programs, func(ps []*process) error {
		l.say("steady load: %d connections, %d rounds of %v", connections, l.rounds, l.duration)
		if err := l.warmUp(ctx, ps); err != nil {
			return err
		}
		for range l.rounds {
			for _, p := range ps {
				if err := l.steadyRound(ctx, p, r.records[p.name]); err != nil {
					return err
				}
			}
			l.say("  CPU per exchange: %s", r.latest(cpuPerExchange))
		}
		return l.offeredRounds(ctx, r, ps)
	})
}

// warmUp lets every program fill its pools, and h2load meet each of them.
func (l *lab) warmUp(ctx context.Context, ps []*process) error {
	for _, p := range ps {
		if _, err := l.steady(ctx, p.address, min(l.duration, time.Second)); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) steadyRound(ctx context.Context, p *process, r record) error {
	var got load
	used, err := p.cpuUsed(func() (err error) {
		got, err = l.steady(ctx, p.address, l.duration)
		return err
	})
	if err != nil {
		return err
	}
	r.add(failures, float64(got.failed))
	if got.answered == 0 {
		return nil
	}
	r.add(rate, got.rate)
	r.add(cpuPerExchange, used.Seconds()*1e6/float64(got.answered))
	return nil
}

// cpuUsed returns the CPU time that the process uses while do runs.
func (p *process) cpuUsed(do func() error) (time.Duration, error) {
	before, err := cpuTime(p.pid)
	if err != nil {
		return 0, fmt.Errorf("measuring %s: %w", p.name, err)
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := cpuTime(p.pid)
	if err != nil {
		return 0, fmt.Errorf("measuring %s: %w", p.name, err)
	}
	return after - before, nil
}

// offeredRounds measures latency at half of tuned nginx's rate. The nginx of
// the guide is left out: it cannot carry that.
func (l *lab) offeredRounds(ctx context.Context, r *results, ps []*process) error {
	peak, ok := r.records[tunedNginx.name].median(rate)
	if !ok {
		return nil
	}
	r.offered, r.spread = peak/2, peak/4 // our own generator cannot carry more beside the upstream
	l.say("offered rate: %.0f/s in bursts and %.0f/s spread, %d rounds of %v", r.offered, r.spread, l.rounds, l.duration)
	for range l.rounds {
		for _, p := range ps {
			if p.name == guideNginx.name {
				continue
			}
			if err := l.offeredRound(ctx, p, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *lab) offeredRound(ctx context.Context, p *process, all *results) error {
	r := all.records[p.name]
	got, bursts, err := l.offered(ctx, p.address, l.duration, all.offered)
	if err != nil {
		return err
	}
	r.add(failures, float64(got.failed))
	r.addLatencies(bursts, burst50, burst99)

	even, failed, err := spread(ctx, p.address, l.duration, all.spread)
	if err != nil {
		return err
	}
	r.add(failures, float64(failed))
	r.addLatencies(even, spread50, spread99)
	return nil
}

// crowd lets many callers come at once while the upstream takes its time, and
// notes what the waiting costs in memory.
func (l *lab) crowd(ctx context.Context, r *results) error {
	l.say("%d callers at once, upstream taking %v", l.callers, slowness)
	for _, p := range programs {
		err := l.running(ctx, l.slow.address, []program{p}, func(ps []*process) error {
			return l.crowdOf(ctx, ps[0], r.records[p.name])
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) crowdOf(ctx context.Context, p *process, r record) error {
	callers := make(crowd, l.callers)
	defer callers.close()
	var used time.Duration
	peak, err := p.peakMemory(func() (err error) {
		used, err = p.cpuUsed(func() error {
			arrived, failedFirst := callers.arrive(ctx, p.address, slowRequest)
			again, failedAgain := callers.again(slowRequest)
			r.add(arriveTime, arrived.Seconds())
			r.add(againTime, again.Seconds())
			r.add(failures, float64(failedFirst+failedAgain))
			return nil
		})
		return err
	})
	r.add(crowdCPU, used.Seconds())
	r.add(busyMemory, peak)
	return err
}

// peakMemory returns the most bytes that were resident while do ran.
func (p *process) peakMemory(do func() error) (float64, error) {
	if err := forgetPeak(p.pid); err != nil {
		return 0, fmt.Errorf("measuring %s: %w", p.name, err)
	}
	if err := do(); err != nil {
		return 0, err
	}
	peak, err := memory(p.pid, "VmHWM")
	return float64(peak), err
}

// idleConnections measures what a connection costs that has had one exchange
// and waits for the next.
func (l *lab) idleConnections(ctx context.Context, r *results) error {
	l.say("%d idle connections", l.idle)
	for _, p := range []program{lqproxy, tunedNginx, haproxy} {
		err := l.running(ctx, l.fast.address, []program{p}, func(ps []*process) error {
			return l.idleAt(ctx, ps[0], r.records[p.name])
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) idleAt(ctx context.Context, p *process, r record) error {
	if err := l.warmUp(ctx, []*process{p}); err != nil {
		return err
	}
	before, err := memory(p.pid, "VmRSS")
	if err != nil {
		return err
	}
	callers := make(crowd, l.idle)
	defer callers.close()
	failed := callers.comeOneByOne(ctx, p.address)
	after, err := memory(p.pid, "VmRSS")
	r.add(failures, float64(failed))
	if failed < l.idle {
		r.add(idleMemory, float64(after-before)/float64(l.idle-failed))
	}
	return err
}

// comeOneByOne gives each caller a connection and one exchange, and returns
// how many failed.
func (cr crowd) comeOneByOne(ctx context.Context, address string) int {
	failed := 0
	for i := range cr {
		c, err := dial(ctx, address)
		if err == nil {
			cr[i] = c
			err = c.exchange(quickRequest)
		}
		if err != nil {
			failed++
		}
	}
	return failed
}

// A direction is a way in which bodies go.
type direction struct {
	time, cpu, memory metric
	transfer          func(c *caller, size int64) error
}

var directions = []direction{
	{uploadTime, uploadCPU, uploadMemory, (*caller).upload},
	{downloadTime, downloadCPU, downloadMemory, (*caller).download},
}

// bigBodies measures bodies of the size limit, either way.
func (l *lab) bigBodies(ctx context.Context, r *results) error {
	l.say("bodies of %d MiB, %d rounds of %d each way", l.bodySize>>20, l.bodyRounds, l.bodies)
	return l.running(ctx, l.slow.address, []program{lqproxy, tunedNginx, haproxy}, func(ps []*process) error {
		for range l.bodyRounds {
			for _, p := range ps {
				for _, d := range directions {
					if err := l.bodyRound(ctx, p, d, r.records[p.name]); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}

func (l *lab) bodyRound(ctx context.Context, p *process, d direction, r record) error {
	var used, took time.Duration
	passed := 0
	peak, err := p.peakMemory(func() (err error) {
		used, err = p.cpuUsed(func() error {
			start := time.Now()
			passed = l.transferBodies(ctx, p.address, d)
			took = time.Since(start)
			return ctx.Err()
		})
		return err
	})
	if err != nil {
		return err
	}
	r.add(failures, float64(l.bodies-passed))
	if passed < l.bodies {
		return nil // a time that holds failures says nothing
	}
	r.add(d.time, took.Seconds()/float64(l.bodies))
	r.add(d.cpu, used.Seconds()/float64(l.bodies))
	r.add(d.memory, peak)
	return nil
}

// transferBodies returns how many of the bodies passed.
func (l *lab) transferBodies(ctx context.Context, address string, d direction) int {
	passed := 0
	for range l.bodies {
		c, err := dial(ctx, address)
		if err != nil {
			continue
		}
		if d.transfer(c, l.bodySize) == nil {
			passed++
		}
		c.close()
	}
	return passed
}
