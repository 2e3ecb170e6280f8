package firewall

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// Options say what an instance wants of the host.
type Options struct {
	Instance string // "" is the unnamed one
	Backend  Kind
	Policy   Policy
	Zones    []string         // firewalld: instead of those that serve Listen
	Listen   []netip.AddrPort // the listeners' addresses
	Folders  Folders
}

// A Manager keeps the host in step with the policy of one instance. It is not
// safe for concurrent use; managers in several processes wait for each other.
type Manager struct{ o Options }

// NewManager returns a manager; it does nothing yet.
func NewManager(o Options) *Manager { return &Manager{o} }

// A Consent is what else an apply may take away.
type Consent struct {
	Adopt      bool // old accept rules of our shape for our ports
	ClosePorts bool // the ports, opened for everyone
}

// A Report is what there is on the host, and what would have to change, or was
// changed.
type Report struct {
	Backend  Kind      `json:"backend"`
	Managed  bool      `json:"managed"` // something was applied
	Policy   Policy    `json:"policy"`
	Changes  []Change  `json:"changes"`
	Findings []Finding `json:"findings"`
	Steps    []Step    `json:"-"`
}

// InSync reports whether the host admits the sources of the policy and nobody
// else, as far as can be seen.
func (r Report) InSync() bool {
	return r.Managed && len(r.Steps) == 0 && !slices.ContainsFunc(r.Findings, Finding.Opens)
}

// Leftovers returns the findings that an apply can remove with a [Consent].
func (r Report) Leftovers() []Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return !f.Leftover })
}

// ErrNotManaged says that nothing was ever applied.
var ErrNotManaged = errors.New("the firewall is not managed: nothing was applied")

// A HalfwayError is an apply that failed and could not be undone: Stands is
// what remains changed, or nothing if the host could not even be read.
type HalfwayError struct {
	Err, Undo error
	Stands    []Change
}

// Error implements error.
func (e *HalfwayError) Error() string {
	stands := make([]string, len(e.Stands))
	for i, c := range e.Stands {
		stands[i] = c.String()
	}
	text := "the host could not be read again"
	if len(stands) > 0 {
		text = "what stands is: " + strings.Join(stands, "; ")
	}
	return fmt.Sprintf("%v; undoing it failed too: %v; %s", e.Err, e.Undo, text)
}

// Unwrap returns what failed, and why it could not be undone.
func (e *HalfwayError) Unwrap() []error { return []error{e.Err, e.Undo} }

// An UndoneError is an apply that failed and was undone: the host is as before.
type UndoneError struct{ Err error }

// Error implements error.
func (e *UndoneError) Error() string { return e.Err.Error() + "; what was done is undone" }

// Unwrap returns what failed.
func (e *UndoneError) Unwrap() error { return e.Err }

// undoTime bounds the way back, which a signal no longer ends.
const undoTime = 2 * time.Minute

// scope returns what a backend has to look at.
func (m *Manager) scope(r Record, c Consent) Scope {
	return Scope{
		Policy: m.o.Policy, Chain: ChainOf(m.o.Instance), Zones: m.o.Zones, Listen: m.o.Listen,
		Owned: r.Owned, Adopt: c.Adopt, Closes: c.ClosePorts,
	}
}

// Inspect looks at the host and changes nothing.
func (m *Manager) Inspect(ctx context.Context) (Report, error) {
	r, managed, err := readRecord(m.o.Folders.Record(m.o.Instance))
	if err != nil {
		return Report{}, err
	}
	kind, b, err := open(ctx, m.o.Backend, m.scope(r, Consent{}))
	if err != nil {
		return Report{Backend: kind, Managed: managed, Policy: m.o.Policy}, err
	}
	defer b.Close() //nolint:errcheck // nothing was left unsaid
	report, _, err := m.look(ctx, kind, b, managed)
	return report, err
}

// look returns the report on the host as it is, and the state in it.
func (m *Manager) look(ctx context.Context, k Kind, b Backend, managed bool) (Report, State, error) {
	report := Report{Backend: k, Managed: managed, Policy: m.o.Policy}
	if m.o.Policy.Empty() {
		return report, State{}, ErrEmptyPolicy
	}
	have, err := b.Observe(ctx)
	if err != nil {
		return report, have, err
	}
	want := Want(m.o.Policy, have)
	report.Steps, report.Changes = Plan(have, want), Changes(have, want, m.o.Policy)
	report.Findings, err = b.Foreign(ctx)
	return report, have, err
}

