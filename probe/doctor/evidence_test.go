package doctor

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe"
)

// sample is a machine that Leqi has banned, as an application would describe it.
// What people and hosts choose holds characters that mean something in HTML and
// Markdown.
func sample() *Evidence {
	a, b := netip.MustParseAddrPort("192.0.2.1:8443"), netip.MustParseAddrPort("192.0.2.2:8443")
	ms := func(n int) probe.Took { return probe.Took(time.Duration(n) * time.Millisecond) }
	offset := -3 * time.Second
	return &Evidence{
		Applicant: "某某（集团）<有限>公司 | 财务*共享*中心", CreditCode: "91440300MA5EXAMP1X",
		EgressIPs: []netip.Addr{netip.MustParseAddr("203.0.113.7")},
		Units:     []string{"12345678901234567890"}, FiledIPs: []netip.Addr{netip.MustParseAddr("203.0.113.7")},
		Program: "lqproxy 1.0.0",
		Report: &Report{
			Began:  now,
			Host:   Host{Name: "dmz-01", System: "CentOS Linux 7 (Core)", Kernel: "3.10.0-1160.el7.x86_64", Arch: "amd64"},
			Offset: &offset,
			Egress: Outgoing{Local: netip.MustParseAddr("10.0.0.5"), Public: netip.MustParseAddr("203.0.113.7")},
			Traces: []Trace{
				{Target: a, Hops: []Hop{
					{Kind: HopRouter, Addr: netip.MustParseAddr("10.0.0.1"), Took: 412 * time.Microsecond},
					{Kind: HopSilent},
					{Kind: HopRouter, Took: 3 * time.Millisecond},
					{Kind: HopSilent},
					{Kind: HopSilent},
				}},
				{Target: netip.MustParseAddrPort("[2001:db8::1]:8443"), Error: "connecting to [2001:db8::1]:8443: network is unreachable"},
			},
			Probe: &probe.Report{
				Upstream: "lqpt.chinatax.gov.cn:8443", Began: now, Verdict: probe.Forbidden,
				Resolve: &probe.Resolve{Source: probe.SourceDNS, Addresses: []netip.Addr{a.Addr(), b.Addr()}, Took: ms(12)},
				Connect: []probe.Connect{
					{Address: a, Took: ms(5000), Verdict: probe.TimedOut, Error: "i/o timeout"},
					{Address: b, Local: netip.MustParseAddrPort("10.0.0.5:40112"), Took: ms(31), Verdict: probe.PathOpen},
				},
				TLS: []probe.Handshake{{
					Address: b, Took: ms(66), Version: "TLS 1.2", Suite: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Verdict: probe.PathOpen,
					Certificate: &probe.Certificate{Subject: "CN=leqi", Issuer: "CN=some CA", NotAfter: now.AddDate(1, 0, 0)},
				}},
				Calls: []probe.Call{{
					Environment: probe.Sandbox, Unit: "12345678901234567890", UsingUnit: "12345678901234567890",
					Path: "/access/newsandbox/v2/invoke/202007/CXKYSL", Verdict: probe.Forbidden,
					Attempts: []probe.Attempt{
						{Took: ms(120), Verdict: probe.Reset, Error: "connection reset by peer"},
						{Took: ms(98), Status: 403, Code: "403", Verdict: probe.Forbidden},
						{Took: ms(97), Status: 200, Code: "4067", Verdict: probe.IPNotFiled},
					},
				}},
			},
		},
		Conduct: &Conduct{
			From: now.AddDate(0, 0, -30), To: now, AccessFiles: 2, ErrorFiles: 1, Broken: 1,
			Unread: []string{"open /var/log/lqproxy/access-2026-11-01.001.log: permission denied"},
			First:  now.AddDate(0, 0, -2), Calls: 1234, Unsent: 5, Forbidden: 7, Limited: 2,
			Worked: now.Add(-2 * time.Hour), Failing: now.Add(-time.Hour), Cause: "403", Failed: 12,
			Days: []Day{
				{Date: "2026-11-20", Calls: 1000, Peak: 40, PeakAt: "09:30", Limited: 2},
				{Date: "2026-11-21", Calls: 234, Peak: 12, PeakAt: "16:02", Forbidden: 7},
			},
			Refused: 420, Sources: 2, Overflow: true,
			Foreign: []Stranger{{netip.MustParseAddr("198.51.100.2"), 3, now.Add(-time.Hour)}, {netip.MustParseAddr("2001:db8::bad"), 1, now.Add(-2 * time.Hour)}},
		},
		Sources: []netip.Prefix{netip.MustParsePrefix("49.4.80.61/32"), netip.MustParsePrefix("10.20.0.0/16")}, Presets: []string{"kingdee-group-sandbox"},
		History:  []Admission{{now.AddDate(0, 0, -9), []netip.Prefix{netip.MustParsePrefix("49.4.80.61/32")}}},
		Firewall: "firewalld, zone public\nrule family=\"ipv4\" source address=\"49.4.80.61\" port port=\"8864\" protocol=\"tcp\" accept",
		Verdict:  func(v probe.Verdict) string { return "结论：" + string(v) },
	}
}

