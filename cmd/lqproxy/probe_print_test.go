package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

const sampleUnit = "12345678901234567890"

var (
	sampleV4  = netip.MustParseAddrPort("203.0.113.7:8443")
	sampleV6  = netip.MustParseAddrPort("[2001:db8:1234:5678:9abc:def0:1234:5678]:8443")
	samplePin = upstream.Pin{1, 2, 3}
)

func ms(n float64) probe.Took { return probe.Took(n * float64(time.Millisecond)) }

// sampleReport is of a path that is well, without a call.
func sampleReport(v probe.Verdict) *probe.Report {
	return &probe.Report{
		Upstream: "lqpt.chinatax.gov.cn:8443",
		Began:    time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: ms(321),
		Resolve:  &probe.Resolve{Source: probe.SourceDNS, Addresses: []netip.Addr{sampleV4.Addr()}, Took: ms(12.3)},
		Connect:  []probe.Connect{{Address: sampleV4, Took: ms(23), Verdict: probe.PathOpen}},
		TLS:      []probe.Handshake{sampleHandshake()},
		Calls:    []probe.Call{},
		Warnings: []probe.Warning{},
		Verdict:  v,
	}
}

func sampleHandshake() probe.Handshake {
	return probe.Handshake{
		Address: sampleV4, Took: ms(45.6), Version: "TLS 1.2",
		Suite: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Curve: "X25519",
		Verify: upstream.VerifyFirstUse, Key: probe.KeyKnown, Verdict: probe.PathOpen,
		Certificate: &probe.Certificate{
			Subject: "CN=*.chinatax.gov.cn,O=State Taxation Administration of the People's Republic of China,L=Beijing,C=CN",
			Issuer:  "CN=Some Issuing CA,C=CN", Names: []string{}, NotAfter: time.Date(2027, 8, 9, 0, 0, 0, 0, time.UTC), Pin: samplePin,
			Full: "x509: certificate is not valid for any names, but wanted to match lqpt.chinatax.gov.cn",
			Pins: "key is none of the 0 pins",
		},
	}
}

// sampleCall is one call of which each attempt came to something else.
func sampleCall(e probe.Environment, attempts ...probe.Attempt) probe.Call {
	path := "/access/v2/invoke/202007/CXKYSL"
	if e == probe.Sandbox {
		path = "/access/newsandbox/v2/invoke/202007/CXKYSL"
	}
	for i := range attempts {
		attempts[i].Took = ms(110)
		attempts[i].Peer = sampleV4.String()
		if i > 0 {
			attempts[i].Waited = probe.Took(time.Duration(3<<i) * time.Second)
		}
	}
	return probe.Call{
		Environment: e, Unit: sampleUnit, UsingUnit: sampleUnit, Name: "head-office", Path: path,
		Attempts: attempts, Verdict: attempts[len(attempts)-1].Verdict,
	}
}

var (
	attemptProof     = probe.Attempt{Status: 200, Code: "bad_json", Verdict: probe.Reached}
	attemptForbidden = probe.Attempt{Status: 403, Code: "403", Text: "403:Forbidden, Connection:Close", Verdict: probe.Forbidden}
)

