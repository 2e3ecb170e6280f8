package daemon

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// TestStatusOfARunningInstance: what was counted, and what the parts say.
func TestStatusOfARunningInstance(t *testing.T) {
	i := newInstance(t, admitted+`allow.paths = ["/access/"]
upstream.tls.on_change = "refuse"
`)
	i.run(t)
	if status, body := i.call(t); status != 200 {
		t.Fatalf("call = %d %s, want 200", status, body)
	}
	_, text := i.ask(t, "/status")
	var s admin.Status
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("/status = %s: %v", text, err)
	}
	want := admin.Identity{Verify: upstream.VerifyFirstUse, OnChange: upstream.OnChangeRefuse, Key: admin.KeyKnown}
	if diff := cmp.Diff(want, s.Identity); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
	if m := s.Traffic.LastMinute; m.Exchanges != 1 || m.Failures != 0 || m.TotalP95 == nil || m.OwnP95 == nil {
		t.Errorf("last minute = %+v, want the one call with its times", m)
	}
	if s.Time.Before(s.Started) || s.Log.AccessFile != "off" || s.Log.Free != nil || len(s.Log.Failing) > 0 {
		t.Errorf("time %v, started %v, log %+v, want them as configured", s.Time, s.Started, s.Log)
	}
	if j := admin.Judge(s); j.Level != admin.OK {
		t.Errorf("Judge() = %+v, want OK", j)
	}
}

// TestIdentitySaysWhatIsHeldOfTheKey in each mode.
func TestIdentitySaysWhatIsHeldOfTheKey(t *testing.T) {
	t.Parallel()
	shown := &upstream.CertificateStatus{Pin: upstream.Pin{1}}
	for _, tt := range []struct {
		tls  upstream.TLS
		up   upstream.Status
		want admin.KeyState
	}{
		{upstream.TLS{Verify: upstream.VerifyFirstUse}, upstream.Status{}, admin.KeyUnjudged},
		{upstream.TLS{Verify: upstream.VerifyFirstUse}, upstream.Status{Shown: shown}, admin.KeyKnown},
		{upstream.TLS{Verify: upstream.VerifyFirstUse}, upstream.Status{Shown: shown, Changed: true}, admin.KeyNew},
		{upstream.TLS{Verify: upstream.VerifyPin, Pins: []upstream.Pin{{2}, {1}}}, upstream.Status{Shown: shown}, admin.KeyPinned},
		{upstream.TLS{Verify: upstream.VerifyPin, Pins: []upstream.Pin{{2}}}, upstream.Status{Shown: shown}, admin.KeyForeign},
		{upstream.TLS{Verify: upstream.VerifyChain}, upstream.Status{Shown: shown}, admin.KeyUnjudged},
	} {
		if got := identity(tt.tls, tt.up); got.Key != tt.want || got.OnChange != upstream.OnChangeAlert {
			t.Errorf("identity(%s, changed %v) = %+v, want key %q", tt.tls.Verify, tt.up.Changed, got, tt.want)
		}
	}
}

// The group of the service may find the instance, and nobody else.
func TestTheInstanceIsFoundByItsGroup(t *testing.T) {
	i := newInstance(t, admitted)
	i.run(t)
	info, err := os.Stat(filepath.Join(i.dir, instanceName))
	if err != nil || info.Mode() != fs.FileMode(0o640) {
		t.Errorf("mode of %s = %v, %v, want 0640", instanceName, info.Mode(), err)
	}
}