// bare is an examination that came nowhere, of a machine without logs.
func bare() *Evidence {
	return &Evidence{
		Program: "lqproxy 1.0.0", UnitsByHand: true,
		Report: &Report{
			Began: now, Host: Host{Name: "dmz-01"}, Egress: Outgoing{Error: "no route"},
			Probe: &probe.Report{Upstream: "lqpt.chinatax.gov.cn:8443", Verdict: probe.Unresolved, Resolve: &probe.Resolve{Error: "no such host"}},
		},
		Verdict: func(v probe.Verdict) string { return "结论：" + string(v) },
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]*Evidence{"sample": sample(), "bare": bare()} {
		for _, f := range []Format{HTML, Markdown, Text} {
			var b strings.Builder
			if err := e.Write(&b, f); err != nil {
				t.Errorf("Write(%s, %s) = %v, want nil", name, f, err)
			}
			checkGolden(t, "report/"+name+"."+string(f), b.String())
		}
	}
}

// TestReportsEscape looks for markup that came from outside.
func TestReportsEscape(t *testing.T) {
	t.Parallel()
	e := sample()
	e.Applicant = "<script>alert(1)</script>"
	e.Report.Probe.Connect[0].Error = "```\n# x"
	e.Firewall = "```\n</pre><script>"
	var page strings.Builder
	if err := e.Write(&page, HTML); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(page.String(), "<script") {
		t.Error("the page has a script")
	}
	var md strings.Builder
	if err := e.Write(&md, Markdown); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(md.String(), "| <script") || !strings.Contains(md.String(), "````text") {
		t.Errorf("the Markdown has bare markup, or a fence that its text closes:\n%s", md.String())
	}
}

// TestTextFitsTheLine measures paragraphs; the lines of commands are what they are.
func TestTextFitsTheLine(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := sample().Write(&b, Text); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := columns(strings.TrimSuffix(line, "\n")); n > lineWidth && !strings.HasPrefix(line, "    ") {
			t.Errorf("%q has %d columns, want at most %d", line, n, lineWidth)
		}
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want string
	}{
		{"short", "short"},
		{"", ""},
		{"one two three four", "one two|three four"},
		{"一二三四五六七", "一二三四五|六七"},
		{"一二三四五，六", "一二三四|五，六"},
		{"一二三四（五六", "一二三四|（五六"},
		{"一二 abc 三四", "一二 abc|三四"},
		{"abcdefghijklmnop", "abcdefghijklmnop"},
	} {
		if got := strings.Join(wrap(tt.text, 10), "|"); got != tt.want {
			t.Errorf("wrap(%q, 10) = %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]Format{"a.html": HTML, "/x/B.MD": Markdown, "c.txt": Text, "d.pdf": "", "md": "", "": ""} {
		if got, ok := FormatOf(file); got != want || ok != (want != "") {
			t.Errorf("FormatOf(%q) = %q, %v, want %q, %v", file, got, ok, want, want != "")
		}
	}
}

// A fullDisk takes nothing.
type fullDisk struct{}

var errFull = errors.New("no space left on device")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestReportThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{HTML, Markdown, Text} {
		if err := sample().Write(fullDisk{}, f); !errors.Is(err, errFull) {
			t.Errorf("Write(%s) to a full disk = %v, want %v", f, err, errFull)
		}
	}
}
