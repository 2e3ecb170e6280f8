package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/probe/leqisim"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testUnit = "12345678901234567890"
	testHost = "leqi.test" // resolved by nobody: tests give the address
)

// newSim returns a simulated Leqi that ends with the test. All connections to it
// must have ended by then.
func newSim(t *testing.T, o leqisim.Options) *leqisim.Server {
	t.Helper()
	sim, err := leqisim.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !o.Banned {
			if err := sim.Wait(context.Background(), func(s leqisim.Stats) bool { return s.Open == 0 }); err != nil {
				t.Errorf("waiting for the end of all connections: %v", err)
			}
		}
		sim.Close()
	})
	return sim
}

// options lead to addr, with one production call.
func options(addr netip.AddrPort) Options {
	return Options{
		Upstream: upstream.Options{
			Host: testHost, Port: addr.Port(), FixedIPs: []netip.Addr{addr.Addr()},
			DialTimeout: 10 * time.Second, TLSTimeout: 10 * time.Second,
			TLS: upstream.TLS{
				Verify: upstream.VerifyFirstUse, OnChange: upstream.OnChangeAlert,
				MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13,
			},
		},
		Known:   newKeys(),
		Targets: []Target{{Environment: Production, Unit: testUnit}},
		Wait:    time.Millisecond,
		TryTLS:  true,
	}
}

func newKeys() *upstream.KnownKeys {
	known, _ := upstream.OpenKnownKeys("") // "" is no file
	return known
}

