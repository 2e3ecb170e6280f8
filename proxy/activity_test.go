package proxy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// began is when the minutes of these tests begin.
var began = time.Unix(1_700_000_000, 0)

func TestMinuteForgetsWhatIsOlder(t *testing.T) {
	t.Parallel()
	m := minute{start: began}
	for i := range 200 { // one each second
		m.add(&spell{failed: i%2 == 0, answered: true, standing: standsForbidden}, began.Add(time.Duration(i)*time.Second))
	}
	for _, tt := range []struct {
		after     time.Duration
		exchanges int64
	}{
		{199 * time.Second, 60},
		{200*time.Second - 1, 60},
		{200 * time.Second, 59},
		{230 * time.Second, 29},
		{258 * time.Second, 1},
		{259 * time.Second, 0},
		{24 * time.Hour, 0},
	} {
		got := m.read(began.Add(tt.after))
		if got.Exchanges != tt.exchanges || got.Failures != tt.exchanges/2 || got.Forbidden != tt.exchanges {
			t.Errorf("read() after %v = %+v, want %d exchanges, half of them failed", tt.after, got, tt.exchanges)
		}
		if (got.TotalP95 == nil) != (tt.exchanges == 0) {
			t.Errorf("read() after %v: p95 %v with %d exchanges", tt.after, got.TotalP95, tt.exchanges)
		}
	}
}

func TestMinuteTellsStandingsApart(t *testing.T) {
	t.Parallel()
	m := minute{start: began}
	for _, s := range []spell{
		{total: 3 * time.Second, own: time.Second, answered: true},
		{total: 3 * time.Second, own: time.Second, answered: true, standing: standsForbidden},
		{total: 3 * time.Second, own: time.Second, answered: true, standing: standsNotFiled},
		{total: 3 * time.Second, own: time.Second, answered: true, standing: standsLimited},
		{total: 3 * time.Second, failed: true}, // its own share is not known
	} {
		m.add(&s, began)
	}
	got := m.read(began)
	want := Minute{Exchanges: 5, Failures: 1, Forbidden: 1, IPNotFiled: 1, FlowLimited: 1, TotalP95: got.TotalP95, OwnP95: got.OwnP95}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read() (-want +got):\n%s", diff)
	}
	if got.TotalP95 == nil || got.OwnP95 == nil || *got.TotalP95 < 3 || *got.TotalP95 > 3.75 || *got.OwnP95 < 1 || *got.OwnP95 > 1.25 {
		t.Errorf("p95 = %v, %v, want 3 s and 1 s, a quarter more at most", got.TotalP95, got.OwnP95)
	}
}

func TestCellsHoldTheirTimes(t *testing.T) {
	t.Parallel()
	last := 0
	for d := time.Duration(0); d < 4*time.Minute; d += max(d/50, time.Microsecond) {
		cell := cellOf(d)
		if cell < last || cell >= timeCells {
			t.Fatalf("cellOf(%v) = %d behind %d of %d", d, cell, last, timeCells)
		}
		last = cell
		if end := endOf(cell); end <= d || end > d+d/4+time.Microsecond {
			t.Fatalf("endOf(cellOf(%v)) = %v, want above it, by a quarter at most", d, end)
		}
		if cell > 0 && endOf(cell-1) > d {
			t.Fatalf("%v is in cell %d, but the one before ends at %v", d, cell, endOf(cell-1))
		}
	}
	for _, d := range []time.Duration{-1, 0} {
		if got := cellOf(d); got != 0 {
			t.Errorf("cellOf(%v) = %d, want 0", d, got)
		}
	}
	if got := cellOf(1000 * time.Hour); got != timeCells-1 {
		t.Errorf("cellOf(1000h) = %d, want the last, %d", got, timeCells-1)
	}
}

func TestQuantileIsNearTheExactOne(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	var all []time.Duration
	var counted times
	for range 10_000 {
		d := time.Duration(random.ExpFloat64() * float64(time.Second))
		all = append(all, d)
		counted.add(d)
	}
	slices.Sort(all)
	exact := all[len(all)*95/100].Seconds()
	if got := *counted.quantile(.95); got < exact*.99 || got > exact*1.26 {
		t.Errorf("quantile(.95) = %v, want %v or a quarter more at most", got, exact)
	}
}

