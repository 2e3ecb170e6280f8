package firewall

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An opener looks through the settings of a zone, or a policy of firewalld, for
// what opens one port.
type opener struct {
	policy   Policy
	port     uint16
	where    string   // for people
	option   string   // "--zone=public"
	when     string   // "runtime" or "permanent"
	services services // those that the settings name
	ours     []string // rich rules
	serves   bool     // our rules belong here
}

// services are the settings of services by their names.
type services map[string]serviceSettings

// openings returns what of s opens the port to others than the policy does.
func (o opener) openings(s zoneSettings) []Finding {
	if o.shut(s) {
		return nil
	}
	return slices.Concat(
		o.target(s), o.ports(s.Ports), o.byService(s.Services), o.protocols(s.Protocols),
		o.sourcePorts(s.SourcePorts), o.forwards(s.ForwardPorts), o.rich(s.RichRules),
	)
}

// shut reports whether a rich rule keeps everyone from the port. Such rules
// come before all that accept.
func (o opener) shut(s zoneSettings) bool {
	return slices.ContainsFunc(s.RichRules, func(text string) bool {
		r := parseRich(text)
		rule, _ := r.part("rule")
		denies := r.has("drop") || r.has("reject")
		narrow := r.has("source") || r.has("destination") || r.has("limit") || rule.attributes["priority"] != ""
		return denies && !narrow && rule.attributes["family"] == "" && r.has("port") && o.matches(r)
	})
}

// found returns a finding with the commands for its side.
func (o opener) found(k FindingKind, what string, changes ...string) Finding {
	f := Finding{Kind: k, Port: o.port, Where: o.where, When: o.when, What: what}
	for _, change := range changes {
		command := "firewall-cmd "
		if o.when == permanentSide {
			command += "--permanent "
		}
		f.Commands = append(f.Commands, command+o.option+" "+change)
	}
	return f
}

func (o opener) target(s zoneSettings) []Finding {
	if s.Target != targetAccept {
		return nil
	}
	shut := fmt.Sprintf("rule port port=%q protocol=\"tcp\" drop", portText(o.port))
	return []Finding{o.found(TargetAccept, "target ACCEPT", "--add-rich-rule="+quoted(shut))}
}

func (o opener) ports(ports []portProtocol) []Finding {
	var all []Finding
	for _, p := range ports {
		least, most, ok := p.tcpRange()
		switch {
		case !ok || o.port < least || o.port > most:
		case least == most:
			f := o.found(OpenPort, p.String(), "--remove-port="+p.String())
			f.Leftover = o.serves
			all = append(all, f)
		default:
			all = append(all, o.found(OpenRange, p.String(), o.split(p, least, most)...))
		}
	}
	return all
}

// split returns the changes that take the port out of a range.
func (o opener) split(p portProtocol, least, most uint16) []string {
	changes := []string{"--remove-port=" + p.String()}
	add := func(from, to uint16) {
		switch {
		case from < to:
			changes = append(changes, fmt.Sprintf("--add-port=%d-%d/tcp", from, to))
		case from == to:
			changes = append(changes, fmt.Sprintf("--add-port=%d/tcp", from))
		}
	}
	if o.port > least {
		add(least, o.port-1)
	}
	if o.port < most {
		add(o.port+1, most)
	}
	return changes
}

// tcpRange returns the first and the last port; not ok if p is not of TCP.
func (p portProtocol) tcpRange() (least, most uint16, ok bool) {
	if p.Protocol != "tcp" {
		return 0, 0, false
	}
	return portRange(p.Port, "-")
}

// portRange reads "8864" or a range with that separator.
func portRange(text, separator string) (least, most uint16, ok bool) {
	from, to, isRange := strings.Cut(text, separator)
	if !isRange {
		to = from
	}
	a, err := strconv.ParseUint(from, 10, 16)
	b, err2 := strconv.ParseUint(to, 10, 16)
	return uint16(a), uint16(b), err == nil && err2 == nil
}

// has reports whether p opens port.
func (p portProtocol) has(port uint16) bool {
	least, most, ok := p.tcpRange()
	return ok && least <= port && port <= most
}

// opens reports whether a service of that name holds the port.
func (o opener) opens(name string) bool {
	s := o.services[name]
	return slices.ContainsFunc(s.Ports, func(p portProtocol) bool { return p.has(o.port) }) ||
		slices.Contains(s.Protocols, "tcp")
}

func (o opener) byService(names []string) []Finding {
	var all []Finding
	for _, name := range names {
		if o.opens(name) {
			all = append(all, o.found(OpenService, name, "--remove-service="+quoted(name)))
		}
	}
	return all
}

func (o opener) protocols(names []string) []Finding {
	if !slices.Contains(names, "tcp") {
		return nil
	}
	return []Finding{o.found(OpenProtocol, "tcp", "--remove-protocol=tcp")}
}

func (o opener) sourcePorts(ports []portProtocol) []Finding {
	var all []Finding
	for _, p := range ports {
		if p.Protocol == "tcp" {
			all = append(all, o.found(OpenFromPort, p.String(), "--remove-source-port="+p.String()))
		}
	}
	return all
}

func (o opener) forwards(ports []forwardPort) []Finding {
	var all []Finding
	for _, p := range ports {
		if p.Protocol == "tcp" && p.ToAddr == "" && p.ToPort == portText(o.port) {
			text := fmt.Sprintf("port=%s:proto=%s:toport=%s:toaddr=", p.Port, p.Protocol, p.ToPort)
			all = append(all, o.found(Forward, text, "--remove-forward-port="+text))
		}
	}
	return all
}

func (o opener) rich(rules []string) []Finding {
	var all []Finding
	for _, text := range rules {
		r := parseRich(text)
		kind := RichAccept
		if forward, ok := r.part("forward-port"); ok {
			if forward.attributes["to-port"] != portText(o.port) || forward.attributes["to-addr"] != "" {
				continue
			}
			kind = Forward
		} else if !r.accepts() || !o.matches(r) || slices.Contains(o.ours, text) || o.within(r) {
			continue
		}
		f := o.found(kind, text, "--remove-rich-rule="+quoted(text))
		_, exact := r.admission()
		f.Leftover = exact && o.serves
		all = append(all, f)
	}
	return all
}

// matches reports whether r is about the port: by its port or service, or as it
// names neither.
func (o opener) matches(r richRule) bool {
	if p, ok := r.part("port"); ok {
		return portProtocol{p.attributes["port"], p.attributes["protocol"]}.has(o.port)
	}
	if p, ok := r.part("service"); ok {
		return o.opens(p.attributes["name"])
	}
	if p, ok := r.part("protocol"); ok {
		return p.attributes["value"] == "tcp"
	}
	if p, ok := r.part("source-port"); ok {
		return p.attributes["protocol"] == "tcp"
	}
	return !r.has("icmp-type") && !r.has("icmp-block")
}

// within reports whether r accepts nobody whom the policy does not.
func (o opener) within(r richRule) bool {
	source, ok := r.source()
	return ok && o.policy.covers(Admission{source, o.port})
}

// The sides of firewalld.
const (
	runtimeSide   = "runtime"
	permanentSide = "permanent"
)
