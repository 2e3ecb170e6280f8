package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// lookEvery is how often the files are looked at.
const lookEvery = 10 * time.Second

// Files is a certificate and its key in two files. Safe for concurrent use.
type Files struct {
	certFile, keyFile string
	metrics           *Metrics
	log               *zap.Logger
	current           atomic.Pointer[tls.Certificate] // with its Leaf

	// Of Run alone.
	seen    [2]stamp
	trouble string // what was said last about files that are refused
	warned  int    // the threshold of which certificate_expiring was said last
}

// A stamp tells one state of a file from another.
type stamp struct {
	info os.FileInfo // nil: there is no file
}

// Open reads the certificate in certFile, with its intermediates, and its key
// in keyFile, both PEM. A certificate that is out of date is accepted, since
// there is none before it, and Run warns of it. m may be nil for a time series
// that nobody sees, log for no log.
func Open(certFile, keyFile string, m *Metrics, log *zap.Logger) (*Files, error) {
	if m == nil {
		m = &Metrics{}
	}
	if log == nil {
		log = zap.NewNop()
	}
	f := &Files{certFile: certFile, keyFile: keyFile, metrics: m, log: log}
	f.seen = f.stamps() // before the files are read, so that no change goes unnoticed
	pair, err := f.read()
	if err != nil {
		return nil, err
	}
	f.current.Store(pair)
	return f, nil
}

// TLS returns how the listener speaks TLS: 1.2 and 1.3 with forward secrecy
// and authenticated encryption alone, and HTTP/1.1. Each handshake shows the
// certificate of its moment. The caller may not modify the result.
func (f *Files) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		MaxVersion: tls.VersionTLS13,
		CipherSuites: []uint16{ // of TLS 1.2; those of 1.3 are no matter of choice
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384},
		NextProtos:       []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return f.current.Load(), nil
		},
	}
}

// Leaf returns the certificate in use. It must not be modified.
func (f *Files) Leaf() *x509.Certificate { return f.current.Load().Leaf }

// Run reads the files again when they change, and warns while the certificate
// comes to its end, until ctx is done. It returns nil, and must be called once.
func (f *Files) Run(ctx context.Context) error {
	f.metrics.show(f)
	defer f.metrics.hide(f)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		f.warn(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			f.look(time.Now())
		}
	}
}

// look reads the files if they changed, or were refused when last read: a
// missing permission leaves no trace in what a stamp compares.
func (f *Files) look(now time.Time) {
	seen := f.stamps()
	if seen[0].same(f.seen[0]) && seen[1].same(f.seen[1]) && f.trouble == "" {
		return
	}
	f.seen = seen
	next, err := f.read()
	if err == nil {
		err = worse(f.Leaf(), next.Leaf, now)
	}
	if err != nil {
		f.refuse(err)
		return
	}
	f.trouble = ""
	if next.Leaf.Equal(f.Leaf()) {
		return
	}
	f.current.Store(next)
	f.warned = 0
	f.log.Info("listener certificate replaced", zap.String(keyFile, f.certFile),
		zap.String(keySubject, next.Leaf.Subject.String()), zap.Time(keyNotAfter, next.Leaf.NotAfter))
}

// refuse says once why the files are not taken.
func (f *Files) refuse(err error) {
	if f.trouble == err.Error() {
		return
	}
	f.trouble = err.Error()
	f.log.Error("listener certificate not replaced: the old one goes on serving", zap.Error(err),
		zap.Time(keyNotAfter, f.Leaf().NotAfter))
}

// worse returns why next may not take the place of current: callers would
// refuse it at now, and not current.
func worse(current, next *x509.Certificate, now time.Time) error {
	switch {
	case !valid(current, now):
		return nil
	case now.After(next.NotAfter):
		return fmt.Errorf("it expired on %s", next.NotAfter.Format(time.DateTime))
	case now.Before(next.NotBefore):
		return fmt.Errorf("it is not valid before %s", next.NotBefore.Format(time.DateTime))
	}
	return nil
}

func valid(c *x509.Certificate, now time.Time) bool {
	return !now.Before(c.NotBefore) && !now.After(c.NotAfter)
}

// read reads both files.
func (f *Files) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(f.certFile, f.keyFile)
	if err == nil && pair.Leaf == nil { // as GODEBUG=x509keypairleaf=0 has it
		pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0])
	}
	if err != nil {
		return nil, fmt.Errorf("reading listener certificate %s with key %s: %w", f.certFile, f.keyFile, err)
	}
	return &pair, nil
}

func (f *Files) stamps() [2]stamp { return [2]stamp{stampOf(f.certFile), stampOf(f.keyFile)} }

// stampOf follows links, as renewals often turn one around.
func stampOf(file string) stamp {
	info, err := os.Stat(file)
	if err != nil {
		return stamp{}
	}
	return stamp{info}
}

func (s stamp) same(other stamp) bool {
	if s.info == nil || other.info == nil {
		return s.info == other.info
	}
	return s.info.Size() == other.info.Size() && s.info.ModTime().Equal(other.info.ModTime()) &&
		os.SameFile(s.info, other.info)
}
