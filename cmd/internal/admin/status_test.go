package admin

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/cmd/internal/logging"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/certs"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

var update = flag.Bool("update", false, "write the golden files anew")

// noon is when the sample documents were made.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return noon.Add(-d) }

const day = 24 * time.Hour

// well is an instance without a problem.
func well() Status {
	return Status{
		Build:    Build{Version: "1.2.3", Revision: "0123abcd", GoVersion: "go1.26", Platform: "linux/amd64"},
		Time:     noon,
		State:    StateReady,
		PID:      4211,
		Started:  ago(3*day + 4*time.Hour),
		File:     "/etc/lqproxy/lqproxy.toml",
		Listen:   Listen{Addresses: []string{"[::]:8864"}, TLS: "off"},
		Admin:    []string{"127.0.0.1:9864"},
		Sources:  Sources{Prefixes: 4, Presets: []string{"fpy-production"}, Refused: []proxy.RefusedSource{}},
		Target:   "lqpt.chinatax.gov.cn:8443",
		Identity: Identity{Verify: upstream.VerifyFirstUse, OnChange: upstream.OnChangeAlert, Key: KeyKnown},
		Probes:   []probe.Outcome{},
		Upstream: upstream.Status{
			Host: "lqpt.chinatax.gov.cn", Up: true, Since: ago(3*day + 4*time.Hour), Keys: []upstream.KnownKey{}, Idle: 12, Busy: 3,
			Addresses: []upstream.AddressStatus{
				{Addr: netip.MustParseAddr("192.0.2.1"), State: upstream.AddressUp, Since: ago(3 * day)},
				{Addr: netip.MustParseAddr("192.0.2.2"), State: upstream.AddressUnused},
			},
			Shown: &upstream.CertificateStatus{Subject: "CN=lqpt", Issuer: "CN=ca", Names: []string{}, NotAfter: noon.Add(200 * day)},
		},
		Traffic: Traffic{
			Connections: 321, Exchanges: 45678, Failures: map[string]int64{}, Failed: map[proxy.Reason]time.Time{},
			LastMinute: proxy.Minute{Exchanges: 126, TotalP95: new(1.28), OwnP95: new(.0035)},
			Limits: []Limit{
				{Name: "connections", Current: 24, Capacity: 4096}, {Name: "exchanges", Current: 3, Capacity: 1024}, {Name: "queue", Capacity: 4096},
			},
		},
		Reload:   Reload{Successful: true, At: ago(3*day + 4*time.Hour)},
		Firewall: &Firewall{Backend: "firewalld", InSync: true, Checked: ago(20 * time.Second), Problems: []string{}},
		Log: logging.Status{
			AccessFile: "/var/log/lqproxy/access.log", ErrorFile: "/var/log/lqproxy/error.log",
			Free: new(int64(18 << 30)), MinFree: 2 << 30, Failing: []string{},
		},
	}
}

