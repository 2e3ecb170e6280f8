package upstream

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Options say which host, and how it is reached. Never modified after New.
type Options struct {
	Host         string // name or address; resolved unless FixedIPs are given
	Port         uint16
	FixedIPs     []netip.Addr
	LocalAddress netip.Addr    // source address of connections; zero: the system's choice
	DialTimeout  time.Duration // per address; the whole connect step takes at most 15 s. 0: only that
	TLSTimeout   time.Duration // 0: as DialTimeout
	IdleTimeout  time.Duration // in the pool; 0: no limit
	MaxAge       time.Duration // of a connection; 0: no limit
	Fresh        bool          // no reuse
	TLS          TLS
}

// TLS says how the host proves who it is, and what is offered to it.
type TLS struct {
	Verify      Verify
	OnChange    OnChange       // zero: OnChangeAlert
	Pins        []Pin          // for VerifyPin
	Roots       *x509.CertPool // for VerifyFull and VerifyChain; nil: the system's
	ServerName  string         // default: Options.Host
	MinVersion  uint16         // as in crypto/tls
	MaxVersion  uint16
	Legacy      bool // RSA key exchange; SHA-1 signatures are the process's GODEBUG, which cmd sets
	PostQuantum bool // offers X25519MLKEM768
}

// Verify is the way in which the upstream's certificate is judged.
type Verify string

// The values of upstream.tls.verify.
const (
	VerifyFull     Verify = "full"      // chain to a root, and the name
	VerifyChain    Verify = "chain"     // chain to a root
	VerifyPin      Verify = "pin"       // one of the keys named
	VerifyFirstUse Verify = "first-use" // a key of the record
	VerifyNone     Verify = "none"
)

// OnChange is what happens to an unknown key under VerifyFirstUse.
type OnChange string

// The values of upstream.tls.on_change.
const (
	OnChangeAlert  OnChange = "alert"
	OnChangeRefuse OnChange = "refuse"
)

// validate returns every mistake in o that would make it unusable.
func (o Options) validate() error {
	var errs []error
	if o.Host == "" {
		errs = append(errs, errors.New("no host is named"))
	}
	if o.Port == 0 {
		errs = append(errs, errors.New("no port is named"))
	}
	if len(o.FixedIPs) > 0 && len(usable(o.FixedIPs, o.LocalAddress)) == 0 {
		errs = append(errs, fmt.Errorf("none of the fixed addresses %v has the family of the local address %v", o.FixedIPs, o.LocalAddress))
	}
	return errors.Join(append(errs, o.TLS.validate())...)
}

func (o TLS) validate() error {
	var errs []error
	modes := []Verify{VerifyFull, VerifyChain, VerifyPin, VerifyFirstUse, VerifyNone}
	if !slices.Contains(modes, o.Verify) {
		errs = append(errs, fmt.Errorf("tls verify %q is none of %v", o.Verify, modes))
	}
	if o.Verify == VerifyPin && len(o.Pins) == 0 {
		errs = append(errs, errors.New("tls verify is pin, but no pins are named"))
	}
	changes := []OnChange{"", OnChangeAlert, OnChangeRefuse}
	if !slices.Contains(changes, o.OnChange) {
		errs = append(errs, fmt.Errorf("tls on_change %q is none of %v", o.OnChange, changes[1:]))
	}
	if o.MaxVersion != 0 && o.MinVersion > o.MaxVersion {
		errs = append(errs, errors.New("tls min_version is above max_version"))
	}
	return errors.Join(errs...)
}
