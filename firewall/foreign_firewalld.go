package firewall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Foreign implements Backend.
func (f *firewalldBackend) Foreign(ctx context.Context) ([]Finding, error) {
	zones, err := f.foreignZones(ctx)
	if err != nil {
		return nil, err
	}
	policies, err := f.foreignPolicies(ctx)
	if err != nil {
		return nil, err
	}
	direct, err := f.foreignDirect(ctx)
	if err != nil {
		return nil, err
	}
	onIPTables := f.onIPTables(ctx)
	tables := foreignTables(ctx, f.scope.Policy, f.run, onIPTables)
	lost := f.lostRules(ctx, onIPTables)
	return merged(slices.Concat(zones, policies, direct, tables, lost)), nil
}

// lostRules looks whether the rules that firewalld believes to be loaded are in
// the kernel. It does not notice a flush by others. To start it anew is not ours
// to do; a reload would not even work, as it begins with deleting what is gone.
func (f *firewalldBackend) lostRules(ctx context.Context, onIPTables bool) []Finding {
	lost, name := false, "nft"
	if onIPTables {
		name = "iptables"
	}
	command, ok := lookCommand(name)
	switch {
	case !ok:
		return nil // it comes with firewalld, so it is only out of sight
	case onIPTables:
		_, err := f.run(ctx, "", command, "-w", "-S", "INPUT_ZONES")
		_, lost = errors.AsType[*CommandError](err)
	default:
		_, err := f.run(ctx, "", command, "list", "table", "inet", "firewalld")
		_, lost = errors.AsType[*CommandError](err)
	}
	if !lost {
		return nil
	}
	return []Finding{{Kind: RulesLost, What: "firewalld", Commands: []string{"systemctl restart firewalld"}}}
}

// Concerning implements Backend: all that lets anybody reach a port.
func (f *firewalldBackend) Concerning(ctx context.Context) ([]string, error) {
	all := *f
	all.scope.Owned, all.scope.Policy = nil, f.scope.Policy.closed()
	found, err := all.foreignZones(ctx)
	var lines []string
	for _, finding := range merged(found) {
		lines = append(lines, finding.String())
	}
	return lines, err
}

