package configs

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/lqproxy/lqproxy/proxy/allow"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// check judges the keys of c against each other. Keys with a mistake of their
// own are left out, as what they should say is not known.
func (r *reader) check(c *Config) {
	r.checkPresets(c)
	r.checkAdmitted(c)
	r.checkVouching(c)
	r.checkNotEmpty("allow.paths", len(c.Proxy.Paths))
	r.checkAddresses(c)
	r.checkAdmin(c)
	r.checkCertificate(&c.Listen)
	r.checkACME(&c.Listen)
	r.checkUpstream(&c.Upstream)
	r.checkIdentity(c)
	r.checkVersions(&c.Upstream.TLS)
	r.checkLogs(&c.Log)
}

// checkInstance notes what the instance of that name must set.
func (r *reader) checkInstance(name string) {
	for _, key := range []string{"listen.addresses", "admin.addresses"} {
		if _, set := r.doc.values[key]; name != "" && !set && r.well(key) {
			r.badAt(key, Mistake{Kind: InstanceNeeds})
		}
	}
}

func (r *reader) checkNotEmpty(key string, elements int) {
	if elements == 0 && r.well(key) {
		r.badAt(key, Mistake{Kind: Empty})
	}
}

// checkPresets wants each of allow.presets to be the name of a set. Only here
// are the file's own sets known too.
func (r *reader) checkPresets(c *Config) {
	for i, name := range c.Allow.Presets {
		key := element("allow.presets", i)
		if _, ok := find(c.Presets, name); !ok && r.well(key, "presets") {
			m := notAmong(name, names(c.Presets))
			m.Value = shown(name)
			r.badAt(key, *m)
		}
	}
}

// checkAdmitted wants somebody to be admitted, but not half the world.
func (r *reader) checkAdmitted(c *Config) {
	if !r.well("allow.presets", "allow.sources", "presets") {
		return
	}
	sources := c.sources()
	if sources.Empty() {
		r.badAt("allow.sources", Mistake{Kind: NobodyAdmitted})
	}
	if err := allow.CheckTotal(sources); err != nil {
		r.badAt("allow.sources", *sourceMistake(err))
	}
}

// checkVouching notes sources that are devices. A call's source is the rightmost
// address that is no device's, so that naming one in allow.sources admits nobody
// and shows a misunderstanding.
func (r *reader) checkVouching(c *Config) {
	const devices = "listen.forwarded_for_from"
	if !r.well("allow.sources", devices) {
		return
	}
	for i, p := range c.Allow.Sources {
		if j := slices.IndexFunc(c.Listen.ForwardedForFrom, covers(p)); j >= 0 {
			r.badAt(element("allow.sources", i), Mistake{
				Kind: VouchesOnly, Value: shown(formatSource(p)), Other: element(devices, j),
			})
		}
	}
}

// covers returns whether a prefix holds all of p.
func covers(p netip.Prefix) func(netip.Prefix) bool {
	return func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) }
}

// checkAddresses wants every listener to have a place of its own.
func (r *reader) checkAddresses(c *Config) {
	r.checkNotEmpty("listen.addresses", len(c.Listen.Addresses))
	r.checkNotEmpty("admin.addresses", len(c.Admin.Addresses))
	if !r.well("listen.addresses", "admin.addresses", "listen.acme.http_address") {
		return
	}
	type place struct{ key, address string }
	var places []place
	for i, a := range c.Listen.Addresses {
		places = append(places, place{element("listen.addresses", i), a})
	}
	for i, a := range c.Admin.Addresses {
		places = append(places, place{element("admin.addresses", i), a})
	}
	if c.Listen.TLS == TLSACME {
		places = append(places, place{"listen.acme.http_address", c.Listen.ACME.HTTPAddress})
	}
	for i, p := range places {
		for _, q := range places[:i] {
			if overlap(p.address, q.address) {
				r.badAt(p.key, Mistake{Kind: Overlap, Value: shown(p.address), Other: q.key + " " + shown(q.address)})
			}
		}
	}
}

// overlap reports whether a and b, which are good addresses to listen on,
// cannot both be bound. One without an IP address takes all of both families.
func overlap(a, b string) bool {
	hostA, portA, _ := hostPort(a)
	hostB, portB, _ := hostPort(b)
	return portA == portB && (isWildcard(hostA) || isWildcard(hostB) || hostA == hostB)
}

func isWildcard(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err != nil || addr.IsUnspecified()
}

// checkAdmin wants an admin listener that other machines reach to be told whom
// it may answer.
func (r *reader) checkAdmin(c *Config) {
	if len(c.Admin.Sources) > 0 || !r.well("admin") {
		return
	}
	for i, a := range c.Admin.Addresses {
		host, _, _ := hostPort(a)
		if addr, err := netip.ParseAddr(host); err != nil || !addr.IsLoopback() {
			r.badAt("admin.allow", Mistake{Kind: AdminOpen, Other: element("admin.addresses", i) + " " + shown(a)})
			return
		}
	}
}