// locked runs f with the lock of the instance and its record.
func (m *Manager) locked(f func(r Record, managed bool) error) error {
	file := m.o.Folders.Record(m.o.Instance)
	lock, err := lockFile(file + ".lock")
	if err != nil {
		return err
	}
	defer lock.Close() //nolint:errcheck // it holds no data
	r, managed, err := readRecord(file)
	if err != nil {
		return err
	}
	return f(r, managed)
}

// Apply makes the host agree with the policy, and returns what it changed, with
// the findings that remain. After an error the host is as before, unless the
// error is a [HalfwayError].
func (m *Manager) Apply(ctx context.Context, c Consent) (report Report, err error) {
	if m.o.Policy.Empty() {
		return report, ErrEmptyPolicy
	}
	err = m.locked(func(r Record, managed bool) error {
		report, err = m.apply(ctx, r, managed, c)
		return err
	})
	return report, err
}

// apply is Apply under the lock.
func (m *Manager) apply(ctx context.Context, r Record, managed bool, c Consent) (Report, error) {
	kind, b, err := open(ctx, m.o.Backend, m.scope(r, c))
	if err != nil {
		return Report{}, err
	}
	defer b.Close() //nolint:errcheck // what was asked for was confirmed
	a := application{m: m, backend: b, kind: kind, consent: c, record: r, managed: managed}
	report, err := a.run(ctx)
	if err == nil && managed && r.Backend != kind {
		err = m.leave(ctx, r)
	}
	return report, err
}

// leave takes away what another backend has of ours, after a change of
// backends.
func (m *Manager) leave(ctx context.Context, r Record) error {
	s := m.scope(r, Consent{})
	_, b, err := open(ctx, r.Backend, s)
	if err == nil {
		defer b.Close() //nolint:errcheck // what was asked for was confirmed
		err = withdraw(ctx, b, nil)
	}
	if err != nil {
		return fmt.Errorf("removing what was applied with %s: %w", r.Backend, err)
	}
	return nil
}

// An application is one apply on its way.
type application struct {
	m       *Manager
	backend Backend
	kind    Kind
	consent Consent
	record  Record // before
	managed bool
}

func (a application) run(ctx context.Context) (Report, error) {
	report, before, err := a.m.look(ctx, a.kind, a.backend, a.managed)
	if err != nil {
		return report, err
	}
	next := a.next(before)
	if !a.managed {
		if next.Former, err = a.backend.Concerning(ctx); err != nil {
			return report, err
		}
	}
	file := a.m.o.Folders.Record(a.m.o.Instance)
	if !a.managed || len(report.Steps) > 0 || !a.same(next) {
		// Before the host is changed: a rule without a record would pass for
		// somebody else's.
		if err := next.write(file); err != nil {
			return report, err
		}
	}
	if err := carryOut(ctx, a.backend, before, report.Steps, a.m.o.Policy); err != nil {
		if _, stands := errors.AsType[*HalfwayError](err); stands {
			return report, err // what stands is ours: the record of it too
		}
		return report, errors.Join(err, a.putBack(file))
	}
	return a.verified(ctx, next, report)
}

// next is the record of the state that is to be.
func (a application) next(have State) Record {
	next := Record{
		Backend: a.kind, Policy: a.m.o.Policy, Zones: a.m.o.Zones, Listen: a.m.o.Listen,
		Applied: time.Now().Truncate(time.Second), Former: a.record.Former,
	}
	want := Want(a.m.o.Policy, have)
	next.Owned = ownedIn(want)
	kept := func(o Owned) bool { return slices.ContainsFunc(next.Owned, o.sameRule) }
	next.Removed = slices.DeleteFunc(slices.Clone(a.record.Removed), kept)
	for _, o := range ownedIn(have) {
		if o.Adopted && !kept(o) && !slices.ContainsFunc(next.Removed, o.sameRule) {
			next.Removed = append(next.Removed, o)
		}
	}
	return next
}

// same reports whether next says what the record says.
func (a application) same(next Record) bool {
	return a.record.Backend == next.Backend && a.record.Policy.Equal(next.Policy) &&
		slices.Equal(a.record.Zones, next.Zones) && slices.Equal(a.record.Listen, next.Listen) &&
		slices.Equal(a.record.Owned, next.Owned)
}

// putBack restores the record of before.
func (a application) putBack(file string) error {
	if !a.managed {
		return os.Remove(file)
	}
	return a.record.write(file)
}

