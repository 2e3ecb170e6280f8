package daemon

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"reflect"
	"strings"

	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/proxy/certs"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// A generation is what one configuration describes, built. It is never
// modified after publication.
type generation struct {
	config      configs.Config
	upstream    *upstream.Upstream
	certificate *certs.Files // nil: the listener is plain
	tls         *tls.Config  // nil: likewise
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
	if c.Listen.TLS == configs.TLSOff {
		return g, nil
	}
	if old != nil && old.certificate != nil && sameCertificate(old.config.Listen, c.Listen) {
		g.certificate, g.tls = old.certificate, old.tls
		return g, nil
	}
	certificate, err := certs.Open(c.Listen.CertFile, c.Listen.KeyFile, d.metrics.certificate, d.logs.Error.Named("certs"))
	if err != nil {
		return nil, err
	}
	g.certificate, g.tls = certificate, certificate.TLS()
	return g, nil
}

// enforce publishes g and starts what runs of it. It cannot fail.
func (d *Daemon) enforce(g *generation) {
	if g.config.Upstream.TLS.Legacy {
		AcceptSHA1()
	}
	old := d.current.Swap(g)
	d.admin.Admit(g.config.Admin.Allow)
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
	d.remember(g.config)
}

// runCertificate is there also without a certificate, so that it can take the
// place of one.
func (g *generation) runCertificate(ctx context.Context) error {
	if g.certificate == nil {
		<-ctx.Done()
		return nil
	}
	return g.certificate.Run(ctx)
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

func sameCertificate(a, b configs.Listen) bool {
	return a.CertFile == b.CertFile && a.KeyFile == b.KeyFile
}

// same reports whether a and b are the same configuration, with the same
// authorities in the file that it names.
func same(a, b configs.Config) bool {
	return bytes.Equal(a.Effective(), b.Effective()) && sameRoots(a.Upstream.TLS.Roots, b.Upstream.TLS.Roots)
}
