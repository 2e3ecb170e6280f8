package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/firewall"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/probe/doctor"
)

// finding makes the finding of a code, as package doctor does.
func finding(code doctor.Code, args ...any) doctor.Finding {
	return doctor.Finding{Check: doctor.CheckOf(code), State: doctor.StateOf(code), Code: code, Args: args}
}

// wellFindings are those of a machine on which all is well.
func wellFindings() []doctor.Finding {
	return []doctor.Finding{
		finding(doctor.SystemListed, "CentOS Linux 7 (Core)"), finding(doctor.KernelFits, "3.10.0-1160.el7.x86_64"),
		finding(doctor.ArchBuilt, "amd64"), finding(doctor.ResourcesFit, 2, doctor.Bytes(4<<30)),
		finding(doctor.DiskFits, "/var/log/lqproxy", doctor.Bytes(40<<30), int64(400)), finding(doctor.FilesFit, "524288"),
		finding(doctor.MountsFit), finding(doctor.SELinuxQuiet), finding(doctor.FIPSOff),
		finding(doctor.ConfigGood, "/etc/lqproxy/lqproxy.toml"), finding(doctor.ServiceRuns, "lqproxy.service", 812),
		finding(doctor.PortOurs, 8864), finding(doctor.SourcesTold, 120), finding(doctor.FirewallSays, "firewalld, in step"),
		finding(doctor.DNSFound, "lqpt.chinatax.gov.cn", 2, probe.SourceDNS), finding(doctor.ConnectAll, 2),
		finding(doctor.TLSGood, "TLS 1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), finding(doctor.CallGood, probe.Production),
		finding(doctor.ClockRight, time.Second), finding(doctor.RouteReached, netip.MustParseAddr("192.0.2.1"), 9),
		finding(doctor.EgressFiled, netip.MustParseAddr("203.0.113.7")),
	}
}

// illFindings are those of a machine on which much is wrong.
func illFindings() []doctor.Finding {
	return []doctor.Finding{
		finding(doctor.SystemUnknown, "Gentoo 2.15"), finding(doctor.KernelOld, "2.6.32-754.el6.x86_64", "3.2"),
		finding(doctor.ArchOther, "riscv64"), finding(doctor.ResourcesFew, 1, doctor.Bytes(1<<30)),
		finding(doctor.DiskSoon, "/var/log/lqproxy", doctor.Bytes(4<<30), int64(9)), finding(doctor.FilesFew, 4096, 5184),
		finding(doctor.MountNoexec, "/opt/lqproxy", "/opt"), finding(doctor.SELinuxDenies, 2, "{ name_connect } dest=8443 tclass=tcp_socket"),
		finding(doctor.FIPSOn),
		finding(doctor.ConfigDenied, "/etc/lqproxy/key.pem", "lqproxy"), finding(doctor.ServiceFailed, "lqproxy.service", "exit-code"),
		finding(doctor.PortNginx, 8864, 700), finding(doctor.SourcesSame, 120),
		{Check: doctor.Firewall, State: doctor.Fail, Code: doctor.FirewallSays, Args: []any{"iptables: 8864 is open to everyone"}},
		finding(doctor.DNSFound, "lqpt.chinatax.gov.cn", 2, probe.SourceHosts),
		finding(doctor.ConnectSome, 1, 2, netip.MustParseAddrPort("192.0.2.1:8443"), doctor.Outcome(probe.TimedOut)),
		finding(doctor.TLSRemedy, "remote error: tls: handshake failure", "upstream.tls.legacy = true, upstream.tls.max_version = \"1.2\""),
		finding(doctor.CallBad, probe.Production, probe.Forbidden), finding(doctor.ClockWrong, time.Hour),
		finding(doctor.RouteEnds, netip.MustParseAddr("192.0.2.1"), "10.0.0.1", 3),
		finding(doctor.EgressOther, netip.MustParseAddr("203.0.113.8"), "203.0.113.7"),
	}
}

func TestFindingsArePrinted(t *testing.T) {
	t.Parallel()
	warned := &probe.Report{Warnings: []probe.Warning{{Kind: probe.WarnUnitLength, Value: "123"}}}
	for name, r := range map[string]*doctor.Report{
		"doctor/well": {Findings: wellFindings(), Probe: &probe.Report{}},
		"doctor/ill":  {Findings: illFindings(), Probe: warned},
	} {
		for _, l := range []words.Lang{words.English, words.Chinese} {
			var out bytes.Buffer
			c := &console{Printer: &words.Printer{Out: &out, Lang: l}}
			printFindings(c, r)
			checkGolden(t, name, l, out.String())
		}
	}
}

func TestDoctorEndsWithACode(t *testing.T) {
	t.Parallel()
	bad := []doctor.Finding{finding(doctor.PortNginx, 8864, 700)}
	for _, tt := range []struct {
		name    string
		badFile bool
		verdict probe.Verdict
		found   []doctor.Finding
		want    int
	}{
		{"well", false, probe.Reached, wellFindings(), exitOK},
		{"no unit", false, probe.PathOpen, nil, exitOK},
		{"something else", false, probe.Reached, bad, exitFailed},
		{"forbidden", false, probe.Forbidden, bad, exitForbidden},
		{"banned", false, probe.TimedOut, nil, exitUnreached},
		{"not filed", false, probe.IPNotFiled, nil, exitUnproven},
		{"a bad file", true, probe.TimedOut, bad, exitConfig},
	} {
		e := &examination{badFile: tt.badFile}
		err := e.end(&doctor.Report{Findings: tt.found, Probe: &probe.Report{Verdict: tt.verdict}})
		c := &console{Printer: &words.Printer{Err: new(bytes.Buffer)}}
		if got := c.report(err); got != tt.want {
			t.Errorf("end(%s) = %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestPortsOfAddresses(t *testing.T) {
	t.Parallel()
	got := ports([]string{":8864", "10.0.0.5:8864", "[::1]:9000", "127.0.0.1:0"})
	if want := []uint16{8864, 9000}; !slices.Equal(got, want) {
		t.Errorf("ports = %v, want %v", got, want)
	}
}

func TestFirewallInWords(t *testing.T) {
	t.Parallel()
	r := &firewall.Report{
		Backend: firewall.Firewalld, Managed: true,
		Policy:   firewall.NewPolicy(firewall.Admit{Port: 8864, Sources: []firewall.Source{{Prefix: netip.MustParsePrefix("49.4.80.61/32")}}}),
		Findings: []firewall.Finding{{Kind: firewall.OpenPort, Port: 8864, Where: "zone public", What: "8864/tcp"}},
	}
	for _, tt := range []struct {
		name           string
		view           firewallView
		line, evidence string
	}{
		{"kept out", firewallView{state: doctor.OK, fact: words.FirewallLocal}, words.FirewallLocal.EN, words.FirewallLocal.ZH},
		{"unreadable", firewallView{state: doctor.Warn, err: firewall.ErrNoBackend}, words.FirewallNoBackend.EN, words.FirewallNoBackend.ZH},
		{
			"open",
			firewallView{doctor.Fail, words.FirewallOutOf, nil, r},
			"out of step; zone public: port 8864/tcp, open to everyone; " + words.FirewallRetry.EN,
			"防火墙：firewalld\n不一致\n+ 放行 49.4.80.61 → 8864/tcp\n! zone public: 端口 8864/tcp 对所有人开放",
		},
	} {
		if got := tt.view.line(words.English); got.Text != tt.line || got.State != tt.view.state {
			t.Errorf("line(%s) = %+v, want %s %q", tt.name, got, tt.view.state, tt.line)
		}
		if got := tt.view.evidence(); got != tt.evidence {
			t.Errorf("evidence(%s) = %q, want %q", tt.name, got, tt.evidence)
		}
	}
}

// A listener that is no lqproxy, or nobody, is no running daemon.
func TestRunningAsksOnlyOurselves(t *testing.T) {
	t.Parallel()
	cfg := configs.Default()
	cfg.Admin.Addresses = []string{"127.0.0.1:1"}
	if got := running(cfg); got != nil {
		t.Errorf("running = %+v, want none", got)
	}
	for body, want := range map[string]*doctor.Running{"{}": nil, "[]": nil, `{"pid": 7, "reload": {"error": "x"}}`: {PID: 7, Reload: "x"}} {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }))
		cfg.Admin.Addresses = []string{other.Listener.Addr().String()}
		if diff := cmp.Diff(want, running(cfg)); diff != "" {
			t.Errorf("running where %s is answered (-want +got):\n%s", body, diff)
		}
		other.Close()
	}
}