// foreignZones looks through every zone that packets for the ports can pass.
func (f *firewalldBackend) foreignZones(ctx context.Context) ([]Finding, error) {
	m, err := f.zoneMap(ctx)
	if err != nil {
		return nil, err
	}
	serving, err := f.zoneNames(ctx)
	if err != nil {
		return nil, err
	}
	var all []Finding
	for _, zone := range m.passed() {
		where := "zone " + zone
		if sources := m.active[zone].sources; len(sources) > 0 && !slices.Contains(m.byInterface(), zone) {
			where += " (" + strings.Join(sources, ", ") + ")"
		}
		o := opener{where: where, option: "--zone=" + zone, serves: serving[zone]}
		found, err := f.openingsOf(ctx, o, zone)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// openingsOf looks through both sides of a zone.
func (f *firewalldBackend) openingsOf(ctx context.Context, o opener, zone string) ([]Finding, error) {
	runtime, err := f.bus.runtime(ctx, zone)
	if err != nil {
		return nil, err
	}
	_, permanent, err := f.bus.permanent(ctx, zone)
	if err != nil {
		return nil, err
	}
	var all []Finding
	for _, side := range []struct {
		when     string
		settings zoneSettings
	}{{runtimeSide, runtime}, {permanentSide, permanent}} {
		o.when = side.when
		ours := f.scope.ours(zone, o.serves, side.when == permanentSide, side.settings)
		o.ours = texts(ours.Rich)
		all = append(all, f.everyPort(ctx, o, side.settings)...)
	}
	return all, nil
}

// everyPort asks o about each port of the policy.
func (f *firewalldBackend) everyPort(ctx context.Context, o opener, s zoneSettings) []Finding {
	o.policy, o.services = f.scope.Policy, f.servicesOf(ctx, s)
	var all []Finding
	for _, o.port = range f.scope.Policy.Ports() {
		all = append(all, o.openings(s)...)
	}
	return all
}

// servicesOf returns the services that s names, in rich rules too. One that
// firewalld does not know opens nothing.
func (f *firewalldBackend) servicesOf(ctx context.Context, s zoneSettings) services {
	all := services{}
	names := slices.Clone(s.Services)
	for _, text := range s.RichRules {
		if p, ok := parseRich(text).part("service"); ok {
			names = append(names, p.attributes["name"])
		}
	}
	for _, name := range names {
		var settings serviceSettings
		if f.bus.call(ctx, busPath, getServiceSettings, &settings, name) == nil {
			all[name] = settings
		}
	}
	return all
}

// foreignPolicies looks through the policies for packets to this host, which
// firewalld has since 0.9.
func (f *firewalldBackend) foreignPolicies(ctx context.Context) ([]Finding, error) {
	if !atLeast(f.bus.property(ctx, busPath, mainFace, "version"), getActivePolicies.since) {
		return nil, nil
	}
	m, err := f.zoneMap(ctx)
	if err != nil {
		return nil, err
	}
	var active map[string]map[string][]string
	if err := f.bus.call(ctx, busPath, getActivePolicies, &active); err != nil {
		return nil, err
	}
	var all []Finding
	for name, zones := range active {
		passes := slices.ContainsFunc(zones["ingress_zones"], func(zone string) bool {
			return zone == "ANY" || slices.Contains(m.passed(), zone)
		})
		if !passes || !slices.Contains(zones["egress_zones"], "HOST") {
			continue
		}
		var dict map[string]dbus.Variant
		if err := f.bus.call(ctx, busPath, getPolicySettings, &dict, name); err != nil {
			return nil, err
		}
		all = append(all, f.policyOpenings(ctx, name, dict)...)
	}
	return all, nil
}

func (f *firewalldBackend) policyOpenings(ctx context.Context, name string, dict map[string]dbus.Variant) []Finding {
	var s zoneSettings
	for key, field := range map[string]any{
		"target": &s.Target, "services": &s.Services, "ports": &s.Ports, "protocols": &s.Protocols,
		"source_ports": &s.SourcePorts, "forward_ports": &s.ForwardPorts, "rich_rules": &s.RichRules,
	} {
		if v, ok := dict[key]; ok {
			if err := v.Store(field); err != nil {
				return []Finding{{Kind: Unreadable, Where: "policy " + name, What: fmt.Sprintf("%s: %v", key, err)}}
			}
		}
	}
	var all []Finding
	for _, side := range []string{runtimeSide, permanentSide} {
		all = append(all, f.everyPort(ctx, opener{where: "policy " + name, option: "--policy=" + name, when: side}, s)...)
	}
	return all
}

// onIPTables reports whether firewalld itself works with iptables, as it always
// did before it could do otherwise.
func (f *firewalldBackend) onIPTables(ctx context.Context) bool {
	return f.bus.property(ctx, configPath, configFace, "FirewallBackend") != "nftables"
}

// atLeast reports whether version is least or later, by the first two numbers.
func atLeast(version, least string) bool {
	numbers := func(s string) (major, minor int) {
		fmt.Sscanf(s, "%d.%d", &major, &minor) //nolint:errcheck // what cannot be read is 0, the oldest
		return major, minor
	}
	a, b := numbers(version)
	c, d := numbers(least)
	return a > c || a == c && b >= d
}

// foreignDirect looks through what firewalld passes to iptables as it is.
func (f *firewalldBackend) foreignDirect(ctx context.Context) ([]Finding, error) {
	var rules []directRule
	if err := f.bus.call(ctx, busPath, getAllRules, &rules); err != nil {
		return nil, err
	}
	var through []passthrough
	if err := f.bus.call(ctx, busPath, getAllPassthroughs, &through); err != nil {
		return nil, err
	}
	var all []Finding
	for _, port := range f.scope.Policy.Ports() {
		for _, r := range rules {
			if r.Table == "filter" && r.Chain != "FORWARD" && r.Chain != "OUTPUT" && opensPort(r.Args, port, f.scope.Policy) {
				rule := fmt.Sprintf("%s %s %s %d %s", r.Family, r.Table, r.Chain, r.Priority, quotedAll(r.Args))
				all = append(all, directFinding(port, rule, "--remove-rule"))
			}
		}
		for _, p := range through {
			if slices.Contains(p.Args, "INPUT") && opensPort(p.Args, port, f.scope.Policy) {
				all = append(all, directFinding(port, p.Family+" "+quotedAll(p.Args), "--remove-passthrough"))
			}
		}
	}
	return all, nil
}

func directFinding(port uint16, rule, option string) Finding {
	return Finding{
		Kind: DirectAccept, Port: port, Where: "direct", What: rule, Commands: []string{
			"firewall-cmd --direct " + option + " " + rule,
			"firewall-cmd --permanent --direct " + option + " " + rule,
		},
	}
}

func quotedAll(args []string) string {
	var words []string
	for _, a := range args {
		words = append(words, quoted(a))
	}
	return strings.Join(words, " ")
}