// checkCertificate wants listen.tls and the two files to agree, and the files
// to be a certificate and its key.
func (r *reader) checkCertificate(l *Listen) {
	if !r.well("listen.tls", "listen.cert_file", "listen.key_file") {
		return
	}
	mode := fmt.Sprintf("listen.tls = %q", l.TLS)
	switch {
	case l.CertFile != "" && l.KeyFile == "":
		r.badAt("listen.key_file", Mistake{Kind: Needed, Other: "listen.cert_file"})
	case l.CertFile == "" && l.KeyFile != "":
		r.badAt("listen.cert_file", Mistake{Kind: Needed, Other: "listen.key_file"})
	case l.CertFile == "" && l.TLS == TLSFiles:
		r.badAt("listen.cert_file", Mistake{Kind: Needed, Other: mode})
		r.badAt("listen.key_file", Mistake{Kind: Needed, Other: mode})
	case l.CertFile != "" && l.TLS != TLSFiles:
		r.badAt("listen.cert_file", Mistake{Kind: NoEffect, Other: mode})
	case l.CertFile != "":
		r.keyPair(l)
	}
}

// checkACME wants the keys of [listen.acme] to be there when they are needed,
// and only then.
func (r *reader) checkACME(l *Listen) {
	if !r.well("listen.tls") {
		return
	}
	a, mode := &l.ACME, fmt.Sprintf("listen.tls = %q", l.TLS)
	for _, k := range []struct {
		key    string
		set    bool
		needed bool
	}{
		{"listen.acme.directory", a.Directory != "", true},
		{"listen.acme.email", a.Email != "", false},
		{"listen.acme.domains", len(a.Domains) > 0, true},
		{"listen.acme.ca_file", a.CAFile != "", false},
	} {
		switch {
		case !r.well(k.key):
		case l.TLS != TLSACME && k.set:
			r.badAt(k.key, Mistake{Kind: NoEffect, Other: mode})
		case l.TLS == TLSACME && !k.set && k.needed:
			r.badAt(k.key, Mistake{Kind: Needed, Other: mode})
		}
	}
	a.Roots = r.roots("listen.acme.ca_file", a.CAFile)
}

// checkUpstream wants upstream.local_address to be able to reach the host.
func (r *reader) checkUpstream(u *upstream.Options) {
	if !u.LocalAddress.IsValid() || !r.well("upstream.local_address") {
		return
	}
	local := "upstream.local_address " + shown(u.LocalAddress.String())
	otherFamily := func(key string, addr netip.Addr) {
		if r.well(key) && addr.Is4() != u.LocalAddress.Is4() {
			r.badAt(key, Mistake{Kind: OtherFamily, Value: shown(addr.String()), Other: local})
		}
	}
	for i, addr := range u.FixedIPs {
		otherFamily(element("upstream.fixed_ips", i), addr)
	}
	if addr, err := netip.ParseAddr(u.Host); err == nil && len(u.FixedIPs) == 0 {
		otherFamily("upstream.address", addr)
	}
}

// checkIdentity wants the keys of [upstream.tls] to fit verify: who sets a key
// that is not looked at believes to be protected by it.
func (r *reader) checkIdentity(c *Config) {
	t := &c.Upstream.TLS
	mode := fmt.Sprintf("upstream.tls.verify = %q", t.Verify)
	idle := func(key string, set bool, judges ...upstream.Verify) {
		if set && r.well(key, "upstream.tls.verify") && !slices.Contains(judges, t.Verify) {
			r.badAt(key, Mistake{Kind: NoEffect, Other: mode})
		}
	}
	idle("upstream.tls.pins", len(t.Pins) > 0, upstream.VerifyPin)
	idle("upstream.tls.on_change", t.OnChange != upstream.OnChangeAlert, upstream.VerifyFirstUse)
	idle("upstream.tls.ca_file", c.CAFile != "", upstream.VerifyFull, upstream.VerifyChain)
	if t.Verify == upstream.VerifyPin && len(t.Pins) == 0 && r.well("upstream.tls.pins") {
		r.badAt("upstream.tls.pins", Mistake{Kind: Needed, Other: mode})
	}
	t.Roots = r.roots("upstream.tls.ca_file", c.CAFile)
}

// checkVersions wants the range of TLS versions not to be empty.
func (r *reader) checkVersions(t *upstream.TLS) {
	const least, most = "upstream.tls.min_version", "upstream.tls.max_version"
	if t.MinVersion > t.MaxVersion && r.well(least, most) {
		r.badAt(least, Mistake{
			Kind: Above, Value: shown(tlsVersion().format(t.MinVersion)),
			Other: most + " " + shown(tlsVersion().format(t.MaxVersion)),
		})
	}
}

// checkLogs wants the two logs to be two files.
func (r *reader) checkLogs(l *Log) {
	if l.AccessFile != "" && l.AccessFile == l.ErrorFile && r.well("log.access_file", "log.error_file") {
		r.badAt("log.error_file", Mistake{Kind: Duplicate, Value: shown(l.ErrorFile), Other: "log.access_file"})
	}
}
