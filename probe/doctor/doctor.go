package doctor

import (
	"context"
	"os"
	"runtime"
	"time"

	"github.com/lqproxy/lqproxy/probe"
)

// Run examines the machine and the way. When ctx is done it ends early, and the
// report has what was learnt so far. The error is one of the options.
func Run(ctx context.Context, o Options) (*Report, error) {
	m := newMachine(&o)
	r := &Report{Began: time.Now(), Host: Host{Arch: runtime.GOARCH}}
	r.Host.Name, _ = os.Hostname() // a machine without a name can be examined too
	r.machine(m, &o)
	r.service(ctx, m, &o)
	if err := r.way(ctx, &o); err != nil {
		return nil, err
	}
	r.Interrupted = ctx.Err() != nil
	return r, nil
}

func (r *Report) add(findings ...Finding) { r.Findings = append(r.Findings, findings...) }

// machine is step 1.
func (r *Report) machine(m machine, o *Options) {
	o.observe(System)
	var f Finding
	r.Host.System, f = m.system()
	r.add(f)
	r.Host.Kernel, f = m.kernel()
	r.add(f, judgeArch(r.Host.Arch), m.resources())
	r.add(m.disk(o.Logs, r.Began)...)
	pid := 0
	if o.Instance.Running != nil {
		pid = o.Instance.Running.PID
	}
	r.add(m.descriptors(pid, o.Descriptors))
	r.add(m.mounts(o.Instance.Binary)...)
	r.add(m.selinux(), m.fips())
}

// service is step 2.
func (r *Report) service(ctx context.Context, m machine, o *Options) {
	o.observe(Service)
	r.add(judgeConfig(o.Config)...)
	r.add(m.service(ctx, o.Instance, o.Config.File)...)
	for _, port := range o.Ports {
		r.add(m.port(port, o.Instance))
	}
	if o.Public {
		r.add(m.sources(o.Logs.Access))
	}
	if l := o.Firewall; l != nil {
		f := found(FirewallSays, l.Text)
		f.State = l.State
		r.add(f)
	}
}

// way is steps 3 to 6.
func (r *Report) way(ctx context.Context, o *Options) (err error) {
	if r.Probe, err = probe.Run(ctx, o.Probe); err != nil {
		return err
	}
	r.add(judgeWay(r.Probe, o.Probe.Upstream.Host)...)
	if ctx.Err() != nil {
		return nil
	}
	if r.Probe.Verdict == probe.Reached || r.Probe.Verdict == probe.PathOpen {
		o.observe(Clock)
		r.Offset = clockOffset(ctx, o.Probe)
	}
	r.add(judgeClock(r.Offset))
	o.observe(Route)
	for _, c := range targets(r.Probe.Connect) {
		t := TraceTo(ctx, c.Address, o.Probe.Upstream.LocalAddress, c.Verdict == probe.PathOpen)
		if ctx.Err() != nil {
			return nil
		}
		r.Traces = append(r.Traces, t)
		r.add(judgeTrace(t))
	}
	o.observe(Egress)
	r.Egress = egress(ctx, o, r.Probe)
	r.add(judgeEgress(r.Egress, o.FiledIPs))
	return nil
}
