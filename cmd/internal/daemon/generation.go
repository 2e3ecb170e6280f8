package daemon

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"reflect"
	"strings"

	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// A generation is what one configuration describes, built. It is never
// modified after publication.
type generation struct {
	config      configs.Config
	upstream    *upstream.Upstream
	certificate certificate // nil: the listener is plain
	tls         *tls.Config // nil: likewise
}

// build builds the generation of c and changes nothing else. What c leaves as
// it was is taken over from old, so that connections and sessions stay.
func (d *Daemon) build(c configs.Config, old *generation) (*generation, error) {
	g := &generation{config: c}
	if old != nil && sameUpstream(old.config.Upstream, c.Upstream) {
		g.upstream = old.upstream
	} else {
		up, err := upstream.New(c.Upstream, d.known, d.metrics.upstream, d.logs.Error.Named("upstream"))
		if err != nil {
			return nil, err
		}
		g.upstream = up
	}
	var err error
	if g.certificate, err = d.certificateOf(c, old); err != nil {
		return nil, err
	}
	switch {
	case g.certificate == nil:
	case old != nil && old.certificate == g.certificate:
		g.tls = old.tls // with the keys of its session tickets
	default:
		g.tls = g.certificate.TLS()
	}
	return g, nil
}

// enforce publishes g, which by asked for, and starts what runs of it. It
// cannot fail.
func (d *Daemon) enforce(g *generation, by Origin) {
	if g.config.Upstream.TLS.Legacy {
		AcceptSHA1()
	}
	old := d.current.Swap(g)
	for _, f := range *d.fronts.Load() {
		if f.admin != nil {
			f.admin.Admit(g.config.Admin.Allow)
		}
	}
	if old != nil {
		d.server.Reload(g.config.Proxy, g.upstream, g.tls)
	}
	if old == nil || old.upstream != g.upstream {
		d.upstreams.hand(g.upstream.Run)
	}
	if old == nil || old.certificate != g.certificate {
		d.certificates.hand(g.runCertificate)
	}
	if old == nil || !sameProbe(old.config, g.config) {
		d.probeWith(g.config)
	}
	if d.inCharge.Load() {
		d.remember(g.config, by)
	}
}

// AcceptSHA1 lets crypto/x509 and crypto/tls accept SHA-1 signatures, as
// upstream.tls.legacy asks. That is a setting of the whole process, and not
// taken back: connections of an old upstream may still need it.
func AcceptSHA1() {
	const setting = "tlssha1=1"
	others := os.Getenv("GODEBUG")
	if strings.Contains(others, setting) {
		return
	}
	os.Setenv("GODEBUG", strings.TrimPrefix(others+","+setting, ",")) //nolint:errcheck // neither name nor value is odd
}

// sameUpstream reports whether a and b reach the same host in the same way.
func sameUpstream(a, b upstream.Options) bool {
	if !sameRoots(a.TLS.Roots, b.TLS.Roots) {
		return false
	}
	a.TLS.Roots, b.TLS.Roots = nil, nil // they hold functions, which are never equal
	return reflect.DeepEqual(a, b)
}

func sameRoots(a, b *x509.CertPool) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(b)
}

// same reports whether a and b are the same configuration, with the same
// authorities in the files that it names.
func same(a, b configs.Config) bool {
	return bytes.Equal(a.Effective(), b.Effective()) && sameRoots(a.Upstream.TLS.Roots, b.Upstream.TLS.Roots) &&
		sameRoots(a.Listen.ACME.Roots, b.Listen.ACME.Roots)
}
