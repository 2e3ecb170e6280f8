package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/probe/leqisim"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// Settings in the order of the configuration file.
var (
	setLegacy    = Setting{"upstream.tls.legacy", "true"}
	setClassical = Setting{"upstream.tls.post_quantum", "false"}
	setUpTo12    = Setting{"upstream.tls.max_version", `"1.2"`}
	setUpTo13    = Setting{"upstream.tls.max_version", `"1.3"`}
	setFrom12    = Setting{"upstream.tls.min_version", `"1.2"`}
	setFrom10    = Setting{"upstream.tls.min_version", `"1.0"`}
)

func TestTrials(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		tls  upstream.TLS
		want [][]Setting
	}{
		{
			"defaults",
			upstream.TLS{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13},
			[][]Setting{{setUpTo12}, {setLegacy}, {setLegacy, setUpTo12}, {setFrom10}, {setFrom10, setLegacy}},
		},
		{
			"post-quantum",
			upstream.TLS{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13, PostQuantum: true, Legacy: true},
			[][]Setting{{setClassical}, {setUpTo12}, {setFrom10}},
		},
		{
			"1.3 alone",
			upstream.TLS{MinVersion: tls.VersionTLS13, MaxVersion: tls.VersionTLS13},
			[][]Setting{{setFrom12}, {setLegacy}, {setFrom10}, {setFrom10, setLegacy}},
		},
		{
			"all of it",
			upstream.TLS{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12, Legacy: true},
			[][]Setting{{setUpTo13}},
		},
	} {
		var got [][]Setting
		for _, x := range trials(tt.tls) {
			got = append(got, x.settings)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: trials() (-want +got):\n%s", tt.name, diff)
		}
	}
}

// An openssl is an s_server that answers every request with an empty list of
// ciphers or whatever -www makes of it: what matters is the handshake.
func newOpenSSL(t *testing.T, args ...string) netip.AddrPort {
	t.Helper()
	program := need(t, "openssl")
	cert, key := writePair(t)
	cmd := exec.CommandContext(t.Context(), program, append([]string{"s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-key", key, "-www"}, args...)...)
	out := &lines{found: make(chan string, 1), prefix: "ACCEPT "}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // it was killed
	})
	select {
	case line := <-out.found:
		return netip.MustParseAddrPort(line)
	case <-time.After(10 * time.Second):
		t.Fatalf("s_server %q does not listen: %s", args, out.text())
	}
	return netip.AddrPort{}
}

// need returns the path of a program of the machine. Without it the test is
// left out, but for CI.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed: %v", program, err)
	}
	t.Skipf("%s is not installed: %v", program, err)
	return ""
}

// lines is what a program prints; found gets the rest of the first line with
// that prefix.
type lines struct {
	found  chan string
	prefix string

	mu   sync.Mutex // guards what follows
	all  bytes.Buffer
	told bool
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.Write(b)
	for line := range strings.Lines(l.all.String()) {
		rest, ok := strings.CutPrefix(line, l.prefix)
		if ok && strings.HasSuffix(rest, "\n") && !l.told {
			l.told = true
			l.found <- strings.TrimSpace(rest)
		}
	}
	return len(b), nil
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// writePair writes a certificate with an RSA key, as old gateways have, and
// openssl can use with every suite.
func writePair(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	out, err := exec.CommandContext(t.Context(), need(t, "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes",
		"-days", "365", "-subj", "/CN=old gateway", "-keyout", key, "-out", cert).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl req: %v\n%s", err, out)
	}
	return cert, key
}

// Each remedy is for servers as they are found: what the probe names is what
// makes the handshake succeed.
func TestTLSRemedies(t *testing.T) {
	t.Parallel()
	const old = "ALL:@SECLEVEL=0"
	for _, tt := range []struct {
		name   string
		server []string
		change func(*upstream.TLS)
		want   []Setting
	}{
		{"RSA key exchange alone", []string{"-tls1_2", "-cipher", "AES128-SHA:AES256-SHA"}, nil, []Setting{setLegacy}},
		{"TLS 1.1 alone", []string{"-tls1_1", "-cipher", old}, nil, []Setting{setFrom10}},
		{"TLS 1.0 alone", []string{"-tls1", "-cipher", old}, nil, []Setting{setFrom10}},
		{"TLS 1.0 with RSA key exchange", []string{"-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0"}, nil, []Setting{setFrom10, setLegacy}},
		{
			"TLS 1.3 alone for an old configuration",
			[]string{"-tls1_3"},
			func(o *upstream.TLS) { o.MaxVersion = tls.VersionTLS12 },
			[]Setting{setUpTo13},
		},
		{
			"TLS 1.2 for a new configuration",
			[]string{"-tls1_2"},
			func(o *upstream.TLS) { o.MinVersion = tls.VersionTLS13 },
			[]Setting{setFrom12},
		},
		{"nothing that helps", []string{"-tls1_2", "-cipher", "DHE-RSA-AES128-SHA"}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := options(newOpenSSL(t, tt.server...))
			if tt.change != nil {
				tt.change(&o.Upstream.TLS)
			}
			r := mustRun(t, o)
			if r.Verdict != TLSFailed || len(r.TLS) != 1 {
				t.Fatalf("Run() = %q with %+v, want %q", r.Verdict, r.TLS, TLSFailed)
			}
			if diff := cmp.Diff(tt.want, r.TLS[0].Remedy); diff != "" {
				t.Errorf("remedy (-want +got):\n%s\n%s", diff, r.TLS[0].Error)
			}
		})
	}
}

