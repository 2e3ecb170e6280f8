package doctor

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/probe"
)

var (
	target  = netip.MustParseAddrPort("192.0.2.9:8443")
	target6 = netip.MustParseAddrPort("[2001:db8::9]:8443")
)

// hops reads "r1 * r3 t": a letter for the kind and the last part of the address.
func hops(t *testing.T, text string) []Hop {
	t.Helper()
	kinds := map[byte]HopKind{'r': HopRouter, '*': HopSilent, 't': HopTarget, 'x': HopRefused, 'b': HopBarred}
	var all []Hop
	for word := range strings.FieldsSeq(text) {
		h := Hop{Kind: kinds[word[0]]}
		if word[1:] != "" {
			h.Addr = netip.MustParseAddr("10.0.0." + word[1:])
		}
		all = append(all, h)
	}
	return all
}

func TestWalk(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		silence int
		path    string // the last hop repeats
		want    string // of judgeTrace
		hops    int
	}{
		{"reached", maxHops, "r1 r2 t9", "ok route_reached [192.0.2.9] [3]", 3},
		{"routers are silent", maxHops, "* * * * * * * * t9", "ok route_reached [192.0.2.9] [9]", 9},
		{"ends", maxSilence, "r1 r2 *", "fail route_ends [192.0.2.9] [10.0.0.2] [2]", 8},
		{"a router passes over", maxSilence, "r1 * * r4 *", "fail route_ends [192.0.2.9] [10.0.0.4] [4]", 10},
		{"a router without a name", maxSilence, "r1 r *", "fail route_ends [192.0.2.9] [?] [2]", 8},
		{"silent", maxSilence, "*", "fail route_silent [192.0.2.9]", 6},
		{"refused", maxHops, "r1 x9", "fail route_refused [192.0.2.9] [2]", 2},
		{"barred", maxHops, "r1 b2", "fail route_barred [192.0.2.9] [10.0.0.2] [2]", 2},
		{"endless", maxHops, "r1 r2", "fail route_ends [192.0.2.9] [10.0.0.2] [30]", 30},
	} {
		path := hops(t, tt.path)
		got := walk(t.Context(), target, tt.silence, func(_ context.Context, ttl int) (Hop, error) {
			return path[min(ttl, len(path))-1], nil
		})
		if len(got.Hops) != tt.hops {
			t.Errorf("walk(%s) has %d hops, want %d", tt.name, len(got.Hops), tt.hops)
		}
		checkFindings(t, "judgeTrace("+tt.name+")", tt.want, judgeTrace(got))
	}
}

func TestWalkWithoutARoute(t *testing.T) {
	t.Parallel()
	got := walk(t.Context(), target, maxHops, func(context.Context, int) (Hop, error) {
		return Hop{}, errors.New("network is unreachable")
	})
	checkFindings(t, "judgeTrace", "warn route_none [192.0.2.9] [network is unreachable]", judgeTrace(got))
}

func TestTargets(t *testing.T) {
	t.Parallel()
	at := func(text string, v probe.Verdict) probe.Connect {
		return probe.Connect{Address: netip.MustParseAddrPort(text), Verdict: v}
	}
	for _, tt := range []struct {
		name     string
		connects []probe.Connect
		want     []string
	}{
		{"none", nil, nil},
		{"all good", []probe.Connect{at("192.0.2.1:1", probe.PathOpen), at("192.0.2.2:1", probe.PathOpen)}, []string{"192.0.2.1:1"}},
		{"the bad one", []probe.Connect{at("192.0.2.1:1", probe.PathOpen), at("192.0.2.2:1", probe.TimedOut)}, []string{"192.0.2.2:1"}},
		{"both families", []probe.Connect{at("[2001:db8::1]:1", probe.Unreachable), at("192.0.2.2:1", probe.PathOpen)}, []string{"192.0.2.2:1", "[2001:db8::1]:1"}},
	} {
		var got []string
		for _, c := range targets(tt.connects) {
			got = append(got, c.Address.String())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("targets(%s) (-want +got):\n%s", tt.name, diff)
		}
	}
}