func (o Owned) sameRule(p Owned) bool {
	return o.Zone == p.Zone && o.Permanent == p.Permanent && o.Rule == p.Rule
}

// ownedIn lists the rich rules of s.
func ownedIn(s State) []Owned {
	var all []Owned
	for _, z := range s.Zones {
		for _, side := range []struct {
			permanent bool
			rules     Rules
		}{{false, z.Runtime}, {true, z.Permanent}} {
			for _, r := range side.rules.Rich {
				all = append(all, Owned{z.Name, side.permanent, r.Text, r.Adopted})
			}
		}
	}
	return all
}

// verified looks at the host again: only what is seen there counts.
func (a application) verified(ctx context.Context, next Record, done Report) (Report, error) {
	_, b, err := open(ctx, a.kind, a.m.scope(next, a.consent))
	if err != nil {
		return done, err
	}
	defer b.Close() //nolint:errcheck // nothing was left unsaid
	seen, _, err := a.m.look(ctx, a.kind, b, true)
	if err != nil {
		return done, fmt.Errorf("verifying: %w", err)
	}
	done.Managed, done.Findings = true, seen.Findings
	if err := a.m.writeState(next, seen); err != nil {
		return done, err
	}
	if len(seen.Steps) > 0 {
		return done, fmt.Errorf("verifying: the host still lacks: %v", seen.Steps[0])
	}
	done.Steps = nil
	return done, nil
}

// writeState tells the daemon what was seen.
func (m *Manager) writeState(r Record, seen Report) error {
	s := Sync{Backend: seen.Backend, InSync: seen.InSync(), Checked: time.Now().Truncate(time.Second), Policy: r.Policy}
	for _, c := range seen.Changes {
		s.Problems = append(s.Problems, c.String())
	}
	for _, f := range seen.Findings {
		if f.Opens() {
			s.Problems = append(s.Problems, f.String())
		}
	}
	return s.write(m.o.Folders.State(m.o.Instance))
}

// carryOut applies steps, which lead away from before. If one fails, it goes
// back.
func carryOut(ctx context.Context, b Backend, before State, steps []Step, p Policy) error {
	err := b.Apply(ctx, steps)
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = fmt.Errorf("%w (%w)", err, cause)
	}
	back, end := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer end()
	now, undo := b.Observe(back)
	if undo == nil {
		undo = b.Apply(back, Plan(now, before))
	}
	if undo == nil {
		return &UndoneError{err}
	}
	halfway := &HalfwayError{Err: err, Undo: undo}
	if now, err := b.Observe(back); err == nil {
		halfway.Stands = Changes(before, now, p)
	}
	return halfway
}

// Remove takes away what was added, and forgets it. What was adopted stays.
// With restore, rules that were adopted and then taken away come back; an
// opening to everyone never does.
func (m *Manager) Remove(ctx context.Context, restore bool) error {
	return m.locked(func(r Record, managed bool) error {
		if !managed {
			return ErrNotManaged
		}
		var back []Owned
		if restore {
			back = r.Removed
		}
		s := m.scope(r, Consent{})
		s.Policy, s.Zones, s.Listen = r.Policy, r.Zones, r.Listen
		s.Owned = slices.Concat(r.Owned, back)
		_, b, err := open(ctx, r.Backend, s)
		if err != nil {
			return err
		}
		defer b.Close() //nolint:errcheck // what was asked for was confirmed
		if err := withdraw(ctx, b, back); err != nil {
			return err
		}
		err = os.Remove(m.o.Folders.State(m.o.Instance))
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return errors.Join(err, os.Remove(m.o.Folders.Record(m.o.Instance)))
	})
}

// withdraw takes what is ours off the host, and puts rules back.
func withdraw(ctx context.Context, b Backend, back []Owned) error {
	have, err := b.Observe(ctx)
	if err != nil {
		return err
	}
	want := Without(have)
	for _, o := range back {
		want.restore(o)
	}
	return carryOut(ctx, b, have, Plan(have, want), Policy{})
}

// restore adds a rule, unless it is for everyone.
func (s State) restore(o Owned) {
	a, ok := parseRich(o.Rule).admission()
	i := slices.IndexFunc(s.Zones, func(z Zone) bool { return z.Name == o.Zone })
	if !ok || a.Source.Bits() == 0 || i < 0 {
		return
	}
	side := &s.Zones[i].Runtime
	if o.Permanent {
		side = &s.Zones[i].Permanent
	}
	side.Rich = append(side.Rich, Rich{Text: o.Rule, Adopted: true})
}
