package configs

import (
	"slices"
	"time"

	"github.com/lqproxy/lqproxy/firewall"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// schema returns every key of the file in the order of the reference file,
// bound to its place in c. Keys outside tables come first. A key of a later
// version is a line here and one in the reference file.
func schema(c *Config) []field {
	return slices.Concat(
		[]field{
			one("language", &c.Language, oneOf("auto", "zh", "en")),
			one("state_dir", &c.StateDir, filePath()),
			units("units", &c.Proxy.Units),
		},
		listenKeys(c),
		acmeKeys(&c.Listen.ACME),
		allowKeys(c),
		upstreamKeys(c),
		upstreamTLSKeys(c),
		limitKeys(&c.Proxy.Limits),
		logKeys(&c.Log),
		[]field{
			list("admin.addresses", &c.Admin.Addresses, listenAddress()),
			list("admin.allow", &c.Admin.Sources, source()),
			one("firewall.backend", &c.Firewall.Backend, oneOf(firewall.Auto, firewall.Firewalld, firewall.IPTables, firewall.None)),
			list("firewall.zones", &c.Firewall.Zones, codec[string]{parse: anyString, format: same}),
			one("probe.interval", &c.Probe.Interval, orZero(duration(probe.MinInterval, 24*time.Hour))),
			one("probe.environment", &c.Probe.Environment, oneOf(probe.Scopes...)),
			list("probe.filed_ips", &c.Probe.FiledIPs, address()),
			one("probe.egress_echo_url", &c.Probe.EchoURL, optional(webURL())),
		},
	)
}

func listenKeys(c *Config) []field {
	l, p := &c.Listen, &c.Proxy
	return []field{
		list("listen.addresses", &l.Addresses, listenAddress()),
		one("listen.tls", &l.TLS, oneOf(TLSOff, TLSFiles, TLSACME)),
		one("listen.cert_file", &l.CertFile, filePath("")),
		one("listen.key_file", &l.KeyFile, filePath("")),
		list("listen.proxy_protocol_from", &l.ProxyProtocolFrom, source()),
		list("listen.forwarded_for_from", &l.ForwardedForFrom, source()),
		list("listen.health_from", &l.HealthFrom, source()),
		one("listen.header_timeout", &p.HeaderTimeout, duration(time.Second, 5*time.Minute)),
		one("listen.body_timeout", &p.BodyTimeout, duration(time.Second, 10*time.Minute)),
		one("listen.idle_timeout", &p.IdleTimeout, duration(10*time.Second, time.Hour)),
		one("listen.drain_grace", &p.DrainGrace, duration(0, time.Minute)),
		one("listen.drain_timeout", &p.DrainTimeout, duration(time.Second, time.Hour)),
	}
}

func acmeKeys(a *ACME) []field {
	return []field{
		one("listen.acme.directory", &a.Directory, optional(directory())),
		one("listen.acme.email", &a.Email, optional(mailbox())),
		list("listen.acme.domains", &a.Domains, provable()),
		one("listen.acme.http_address", &a.HTTPAddress, listenAddress()),
		one("listen.acme.ca_file", &a.CAFile, filePath("")),
	}
}

func allowKeys(c *Config) []field {
	return []field{
		list("allow.presets", &c.Allow.Presets, codec[string]{parse: anyString, format: same}),
		list("allow.sources", &c.Allow.Sources, source()),
		list("allow.units", &c.Proxy.AllowedUnits, unit()),
		list("allow.paths", &c.Proxy.Paths, pathPrefix()),
		presets("presets", &c.Presets),
	}
}

func upstreamKeys(c *Config) []field {
	u := &c.Upstream
	return []field{
		upstreamAddress("upstream.address", u),
		list("upstream.fixed_ips", &u.FixedIPs, address()),
		one("upstream.local_address", &u.LocalAddress, optional(address())),
		list("upstream.drop_headers", &c.Proxy.DropFields, droppable()),
		one("upstream.dial_timeout", &u.DialTimeout, duration(100*time.Millisecond, 15*time.Second)),
		one("upstream.tls_timeout", &u.TLSTimeout, duration(time.Second, time.Minute)),
		one("upstream.response_timeout", &c.Proxy.ResponseTimeout, duration(time.Second, 30*time.Minute)),
		one("upstream.idle_timeout", &u.IdleTimeout, duration(time.Second, 10*time.Minute)),
		one("upstream.max_age", &u.MaxAge, duration(10*time.Second, 24*time.Hour)),
		boolean("upstream.fresh_connections", &u.Fresh),
	}
}

func upstreamTLSKeys(c *Config) []field {
	t := &c.Upstream.TLS
	return []field{
		one("upstream.tls.verify", &t.Verify, oneOf(upstream.VerifyFull, upstream.VerifyChain,
			upstream.VerifyPin, upstream.VerifyFirstUse, upstream.VerifyNone)),
		one("upstream.tls.on_change", &t.OnChange, oneOf(upstream.OnChangeAlert, upstream.OnChangeRefuse)),
		list("upstream.tls.pins", &t.Pins, pin()),
		one("upstream.tls.ca_file", &c.CAFile, filePath("")),
		one("upstream.tls.server_name", &t.ServerName, optional(hostName())),
		one("upstream.tls.min_version", &t.MinVersion, tlsVersion()),
		one("upstream.tls.max_version", &t.MaxVersion, tlsVersion()),
		boolean("upstream.tls.legacy", &t.Legacy),
		boolean("upstream.tls.post_quantum", &t.PostQuantum),
	}
}

func limitKeys(l *proxy.Limits) []field {
	return []field{
		integer("limits.connections", &l.Connections, 1, 1_000_000),
		integer("limits.exchanges", &l.Exchanges, 1, 65_536),
		one("limits.queue_timeout", &l.QueueTimeout, duration(0, 5*time.Minute)),
		one("limits.header_size", &l.HeaderSize, size[int](4*kib, mib)),
		integer("limits.header_count", &l.HeaderCount, 16, 1000),
		one("limits.body_size", &l.BodySize, size[int64](64*kib, 16*gib)),
	}
}

func logKeys(l *Log) []field {
	return []field{
		one("log.level", &l.Level, oneOf("debug", "info", "warn", "error")),
		one("log.access_file", &l.AccessFile, filePath("", LogOff)),
		one("log.error_file", &l.ErrorFile, filePath("")),
		one("log.syslog", &l.Syslog, optional(syslogAddress())),
		one("log.rotate", &l.Rotate, oneOf(RotateDaily, RotateOff)),
		one("log.rotate_size", &l.RotateSize, size[int64](mib, tib)),
		integer("log.retain_days", &l.RetainDays, 1, 3650),
		one("log.min_free", &l.MinFree, size[int64](0, 100*tib)),
		boolean("log.compress", &l.Compress),
	}
}

func anyString(s string) (string, *Mistake) { return s, nil }

// upstreamAddress binds key to the one host and its port.
func upstreamAddress(key string, u *upstream.Options) field {
	return field{
		key: key,
		read: func(r *reader, value any) {
			s, ok := readOne(r, value, codec[string]{parse: anyString})
			if !ok {
				return
			}
			host, port, ok := hostPort(s)
			if !ok || !isHost(host) {
				r.bad(Mistake{Kind: NotUpstream, Value: shown(s), Proposal: `"lqpt.chinatax.gov.cn:8443"`})
				return
			}
			u.Host, u.Port = host, port
		},
		write: func() any { return joinHostPort(u.Host, u.Port) },
	}
}
