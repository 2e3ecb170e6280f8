package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"
)

// connect is stage 2: a connection to each address, one after the other, closed
// as soon as it is there.
func (p *prober) connect(ctx context.Context) {
	for _, addr := range p.report.Resolve.Addresses {
		c := p.connectTo(ctx, addr)
		if ctx.Err() != nil {
			return
		}
		p.report.Connect = append(p.report.Connect, c)
	}
}

func (p *prober) connectTo(ctx context.Context, addr netip.Addr) Connect {
	c := Connect{Address: netip.AddrPortFrom(addr, p.o.Upstream.Port), Verdict: PathOpen}
	p.o.Observe(Progress{Stage: StageConnect, Address: c.Address.String()})
	start := time.Now()
	link, err := p.up.Dial(ctx, addr)
	c.Took = Took(time.Since(start))
	if err != nil {
		c.Verdict, c.Error = judgeDial(err), bare(err)
		return c
	}
	c.Local = link.Local()
	link.Close()
	return c
}

// cause returns the text of err without the address and the operation, where
// the system is to blame: "connection refused".
func cause(err error) string {
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return lookup.Err
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		return call.Err.Error()
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err.Error()
	}
	return err.Error()
}
