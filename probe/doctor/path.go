package doctor

import (
	"strings"

	"github.com/lqproxy/lqproxy/probe"
)

// judgeWay judges the stages of a probe, as far as it came.
func judgeWay(r *probe.Report, host string) []Finding {
	var all []Finding
	if r.Resolve != nil {
		all = append(all, judgeResolve(r.Resolve, host))
	}
	if len(r.Connect) > 0 {
		all = append(all, judgeConnects(r.Connect))
	}
	if len(r.TLS) > 0 {
		all = append(all, judgeHandshakes(r.TLS))
	}
	for _, c := range r.Calls {
		if c.Verdict != "" {
			all = append(all, judgeCall(c))
		}
	}
	if r.Verdict == probe.PathOpen && len(r.Calls) == 0 {
		all = append(all, found(CallNone))
	}
	return all
}

func judgeResolve(r *probe.Resolve, host string) Finding {
	if len(r.Addresses) == 0 {
		return found(DNSFailed, host, r.Error, probe.Unresolved)
	}
	return found(DNSFound, host, len(r.Addresses), r.Source)
}

func judgeConnects(connects []probe.Connect) Finding {
	var bad []probe.Connect
	for _, c := range connects {
		if c.Verdict != probe.PathOpen {
			bad = append(bad, c)
		}
	}
	switch len(bad) {
	case 0:
		return found(ConnectAll, len(connects))
	case len(connects):
		return found(ConnectNone, bad[0].Verdict)
	}
	return found(ConnectSome, len(connects)-len(bad), len(connects), bad[0].Address, Outcome(bad[0].Verdict))
}

// judgeHandshakes judges stage 3: one good address is enough.
func judgeHandshakes(handshakes []probe.Handshake) Finding {
	bad := handshakes[0]
	for _, h := range handshakes {
		if h.Verdict == probe.PathOpen {
			return found(TLSGood, h.Version, h.Suite)
		}
		if len(h.Remedy) > 0 {
			bad = h
		}
	}
	if len(bad.Remedy) == 0 {
		return found(TLSBad, bad.Error, bad.Verdict)
	}
	var settings []string
	for _, s := range bad.Remedy {
		settings = append(settings, s.String())
	}
	return found(TLSRemedy, bad.Error, strings.Join(settings, ", "))
}

func judgeCall(c probe.Call) Finding {
	if c.Verdict == probe.Reached {
		return found(CallGood, c.Environment)
	}
	return found(CallBad, c.Environment, c.Verdict)
}