func addrOf(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// TestRefusalsFindTheFrequent: among a flood of sources that come once each.
func TestRefusalsFindTheFrequent(t *testing.T) {
	t.Parallel()
	var r refusals
	frequent := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	for i := range 100_000 {
		now := began.Add(time.Duration(i) * time.Millisecond)
		r.add(addrOf(i), SourceRefused, now)
		if i%10 == 0 {
			r.add(frequent[i/10%2], TLSHandshake, now)
		}
	}
	top := r.top()
	if len(top) != refusedShown {
		t.Fatalf("%d shown, want %d", len(top), refusedShown)
	}
	for _, e := range top[:2] {
		if !slices.Contains(frequent, e.Source) || e.Reason != TLSHandshake || e.Count > 5000 || e.Count < 4000 {
			t.Errorf("top has %+v, want %v with at most 5000 and not much less", e, frequent)
		}
		if e.Last.Before(began.Add(99 * time.Second)) {
			t.Errorf("last of %v = %v, want the last one", e.Source, e.Last)
		}
	}
	for _, e := range top[2:] {
		if e.Count != 1 {
			t.Errorf("a source that came once counts %d", e.Count)
		}
	}
}

func TestRefusalsOfFewAreExact(t *testing.T) {
	t.Parallel()
	var r refusals
	for i := range refusedKept {
		for range i + 1 {
			r.add(addrOf(i), SourceRefused, began)
		}
	}
	for i, e := range r.top() {
		want := RefusedSource{addrOf(refusedKept - 1 - i), int64(refusedKept - i), began, SourceRefused}
		if e != want {
			t.Errorf("top %d = %+v, want %+v", i, e, want)
		}
	}
	if got := new(refusals).top(); got == nil || len(got) != 0 {
		t.Errorf("top() of none = %#v, want a list without entries", got)
	}
}

func TestActivityIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	a := newActivity(began)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 1000 {
				a.minute.add(&spell{}, began)
				a.refusals.add(addrOf(n%100), SourceRefused, began)
				a.limits[limitQueue].is(began)
				if n%100 == i {
					a.read(began)
				}
			}
		})
	}
	all.Wait()
	if got := a.read(began).LastMinute.Exchanges; got != 4000 {
		t.Errorf("exchanges = %d, want 4000", got)
	}
}

// TestActivityOfAServer: each kind of thing is noted where it happens.
func TestActivityOfAServer(t *testing.T) {
	t.Parallel()
	forbidden := "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
	notFiled := answerWith(`{"body":"","httpStatusCode":"4067"}`)
	limited := answerWith("当前访问请求较多，请5分钟后重试，将访问并发控制在3以内")
	p := newPeer(t, answering(okAnswer, forbidden, notFiled, limited))
	g := start(t, p.addr, parts{options: func(o *Options) { o.Sources = sources("127.0.0.1/32") }})
	c := g.dial()
	for range 4 {
		c.send(call)
		c.answer()
	}
	c.send("POST /elsewhere HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	c.answer()
	for range 5 {
		g.access.next(t) // the line is written behind the accounting
	}
	g.wantResetFor("127.0.0.9")

	a := g.metrics.Activity()
	got := []int64{
		a.LastMinute.Exchanges, a.LastMinute.Failures, a.LastMinute.Forbidden, a.LastMinute.IPNotFiled, a.LastMinute.FlowLimited,
		a.Forbidden.Count, a.IPNotFiled.Count, a.FlowLimited.Count,
	}
	if diff := cmp.Diff([]int64{5, 1, 1, 1, 1, 1, 1, 1}, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if a.Forbidden.Last.IsZero() || a.IPNotFiled.Last.IsZero() || a.FlowLimited.Last.IsZero() || a.LastMinute.OwnP95 == nil {
		t.Errorf("Activity() = %+v, want each with its time", a)
	}
	if last, ok := a.Failures[PathRefused]; !ok || last.IsZero() || len(a.Failures) != 1 {
		t.Errorf("failures = %v, want %s alone", a.Failures, PathRefused)
	}
	if len(a.Refused) != 1 || a.Refused[0].Source.String() != "127.0.0.9" || a.Refused[0].Count != 1 {
		t.Errorf("refused = %+v, want 127.0.0.9 once", a.Refused)
	}
}

// TestActivityShowsLimits: who finds no room is noted with the limit.
func TestActivityShowsLimits(t *testing.T) {
	t.Parallel()
	g := start(t, newPeer(t, answering(okAnswer)).addr, parts{options: func(o *Options) { o.Limits.Connections = 1 }})
	c := g.dial()
	c.send(call)
	c.answer() // it is admitted by now
	g.wantResetFor("127.0.0.1")
	a := g.metrics.Activity()
	if a.Limits[limitConnections].IsZero() || len(a.Limits) != 1 {
		t.Errorf("limits = %v, want that of connections", a.Limits)
	}
}

func answerWith(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}
