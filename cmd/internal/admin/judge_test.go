package admin

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/certs"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	seen := func(d time.Duration) proxy.Occurrences { return proxy.Occurrences{Count: 1, Last: ago(d)} }
	for name, tt := range map[string]struct {
		change func(*Status)
		level  Level
		want   []string
	}{
		"well":     {func(*Status) {}, OK, nil},
		"stopping": {func(s *Status) { s.State = StateStopping }, Critical, []string{"not_ready"}},
		"draining": {func(s *Status) { s.State = StateDraining }, Critical, []string{"not_ready"}},
		"down":     {func(s *Status) { s.Upstream.Up = false }, Critical, []string{"upstream_down"}},
		"untried":  {func(s *Status) { s.Upstream.Up, s.Upstream.Since = false, time.Time{} }, Warning, []string{"upstream_untried"}},
		"no dns":   {func(s *Status) { s.Upstream.Lookup = "no such host" }, Warning, []string{"upstream_lookup"}},
		"an address of several fails": {func(s *Status) {
			s.Upstream.Addresses = append(s.Upstream.Addresses, upstream.AddressStatus{Addr: netip.MustParseAddr("192.0.2.9"), State: upstream.AddressFailed})
		}, OK, nil},
		"probes well": {func(s *Status) {
			s.Probes = []probe.Outcome{{Environment: probe.Sandbox, Verdict: probe.PathOpen}, {Environment: probe.Production, Verdict: probe.Reached}}
		}, OK, nil},
		"a probe failed": {func(s *Status) {
			s.Probes = []probe.Outcome{{Environment: probe.Sandbox, Verdict: probe.Reached}, {Environment: probe.Production, Verdict: probe.IPNotFiled}}
		}, Warning, []string{"probe_failed"}},
		"new key":                              {func(s *Status) { s.Upstream.Changed = true }, Warning, []string{"upstream_key"}},
		"certificate far":                      {func(s *Status) { s.Listen.NotAfter = new(noon.Add(ExpirySoon)) }, OK, nil},
		"certificate soon":                     {func(s *Status) { s.Listen.NotAfter = new(noon.Add(ExpirySoon - 1)) }, Warning, []string{"certificate_expiring"}},
		"certificate ended":                    {func(s *Status) { s.Listen.NotAfter = &noon }, Critical, []string{"certificate_expired"}},
		"short life, half of its renewal left": {func(s *Status) { s.Listen = shortLived(36 * time.Hour) }, OK, nil},
		"short life, less of it left": {
			func(s *Status) { s.Listen = shortLived(36*time.Hour - 1) }, Warning, []string{"certificate_expiring"},
		},
		"certificate refused": {func(s *Status) {
			s.Listen.NotAfter = new(noon.Add(90 * day))
			s.Listen.Certificate = NewCertificate(certs.State{
				Source: certs.FromFiles, Problem: &certs.Problem{Kind: certs.PKCS12, File: "a.pfx", Commands: []string{"openssl 1", "openssl 2"}},
			})
		}, Warning, []string{"certificate_refused"}},
		"self-signed": {func(s *Status) {
			s.Listen.NotAfter = new(noon.Add(day - 1)) // as it always is
			s.Listen.Certificate = NewCertificate(certs.State{Source: certs.SelfSigned, NotBefore: noon, NotAfter: noon.Add(day - 1)})
		}, Critical, []string{"certificate_self_signed"}},
		"theirs, not judged": {func(s *Status) { s.Upstream.Shown.NotAfter = noon }, OK, nil},
		"theirs, judged": {func(s *Status) {
			s.Upstream.Shown.NotAfter, s.Identity.Verify = noon.Add(day), upstream.VerifyChain
		}, Warning, []string{"upstream_certificate"}},
		"access log fails": {func(s *Status) { s.Log.Failing = []string{"access"} }, Critical, []string{"log_failing"}},
		"stderr fails":     {func(s *Status) { s.Log.Failing = []string{"stderr"} }, Warning, []string{"log_failing"}},
		"paused":           {func(s *Status) { s.Log.Paused = true }, Critical, []string{"log_paused"}},
		"disk enough":      {func(s *Status) { s.Log.Free = new(int64(3 << 30)) }, OK, nil},
		"disk low":         {func(s *Status) { s.Log.Free = new(int64(3<<30 - 1)) }, Warning, []string{"disk_low"}},
		"no limit":         {func(s *Status) { s.Log.Free, s.Log.MinFree = new(int64(1)), 0 }, OK, nil},
		"forbidden":        {func(s *Status) { s.Traffic.Leqi.Forbidden = seen(Recent - 1) }, Warning, []string{"forbidden"}},
		"forbidden before": {func(s *Status) { s.Traffic.Leqi.Forbidden = seen(Recent) }, OK, nil},
		"not filed":        {func(s *Status) { s.Traffic.Leqi.IPNotFiled = seen(0) }, Warning, []string{"ip_not_filed"}},
		"flow":             {func(s *Status) { s.Traffic.Leqi.FlowLimited = seen(time.Minute) }, Warning, []string{"flow_limited"}},
		"few failures":     {func(s *Status) { s.Traffic.LastMinute = proxy.Minute{Exchanges: 2, Failures: 2} }, OK, nil},
		"small share":      {func(s *Status) { s.Traffic.LastMinute = proxy.Minute{Exchanges: 31, Failures: 3} }, OK, nil},
		"failures":         {func(s *Status) { s.Traffic.LastMinute = proxy.Minute{Exchanges: 30, Failures: 3} }, Warning, []string{"failures"}},
		"limit":            {func(s *Status) { s.Traffic.Limits[1].LastReached = noon }, Warning, []string{"limit_exchanges"}},
		"limit before":     {func(s *Status) { s.Traffic.Limits[1].LastReached = ago(Recent) }, OK, nil},
		"reload":           {func(s *Status) { s.Reload.Error = "x" }, Warning, []string{"reload_failed"}},
		"no firewall":      {func(s *Status) { s.Firewall = nil }, OK, nil},
		"out of step":      {func(s *Status) { s.Firewall.InSync = false }, Warning, []string{"firewall_out_of_step"}},
		"pending":          {func(s *Status) { s.Firewall.Pending = "+52.83.1.1" }, Warning, []string{"firewall_pending"}},
		"unchecked":        {func(s *Status) { s.Firewall.Checked = ago(FirewallSilent + 1) }, Warning, []string{"firewall_unchecked"}},
		"the worst first":  {func(s *Status) { s.Reload.Error, s.State = "x", StateDraining }, Critical, []string{"not_ready", "reload_failed"}},
	} {
		s := well()
		tt.change(&s)
		j := Judge(s)
		var got []string
		for _, p := range j.Problems {
			got = append(got, p.Name)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || j.Level != tt.level {
			t.Errorf("Judge(%s) = level %v, want %v; problems (-want +got):\n%s", name, j.Level, tt.level, diff)
		}
	}
}

