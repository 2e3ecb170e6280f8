package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"path/filepath"
	"slices"

	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/proxy/certs"
)

// A certificate is the listener's, wherever it comes from.
type certificate interface {
	TLS() *tls.Config
	Leaf() *x509.Certificate
	State() certs.State
	Refresh()                      // reads the files, or asks the authority again, without waiting
	Run(ctx context.Context) error // until ctx is done
}

// acmeFolder is where the certificate of an authority is kept in the state directory.
const acmeFolder = "acme"

// certificateOf returns the certificate that c describes: old's, if it is the
// same; nil if callers do not speak TLS. It is built and not yet run.
func (d *Daemon) certificateOf(c configs.Config, old *generation) (certificate, error) {
	if c.Listen.TLS == configs.TLSOff {
		return nil, nil
	}
	if old != nil && old.certificate != nil && sameCertificate(old.config.Listen, c.Listen) {
		return old.certificate, nil
	}
	o := certs.Options{Wanted: c.PublicHosts(), Metrics: d.metrics.certificate, Log: d.logs.Error.Named("certs")}
	if c.Listen.TLS == configs.TLSACME {
		return certs.OpenACME(acmeOptions(c), o)
	}
	files, err := certs.OpenFiles(c.Listen.CertFile, c.Listen.KeyFile, o)
	if err != nil {
		return nil, err
	}
	if old != nil && old.certificate != nil {
		if err := certs.Worse(old.certificate.Leaf(), files.Leaf(), c.Listen.CertFile); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func acmeOptions(c configs.Config) certs.ACMEOptions {
	a := c.Listen.ACME
	return certs.ACMEOptions{
		Directory:  a.Directory,
		Email:      a.Email,
		Names:      a.Domains,
		Roots:      a.Roots,
		Folder:     filepath.Join(c.StateDir, acmeFolder),
		Challenges: a.HTTPAddress,
	}
}

// sameCertificate reports whether a and b have the same certificate, from the
// same place in the same way.
func sameCertificate(a, b configs.Listen) bool {
	if a.TLS != b.TLS {
		return false
	}
	if a.TLS == configs.TLSFiles {
		return a.CertFile == b.CertFile && a.KeyFile == b.KeyFile
	}
	return sameACME(a.ACME, b.ACME)
}

func sameACME(a, b configs.ACME) bool {
	return a.Directory == b.Directory && a.Email == b.Email && slices.Equal(a.Domains, b.Domains) &&
		a.HTTPAddress == b.HTTPAddress && sameRoots(a.Roots, b.Roots)
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

// serveChallenge answers challenges of the certificate's authority; without
// such a certificate there is nothing.
func (d *Daemon) serveChallenge(w http.ResponseWriter, r *http.Request) {
	if h, ok := d.current.Load().certificate.(http.Handler); ok {
		h.ServeHTTP(w, r)
		return
	}
	w.WriteHeader(http.StatusNotFound)
}
