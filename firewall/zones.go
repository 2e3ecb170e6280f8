package firewall

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// A ZoneError is a zone of the configuration that firewalld does not have.
type ZoneError struct {
	Zone  string
	Known []string
}

// Error implements error.
func (e *ZoneError) Error() string {
	return fmt.Sprintf("firewalld has no zone %q; it has %s", e.Zone, strings.Join(e.Known, ", "))
}

// A hostInterface is an interface of the host that is not loopback.
type hostInterface struct {
	name      string
	addresses []netip.Prefix // with their networks
}

// hostInterfaces returns the interfaces of this host.
func hostInterfaces() ([]hostInterface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("listing network interfaces: %w", err)
	}
	var interfaces []hostInterface
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("listing addresses of %s: %w", i.Name, err)
		}
		h := hostInterface{name: i.Name}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				h.addresses = append(h.addresses, p)
			}
		}
		interfaces = append(interfaces, h)
	}
	return interfaces, nil
}

// covered returns the names of the interfaces at which packets for listeners
// arrive. A virtual address that is on the other node now is looked for by its
// network; if that fails too, it may come up anywhere.
func covered(interfaces []hostInterface, listen []netip.AddrPort) []string {
	var names []string
	for _, l := range listen {
		addr := l.Addr().Unmap().WithZone("")
		if addr.IsLoopback() {
			continue
		}
		found := interfacesWith(interfaces, func(p netip.Prefix) bool { return p.Addr() == addr })
		if len(found) == 0 {
			found = interfacesWith(interfaces, func(p netip.Prefix) bool { return p.Masked().Contains(addr) })
		}
		if len(found) == 0 {
			found = interfacesWith(interfaces, nil)
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// interfacesWith returns the names of those with an address that fits; all of
// them if fits is nil.
func interfacesWith(interfaces []hostInterface, fits func(netip.Prefix) bool) []string {
	var names []string
	for _, i := range interfaces {
		if fits == nil || slices.ContainsFunc(i.addresses, fits) {
			names = append(names, i.name)
		}
	}
	return names
}

// A zoneMap is how firewalld assigns packets to zones.
type zoneMap struct {
	active      map[string]zoneBinding
	defaultZone string
	interfaces  []string // that the listeners cover
}

// byInterface returns the zones of the covered interfaces, sorted. What is in
// no zone is in the default one.
func (m zoneMap) byInterface() []string {
	var names []string
	for _, i := range m.interfaces {
		name := m.defaultZone
		for zone, binding := range m.active {
			if slices.Contains(binding.interfaces, i) {
				name = zone
			}
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		names = append(names, m.defaultZone)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// bySource returns the zones that are bound to sources: these pass there
// whatever interface they come by.
func (m zoneMap) bySource() []string {
	var names []string
	for _, zone := range slices.Sorted(maps.Keys(m.active)) {
		if len(m.active[zone].sources) > 0 {
			names = append(names, zone)
		}
	}
	return names
}

// passed returns every zone that packets for the listeners can pass.
func (m zoneMap) passed() []string {
	names := append(m.byInterface(), m.bySource()...)
	slices.Sort(names)
	return slices.Compact(names)
}

// overlaps reports whether a source of p is bound to zone.
func (m zoneMap) overlaps(zone string, p Policy) bool {
	for _, text := range m.active[zone].sources {
		bound, ok := parsePrefix(text)
		if ok && slices.ContainsFunc(p.Admissions(), func(a Admission) bool { return a.Source.Overlaps(bound) }) {
			return true
		}
	}
	return false
}
