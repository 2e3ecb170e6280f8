package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// A rotating peer shows the certificate that was set last.
type rotating struct {
	*peer
	cert atomic.Pointer[tls.Certificate]
}

func newRotating(t *testing.T, first tls.Certificate) *rotating {
	t.Helper()
	r := &rotating{}
	r.cert.Store(&first)
	r.peer = newPeer(t, "127.0.0.1:0", &tls.Config{
		SessionTicketsDisabled: true,
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return r.cert.Load(), nil },
	}, echo)
	return r
}

func TestModesOfVerification(t *testing.T) {
	t.Parallel()
	ours, other := newIssuer(t), newIssuer(t)
	later, past := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	certs := map[string]tls.Certificate{
		"good":     ours.issue(t, later, testHost),
		"nameless": ours.issue(t, later),
		"misnamed": ours.issue(t, later, "other.test"),
		"expired":  ours.issue(t, past, testHost),
		"foreign":  other.issue(t, later, testHost),
	}
	passes := map[Verify][]string{
		VerifyFull:     {"good"},
		VerifyChain:    {"good", "nameless", "misnamed"},
		VerifyPin:      {"nameless", "foreign"}, // pinned below
		VerifyFirstUse: {"good", "nameless", "misnamed", "expired", "foreign"},
		VerifyNone:     {"good", "nameless", "misnamed", "expired", "foreign"},
	}
	for name, cert := range certs {
		p := newRotating(t, cert)
		for mode, good := range passes {
			t.Run(string(mode)+"/"+name, func(t *testing.T) {
				t.Parallel()
				o := options(p.addr)
				o.TLS.Verify, o.TLS.Roots = mode, ours.pool()
				o.TLS.Pins = []Pin{PinOf(certs["nameless"].Leaf), PinOf(certs["foreign"].Leaf)}
				c, err := newUpstream(t, o).Get(t.Context())
				if !slices.Contains(good, name) {
					wantPhase(t, err, PhaseIdentity)
					return
				}
				wantPhase(t, err, "")
				exchange(t, c)
				c.Close()
			})
		}
	}
}

func TestServerNameIsJudgedInPlaceOfTheHost(t *testing.T) {
	t.Parallel()
	ours := newIssuer(t)
	p := newRotating(t, ours.issue(t, time.Now().Add(time.Hour), "gateway.test"))
	o := options(p.addr)
	o.TLS.Verify, o.TLS.Roots, o.TLS.ServerName = VerifyFull, ours.pool(), "gateway.test"
	c := mustGet(t, newUpstream(t, o))
	c.Close()
}