// SHA-1 signatures are a setting of the process, so this is not parallel.
func TestSHA1SignaturesAlone(t *testing.T) {
	t.Setenv("GODEBUG", "")
	o := options(newOpenSSL(t, "-tls1_2", "-sigalgs", "RSA+SHA1", "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0"))
	if r := mustRun(t, o); r.Verdict != TLSFailed || r.TLS[0].Remedy != nil {
		t.Errorf("Run() = %q, %v, want %q without a remedy", r.Verdict, r.TLS[0].Remedy, TLSFailed)
	}
	o.AcceptSHA1 = func() { os.Setenv("GODEBUG", "tlssha1=1") } //nolint:errcheck,usetesting // t.Setenv puts it back
	if r := mustRun(t, o); r.Verdict != TLSFailed || !slices.Equal(r.TLS[0].Remedy, []Setting{setLegacy}) {
		t.Errorf("Run() = %q, %v, want %q, %v", r.Verdict, r.TLS[0].Remedy, TLSFailed, setLegacy)
	}
}

// The remedy, applied, works.
func TestRemediesAreTrue(t *testing.T) {
	t.Parallel()
	o := options(newOpenSSL(t, "-tls1", "-cipher", "AES128-SHA:@SECLEVEL=0"))
	o.Targets = nil
	o.Upstream.TLS.MinVersion, o.Upstream.TLS.Legacy = tls.VersionTLS10, true
	r := mustRun(t, o)
	if h := r.TLS[0]; r.Verdict != PathOpen || h.Version != "TLS 1.0" || h.Curve != "" {
		t.Errorf("Run() = %q, %+v, want %q with TLS 1.0", r.Verdict, h, PathOpen)
	}
}

// A middlebox that does not understand a large first message drops it.
func TestPostQuantumSharesThatAreDropped(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	box := newMiddlebox(t, sim.Address(), func(hello []byte) bool { return len(hello) < 1000 })
	o := options(box)
	o.Upstream.TLS.PostQuantum = true
	o.Upstream.TLSTimeout = time.Second
	r := mustRun(t, o)
	if r.Verdict != TLSFailed || !slices.Equal(r.TLS[0].Remedy, []Setting{setClassical}) {
		t.Errorf("Run() = %q, %+v, want %q, %v", r.Verdict, r.TLS, TLSFailed, setClassical)
	}
}

// A middlebox that resets what offers TLS 1.3.
func TestTLS13ThatIsReset(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	supportedVersions := []byte{0x00, 0x2b} // RFC 8446 section 4.2.1: up to 1.2 it is not sent by crypto/tls
	box := newMiddlebox(t, sim.Address(), func(hello []byte) bool {
		return !bytes.Contains(hello, append(slices.Clone(supportedVersions), 0x00, 0x05, 0x04, 0x03, 0x04))
	})
	r := mustRun(t, options(box))
	if r.Verdict != TLSFailed || !slices.Equal(r.TLS[0].Remedy, []Setting{setUpTo12}) {
		t.Errorf("Run() = %q, %+v, want %q, %v", r.Verdict, r.TLS, TLSFailed, setUpTo12)
	}
}

// newMiddlebox forwards connections whose first bytes pass; the others it
// forgets.
func newMiddlebox(t *testing.T, to netip.AddrPort, pass func(hello []byte) bool) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { relay(in, to, pass) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

// relay carries one connection to its end.
func relay(in net.Conn, to netip.AddrPort, pass func([]byte) bool) {
	defer in.Close()
	hello := make([]byte, 16<<10)
	n, err := in.Read(hello)
	if err != nil {
		return
	}
	if !pass(hello[:n]) {
		in.Read(hello) //nolint:errcheck // the caller gives up
		return
	}
	out, err := net.Dial("tcp", to.String())
	if err != nil {
		return // which the caller sees
	}
	defer out.Close()
	if _, err := out.Write(hello[:n]); err != nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		copyAll(out, in)
		out.(*net.TCPConn).CloseWrite() //nolint:errcheck // it ends soon
	})
	copyAll(in, out)
	in.(*net.TCPConn).CloseWrite() //nolint:errcheck // it ends soon
	wg.Wait()
}