// shortLived has a certificate of six days of an authority, of which so much is left.
func shortLived(left time.Duration) Listen {
	end := noon.Add(left)
	return Listen{
		TLS: "acme", NotAfter: &end,
		Certificate: NewCertificate(certs.State{Source: certs.FromACME, NotBefore: end.Add(-6 * day), NotAfter: end}),
	}
}

// Texts of problems are chosen by value, which the catalogue's test cannot follow.
func TestProblemsAreSaidWithTheirArguments(t *testing.T) {
	t.Parallel()
	soon := well()
	soon.Listen.NotAfter, soon.Identity.Verify, soon.Upstream.Shown.NotAfter = new(noon.Add(day)), upstream.VerifyFull, noon.Add(day)
	soon.Upstream.Lookup, soon.Log.Free = "no such host", new(int64(2<<30))
	untried := well()
	untried.State, untried.Upstream.Since, untried.Listen.TLS, untried.Listen.NotAfter = StateStopping, time.Time{}, "acme", new(noon)
	selfSigned := well()
	selfSigned.Listen.NotAfter, selfSigned.Listen.Certificate = new(noon.Add(day)), NewCertificate(certs.State{Source: certs.SelfSigned})
	for _, s := range []Status{ill(), leaving(), soon, untried, selfSigned} {
		for _, p := range Judge(s).Problems {
			for _, l := range []words.Lang{words.English, words.Chinese} {
				text := p.Fact(l) + p.Remedy(l)
				if strings.Contains(text, "%!") || p.Remedy(l) == "" || slices.Contains([]string{p.Fact(l), p.Remedy(l)}, "") {
					t.Errorf("%s in %s = %q, %q, want both with their arguments", p.Name, l, p.Fact(l), p.Remedy(l))
				}
			}
		}
	}
}

func TestRemediesNameTheInstance(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"":       {"lqproxy probe -c /opt/lqproxy.toml", "journalctl -u lqproxy", "systemctl status lqproxy-firewall.timer"},
		"branch": {"lqproxy probe -i branch", "journalctl -u lqproxy@branch", "systemctl status lqproxy-firewall@branch.timer"},
	} {
		s := ill()
		s.Instance, s.State, s.File = name, StateDraining, "/opt/lqproxy.toml"
		if name != "" {
			s.File = "/etc/lqproxy/" + name + ".toml"
		}
		var all []string
		for _, p := range Judge(s).Problems {
			all = append(all, p.Remedy(words.English))
		}
		for _, command := range want {
			if !slices.ContainsFunc(all, func(text string) bool { return strings.HasSuffix(text, command) }) {
				t.Errorf("remedies of instance %q = %q, want %q among them", name, all, command)
			}
		}
	}
}

func TestRatesAreOfTheSameProcess(t *testing.T) {
	t.Parallel()
	before, now := well(), well()
	before.Time = ago(2 * time.Second)
	before.Traffic.Exchanges -= 41
	rate := func(v View) string {
		for _, s := range v.Sections {
			for _, r := range s.Rows {
				if r.Name == "now" {
					return strings.Join(r.Items, " ")
				}
			}
		}
		return ""
	}
	if got, want := rate(NewView(now, &before, words.English)), "20.5/s, failed 0.0/s, refused connections 0.0/s"; got != want {
		t.Errorf("rates = %q, want %q", got, want)
	}
	if got := rate(NewView(now, nil, words.English)); got != "" {
		t.Errorf("rates of the first look = %q, want none", got)
	}
	before.PID++
	if got := rate(NewView(now, &before, words.English)); got != "" {
		t.Errorf("rates over a restart = %q, want none", got)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 18 << 30: "18 GiB", 5 << 40: "5.0 TiB", 3 << 51: "6144 TiB"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestClockHasADateOnOtherDays(t *testing.T) {
	t.Parallel()
	s := Status{Time: time.Date(2026, 1, 2, 0, 30, 0, 0, time.FixedZone("", 8*3600))}
	for at, want := range map[string]string{
		"2026-01-01T16:00:01Z": "00:00:01",
		"2026-01-01T15:59:59Z": "01-01 23:59",
		"2025-12-31T15:59:59Z": "2025-12-31 23:59",
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.clock(when); got != want {
			t.Errorf("clock(%s) = %q, want %q", at, got, want)
		}
	}
}
