// Package configs reads the configuration file: strictly, and with every
// mistake reported at once, because the operator edits on a remote console.
//
// A file passes in this order:
//
//  1. toml.go decodes it into values by dotted key, each with its line; a
//     syntax error comes alone;
//  2. schema.go names every key and binds it to its place in a [Config] that
//     holds the defaults; the codecs of values.go judge what stands
//     there, key by key;
//  3. checks.go judges the keys against each other, and files.go reads the
//     certificates that they name.
//
// A mistake is a [Mistake]: its Kind and parameters are fields, so that the
// command line can say it in another language. The file lqproxy.toml in this
// folder is the reference: every key with its default, embedded in the binary.
package configs

import (
	"bytes"
	"crypto/x509"
	_ "embed"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/lqproxy/lqproxy/firewall"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/allow"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// A Config is a file without mistakes, or the defaults. It is never modified
// after publication.
type Config struct {
	Language string // auto, zh or en
	StateDir string // written by the daemon alone
	Listen   Listen
	Allow    Allow
	Presets  []Preset // all that Allow.Presets may name; see InForce
	Proxy    proxy.Options
	Upstream upstream.Options
	CAFile   string // upstream.tls.ca_file, read into Upstream.TLS.Roots
	Log      Log
	Admin    Admin
	Firewall Firewall
	Probe    Probe
}

// Listen says where callers connect.
type Listen struct {
	Addresses []string // as net.Listen takes them: an IP address or nothing, and a port
	TLS       TLSMode
	CertFile  string
	KeyFile   string
	ACME      ACME

	// As written; the sets are Proxy.Balancers, Proxy.Devices and Proxy.Monitors.
	ProxyProtocolFrom []netip.Prefix
	ForwardedForFrom  []netip.Prefix
	HealthFrom        []netip.Prefix
}

// TLSMode says whether callers speak TLS, and where the certificate comes from.
type TLSMode string

// The values of listen.tls.
const (
	TLSOff   TLSMode = "off"
	TLSFiles TLSMode = "files"
	TLSACME  TLSMode = "acme"
)

// ACME says how the listener's certificate is obtained when Listen.TLS is TLSACME.
type ACME struct {
	Directory   string   // URL of the authority's directory
	Email       string   // of the account; "": none
	Domains     []string // DNS names in small letters, and IP addresses
	HTTPAddress string   // as Listen.Addresses: answers challenges, to anyone
	CAFile      string   // who vouches for the directory; "": the system's authorities

	Roots *x509.CertPool // of CAFile; nil: the system's
}

// Allow says who may connect, as written; the set of all of them is Proxy.Sources.
type Allow struct {
	Presets []string
	Sources []netip.Prefix
}

// Log says what is written where.
type Log struct {
	Level      string // of the error log: debug, info, warn or error
	AccessFile string // "": stdout; LogOff: none
	ErrorFile  string // "": stderr alone
	Syslog     string // "": none, else udp, tcp or tls://host:port
	Rotate     string // RotateDaily or RotateOff
	RotateSize int64  // bytes of a file
	RetainDays int
	MinFree    int64 // bytes of the file system; 0: no matter
	Compress   bool
}

// Special values of [log].
const (
	LogOff      = "off" // access_file: no access log
	RotateDaily = "daily"
	RotateOff   = "off"
)

// Admin says where the admin listener is, and who may ask it.
type Admin struct {
	Addresses []string // as Listen.Addresses
	Sources   []netip.Prefix
	Allow     allow.List // the set of Sources; loopback may always ask
}

// Firewall says how the packet filter of the host is kept in step.
type Firewall struct {
	Backend firewall.Kind
	Zones   []string // of firewalld; none: those that serve the listener
}

// Probe says what the daemon probes by itself, and what commands probe when they
// are not told.
type Probe struct {
	Interval    time.Duration // 0: the daemon does not
	Environment probe.Scope
	FiledIPs    []netip.Addr // filed with the tax authority
	EchoURL     string       // answers with the caller's public address; "": none is asked
}

// InForce returns the presets that Allow.Presets names.
func (c Config) InForce() []Preset {
	var sets []Preset
	for _, name := range c.Allow.Presets {
		if p, ok := find(c.Presets, name); ok {
			sets = append(sets, p)
		}
	}
	return sets
}

//go:embed lqproxy.toml
var reference []byte

// Reference returns the commented reference file: every key with its default.
func Reference() []byte { return bytes.Clone(reference) }

// Load reads file. The error is [Mistakes] unless the file could not be read.
func Load(file string) (Config, error) { return LoadInstance(file, "") }

// LoadInstance reads file for the instance of that name ("" is the unnamed
// one): its defaults are folders of its own, and it must say where it listens.
func LoadInstance(file, name string) (Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return Config{}, fmt.Errorf("reading configuration: %w", err)
	}
	return parse(data, name)
}

// Parse reads the text of a file. It opens the certificates that the text
// names. The error is [Mistakes].
func Parse(data []byte) (Config, error) { return parse(data, "") }

func parse(data []byte, instance string) (Config, error) {
	doc, mistake := decode(data)
	if mistake != nil {
		return Config{}, Mistakes{*mistake}
	}
	c := DefaultInstance(instance)
	r := &reader{doc: doc}
	r.fields("", schema(&c))
	r.checkInstance(instance)
	r.check(&c)
	if len(r.mistakes) > 0 {
		return Config{}, r.mistakes.sorted()
	}
	c.compile()
	return c, nil
}

// compile makes the sets of what the keys named.
func (c *Config) compile() {
	c.Proxy.Sources = c.sources()
	c.Proxy.Balancers = allow.NewList(c.Listen.ProxyProtocolFrom...)
	c.Proxy.Devices = allow.NewList(c.Listen.ForwardedForFrom...)
	c.Proxy.Monitors = allow.NewList(c.Listen.HealthFrom...)
	c.Admin.Allow = allow.NewList(c.Admin.Sources...)
}

// sources returns the set of all who may connect.
func (c *Config) sources() allow.List {
	all := slices.Clone(c.Allow.Sources)
	for _, set := range c.InForce() {
		all = append(all, set.Addresses...)
	}
	return allow.NewList(all...)
}

// Effective returns c as a file: what is in force, every key of it. It holds
// no secrets, as certificates and keys are named by their files; Parse of it
// returns c again.
func (c Config) Effective() []byte {
	return encode(schema(&c))
}