// ill is an instance with every kind of trouble at once that can be.
func ill() Status {
	s := well()
	s.File, s.Instance, s.Started = "/etc/lqproxy/<b>.toml", "branch", ago(95*time.Second)
	s.Listen.TLS, s.Listen.NotAfter = "files", new(ago(2*time.Hour))
	s.Listen.Certificate = NewCertificate(certs.State{
		Source: certs.FromFiles, Names: []string{"proxy.example"}, NotBefore: ago(90 * day), NotAfter: ago(2 * time.Hour),
		Warnings: []*certs.Problem{{Kind: certs.OtherNames, File: "/etc/lqproxy/cert.pem", Names: []string{"proxy.example"}, Wanted: []string{"203.0.113.5"}}},
		Problem:  &certs.Problem{Kind: certs.Expired, File: "/etc/lqproxy/cert.pem", Date: ago(day)}, Since: ago(time.Hour),
	})
	s.Sources.Refused = []proxy.RefusedSource{
		{Source: netip.MustParseAddr("203.0.113.9"), Count: 118, Last: ago(time.Minute), Reason: proxy.SourceRefused},
		{Source: netip.MustParseAddr("2001:db8::77"), Count: 12, Last: ago(day), Reason: proxy.TLSHandshake},
	}
	s.Upstream.Up, s.Upstream.Since, s.Upstream.Changed = false, ago(5*time.Minute), true
	s.Upstream.Error = "dialing upstream 192.0.2.1:8443: connect: connection refused"
	s.Upstream.Lookup = "lookup lqpt.chinatax.gov.cn: no such host"
	s.Upstream.Addresses[0] = upstream.AddressStatus{
		Addr: netip.MustParseAddr("192.0.2.1"), State: upstream.AddressFailed, Since: ago(5 * time.Minute), Error: "connection refused",
	}
	s.Identity.Key = KeyNew
	s.Probes = []probe.Outcome{
		{Environment: probe.Sandbox, Verdict: probe.Reached, At: ago(time.Hour)},
		{Environment: probe.Production, Verdict: probe.ConnectRefused, At: ago(4 * time.Minute)},
	}
	s.Traffic.Refused, s.Traffic.Exchanges, s.Traffic.Forbidden = 130, 12345, 2
	s.Traffic.Failures = map[string]int64{"dial": 7, "busy": 1}
	s.Traffic.Failed = map[proxy.Reason]time.Time{proxy.Dial: ago(3 * time.Second), proxy.Busy: ago(400 * day)}
	s.Traffic.LastMinute = proxy.Minute{Exchanges: 9, Failures: 7, IPNotFiled: 1, TotalP95: new(15.0)}
	s.Traffic.Leqi = Leqi{
		Forbidden:   proxy.Occurrences{Count: 2, Last: ago(9 * time.Minute)},
		IPNotFiled:  proxy.Occurrences{Count: 1, Last: ago(30 * time.Second)},
		FlowLimited: proxy.Occurrences{Count: 40, Last: ago(8 * time.Minute)},
	}
	s.Traffic.Limits[1] = Limit{Name: "exchanges", Current: 1024, Capacity: 1024, Reached: 5, LastReached: ago(time.Minute)}
	s.Reload = Reload{At: ago(95 * time.Second), Error: "allow.sources: must name at least one"}
	s.Firewall = &Firewall{
		Backend: "iptables", Checked: ago(2 * time.Hour), Problems: []string{"+ admit 49.4.80.61 -> 8864/tcp"}, Pending: "-10.0.0.0/8",
	}
	s.Log.Paused, s.Log.Failing, s.Log.Free, s.Log.Lost = true, []string{"error"}, new(int64(1<<30)), 321
	return s
}

// leaving is a well instance that is stopped.
func leaving() Status {
	s := well()
	s.State = StateDraining
	s.Firewall, s.Traffic.LastMinute.OwnP95 = nil, nil
	s.Probes = []probe.Outcome{{Environment: probe.Production, Verdict: probe.Reached, At: ago(17 * time.Minute)}}
	s.Listen = Listen{Addresses: []string{"10.0.0.5:8864", "10.0.0.6:8864"}, TLS: "acme", NotAfter: new(noon.Add(60 * day))}
	s.Upstream.Shown, s.Identity = nil, Identity{Verify: upstream.VerifyNone, OnChange: upstream.OnChangeAlert}
	s.Log = logging.Status{AccessFile: "off", Failing: []string{}}
	return s
}

// checkGolden compares got with a file of testdata.
func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// The tests of the command show these documents, too.
func TestSampleDocuments(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Status{"well": well(), "ill": ill(), "draining": leaving()} {
		text, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		checkGolden(t, name+".json", append(text, '\n'))
	}
}

// TestKeysOfTheDocument pins every member that /status can have: what reads it
// breaks when one is renamed. Adding one is no break.
func TestKeysOfTheDocument(t *testing.T) {
	t.Parallel()
	var s Status
	fill(t, reflect.ValueOf(&s).Elem())
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	keys := make(map[string]bool)
	keyPaths(document, "", keys)
	checkGolden(t, "keys.golden", []byte(strings.Join(slices.Sorted(maps.Keys(keys)), "\n")+"\n"))
}

// keyPaths gathers the paths of all members: a.b, a.list[].c.
func keyPaths(v any, path string, keys map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			keyPaths(member, strings.TrimPrefix(path+"."+name, "."), keys)
		}
	case []any:
		for _, member := range v {
			keyPaths(member, path+"[]", keys)
		}
	default:
		keys[path] = true
	}
}

// fill gives v, and all that lies in it, values that are not left out.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = noon
		return
	case *netip.Addr:
		*x = netip.MustParseAddr("192.0.2.1")
		return
	case *upstream.Pin:
		*x = upstream.Pin{1}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(t, field)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		key.SetString("KEY")
		fill(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Float64:
		v.SetFloat(1)
	default:
		t.Fatalf("%v cannot be filled", v.Type())
	}
}

// Whoever reads the document must find lists and maps, not null, in all states.
func TestTheDocumentHasNoNullLists(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(leaving())
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte(`"own_p95_seconds":null`), nil) // no exchange, no time
	if bytes.Contains(text, []byte("null")) {
		t.Errorf("document has null: %s", text)
	}
}