func TestARefusalSaysWhatTheCertificateShows(t *testing.T) {
	t.Parallel()
	ours := newIssuer(t)
	cert := ours.issue(t, time.Now().Add(time.Hour)) // as Leqi's: valid for no names
	p := newRotating(t, cert)
	o := options(p.addr)
	o.TLS.Verify, o.TLS.Roots = VerifyFull, ours.pool()
	_, err := newUpstream(t, o).Get(t.Context())
	failure := wantPhase(t, err, PhaseIdentity)
	if failure.Addr != p.addr {
		t.Errorf("Addr = %v, want %v", failure.Addr, p.addr)
	}
	if _, ok := errors.AsType[x509.HostnameError](err); !ok {
		t.Errorf("error = %v, want the cause kept", err)
	}
	for _, want := range []string{`verify "full": x509: certificate is not valid for any names`, `subject "CN=leaf"`, `issuer "CN=Test Root"`, "no names", PinOf(cert.Leaf).String(), "chain passes"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want it to say %q", err, want)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	ours := newIssuer(t)
	later := time.Now().Add(time.Hour)
	good, nameless := ours.issue(t, later, testHost).Leaf, ours.issue(t, later).Leaf
	tests := []struct {
		name string
		leaf *x509.Certificate
		o    TLS
		want []Verify
	}{
		{"all", good, TLS{Roots: ours.pool(), Pins: []Pin{PinOf(good)}}, []Verify{VerifyFull, VerifyChain, VerifyPin}},
		{"no names", nameless, TLS{Roots: ours.pool(), Pins: []Pin{PinOf(nameless)}}, []Verify{VerifyChain, VerifyPin}},
		{"another name", good, TLS{Roots: ours.pool(), ServerName: "other.test"}, []Verify{VerifyChain}},
		{"no roots", good, TLS{Roots: x509.NewCertPool(), Pins: []Pin{PinOf(good)}}, []Verify{VerifyPin}},
		{"nothing", good, TLS{Roots: x509.NewCertPool(), Pins: []Pin{PinOf(nameless)}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			state := tls.ConnectionState{ServerName: testHost, PeerCertificates: []*x509.Certificate{tt.leaf}}
			j, err := Judge(state, tt.o)
			if err != nil || j.Leaf != tt.leaf || j.Key != PinOf(tt.leaf) {
				t.Fatalf("Judge() = %+v, %v, want a judgement of the leaf", j, err)
			}
			if diff := cmp.Diff(tt.want, j.Passing()); diff != "" {
				t.Errorf("Passing() (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := Judge(tls.ConnectionState{}, TLS{}); err == nil {
		t.Error("Judge() of no certificate succeeded, want an error")
	}
}

func TestFirstUse(t *testing.T) {
	t.Parallel()
	for _, change := range []OnChange{OnChangeAlert, OnChangeRefuse} {
		t.Run(string(change), func(t *testing.T) {
			t.Parallel()
			ours := newIssuer(t)
			first, second := ours.issue(t, time.Now().Add(time.Hour)), ours.issue(t, time.Now().Add(2*time.Hour))
			p := newRotating(t, first)
			keys, _ := OpenKnownKeys(filepath.Join(t.TempDir(), "keys.json"))
			core, logs := observer.New(zapcore.InfoLevel)
			o := options(p.addr)
			o.TLS.Verify, o.TLS.OnChange = VerifyFirstUse, change
			connect := func() error { // each with an Upstream of its own: after a refusal the address cools down
				u := newLogged(t, o, keys, nil, zap.New(core))
				c, err := u.Get(t.Context())
				if err == nil {
					exchange(t, c)
					c.Close()
				}
				return err
			}

			wantPhase(t, connect(), "")
			p.cert.Store(&second)
			var refused Phase
			if change == OnChangeRefuse {
				refused = PhaseIdentity
			}
			for range 2 { // told once
				wantPhase(t, connect(), refused)
			}
			if got := logs.FilterField(event(eventCertificateChanged)).Len(); got != 1 {
				t.Errorf("%d events %s, want 1", got, eventCertificateChanged)
			}
			if got := logs.FilterMessage("upstream key recorded").Len(); got != 1 {
				t.Errorf("%d first keys were told, want 1", got)
			}
			if !keys.waiting() {
				t.Error("waiting() = false, want true: the second key is not accepted")
			}
			if err := keys.Accept(PinOf(second.Leaf)); err != nil {
				t.Fatal(err)
			}
			wantPhase(t, connect(), "")
			p.cert.Store(&first) // another gateway still shows it
			wantPhase(t, connect(), "")
			if keys.waiting() {
				t.Error("waiting() = true, want false")
			}
		})
	}
}

func TestAResumedSessionIsJudged(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			ours := newIssuer(t)
			cert, other := ours.issue(t, time.Now().Add(time.Hour)), ours.issue(t, time.Now().Add(time.Hour))
			p := newPeer(t, "127.0.0.1:0", &tls.Config{MaxVersion: version, Certificates: []tls.Certificate{cert}}, echo)
			keys, _ := OpenKnownKeys(filepath.Join(t.TempDir(), "keys.json"))
			o := options(p.addr)
			o.TLS.Verify, o.TLS.OnChange = VerifyFirstUse, OnChangeRefuse
			u := newLogged(t, o, keys, nil, nil)

			resumed := make(chan bool, 3)
			verify := u.tls.VerifyConnection
			u.tls.VerifyConnection = func(s tls.ConnectionState) error { resumed <- s.DidResume; return verify(s) }
			c := mustGet(t, u)
			exchange(t, c)
			c.Close()
			keys.see(other.Leaf, time.Now())
			if err := keys.Forget(PinOf(cert.Leaf)); err != nil {
				t.Fatal(err)
			}
			_, err := u.Get(t.Context())
			wantPhase(t, err, PhaseIdentity)
			if first, second := <-resumed, <-resumed; first || !second {
				t.Errorf("DidResume = %v, %v, want false, true", first, second)
			}
		})
	}
}

func TestOptionsThatCannotWork(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(o *Options)
		want   string
	}{
		{"host", func(o *Options) { o.Host = "" }, "no host"},
		{"port", func(o *Options) { o.Port = 0 }, "no port"},
		{"family", func(o *Options) { o.LocalAddress = netip.MustParseAddr("::1") }, "none of the fixed addresses [127.0.0.1] has the family of the local address ::1"},
		{"verify", func(o *Options) { o.TLS.Verify = "" }, `verify "" is none of [full chain pin first-use none]`},
		{"on_change", func(o *Options) { o.TLS.OnChange = "ask" }, `on_change "ask" is none of [alert refuse]`},
		{"pins", func(o *Options) { o.TLS.Verify = VerifyPin }, "no pins"},
		{"versions", func(o *Options) { o.TLS.MaxVersion = tls.VersionTLS11 }, "min_version is above max_version"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := options(netip.MustParseAddrPort("127.0.0.1:1"))
			tt.change(&o)
			if _, err := New(o, nil, nil, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New() = %v, want it to say %q", err, tt.want)
			}
		})
	}
}
