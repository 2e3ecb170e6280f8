package upstream

import (
	"net/netip"
	"time"
)

// Status is what is known of the upstream at one moment.
type Status struct {
	Host      string             `json:"host"`
	Up        bool               `json:"up"`    // the last connect came about
	Since     time.Time          `json:"since"` // of Up; zero: there was none yet
	Error     string             `json:"error,omitempty"`
	Lookup    string             `json:"lookup_error,omitempty"` // the last lookup's; older addresses stay in use
	Addresses []AddressStatus    `json:"addresses"`
	Shown     *CertificateStatus `json:"certificate,omitempty"` // seen last
	Changed   bool               `json:"certificate_changed"`   // a key waits to be accepted
	Keys      []KnownKey         `json:"keys"`
	Idle      int                `json:"idle"` // connections
	Busy      int                `json:"busy"`
}

// AddressStatus is what is known of one address of the upstream.
type AddressStatus struct {
	Addr  netip.Addr   `json:"address"`
	State AddressState `json:"state"`
	Since time.Time    `json:"since"` // of State; zero while it is unused
	Error string       `json:"error,omitempty"`
}

// AddressState is how the last attempt on an address ended.
type AddressState string

// The states of an address.
const (
	AddressUnused  AddressState = "unused" // not tried yet
	AddressUp      AddressState = "up"
	AddressFailed  AddressState = "failed"   // tried last, while it cools down
	AddressNoRoute AddressState = "no_route" // this machine has no route to it, as without IPv6
)

// CertificateStatus is the certificate that the upstream showed last.
type CertificateStatus struct {
	Pin      Pin       `json:"pin"`
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	Names    []string  `json:"names"`
	NotAfter time.Time `json:"not_after"`
}

// Status returns what is known of the upstream now.
func (u *Upstream) Status() Status {
	u.mu.Lock()
	s := Status{Host: u.o.Host, Up: u.state.up, Since: u.state.since}
	u.mu.Unlock()

	s.Addresses, s.Error = u.addrs.status()
	if err := u.resolver.failure(); err != nil {
		s.Lookup = err.Error()
	}
	if leaf := u.leaf.Load(); leaf != nil {
		s.Shown = &CertificateStatus{
			Pin: PinOf(leaf), Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(),
			Names: leaf.DNSNames, NotAfter: leaf.NotAfter,
		}
	}
	s.Changed, s.Keys = u.certificateChanged(), u.keys.List()
	s.Idle, s.Busy = u.pool.len(), int(u.busy.Load())
	return s
}

// status returns the state of each address, and the error of the last connect.
func (a *addresses) status() (list []AddressStatus, last string) {
	a.mu.Lock()
	defer a.mu.Unlock()

	for _, x := range a.list {
		s := AddressStatus{Addr: x.addr, State: x.state(), Since: x.since}
		if x.err != nil {
			s.Error = x.err.Error()
		}
		list = append(list, s)
	}
	if a.err != nil {
		last = a.err.Error()
	}
	return list, last
}

func (x *address) state() AddressState {
	switch {
	case x.since.IsZero():
		return AddressUnused
	case x.err == nil:
		return AddressUp
	case x.unroutable:
		return AddressNoRoute
	}
	return AddressFailed
}