// samples are reports of every verdict, and of what else can be seen.
func samples() map[string]*probe.Report {
	all := map[string]*probe.Report{
		"path_open":         sampleReport(probe.PathOpen),
		"unresolved":        sampleUnresolved(),
		"connects":          sampleConnects(),
		"timed_out":         sampleConnect(probe.TimedOut, "i/o timeout"),
		"connect_refused":   sampleConnect(probe.ConnectRefused, "connection refused"),
		"reset":             sampleConnect(probe.Reset, "connection reset by peer"),
		"unreachable":       sampleConnect(probe.Unreachable, "network is unreachable"),
		"tls_failed":        sampleTLS(nil),
		"tls_remedy":        sampleTLS([]probe.Setting{{Key: "upstream.tls.min_version", Value: `"1.0"`}, {Key: "upstream.tls.legacy", Value: "true"}}),
		"identity_key":      sampleIdentity(upstream.VerifyFirstUse),
		"identity_pin":      sampleIdentity(upstream.VerifyPin),
		"identity_full":     sampleIdentity(upstream.VerifyFull),
		"interrupted":       sampleInterrupted(),
		"both":              sampleBoth(),
		"proxy_failed":      sampleProxy(probe.Attempt{Error: "connection refused", Verdict: probe.ProxyFailed}),
		"proxy_cut":         sampleProxy(probe.Attempt{Error: "connection reset by peer", Cut: true, Verdict: probe.ProxyFailed}),
		"proxy_reason":      sampleProxy(probe.Attempt{Status: 502, Reason: "dial", Verdict: probe.ProxyFailed}),
		"proxy_page":        sampleProxy(probe.Attempt{Status: 502, Text: "<html> <head><title>502 Bad Gateway</title></head>", Verdict: probe.ProxyFailed}),
		"warnings":          sampleWarnings(),
		"forbidden":         sampleCalled(attemptForbidden, attemptForbidden, attemptForbidden),
		"reached":           sampleCalled(attemptForbidden, attemptProof),
		"reached_by_code":   sampleCalled(probe.Attempt{Status: 200, Code: "4057", Verdict: probe.Reached}),
		"reached_by_other":  sampleCalled(probe.Attempt{Status: 200, Code: "other", Verdict: probe.Reached}),
		"ip_not_filed":      sampleCalled(probe.Attempt{Status: 200, Code: "4067", Verdict: probe.IPNotFiled}),
		"wrong_path":        sampleCalled(probe.Attempt{Status: 200, Code: "ResourceNotFound", Verdict: probe.WrongPath}),
		"limited":           sampleCalled(probe.Attempt{Status: 200, Code: "flow_limited", Limit: 5, Verdict: probe.Limited}),
		"limited_unnamed":   sampleCalled(probe.Attempt{Status: 200, Code: "flow_limited", Verdict: probe.Limited}),
		"unexpected_answer": sampleCalled(probe.Attempt{Status: 200, Text: strings.Repeat("<html> ", 22), Verdict: probe.Unexpected}),
		"unexpected_end":    sampleCalled(probe.Attempt{Error: "no answer within 30s: i/o timeout", Verdict: probe.Unexpected}),
		"unexpected_bytes":  sampleCalled(probe.Attempt{Status: 204, Verdict: probe.Unexpected}),
	}
	for source, r := range map[string]*probe.Report{"hosts": sampleReport(probe.PathOpen), "fixed_ips": sampleReport(probe.PathOpen), "host": sampleReport(probe.PathOpen), "chosen": sampleReport(probe.PathOpen)} {
		r.Resolve.Source = probe.Source(source)
		all["source_"+source] = r
	}
	for _, state := range []probe.KeyState{probe.KeyFirst, probe.KeyWaiting, probe.KeyNew, probe.KeyUnread} {
		r := sampleReport(probe.PathOpen)
		r.TLS[0].Key, r.TLS[0].Certificate.Names = state, []string{"lqpt.chinatax.gov.cn", "203.0.113.7"}
		all["key_"+string(state)] = r
	}
	return all
}

func sampleUnresolved() *probe.Report {
	r := sampleReport(probe.Unresolved)
	r.Resolve = &probe.Resolve{Source: probe.SourceDNS, Took: ms(5012), Error: "no such host"}
	r.Connect, r.TLS = nil, nil
	return r
}

// sampleConnects shows every outcome of stage 2.
func sampleConnects() *probe.Report {
	r := sampleReport(probe.TimedOut)
	r.TLS, r.Connect = nil, nil
	for _, v := range []probe.Verdict{probe.TimedOut, probe.ConnectRefused, probe.Reset} {
		r.Connect = append(r.Connect, probe.Connect{Address: sampleV4, Took: ms(5000), Verdict: v})
	}
	r.Connect = append(r.Connect, probe.Connect{Address: sampleV6, Verdict: probe.Unreachable, Error: "network is unreachable"})
	r.Resolve.Addresses = []netip.Addr{sampleV4.Addr(), sampleV6.Addr()}
	return r
}

