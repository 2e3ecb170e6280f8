package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// A pair is a certificate and its key as they are written to files.
type pair struct{ cert, key []byte }

// newPair makes a certificate for name, valid from before until after.
func newPair(t *testing.T, name string, before, after time.Time) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(before.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		NotBefore:    before,
		NotAfter:     after,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	}
}

// A folder holds the two files, and the log of what reads them.
type folder struct {
	cert, key string
	log       *observer.ObservedLogs
	files     *Files
	registry  *prometheus.Registry
}

// open writes p into a new folder and opens it.
func open(t *testing.T, p pair) *folder {
	t.Helper()
	dir := t.TempDir()
	f := &folder{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), registry: prometheus.NewPedanticRegistry()}
	f.write(t, p)
	core, log := observer.New(zapcore.InfoLevel)
	files, err := OpenFiles(f.cert, f.key, Options{Metrics: NewMetrics(f.registry), Log: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	f.files, f.log = files, log
	return f
}

// write replaces the files by new ones, as renewals do: the clock of a file
// system may be too coarse to tell two writes of a test apart.
func (f *folder) write(t *testing.T, p pair) {
	t.Helper()
	for file, text := range map[string][]byte{f.cert: p.cert, f.key: p.key} {
		if err := os.WriteFile(file+".new", text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
}

func remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

// shown is the name in the certificate that a handshake would show now.
func (f *folder) shown(t *testing.T) string {
	t.Helper()
	c, err := f.files.TLS().GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.Subject.CommonName
}

// run runs the files in the bubble of the test until it ends.
func (f *folder) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.files.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	})
	synctest.Wait()
}

// look lets Run look at the files once.
func look() {
	<-time.After(lookEvery) // virtual
	synctest.Wait()
}

// gauges reads the time series.
func (f *folder) gauges(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		values[family.GetName()] = family.GetMetric()[0].GetGauge().GetValue()
	}
	return values
}

func (f *folder) messages() []string {
	var all []string
	for _, e := range f.log.All() {
		all = append(all, e.Message)
	}
	return all
}

const year = 365 * day

func TestRunShowsTheNewCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		f := open(t, newPair(t, "old", now.Add(-day), now.Add(year)))
		f.run(t)
		look()
		if got := f.shown(t); got != "old" {
			t.Fatalf("shown before the change = %q, want old", got)
		}
		f.write(t, newPair(t, "new", now.Add(-day), now.Add(2*year)))
		look()
		if got := f.shown(t); got != "new" {
			t.Errorf("shown after the change = %q, want new", got)
		}
		if diff := cmp.Diff([]string{"listener certificate replaced"}, f.messages()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

func TestRunKeepsTheOldCertificateWhenTheNewIsWorse(t *testing.T) {
	for _, tt := range []struct {
		name, cert, key string // whose: see files; "": the file is removed
		reason          string // in the log
	}{
		{"key of another", "good", "expired", "do not belong together"},
		{"no certificate", "half", "half", "is not a PEM file"},
		{"file gone", "", "good", "no such file"},
		{"expired", "expired", "expired", "the certificate expired on"},
		{"not yet valid", "early", "early", "the certificate is not valid before"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := time.Now()
				files := map[string]pair{
					"good":    newPair(t, "good", now.Add(-day), now.Add(year)),
					"expired": newPair(t, "expired", now.Add(-2*day), now.Add(-day)),
					"early":   newPair(t, "early", now.Add(day), now.Add(year)),
					"half":    {[]byte("half written"), []byte("half written")},
				}
				f := open(t, newPair(t, "old", now.Add(-day), now.Add(year)))
				f.run(t)
				f.write(t, pair{files[tt.cert].cert, files[tt.key].key})
				if tt.cert == "" {
					remove(t, f.cert)
				}
				look()
				look()
				if got := f.shown(t); got != "old" {
					t.Errorf("shown = %q, want old", got)
				}
				entries := f.log.All()
				if len(entries) != 1 {
					t.Fatalf("log = %q, want one line", f.messages())
				}
				if got, _ := entries[0].ContextMap()["error"].(string); !strings.Contains(got, tt.reason) {
					t.Errorf("logged error = %q, want %q in it", got, tt.reason)
				}
				f.write(t, files["good"])
				look()
				if got := f.shown(t); got != "good" {
					t.Errorf("shown after the repair = %q, want good", got)
				}
			})
		})
	}
}

func TestRunTakesACertificateOnceItIsValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		f := open(t, newPair(t, "old", now.Add(-day), now.Add(year)))
		f.run(t)
		f.write(t, newPair(t, "next", now.Add(lookEvery+lookEvery/2), now.Add(year)))
		look()
		if got := f.shown(t); got != "old" {
			t.Errorf("shown before it is valid = %q, want old", got)
		}
		look()
		if got := f.shown(t); got != "next" {
			t.Errorf("shown once it is valid = %q, want next", got)
		}
	})
}

func TestRunTakesWhateverFollowsAnExpiredCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		f := open(t, newPair(t, "old", now.Add(-2*day), now.Add(-day)))
		f.run(t)
		f.write(t, newPair(t, "new", now.Add(-2*day), now.Add(-time.Hour)))
		look()
		if got := f.shown(t); got != "new" {
			t.Errorf("shown = %q, want new", got)
		}
	})
}

func TestWarnsOnceAtEachThreshold(t *testing.T) {
	t.Parallel()
	now := time.Now()
	f := open(t, newPair(t, "old", now.Add(-day), now.Add(31*day)))
	end := f.files.Leaf().NotAfter
	for left := 31 * day; left > -day; left -= time.Hour {
		f.files.warn(end.Add(-left))
	}
	var days []int64
	for _, e := range f.log.All() {
		if m := e.ContextMap(); m[keyEvent] == eventExpiring {
			days = append(days, m[keyDays].(int64))
		}
	}
	if diff := cmp.Diff([]int64{30, 14, 7, 1}, days); diff != "" {
		t.Errorf("days left at the warnings (-want +got):\n%s", diff)
	}
}

func TestMetricsShowTheEndOnlyWhileThereIsACertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		f := open(t, newPair(t, "old", now.Add(-day), time.Unix(1999999999, 0)))
		if got := testutil.CollectAndCount(f.files.metrics); got != 0 {
			t.Errorf("time series before Run = %d, want 0", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.files.Run(ctx) }()
		synctest.Wait()
		due := float64(f.files.State().Renewal().Unix())
		if got, want := f.gauges(t), (map[string]float64{nameNotAfter: 1999999999, nameRenewal: due, nameFailed: 0}); !maps.Equal(got, want) {
			t.Errorf("metrics = %v, want %v", got, want)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
		if got := testutil.CollectAndCount(f.files.metrics); got != 0 {
			t.Errorf("time series after Run = %d, want 0", got)
		}
		if problems, err := testutil.GatherAndLint(f.registry); err != nil || len(problems) > 0 {
			t.Errorf("lint = %v, %v, want nothing", problems, err)
		}
	})
}

func TestOpenRefusesWhatIsNoPair(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p := newPair(t, "a", now.Add(-day), now.Add(year))
	dir := t.TempDir()
	file := filepath.Join(dir, "cert.pem")
	if err := os.WriteFile(file, p.cert, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFiles(file, filepath.Join(dir, "none"), Options{}); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("Open without a key = %v, want an error that names the file", err)
	}
}

// handshake returns the state of a handshake with f over a pipe, as a caller
// that offers o sees it.
func handshake(t *testing.T, f *folder, o *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	here, there := net.Pipe()
	defer here.Close()
	server := tls.Server(there, f.files.TLS())
	done := make(chan error, 1)
	go func() {
		done <- server.Handshake()
		there.Close()
	}()
	o.InsecureSkipVerify = true
	client := tls.Client(here, o)
	err := client.Handshake()
	here.Close()
	<-done
	return client.ConnectionState(), err
}

func TestTLS(t *testing.T) {
	t.Parallel()
	now := time.Now()
	f := open(t, newPair(t, "a", now.Add(-day), now.Add(year)))
	for _, tt := range []struct {
		name    string
		offer   *tls.Config
		refused bool
	}{
		{"TLS 1.3", &tls.Config{MinVersion: tls.VersionTLS13}, false},
		{"TLS 1.2 with AEAD", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}, false},
		{"TLS 1.2 with CBC", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, true},
		{"TLS 1.1", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, true},
	} {
		tt.offer.NextProtos = []string{"h2", "http/1.1"}
		state, err := handshake(t, f, tt.offer)
		if (err != nil) != tt.refused {
			t.Errorf("%s: handshake = %v, want refused: %v", tt.name, err, tt.refused)
		}
		if err == nil && state.NegotiatedProtocol != "http/1.1" {
			t.Errorf("%s: protocol = %q, want http/1.1", tt.name, state.NegotiatedProtocol)
		}
	}
}
