package upstream

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	ours := newIssuer(t)
	cert := ours.issue(t, time.Now().Add(time.Hour), testHost)
	p := newRotating(t, cert)
	o := options(p.addr)
	o.TLS.Verify, o.FixedIPs = VerifyFirstUse, ips(t, "127.0.0.9", "127.0.0.1", "127.0.0.2")
	u := newUpstream(t, o)
	a, b := mustGet(t, u), mustGet(t, u)
	defer b.Close()
	a.Put(0)

	s := u.Status()
	var states []AddressState
	for _, x := range s.Addresses {
		states = append(states, x.State)
	}
	if diff := cmp.Diff([]AddressState{AddressFailed, AddressUp, AddressUnused}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if want := "dialing upstream 127.0.0.9:" + strings.Split(p.addr.String(), ":")[1] + ": connect: connection refused"; s.Addresses[0].Error != want {
		t.Errorf("Addresses[0].Error = %q, want %q", s.Addresses[0].Error, want)
	}
	if !s.Up || s.Error != "" || s.Changed || s.Idle != 1 || s.Busy != 1 || len(s.Keys) != 1 || s.Keys[0].Pin != PinOf(cert.Leaf) {
		t.Errorf("Status() = %+v, want up, one connection idle and one busy, and the key", s)
	}
	if s.Shown == nil || s.Shown.Pin != PinOf(cert.Leaf) || s.Shown.Subject != "CN=leaf" || s.Shown.Names[0] != testHost {
		t.Errorf("Status().Shown = %+v, want the certificate", s.Shown)
	}
	text, err := json.Marshal(s)
	if err != nil || !strings.Contains(string(text), `"pin":"`+PinOf(cert.Leaf).String()+`"`) {
		t.Errorf("as JSON: %s, %v, want the pin as a person writes it", text, err)
	}
}
