package upstream

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	errDead = errors.New("dead")
	epoch   = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

func ips(t testing.TB, texts ...string) []netip.Addr {
	t.Helper()
	var list []netip.Addr
	for _, s := range texts {
		list = append(list, netip.MustParseAddr(s))
	}
	return list
}

func texts(list []netip.Addr) []string {
	var s []string
	for _, a := range list {
		s = append(s, a.String())
	}
	return s
}

func TestOrderOfAddresses(t *testing.T) {
	t.Parallel()
	list := ips(t, "10.0.0.1", "10.0.0.2", "10.0.0.3")
	tests := []struct {
		name   string
		events func(a *addresses)
		after  time.Duration
		want   []string
	}{
		{"untried", func(*addresses) {}, 0, []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}},
		{"one answered", func(a *addresses) { a.answered(list[2], epoch) }, 0, []string{"10.0.0.3", "10.0.0.1", "10.0.0.2"}},
		{"one failed", func(a *addresses) { a.failed(list[0], errDead, epoch) }, 0, []string{"10.0.0.2", "10.0.0.3", "10.0.0.1"}},
		{"the one that answered last failed", func(a *addresses) {
			a.answered(list[0], epoch)
			a.failed(list[0], errDead, epoch)
		}, 0, []string{"10.0.0.2", "10.0.0.3", "10.0.0.1"}},
		{"the soonest ready first", func(a *addresses) {
			a.failed(list[0], errDead, epoch.Add(2*time.Second))
			a.failed(list[1], errDead, epoch.Add(time.Second))
			a.failed(list[2], errDead, epoch)
		}, 3 * time.Second, []string{"10.0.0.3", "10.0.0.2", "10.0.0.1"}},
		{"cooled down", func(a *addresses) { a.failed(list[0], errDead, epoch) }, 5 * time.Second, []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}},
		{"no route", func(a *addresses) { a.skipped(list[0], errDead, epoch) }, 59 * time.Second, []string{"10.0.0.2", "10.0.0.3", "10.0.0.1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := &addresses{}
			a.replace(list)
			tt.events(a)
			if diff := cmp.Diff(tt.want, texts(a.order(epoch.Add(tt.after)))); diff != "" {
				t.Errorf("order() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCoolDownGrowsAndIsForgotten(t *testing.T) {
	t.Parallel()
	a, addr := &addresses{}, netip.MustParseAddr("10.0.0.1")
	a.replace([]netip.Addr{addr})
	now := epoch
	fail := func() time.Duration {
		a.failed(addr, errDead, now)
		a.failed(addr, errDead, now.Add(time.Millisecond)) // one that ran beside it counts with it
		d := a.list[0].coolUntil.Sub(now)
		now = a.list[0].coolUntil
		return d
	}
	for _, want := range []time.Duration{5, 10, 20, 40, 60, 60} {
		if got := fail(); got != want*time.Second {
			t.Errorf("cool-down = %v, want %v", got, want*time.Second)
		}
	}
	a.answered(addr, now)
	if got := fail(); got != coolFirst {
		t.Errorf("cool-down after an answer = %v, want %v", got, coolFirst)
	}
}

func TestCircuit(t *testing.T) {
	t.Parallel()
	failure := &Error{Phase: PhaseDial, Err: errDead}
	a, list := &addresses{}, ips(t, "10.0.0.1", "10.0.0.2")
	a.replace(list)
	at := func(d time.Duration) time.Time { return epoch.Add(d) }
	want := func(d time.Duration, want *Error) {
		t.Helper()
		if got := a.blocked(at(d)); got != want {
			t.Errorf("after %v: blocked() = %v, want %v", d, got, want)
		}
	}

	want(0, nil)
	a.failed(list[0], errDead, at(0))
	want(0, nil) // the other may be well
	a.failed(list[1], errDead, at(0))
	a.exhausted(failure, at(0))
	want(0, failure)
	want(5*time.Second-1, failure)
	want(5*time.Second, nil) // cooled down
	for _, addr := range list {
		a.failed(addr, errDead, at(6*time.Second)) // until 16 s
	}
	a.exhausted(failure, at(6*time.Second))
	want(7*time.Second, failure)
	want(11*time.Second, nil) // a trial
	want(11*time.Second, failure)
	want(15*time.Second, failure)
	want(16*time.Second, nil)

	a.failed(list[0], errDead, at(16*time.Second))
	a.failed(list[1], errDead, at(16*time.Second))
	a.exhausted(failure, at(16*time.Second))
	a.replace(ips(t, "10.0.0.1", "10.0.0.9"))
	want(17*time.Second, nil) // a new address
	a.answered(list[0], at(17*time.Second))
	want(17*time.Second, nil)
}

func TestCircuitWithoutAddresses(t *testing.T) {
	t.Parallel()
	a, failure := &addresses{}, &Error{Phase: PhaseResolve, Err: errDead}
	if got := a.blocked(epoch); got != nil {
		t.Errorf("blocked() at the start = %v, want nil", got)
	}
	a.exhausted(failure, epoch)
	if got := a.blocked(epoch.Add(time.Second)); got != failure {
		t.Errorf("blocked() = %v, want %v", got, failure)
	}
	if got := a.blocked(epoch.Add(trialEvery)); got != nil {
		t.Errorf("blocked() at the trial = %v, want nil", got)
	}
}

func TestReplaceTellsWhetherTheSetChanged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		from, to  []string
		want      bool
		keptState bool
	}{
		{"the first", nil, []string{"10.0.0.1"}, true, false},
		{"the same", []string{"10.0.0.1"}, []string{"10.0.0.1"}, false, true},
		{"another order", []string{"10.0.0.1", "10.0.0.2"}, []string{"10.0.0.2", "10.0.0.1"}, false, true},
		{"one more", []string{"10.0.0.1"}, []string{"10.0.0.1", "10.0.0.2"}, true, true},
		{"one less", []string{"10.0.0.1", "10.0.0.2"}, []string{"10.0.0.1"}, true, true},
		{"another", []string{"10.0.0.1"}, []string{"10.0.0.2"}, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, first := &addresses{}, netip.MustParseAddr("10.0.0.1")
			a.replace(ips(t, tt.from...))
			a.failed(first, errDead, epoch)
			former, changed := a.replace(ips(t, tt.to...))
			if changed != tt.want {
				t.Errorf("replace() changed = %v, want %v", changed, tt.want)
			}
			if diff := cmp.Diff(tt.from, texts(former)); diff != "" {
				t.Errorf("replace() former (-want +got):\n%s", diff)
			}
			if x := a.find(first); (x != nil && x.failures == 1) != tt.keptState {
				t.Errorf("what is known of %v = %+v, want kept = %v", first, x, tt.keptState)
			}
		})
	}
}