func sampleConnect(v probe.Verdict, err string) *probe.Report {
	r := sampleReport(v)
	r.TLS, r.Connect = nil, []probe.Connect{{Address: sampleV4, Took: ms(0.25), Verdict: v, Error: err}}
	return r
}

func sampleTLS(remedy []probe.Setting) *probe.Report {
	r := sampleReport(probe.TLSFailed)
	r.TLS = []probe.Handshake{{
		Address: sampleV4, Took: ms(45), Verdict: probe.TLSFailed, Verify: upstream.VerifyFirstUse,
		Error: "remote error: tls: handshake failure", Remedy: remedy,
	}}
	return r
}

func sampleIdentity(mode upstream.Verify) *probe.Report {
	r := sampleReport(probe.IdentityChanged)
	h := &r.TLS[0]
	h.Verify, h.Verdict, h.Error, h.Key = mode, probe.IdentityChanged, "refused", ""
	if mode == upstream.VerifyFirstUse {
		h.Key = probe.KeyNew
		r.Warnings = []probe.Warning{{Kind: probe.WarnKeyChanged, Value: samplePin.String()}}
	}
	return r
}

func sampleInterrupted() *probe.Report {
	r := sampleReport("")
	call := sampleCall(probe.Production, attemptForbidden)
	call.Verdict = ""
	r.Calls = []probe.Call{call}
	return r
}

func sampleCalled(attempts ...probe.Attempt) *probe.Report {
	call := sampleCall(probe.Production, attempts...)
	r := sampleReport(call.Verdict)
	r.Calls = []probe.Call{call}
	return r
}

func sampleBoth() *probe.Report {
	r := sampleReport(probe.IPNotFiled)
	r.Calls = []probe.Call{
		sampleCall(probe.Sandbox, attemptProof),
		sampleCall(probe.Production, probe.Attempt{Status: 200, Code: "4067", Verdict: probe.IPNotFiled}),
	}
	r.Calls[1].UsingUnit = "09876543210987654321"
	return r
}

func sampleProxy(a probe.Attempt) *probe.Report {
	r := sampleCalled(a)
	r.Via = "http://127.0.0.1:8864"
	r.Calls[0].Direct = sampleCall(probe.Production, attemptProof).Attempts
	return r
}

func sampleWarnings() *probe.Report {
	r := sampleCalled(attemptProof)
	r.Warnings = []probe.Warning{
		{Kind: probe.WarnUnitLength, Value: "123"},
		{Kind: probe.WarnForbidden, Value: "2026-01-02T03:04:05+08:00"},
		{Kind: probe.WarnKeyChanged, Value: samplePin.String()},
		{Kind: probe.WarnKeyUnread, Value: samplePin.String()},
		{Kind: probe.WarnExpires, Value: "2026-01-09"},
	}
	return r
}

// newTestConsole returns a console that prints to out and err.
func newTestConsole(l words.Lang, out, err *bytes.Buffer) *console {
	getenv := func(string) string { return "" }
	return &console{words.NewPrinter(out, err, l, getenv), process{stdout: out, stderr: err, getenv: getenv}, ""}
}

func TestReportsForPeople(t *testing.T) {
	t.Parallel()
	for name, r := range samples() {
		for _, l := range []words.Lang{words.English, words.Chinese} {
			var out, errs bytes.Buffer
			w := wish{file: "/etc/lqproxy/lqproxy.toml"}
			if len(r.Calls) > 0 || r.Verdict.ExitCode() != exitOK {
				w.options.Targets = []probe.Target{{Environment: probe.Production, Unit: sampleUnit}}
			}
			printReport(newTestConsole(l, &out, &errs), w, r)
			checkGolden(t, filepath.Join("probe", name), l, out.String())
			if errs.Len() > 0 {
				t.Errorf("%s in %s: stderr = %q, want nothing", name, l, &errs)
			}
		}
	}
}