func mustRun(t *testing.T, o Options) *Report {
	t.Helper()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPlatformVerdicts(t *testing.T) {
	t.Parallel()
	always := func(b leqisim.Behaviour) []leqisim.Rule { return []leqisim.Rule{{Behaviour: b}} }
	gbk := []byte(`{"body":"json` + "\xca\xfd\xbe\xdd\xb8\xf1\xca\xbd\xb2\xbb\xd5\xfd\xc8\xb7" + `","httpStatusCode":"200"}`)
	escaped := []byte(`{"body":"{\"Response\":{\"Error\":{\"Message\":\"json\\u6570\\u636e\\u683c\\u5f0f\\u4e0d\\u6b63\\u786e\"}}}","httpStatusCode":200}`)
	for _, tt := range []struct {
		name     string
		rules    []leqisim.Rule
		want     Verdict
		code     string
		attempts int
	}{
		{"proof", nil, Reached, "bad_json", 1},
		{"proof in gzip", always(leqisim.Behaviour{Gzip: true}), Reached, "bad_json", 1},
		{"proof in escapes", always(leqisim.Behaviour{Body: escaped}), Reached, "bad_json", 1},
		{"proof in GBK", always(leqisim.Behaviour{Body: gbk}), Reached, "bad_json", 1},
		{"proof in GBK and gzip", always(leqisim.Behaviour{Body: gbk, Gzip: true}), Reached, "bad_json", 1},
		{"proof in chunks", always(leqisim.Behaviour{Framing: leqisim.Chunked}), Reached, "bad_json", 1},
		{"proof to the end of the connection", always(leqisim.Behaviour{Framing: leqisim.Closing}), Reached, "bad_json", 1},
		{"after 1xx", always(leqisim.Behaviour{Interim: "HTTP/1.1 102 Processing\r\n\r\n"}), Reached, "bad_json", 1},
		{"wrong key", always(leqisim.Behaviour{Code: "4057"}), Reached, "4057", 1},
		{"unknown code", always(leqisim.Behaviour{Code: "4999"}), Reached, "other", 1},
		{"large", always(leqisim.Behaviour{Size: 8 << 20, Framing: leqisim.Chunked}), Reached, "200", 1},
		{"not filed", always(leqisim.Behaviour{Code: "4067"}), IPNotFiled, "4067", 1},
		{"wrong path", always(leqisim.Behaviour{Code: "ResourceNotFound"}), WrongPath, "ResourceNotFound", 1},
		{"limited", always(leqisim.Behaviour{Limit: 5}), Limited, "flow_limited", 1},
		{"forbidden", always(leqisim.Behaviour{Status: 403}), Forbidden, "403", 5},
		{"forbidden at first", []leqisim.Rule{{Match: leqisim.Match{Times: 2}, Behaviour: leqisim.Behaviour{Status: 403}}}, Reached, "bad_json", 3},
		{"a page", always(leqisim.Behaviour{Raw: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nIt works!"}), Unexpected, "", 1},
		{"a gateway's mistake", always(leqisim.Behaviour{Raw: "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"}), Unexpected, "", 1},
		{"malformed", always(leqisim.Behaviour{Raw: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}\n"}), Unexpected, "", 1},
		{"no HTTP", always(leqisim.Behaviour{Raw: "SSH-2.0-OpenSSH_7.4\r\n\r\n"}), Unexpected, "", 1},
		{"reset", always(leqisim.Behaviour{Fault: leqisim.Fault{Kind: leqisim.Reset, Phase: leqisim.PhaseHead}}), Reset, "", 1},
		{"ended", always(leqisim.Behaviour{Fault: leqisim.Fault{Kind: leqisim.End, Phase: leqisim.PhaseHead}}), Unexpected, "", 1},
		{"truncated early", always(leqisim.Behaviour{Fault: leqisim.Fault{Kind: leqisim.Drop, Phase: leqisim.PhaseBody, At: 2}}), Unexpected, "", 1},
		{"forbidden without an end", always(leqisim.Behaviour{
			Raw:   "HTTP/1.1 403 Forbidden\r\n\r\n403:Forbidden, Connection:Close",
			Fault: leqisim.Fault{Kind: leqisim.Drop, Phase: leqisim.PhaseIdle},
		}), Forbidden, "403", 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sim := newSim(t, leqisim.Options{Rules: tt.rules})
			r := mustRun(t, options(sim.Address()))
			if r.Verdict != tt.want || len(r.Calls) != 1 {
				t.Fatalf("Run() = %q, %d calls, want %q, 1: %+v", r.Verdict, len(r.Calls), tt.want, r.Calls)
			}
			attempts := r.Calls[0].Attempts
			last := attempts[len(attempts)-1]
			if len(attempts) != tt.attempts || last.Code != tt.code || last.Verdict != tt.want {
				t.Errorf("%d attempts, the last %+v, want %d, with code %q", len(attempts), last, tt.attempts, tt.code)
			}
		})
	}
}

// What does not answer is waited for, but not for long.
func TestAnAnswerThatDoesNotCome(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{Rules: []leqisim.Rule{{Behaviour: leqisim.Behaviour{Delay: time.Minute}}}})
	o := options(sim.Address())
	o.AnswerTimeout = 50 * time.Millisecond
	r := mustRun(t, o)
	if a := r.Calls[0].Attempts[0]; r.Verdict != Unexpected || !strings.Contains(a.Error, "no answer within 50ms") {
		t.Errorf("Run() = %q, %+v, want %q", r.Verdict, a, Unexpected)
	}
	sim.Close() // its delay is long
}

// The probe writes what the guide's curl does, with the proxy's own bytes.
func TestTheCallIsTheGuides(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	o := options(sim.Address())
	o.Targets = []Target{
		{Environment: Sandbox, Unit: testUnit},
		{Environment: Production, Unit: testUnit, UsingUnit: "09876543210987654321"},
	}
	r := mustRun(t, o)
	if r.Verdict != Reached {
		t.Fatalf("verdict = %q, want %q", r.Verdict, Reached)
	}
	host := net.JoinHostPort(testHost, "PORT")
	want := []string{
		"POST /access/newsandbox/v2/invoke/202007/CXKYSL HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: lqproxy\r\nAccept: */*\r\n" +
			"Content-Type: application/json\r\njrdwptbh: 12345678901234567890\r\nsydwptbh: 12345678901234567890\r\nsxcsbz: 1\r\n\r\n",
		"POST /access/v2/invoke/202007/CXKYSL HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: lqproxy\r\nAccept: */*\r\n" +
			"Content-Type: application/json\r\njrdwptbh: 12345678901234567890\r\nsydwptbh: 09876543210987654321\r\n\r\n",
	}
	var got []string
	for _, x := range sim.Exchanges() {
		got = append(got, strings.ReplaceAll(string(x.Head), ":"+port(sim), ":PORT"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func port(sim *leqisim.Server) string {
	_, p, _ := net.SplitHostPort(sim.Address().String())
	return p
}

func TestAbilityIsInThePath(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	o := options(sim.Address())
	o.Ability = "202101"
	r := mustRun(t, o)
	if got, want := r.Calls[0].Path, "/access/v2/invoke/202101/CXKYSL"; got != want || sim.Exchanges()[0].Target != want {
		t.Errorf("path = %q, sent %q, want %q", got, sim.Exchanges()[0].Target, want)
	}
}

// The network can be accepted before the unit's id exists.
func TestWithoutAUnitThePathIsOpen(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	o := options(sim.Address())
	o.Targets = nil
	r := mustRun(t, o)
	if r.Verdict != PathOpen || len(r.Calls) != 0 || sim.Stats().Requests != 0 {
		t.Errorf("verdict = %q, %d calls, %d requests, want %q without any", r.Verdict, len(r.Calls), sim.Stats().Requests, PathOpen)
	}
}

// Otherwise one person's probe would look like an attack.
func TestOneConnectionAtATime(t *testing.T) {
	t.Parallel()
	most := 0
	var sim *leqisim.Server
	o := leqisim.Options{OnExchange: func(leqisim.Exchange) { most = max(most, sim.Stats().Open) }}
	o.Rules = []leqisim.Rule{{Behaviour: leqisim.Behaviour{Status: 403}}}
	sim = newSim(t, o)
	mustRun(t, options(sim.Address()))
	if err := sim.Wait(t.Context(), func(s leqisim.Stats) bool { return s.Open == 0 }); err != nil {
		t.Fatal(err)
	}
	// The one before may not have been seen to end.
	if most > 2 || sim.Stats().Connections != 1+1+DefaultAttempts {
		t.Errorf("%d connections at once, %d in all, want at most 2, %d", most, sim.Stats().Connections, 2+DefaultAttempts)
	}
}

func TestAWrongUnitIsAWarning(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	o := options(sim.Address())
	o.Targets[0].Unit = "123"
	want := []Warning{{WarnUnitLength, "123"}}
	if r := mustRun(t, o); !cmp.Equal(r.Warnings, want) || r.Verdict != Reached {
		t.Errorf("warnings = %v, verdict %q, want %v, %q", r.Warnings, r.Verdict, want, Reached)
	}
}

// After one call that was forbidden to the end, the others are asked once.
func TestForbiddenIsNotHammered(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{Rules: []leqisim.Rule{{Behaviour: leqisim.Behaviour{Status: 403}}}})
	o := options(sim.Address())
	o.Attempts = 3
	o.Targets = []Target{{Environment: Sandbox, Unit: testUnit}, {Environment: Production, Unit: testUnit}}
	r := mustRun(t, o)
	if r.Verdict != Forbidden || len(r.Calls[0].Attempts) != 3 || len(r.Calls[1].Attempts) != 1 {
		t.Errorf("verdict = %q with %d and %d attempts, want %q with 3 and 1",
			r.Verdict, len(r.Calls[0].Attempts), len(r.Calls[1].Attempts), Forbidden)
	}
}

// A run within half an hour of a 403 warns and asks once.
func TestRecentlyForbidden(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{Rules: []leqisim.Rule{{Behaviour: leqisim.Behaviour{Status: 403}}}})
	o := options(sim.Address())
	o.LastForbidden = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := mustRun(t, o)
	want := []Warning{{WarnForbidden, "2026-01-02T03:04:05Z"}}
	if !cmp.Equal(r.Warnings, want) || r.Verdict != Forbidden || len(r.Calls[0].Attempts) != 1 {
		t.Errorf("Run() = %q, %v after %d attempts, want %q, %v after 1", r.Verdict, r.Warnings, len(r.Calls[0].Attempts), Forbidden, want)
	}
}

func TestInterruptedHasNoVerdict(t *testing.T) {
	t.Parallel()
	for _, stage := range []Stage{StageResolve, StageConnect, StageTLS, StagePlatform} {
		t.Run(string(stage), func(t *testing.T) {
			t.Parallel()
			sim := newSim(t, leqisim.Options{Rules: []leqisim.Rule{{Behaviour: leqisim.Behaviour{Status: 403}}}})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o := options(sim.Address())
			o.Wait = time.Hour
			o.Observe = func(p Progress) {
				if p.Stage == stage && (stage != StagePlatform || p.Wait > 0) {
					cancel()
				}
			}
			r, err := Run(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != "" || r.Verdict.ExitCode() != 1 || !bytes.Contains(text, []byte(`"verdict":null`)) {
				t.Errorf("verdict = %q, want none: %s", r.Verdict, text)
			}
			if stage == StagePlatform && len(r.Calls[0].Attempts) != 1 {
				t.Errorf("%d attempts are reported, want the one that was made", len(r.Calls[0].Attempts))
			}
		})
	}
}

// A person's probe leaves the record of the daemon alone.
func TestTheRecordIsNotWritten(t *testing.T) {
	t.Parallel()
	sim := newSim(t, leqisim.Options{})
	file := filepath.Join(t.TempDir(), "keys.json")
	known, _ := upstream.OpenKnownKeys(file)
	o := options(sim.Address())
	o.Known = known
	mustRun(t, o)
	if names, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); len(names) != 0 {
		t.Errorf("files = %q, want none", names)
	}
}
