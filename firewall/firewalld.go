package firewall

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A firewalldBackend keeps our rich rules in the zones of firewalld, runtime
// and permanent.
type firewalldBackend struct {
	bus   bus
	scope Scope
	run   runner
}

// newFirewalld returns the backend for a firewalld that runs.
func newFirewalld(b bus, scope Scope) *firewalldBackend {
	return &firewalldBackend{bus: b, scope: scope, run: runHost}
}

// Close implements Backend.
func (f *firewalldBackend) Close() error { return f.bus.close() }

// Observe implements Backend.
func (f *firewalldBackend) Observe(ctx context.Context) (State, error) {
	names, err := f.zoneNames(ctx)
	if err != nil {
		return State{}, err
	}
	var s State
	for _, name := range slices.Sorted(maps.Keys(names)) {
		z, err := f.observeZone(ctx, name, names[name])
		if err != nil {
			return State{}, err
		}
		s.Zones = append(s.Zones, z)
	}
	return s, nil
}

// zoneNames returns the zones to look at, and whether each serves: those of
// the record may no longer do, or no longer be there.
func (f *firewalldBackend) zoneNames(ctx context.Context) (map[string]bool, error) {
	var known []string
	if err := f.bus.call(ctx, busPath, getZones, &known); err != nil {
		return nil, err
	}
	serving, err := f.serving(ctx, known)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, o := range f.scope.Owned {
		if slices.Contains(known, o.Zone) {
			names[o.Zone] = false
		}
	}
	for _, zone := range serving {
		names[zone] = true
	}
	return names, nil
}

// serving returns the zones that our rules belong in.
func (f *firewalldBackend) serving(ctx context.Context, known []string) ([]string, error) {
	for _, zone := range f.scope.Zones {
		if !slices.Contains(known, zone) {
			slices.Sort(known)
			return nil, &ZoneError{zone, known}
		}
	}
	if len(f.scope.Zones) > 0 {
		return f.scope.Zones, nil
	}
	m, err := f.zoneMap(ctx)
	if err != nil {
		return nil, err
	}
	var serving []string
	byInterface := m.byInterface()
	for _, zone := range m.passed() {
		var s zoneSettings
		if err := f.bus.call(ctx, busPath, getZoneSettings, &s, zone); err != nil {
			return nil, err
		}
		// In a zone that accepts everything a rule of ours would say nothing.
		if s.Target != targetAccept && (slices.Contains(byInterface, zone) || m.overlaps(zone, f.scope.Policy)) {
			serving = append(serving, zone)
		}
	}
	return serving, nil
}

func (f *firewalldBackend) zoneMap(ctx context.Context) (m zoneMap, err error) {
	if err = f.bus.call(ctx, busPath, getDefaultZone, &m.defaultZone); err != nil {
		return m, err
	}
	if m.active, err = f.bus.activeZones(ctx); err != nil {
		return m, err
	}
	interfaces, err := hostInterfaces()
	m.interfaces = covered(interfaces, f.scope.Listen)
	return m, err
}

func (f *firewalldBackend) observeZone(ctx context.Context, name string, serves bool) (Zone, error) {
	z := Zone{Name: name, Serves: serves}
	runtime, err := f.bus.runtime(ctx, name)
	if err != nil {
		return z, err
	}
	_, permanent, err := f.bus.permanent(ctx, name)
	if err != nil {
		return z, err
	}
	z.Runtime = f.scope.ours(name, serves, false, runtime)
	z.Permanent = f.scope.ours(name, serves, true, permanent)
	return z, nil
}

// ours returns what of a zone is ours: what was recorded, and rules of our
// shape that say what the policy says.
func (s Scope) ours(zone string, serves, permanent bool, settings zoneSettings) Rules {
	var r Rules
	for _, text := range settings.RichRules {
		a, ok := parseRich(text).admission()
		if !ok {
			continue
		}
		owned, recorded := s.owned(zone, permanent, text)
		claimed := serves && s.Policy.hasPort(a.Port) && (s.Adopt || s.Policy.names(a))
		if recorded || claimed {
			r.Rich = append(r.Rich, Rich{Text: text, Adopted: owned.Adopted || !recorded})
		}
	}
	for _, p := range settings.Ports {
		if s.Closes && serves && p.Protocol == "tcp" && slices.ContainsFunc(s.Policy.Ports(), func(port uint16) bool { return portText(port) == p.Port }) {
			r.Ports = append(r.Ports, p.String())
		}
	}
	return r
}

// Apply implements Backend.
func (f *firewalldBackend) Apply(ctx context.Context, steps []Step) error {
	for i, s := range steps {
		err := ctx.Err()
		if err == nil {
			err = f.apply(ctx, s)
		}
		if err != nil {
			return &StepError{Step: s, Number: i + 1, Of: len(steps), Err: err}
		}
	}
	return nil
}

func (f *firewalldBackend) apply(ctx context.Context, s Step) error {
	const forever = int32(0) // seconds
	switch s.Verb {
	case AddRule:
		return f.change(ctx, addRichRule, s.Zone, s.Text, forever)
	case RemoveRule:
		return f.change(ctx, removeRichRule, s.Zone, s.Text)
	case AddPort:
		port, protocol, _ := strings.Cut(s.Text, "/")
		return f.change(ctx, addPort, s.Zone, port, protocol, forever)
	case RemovePort:
		port, protocol, _ := strings.Cut(s.Text, "/")
		return f.change(ctx, removePort, s.Zone, port, protocol)
	case UpdateZone:
		return f.updateZone(ctx, s)
	default:
		panic(fmt.Sprintf("BUG: firewall: firewalld cannot %v", s))
	}
}

func (f *firewalldBackend) change(ctx context.Context, m busMethod, args ...any) error {
	err := f.bus.call(ctx, busPath, m, nil, args...)
	if err != nil && alreadyDone(err) {
		return nil
	}
	return err
}

// updateZone changes the permanent side of a zone at once. Single calls would
// write the file, and check all of the configuration, for every rule.
func (f *firewalldBackend) updateZone(ctx context.Context, s Step) error {
	path, z, err := f.bus.permanent(ctx, s.Zone)
	if err != nil {
		return err
	}
	z.RichRules = edit(z.RichRules, s.Add, s.Remove, func(text string) string { return text })
	z.Ports = edit(z.Ports, parsePorts(s.AddPorts), parsePorts(s.RemovePorts), portProtocol.String)
	return f.bus.call(ctx, path, update, nil, z)
}

// edit returns list without remove, and with what of add it lacks, at its end.
func edit[T any](list, add, remove []T, key func(T) string) []T {
	in := func(list []T, t T) bool {
		return slices.ContainsFunc(list, func(other T) bool { return key(other) == key(t) })
	}
	kept := slices.DeleteFunc(slices.Clone(list), func(t T) bool { return in(remove, t) })
	for _, t := range add {
		if !in(kept, t) {
			kept = append(kept, t)
		}
	}
	return kept
}

func parsePorts(all []string) []portProtocol {
	var ports []portProtocol
	for _, text := range all {
		port, protocol, _ := strings.Cut(text, "/")
		ports = append(ports, portProtocol{port, protocol})
	}
	return ports
}

const targetAccept = "ACCEPT"
