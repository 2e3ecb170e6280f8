package setup

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/lqproxy/lqproxy/configs"
)

// Cloud says where the invoicing software runs.
type Cloud string

// The clouds of the deployment guide.
const (
	Public  Cloud = "public"  // Kingdee's: calls come from its egress addresses
	Private Cloud = "private" // containers in the enterprise's own network
)

// Clouds are all of them.
var Clouds = []Cloud{Public, Private}

// Device says what a device between the callers and this machine does to the
// source addresses.
type Device string

// The devices.
const (
	NoDevice      Device = "none"           // or one that leaves source addresses alone
	ProxyProtocol Device = "proxy-protocol" // sends the PROXY protocol
	ForwardedFor  Device = "forwarded-for"  // names the source in X-Forwarded-For
	Rewrites      Device = "rewrites"       // puts its own address there, and tells nobody
)

// Devices are all of them.
var Devices = []Device{NoDevice, ProxyProtocol, ForwardedFor, Rewrites}

// ParseDevice reads KIND or KIND=ADDRESS,...; the addresses are judged later.
// Not ok is a kind that there is not, or one that lacks its addresses, or has
// some that it should not have.
func ParseDevice(s string) (d Device, addresses []string, ok bool) {
	kind, rest, _ := strings.Cut(s, "=")
	if rest != "" {
		addresses = strings.Split(rest, ",")
	}
	d = Device(kind)
	return d, addresses, slices.Contains(Devices, d) && (d == NoDevice) == (len(addresses) == 0)
}

// Each answer is what it makes of the configuration.

// Unit is the first access unit, the one that is probed.
func Unit(id string) configs.Edits { return configs.Edits{"units[0].id": id} }

// Presets are the sets of Kingdee's that may call.
func Presets(names []string) configs.Edits { return configs.Edits{"allow.presets": list(names)} }

// Sources are the addresses that may call.
func Sources(sources []string) configs.Edits { return configs.Edits{"allow.sources": list(sources)} }

// Listen is where callers connect.
func Listen(addresses []string) configs.Edits {
	return configs.Edits{"listen.addresses": list(addresses)}
}

// Local is the source address of connections to Leqi; "" leaves it to the system.
func Local(address string) configs.Edits {
	return configs.Edits{"upstream.local_address": address}
}

// Upstream is the one host that is forwarded to.
func Upstream(address string) configs.Edits { return configs.Edits{"upstream.address": address} }

// Language is that of commands and pages.
func Language(name string) configs.Edits { return configs.Edits{"language": name} }

// InFront is a device with these addresses. Behind one that rewrites, its
// addresses are the only sources that are ever seen, so they take the place of
// all others.
func InFront(d Device, addresses []string) configs.Edits {
	e := configs.Edits{"listen.proxy_protocol_from": []string{}, "listen.forwarded_for_from": []string{}}
	switch d {
	case ProxyProtocol:
		e["listen.proxy_protocol_from"] = list(addresses)
	case ForwardedFor:
		e["listen.forwarded_for_from"] = list(addresses)
	case Rewrites:
		e["allow.presets"], e["allow.sources"] = []string{}, list(addresses)
	}
	return e
}

// An Encryption says how callers connect. What its mode does not use is empty.
type Encryption struct {
	Mode      configs.TLSMode
	CertFile  string
	KeyFile   string
	Directory string // of the CA
	Domains   []string
	CAFile    string
}

// Edits is the answer.
func (e Encryption) Edits() configs.Edits {
	return configs.Edits{
		"listen.tls": string(e.Mode), "listen.cert_file": e.CertFile, "listen.key_file": e.KeyFile,
		"listen.acme.directory": e.Directory, "listen.acme.domains": list(e.Domains), "listen.acme.ca_file": e.CAFile,
	}
}

// list is never nil, which would be no list.
func list(elements []string) []string { return append([]string{}, elements...) }

// DeviceOf returns the device that c was made for, as far as it tells: of one
// that rewrites nothing can be seen.
func DeviceOf(c configs.Config) (Device, []netip.Prefix) {
	switch {
	case len(c.Listen.ProxyProtocolFrom) > 0:
		return ProxyProtocol, c.Listen.ProxyProtocolFrom
	case len(c.Listen.ForwardedForFrom) > 0:
		return ForwardedFor, c.Listen.ForwardedForFrom
	}
	return NoDevice, nil
}

// CloudOf returns the cloud that c was made for; "" if it was for none yet.
func CloudOf(c configs.Config) Cloud {
	switch {
	case len(c.Allow.Presets) > 0:
		return Public
	case len(c.Allow.Sources) > 0:
		return Private
	}
	return ""
}

// A Warning is what a person should hear about a configuration without mistakes.
type Warning string

// The warnings.
const (
	NoUnit    Warning = "no_unit"   // there is no unit: the probe cannot call
	InClear   Warning = "in_clear"  // tokens cross the internet without TLS
	Rewritten Warning = "rewritten" // who is behind the device cannot be told
)

// Warnings returns those for c behind d.
func Warnings(c configs.Config, d Device) []Warning {
	var all []Warning
	if d == Rewrites {
		all = append(all, Rewritten)
	}
	if c.Listen.TLS == configs.TLSOff && c.Proxy.Sources.PublicIPv4() > 0 {
		all = append(all, InClear)
	}
	if len(c.Proxy.Units) == 0 {
		all = append(all, NoUnit)
	}
	return all
}