func copyAll(to, from net.Conn) {
	b := make([]byte, 16<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// The background probe never tries other settings: it sees what the proxy sees.
func TestOtherSettingsAreTriedOnDemandOnly(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{Leaf: leqisim.Leaf{RSA: true}, TLS: leqisim.TLS{
		MaxVersion: tls.VersionTLS12, Suites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256},
	}})
	o := options(sim.Address())
	o.TryTLS = false
	r := mustRun(t, o)
	if r.Verdict != TLSFailed || len(r.TLS[0].Remedy) != 0 || sim.Stats().Connections != 2 {
		t.Errorf("Run() = %q, %v after %d connections, want %q after 2", r.Verdict, r.TLS[0].Remedy, sim.Stats().Connections, TLSFailed)
	}
}

func TestSHA1IsAllowedBeforeItIsTried(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{Leaf: leqisim.Leaf{RSA: true}, TLS: leqisim.TLS{
		MaxVersion: tls.VersionTLS12, Suites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256},
	}})
	o := options(sim.Address())
	var order []string
	o.AcceptSHA1 = func() { order = append(order, "accept") }
	o.Observe = func(p Progress) {
		for _, s := range p.Settings {
			order = append(order, s.String())
		}
	}
	mustRun(t, o)
	want := []string{`upstream.tls.max_version = "1.2"`, "upstream.tls.legacy = true", "accept"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestCertificateIsDescribed(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{Leaf: leqisim.Leaf{Names: []string{"other.test", "127.0.0.9"}}})
	o := options(sim.Address())
	o.Upstream.TLS.Roots = sim.Roots()
	o.Upstream.TLS.Pins = []upstream.Pin{sim.Pin()}
	h := mustRun(t, o).TLS[0]
	c := h.Certificate
	if h.Version != "TLS 1.3" || h.Suite != "TLS_AES_128_GCM_SHA256" || h.Curve != "X25519" || h.Took <= 0 {
		t.Errorf("handshake = %+v, want TLS 1.3 with X25519", h)
	}
	want := Certificate{
		Subject: "CN=leqi", Issuer: "CN=leqisim", Names: []string{"other.test", "127.0.0.9"},
		NotAfter: sim.Certificate().NotAfter, Pin: sim.Pin(),
		Full: "x509: certificate is valid for 127.0.0.9, other.test, not " + testHost,
	}
	want.Full = c.Full // crypto/x509's own words
	if diff := cmp.Diff(want, *c); diff != "" {
		t.Errorf("certificate (-want +got):\n%s", diff)
	}
	if c.Full == "" || c.Chain != "" || c.Pins != "" {
		t.Errorf("full %q, chain %q, pin %q, want the first alone to fail", c.Full, c.Chain, c.Pins)
	}
}

// Who the host is decides only where the configuration would refuse it.
func TestIdentity(t *testing.T) {
	t.Parallel()
	other := upstream.Pin{1}
	for _, tt := range []struct {
		name    string
		change  func(*upstream.TLS, *leqisim.Server)
		record  func(shown upstream.Pin) []upstream.Pin // the first is accepted
		want    Verdict
		key     KeyState
		warning WarningKind
	}{
		{"first", nil, nil, Reached, KeyFirst, ""},
		{"known", nil, func(shown upstream.Pin) []upstream.Pin { return []upstream.Pin{shown} }, Reached, KeyKnown, ""},
		{"new under alert", nil, func(upstream.Pin) []upstream.Pin { return []upstream.Pin{other} }, Reached, KeyNew, WarnKeyChanged},
		{"waiting under alert", nil, func(shown upstream.Pin) []upstream.Pin { return []upstream.Pin{other, shown} }, Reached, KeyWaiting, WarnKeyChanged},
		{
			"new under refuse",
			func(o *upstream.TLS, _ *leqisim.Server) { o.OnChange = upstream.OnChangeRefuse },
			func(upstream.Pin) []upstream.Pin { return []upstream.Pin{other} },
			IdentityChanged, KeyNew, "",
		},
		{
			"another pin",
			func(o *upstream.TLS, _ *leqisim.Server) { o.Verify, o.Pins = upstream.VerifyPin, []upstream.Pin{other} },
			nil, IdentityChanged, "", "",
		},
		{
			"the pin",
			func(o *upstream.TLS, s *leqisim.Server) {
				o.Verify, o.Pins = upstream.VerifyPin, []upstream.Pin{s.Pin()}
			},
			nil, Reached, "", "",
		},
		{"no names", func(o *upstream.TLS, s *leqisim.Server) { o.Verify, o.Roots = upstream.VerifyFull, s.Roots() }, nil, IdentityChanged, "", ""},
		{"the issuer", func(o *upstream.TLS, s *leqisim.Server) { o.Verify, o.Roots = upstream.VerifyChain, s.Roots() }, nil, Reached, "", ""},
		{"unjudged", func(o *upstream.TLS, _ *leqisim.Server) { o.Verify = upstream.VerifyNone }, nil, Reached, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sim := newSim(t, leqisim.Options{})
			o := options(sim.Address())
			if tt.change != nil {
				tt.change(&o.Upstream.TLS, sim)
			}
			if tt.record != nil {
				o.Known = recordOf(t, tt.record(sim.Pin())...)
			}
			r := mustRun(t, o)
			h := r.TLS[0]
			if r.Verdict != tt.want || h.Key != tt.key || h.Certificate == nil || h.Certificate.Pin != sim.Pin() {
				t.Errorf("Run() = %q, %+v, want %q, key %q", r.Verdict, h, tt.want, tt.key)
			}
			var kind WarningKind
			for _, w := range r.Warnings {
				kind = w.Kind
				if w.Value != sim.Certificate().NotAfter.Format(time.DateOnly) && w.Value != upstream.Pin(sim.Pin()).String() {
					t.Errorf("warning %+v is not about the certificate", w)
				}
			}
			if kind != tt.warning {
				t.Errorf("warnings = %v, want %q", r.Warnings, tt.warning)
			}
		})
	}
}