// Each verdict has a sample, a meaning, and a remedy of two lines at most.
func TestEveryVerdictIsShown(t *testing.T) {
	t.Parallel()
	shown := map[probe.Verdict]bool{}
	for name, r := range samples() {
		shown[r.Verdict] = true
		for _, l := range []words.Lang{words.English, words.Chinese} {
			if lines := words.Wrap(words.ProbeRemedy(l, r), reportWidth-2*detailIndent); len(lines) > 3 {
				t.Errorf("%s in %s: the remedy has %d lines: %q", name, l, len(lines), lines)
			}
		}
	}
	for _, v := range append(probe.Verdicts, "") {
		if !shown[v] {
			t.Errorf("no sample shows %q", v)
		}
	}
}

func TestReportAsDocument(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"reached": 0, "interrupted": 1, "proxy_failed": 1, "forbidden": 4, "timed_out": 5, "both": 6} {
		var out, errs bytes.Buffer
		c := newTestConsole(words.Chinese, &out, &errs)
		err := wish{asJSON: true, file: "/etc/lqproxy/lqproxy.toml"}.print(c, samples()[name])
		if got := c.report(err); got != want || errs.Len() > 0 {
			t.Errorf("%s: exit code %d, stderr %q, want %d and nothing", name, got, &errs, want)
		}
		var back struct {
			File string
			probe.Report
		}
		d := json.NewDecoder(&out)
		if err := d.Decode(&back); err != nil || d.More() {
			t.Fatalf("%s: no single document: %v", name, err)
		}
		if back.Verdict != samples()[name].Verdict || back.File == "" || back.Upstream == "" {
			t.Errorf("%s: document %+v, want the report", name, back)
		}
	}
}

func TestPinLine(t *testing.T) {
	t.Parallel()
	r := sampleReport(probe.PathOpen)
	other := sampleHandshake()
	cert := *other.Certificate
	cert.Pin = upstream.Pin{9}
	other.Certificate = &cert
	r.TLS = append(r.TLS, sampleHandshake(), other)
	var out, errs bytes.Buffer
	c := newTestConsole(words.English, &out, &errs)
	if err := printPin(c, r); err != nil {
		t.Fatal(err)
	}
	want := `pins = ["sha256/AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "sha256/CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]` + "\n"
	if out.String() != want || !strings.Contains(errs.String(), "hint") {
		t.Errorf("printed %q, hint %q, want %q", &out, &errs, want)
	}
	r.TLS, r.Verdict = nil, probe.TimedOut
	if code := c.report(printPin(c, r)); code != exitUnreached {
		t.Errorf("without a certificate: exit code %d, want %d", code, exitUnreached)
	}
}

