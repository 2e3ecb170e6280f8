package doctor

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/lqproxy/lqproxy/probe"
)

// A Trace is the way of a connection to one address, router by router.
type Trace struct {
	Target netip.AddrPort
	Hops   []Hop
	Error  string // why there is no more of it; "": it was made to its end
}

// A Hop is what came back to a connection that may pass so many routers.
type Hop struct {
	Kind HopKind
	Addr netip.Addr // of whoever answered; zero: nobody, or the system does not tell
	Took time.Duration
}

// HopKind is how a connection ended.
type HopKind string

// The kinds of hops. All but the first two end a trace.
const (
	HopSilent  HopKind = "silent"  // nothing came back
	HopRouter  HopKind = "router"  // a router told that the hops were used up
	HopTarget  HopKind = "target"  // the target accepted
	HopRefused HopKind = "refused" // somebody refused in the name of the target
	HopBarred  HopKind = "barred"  // somebody told that there is no way on
)

// Bounds of a trace.
const (
	maxHops    = 30
	maxSilence = 6                       // hops in a row, before a target that does not answer is given up
	hopTimeout = 1500 * time.Millisecond // the system repeats a lost SYN after one second
)

// TraceTo follows the way of TCP connections from local (zero: the system's
// choice) to target. It needs no rights on Linux 5.18 and later; before, only root
// learns which routers answer. reachable says whether the target is known to
// answer: then silent routers are passed over to the end. It opens one connection
// at a time, and runs until ctx is done at most.
func TraceTo(ctx context.Context, target netip.AddrPort, local netip.Addr, reachable bool) Trace {
	t := newTracer(target, local)
	defer t.close()
	silence := maxSilence
	if reachable {
		silence = maxHops
	}
	return walk(ctx, target, silence, t.hop)
}

// walk asks hop by hop until the trace ends.
func walk(ctx context.Context, target netip.AddrPort, silence int, ask func(ctx context.Context, ttl int) (Hop, error)) Trace {
	trace := Trace{Target: target}
	silent := 0
	for ttl := 1; ttl <= maxHops && silent < silence; ttl++ {
		hop, err := ask(ctx, ttl)
		if err != nil {
			trace.Error = err.Error()
			return trace
		}
		trace.Hops = append(trace.Hops, hop)
		switch hop.Kind {
		case HopSilent:
			silent++
		case HopRouter:
			silent = 0
		default:
			return trace
		}
	}
	return trace
}

// targets chooses which addresses to trace: one of each family, and of those one
// that did not answer. It tells which are known to.
func targets(connects []probe.Connect) (chosen []probe.Connect) {
	for _, is6 := range []bool{false, true} {
		var best *probe.Connect
		for i, c := range connects {
			if c.Address.Addr().Is6() != is6 {
				continue
			}
			if best == nil || best.Verdict == probe.PathOpen && c.Verdict != probe.PathOpen {
				best = &connects[i]
			}
		}
		if best != nil {
			chosen = append(chosen, *best)
		}
	}
	return chosen
}

// judgeTrace says where the answers stop.
func judgeTrace(t Trace) Finding {
	target := t.Target.Addr()
	if t.Error != "" {
		return found(RouteNone, target, t.Error)
	}
	at, last := lastAnswer(t.Hops)
	switch last.Kind {
	case HopTarget:
		return found(RouteReached, target, at)
	case HopRefused:
		return found(RouteRefused, target, at)
	case HopBarred:
		return found(RouteBarred, target, named(last.Addr), at)
	case HopRouter:
		return found(RouteEnds, target, named(last.Addr), at)
	}
	return found(RouteSilent, target)
}

// lastAnswer returns the last hop that answered, and its number; 0 if none did.
func lastAnswer(hops []Hop) (int, Hop) {
	for i, h := range slices.Backward(hops) {
		if h.Kind != HopSilent {
			return i + 1, h
		}
	}
	return 0, Hop{Kind: HopSilent}
}

// named returns the text of addr, "?" for one that is not known.
func named(addr netip.Addr) string {
	if !addr.IsValid() {
		return "?"
	}
	return addr.String()
}
