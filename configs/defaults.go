package configs

import (
	"crypto/tls"
	"path"
	"time"

	"github.com/lqproxy/lqproxy/firewall"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// DefaultFile is where the unnamed instance is configured.
const DefaultFile = "/etc/lqproxy/lqproxy.toml"

// FileOf returns where the instance of that name is configured.
func FileOf(instance string) string {
	if instance == "" {
		return DefaultFile
	}
	return path.Join(path.Dir(DefaultFile), instance+".toml")
}

// Default returns what holds when the file says nothing. It admits nobody.
func Default() Config {
	return Config{
		Language: "auto",
		StateDir: "/var/lib/lqproxy",
		Listen:   Listen{Addresses: []string{":8864"}, TLS: TLSOff, ACME: ACME{HTTPAddress: ":8880"}},
		Presets:  builtIn(),
		Proxy:    defaultProxy(),
		Upstream: defaultUpstream(),
		Log:      defaultLog(),
		Admin:    Admin{Addresses: []string{"127.0.0.1:9864"}},
		Firewall: Firewall{Backend: firewall.Auto},
		Probe:    Probe{Environment: probe.OnlyProduction},
	}
}

// DefaultInstance returns what holds for the instance of that name when its
// file says nothing: its own folders, and no addresses, which it must set.
func DefaultInstance(name string) Config {
	c := Default()
	if name == "" {
		return c
	}
	c.StateDir = path.Join(c.StateDir, name)
	c.Log.AccessFile = ofInstance(c.Log.AccessFile, name)
	c.Log.ErrorFile = ofInstance(c.Log.ErrorFile, name)
	c.Listen.Addresses = nil
	c.Admin.Addresses = nil
	return c
}

// ofInstance moves file into the folder name beside it.
func ofInstance(file, name string) string {
	return path.Join(path.Dir(file), name, path.Base(file))
}

func defaultProxy() proxy.Options {
	return proxy.Options{
		Paths:           []string{"/access/"},
		DropFields:      []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"},
		HeaderTimeout:   10 * time.Second,
		BodyTimeout:     30 * time.Second,
		IdleTimeout:     75 * time.Second,
		ResponseTimeout: 120 * time.Second,
		DrainTimeout:    130 * time.Second,
		Limits: proxy.Limits{
			Connections:  4096,
			Exchanges:    1024,
			QueueTimeout: 10 * time.Second,
			HeaderSize:   32 * kib,
			HeaderCount:  100,
			BodySize:     256 * mib,
		},
	}
}

func defaultUpstream() upstream.Options {
	return upstream.Options{
		Host:        "lqpt.chinatax.gov.cn",
		Port:        8443,
		DialTimeout: 5 * time.Second,
		TLSTimeout:  10 * time.Second,
		IdleTimeout: 15 * time.Second,
		MaxAge:      10 * time.Minute,
		TLS: upstream.TLS{
			Verify:     upstream.VerifyFirstUse,
			OnChange:   upstream.OnChangeAlert,
			MinVersion: tls.VersionTLS12,
			MaxVersion: tls.VersionTLS13,
		},
	}
}

func defaultLog() Log {
	return Log{
		Level:      "info",
		AccessFile: "/var/log/lqproxy/access.log",
		ErrorFile:  "/var/log/lqproxy/error.log",
		Rotate:     RotateDaily,
		RotateSize: gib,
		RetainDays: 365,
		MinFree:    2 * gib,
		Compress:   true,
	}
}