// A person who may not read the record is told so, and goes on.
func TestARecordThatCannotBeRead(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	o := options(sim.Address())
	o.Known, o.Upstream.TLS.OnChange = nil, upstream.OnChangeRefuse
	r := mustRun(t, o)
	want := []Warning{{WarnKeyUnread, upstream.Pin(sim.Pin()).String()}}
	if r.Verdict != Reached || r.TLS[0].Key != KeyUnread || !cmp.Equal(r.Warnings, want) {
		t.Errorf("Run() = %q, %v, want %q, %v", r.Verdict, r.Warnings, Reached, want)
	}
}

// recordOf returns a record in which the first pin is accepted and the others
// are not.
func recordOf(t *testing.T, pins ...upstream.Pin) *upstream.KnownKeys {
	t.Helper()
	var keys []string
	for i, p := range pins {
		accepted := "false"
		if i == 0 {
			accepted = "true"
		}
		keys = append(keys, `{"pin":"`+p.String()+`","accepted":`+accepted+`}`)
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, []byte(`{"version":1,"keys":[`+strings.Join(keys, ",")+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	known, err := upstream.OpenKnownKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	return known
}

func TestACertificateThatEnds(t *testing.T) {
	t.Parallel()
	ends := time.Now().AddDate(0, 0, 7)
	sim := newSim(t, leqisim.Options{Leaf: leqisim.Leaf{NotAfter: ends}})
	r := mustRun(t, options(sim.Address()))
	want := []Warning{{WarnExpires, sim.Certificate().NotAfter.Format(time.DateOnly)}}
	if !cmp.Equal(r.Warnings, want) {
		t.Errorf("warnings = %v, want %v", r.Warnings, want)
	}
}

// Handshakes that never end do so at their time.
func TestAStalledHandshake(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{Rules: []leqisim.Rule{{Behaviour: leqisim.Behaviour{Fault: leqisim.Fault{Kind: leqisim.Stall, Phase: leqisim.PhaseAccept}}}}})
	o := options(sim.Address())
	o.Upstream.TLSTimeout = 50 * time.Millisecond
	r := mustRun(t, o)
	if h := r.TLS[0]; r.Verdict != TLSFailed || h.Remedy != nil || !strings.Contains(h.Error, "no end of the handshake") {
		t.Errorf("Run() = %q, %+v, want %q", r.Verdict, h, TLSFailed)
	}
	sim.Close() // its stalls are long
}

func TestAResetHandshake(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{Rules: []leqisim.Rule{{Behaviour: leqisim.Behaviour{Fault: leqisim.Fault{Kind: leqisim.Reset, Phase: leqisim.PhaseHandshake}}}}})
	r := mustRun(t, options(sim.Address()))
	if h := r.TLS[0]; r.Verdict != Reset || h.Remedy != nil {
		t.Errorf("Run() = %q, %+v, want %q", r.Verdict, h, Reset)
	}
}

var errTest = errors.New("test")

func TestNothingIsLeftBehindWhenInterrupted(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{Rules: []leqisim.Rule{{Behaviour: leqisim.Behaviour{Delay: time.Minute}}}})
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	go func() {
		_ = sim.Wait(t.Context(), func(s leqisim.Stats) bool { return s.Requests == 1 })
		cancel(errTest)
	}()
	r, err := Run(ctx, options(sim.Address()))
	if err != nil || r.Verdict != "" || len(r.Calls[0].Attempts) != 0 {
		t.Errorf("Run() = %+v, %v, want no verdict", r, err)
	}
	sim.Close()
}