func TestProgressTexts(t *testing.T) {
	t.Parallel()
	call := probe.Progress{Stage: probe.StagePlatform, Target: probe.Target{Environment: probe.Sandbox}, Attempt: 2, Attempts: 5}
	wait := call
	wait.Wait = 3456 * time.Millisecond
	for _, tt := range []struct {
		progress probe.Progress
		en, zh   string
	}{
		{probe.Progress{Stage: probe.StageResolve, Address: "a"}, "resolving a ...", "正在解析 a ……"},
		{probe.Progress{Stage: probe.StageConnect, Address: "a"}, "connecting to a ...", "正在连接 a ……"},
		{probe.Progress{Stage: probe.StageTLS, Address: "a"}, "shaking hands with a ...", "正在与 a 握手 ……"},
		{
			probe.Progress{Stage: probe.StageTLS, Address: "a", Settings: []probe.Setting{{Key: "k", Value: "v"}}},
			"shaking hands with a and k = v ...", "正在与 a 握手，改用 k = v ……",
		},
		{call, "sandbox: attempt 2 of 5 ...", "沙箱：第 2 次调用，最多 5 次 ……"},
		{wait, "sandbox: 403; attempt 2 of 5 follows in 3.5s ...", "沙箱：返回 403，3.5s 后第 2 次调用，最多 5 次 ……"},
	} {
		var out, errs bytes.Buffer
		if got := newProgress(newTestConsole(words.English, &out, &errs)).text(tt.progress); got != strings.ReplaceAll(tt.en, "k = v", words.Keep("k = v")) {
			t.Errorf("text(%+v) = %q, want %q", tt.progress, got, tt.en)
		}
		p := newProgress(newTestConsole(words.Chinese, &out, &errs))
		if got := p.text(tt.progress); got != strings.ReplaceAll(tt.zh, "k = v", words.Keep("k = v")) {
			t.Errorf("text(%+v) = %q, want %q", tt.progress, got, tt.zh)
		}
		p.show(tt.progress)
		p.clear()
		if out.Len()+errs.Len() > 0 {
			t.Errorf("progress where there is no terminal: %q %q", &out, &errs)
		}
		p.live = true
		p.show(tt.progress)
		p.clear()
		if want := clearLine + tt.zh + clearLine; errs.String() != want {
			t.Errorf("progress on a terminal = %q, want %q", &errs, want)
		}
	}
}

func TestTook(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0.0 ms", 1234 * time.Microsecond: "1.2 ms", 12345 * time.Microsecond: "12 ms", 999 * time.Millisecond: "999 ms",
		1250 * time.Millisecond: "1.2 s", 72 * time.Second: "72.0 s",
	} {
		if got := took(probe.Took(d)); got != words.Keep(want) {
			t.Errorf("took(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestOwnFolder(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"XDG_RUNTIME_DIR": "/run/user/1", "XDG_CACHE_HOME": "/c", "HOME": "/home/a"}, "/run/user/1/lqproxy"},
		{map[string]string{"XDG_CACHE_HOME": "/c", "HOME": "/home/a"}, "/c/lqproxy"},
		{map[string]string{"XDG_RUNTIME_DIR": "relative", "HOME": "/home/a"}, "/home/a/.cache/lqproxy"},
		{nil, ""},
	} {
		if got := ownFolder(func(name string) string { return tt.env[name] }); got != tt.want {
			t.Errorf("ownFolder(%v) = %q, want %q", tt.env, got, tt.want)
		}
	}
}

// Whoever asks while nothing is there gets no folder of the daemon's.
func TestAMissingConfigurationIsTheDefaults(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	c := newTestConsole(words.English, &out, &errs)
	cfg, file, err := configurationFor(c, settings{instance: "no-such-instance"})
	if err != nil || file != "" || cfg.Upstream.Host != "lqpt.chinatax.gov.cn" || cfg.Probe.Environment != probe.OnlyProduction {
		t.Errorf("configurationFor() = %+v, %q, %v, want the defaults", cfg.Upstream, file, err)
	}
	if want := "there is no /etc/lqproxy/no-such-instance.toml: the defaults are taken\n"; errs.String() != want {
		t.Errorf("said %q, want %q", &errs, want)
	}
	if _, _, err := configurationFor(c, settings{file: "/no/such/file.toml"}); c.report(err) != exitConfig {
		t.Errorf("a file that was named and is not there: %v, want exit code %d", err, exitConfig)
	}
}

func TestVerdictTableInHelp(t *testing.T) {
	t.Parallel()
	for _, l := range []words.Lang{words.English, words.Chinese} {
		var out, errs bytes.Buffer
		code := run(context.Background(), []string{"--lang", string(l), "probe", "--help"},
			process{stdout: &out, stderr: &errs, getenv: func(string) string { return "" }})
		if code != exitOK || errs.Len() > 0 {
			t.Errorf("probe --help in %s = %d, %q", l, code, &errs)
		}
		checkGolden(t, filepath.Join("probe", "help"), l, out.String())
	}
}
