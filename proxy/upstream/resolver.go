package upstream

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// How often the host is resolved: at most, and when all addresses fail, at least.
const (
	resolveEvery = 30 * time.Second
	resolvePause = 5 * time.Second
	lookupLimit  = 10 * time.Second
)

// A lookupFunc returns the addresses of host. It is the seam through which
// tests change DNS.
type lookupFunc func(ctx context.Context, host string) ([]netip.Addr, error)

func systemLookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// A resolver keeps the addresses of one host up to date. Safe for concurrent use.
type resolver struct {
	host   string
	local  netip.Addr // addresses of another family are of no use
	fixed  bool       // nothing is ever looked up
	lookup lookupFunc
	set    *addresses
	log    *zap.Logger
	m      gauges

	turn   chan struct{} // holds one token while a lookup runs
	wanted chan struct{} // asks keep for a lookup before its time
	last   atomic.Pointer[lookupResult]
}

// A lookupResult is how a lookup ended.
type lookupResult struct{ err error }

func newResolver(o Options, set *addresses, m gauges, log *zap.Logger) *resolver {
	r := &resolver{
		host: o.Host, local: o.LocalAddress, lookup: systemLookup, set: set, log: log, m: m,
		turn: make(chan struct{}, 1), wanted: make(chan struct{}, 1),
	}
	fixed := o.FixedIPs
	if addr, err := netip.ParseAddr(o.Host); err == nil && len(fixed) == 0 {
		fixed = []netip.Addr{addr}
	}
	if len(fixed) > 0 {
		r.fixed = true
		r.set.replace(usable(fixed, o.LocalAddress))
	}
	return r
}

// ensure returns once an address is known, or with the error of the lookup that
// found none. Callers that wait for the same lookup share its outcome.
func (r *resolver) ensure(ctx context.Context) error {
	if r.set.known() {
		return nil
	}
	if r.fixed { // the literal address of a family that local_address excludes
		return r.noneUsable()
	}
	before := r.last.Load()
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if r.set.known() {
		return nil
	}
	if last := r.last.Load(); last != before {
		return last.err
	}
	return r.refresh(ctx)
}

// keep resolves the host at once, every resolveEvery and when asked to, until
// ctx is done.
func (r *resolver) keep(ctx context.Context) {
	if r.fixed {
		return
	}
	_ = r.ensure(ctx) // noted and logged by refresh, as below
	for pause(ctx, resolvePause, nil) && pause(ctx, resolveEvery-resolvePause, r.wanted) {
		select {
		case r.turn <- struct{}{}:
			_ = r.refresh(ctx)
			<-r.turn
		case <-ctx.Done():
		}
	}
}

// want asks keep for a lookup, at most one every resolvePause.
func (r *resolver) want() { signal(r.wanted) }

// refresh looks the host up. The last good set stays when that fails. The caller
// holds the turn.
func (r *resolver) refresh(ctx context.Context) error {
	list, err := r.find(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx) // says nothing about the host
	}
	last := r.last.Swap(&lookupResult{err})
	if err != nil {
		if last == nil || last.err == nil {
			r.log.Warn("resolving the upstream failed", zap.String(keyHost, r.host), zap.Error(err))
		}
		return err
	}
	former, changed := r.set.replace(list)
	r.m.setAddresses(len(list))
	if changed && len(former) > 0 {
		r.log.Info("upstream addresses changed", event(eventAddressesChanged), zap.String(keyHost, r.host),
			zap.Stringers(keyFormer, former), zap.Stringers(keyAddresses, list))
	}
	return nil
}

// find returns the usable addresses of the host: at least one, or an error.
func (r *resolver) find(ctx context.Context) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()

	start := time.Now()
	found, err := r.lookup(ctx, r.host)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no addresses", r.host)
	}
	r.m.m.resolve.Observe(time.Since(start).Seconds())
	if list := usable(found, r.local); len(list) > 0 {
		return list, nil
	}
	return nil, r.noneUsable()
}

func (r *resolver) noneUsable() error {
	return fmt.Errorf("%s has no address of the family of the local address %v", r.host, r.local)
}

// failure returns the error of the last lookup, or nil.
func (r *resolver) failure() error {
	if last := r.last.Load(); last != nil {
		return last.err
	}
	return nil
}

// usable returns the addresses that can be dialled from local, each once and
// without an IPv4 address's IPv6 clothes.
func usable(list []netip.Addr, local netip.Addr) []netip.Addr {
	var out []netip.Addr
	for _, addr := range list {
		addr = addr.Unmap()
		if local.IsValid() && addr.Is4() != local.Unmap().Is4() || slices.Contains(out, addr) {
			continue
		}
		out = append(out, addr)
	}
	return out
}

// pause waits for d, or for early, and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration, early <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-early:
	case <-ctx.Done():
		return false
	}
	return true
}

// signal leaves a token in c unless one is there already.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
