package probe

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// hostsFile is where the resolver looks first.
const hostsFile = "/etc/hosts"

// resolve is stage 1. It reports whether there is an address.
func (p *prober) resolve(ctx context.Context) bool {
	p.o.Observe(Progress{Stage: StageResolve, Address: p.o.Upstream.Host})
	start := time.Now()
	list, err := p.up.Resolve(ctx)
	if ctx.Err() != nil {
		return false
	}
	r := &Resolve{Source: p.source(list), Addresses: append([]netip.Addr{}, list...), Took: Took(time.Since(start))}
	if err != nil {
		r.Error = bare(err)
	}
	p.report.Resolve = r
	return len(list) > 0
}

// source returns where the addresses in list come from.
func (p *prober) source(list []netip.Addr) Source {
	o := p.o.Upstream
	switch {
	case p.o.Address.IsValid():
		return SourceChosen
	case len(o.FixedIPs) > 0:
		return SourceFixed
	}
	if _, err := netip.ParseAddr(o.Host); err == nil {
		return SourceHost
	}
	f, err := os.Open(hostsFile)
	if err != nil {
		return SourceDNS
	}
	defer f.Close() //nolint:errcheck // it was read alone
	if inHosts(f, o.Host, list) {
		return SourceHosts
	}
	return SourceDNS
}

// inHosts reports whether hosts gives host one of the addresses in list. The
// resolver asks nobody else then.
func inHosts(hosts io.Reader, host string, list []netip.Addr) bool {
	for lines := bufio.NewScanner(hosts); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		addr, err := netip.ParseAddr(words[0])
		named := slices.ContainsFunc(words[1:], func(name string) bool { return strings.EqualFold(name, host) })
		if err == nil && named && slices.Contains(list, addr.Unmap()) {
			return true
		}
	}
	return false
}

// bare returns the text of err without what the report says anyway: the step
// and the address.
func bare(err error) string {
	if e, ok := errors.AsType[*upstream.Error](err); ok {
		err = e.Err
	}
	return cause(err)
}
