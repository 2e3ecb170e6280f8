package doctor

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe"
)

// checkFindings compares the text of what was found.
func checkFindings(t *testing.T, what, want string, got ...Finding) {
	t.Helper()
	if text := strings.TrimSpace(describe(got...)); text != want {
		t.Errorf("%s = %q, want %q", what, text, want)
	}
}

func TestSystems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ id, version, want string }{
		{"centos", "7", "ok system_listed [centos 7]"},
		{"centos", "8", "warn system_unknown [centos 8]"},
		{"rhel", "8.8", "ok system_listed [rhel 8.8]"},
		{"rhel", "9.4", "ok system_built [rhel 9.4]"},
		{"rhel", "80", "warn system_unknown [rhel 80]"},
		{"ubuntu", "22.04", "ok system_listed [ubuntu 22.04]"},
		{"ubuntu", "24.04", "warn system_unknown [ubuntu 24.04]"},
		{"kylin", "V10", "ok system_listed [kylin V10]"},
		{"openEuler", "22.03", "ok system_listed [openEuler 22.03]"},
		{"debian", "12", "ok system_built [debian 12]"},
		{"debian", "", "warn system_unknown [debian]"},
		{"", "", "warn system_unread"},
	} {
		_, got := judgeSystem(map[string]string{"ID": tt.id, "VERSION_ID": tt.version})
		checkFindings(t, "judgeSystem("+tt.id+" "+tt.version+")", tt.want, got)
	}
}

func TestCores(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]int{"0": 1, "0-1": 2, "0-3,8,10-11": 7, "": 0, "a-b": 0, "3-1": 0} {
		if got := countCores(list); got != want {
			t.Errorf("countCores(%q) = %d, want %d", list, got, want)
		}
	}
}

func TestDisks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		free, least, rate int64
		want              string
	}{
		{100, 200, 1, "fail disk_low [/log] [100 B] [200 B]"},
		{300, 200, 0, "ok disk_free [/log] [300 B]"},
		{300, 200, 10, "warn disk_soon [/log] [300 B] [10]"},
		{800, 200, 10, "ok disk_fits [/log] [800 B] [60]"},
		{5 << 40, 0, 1, "ok disk_fits [/log] [5.0 TiB] [9999]"},
	} {
		checkFindings(t, "judgeDisk", tt.want, judgeDisk("/log", tt.free, tt.least, tt.rate))
	}
}

func TestDescriptors(t *testing.T) {
	t.Parallel()
	for limits, want := range map[string]string{
		"Max open files            1024                 4096                 files":     "warn files_few [4096] [5000]",
		"Max open files            1024                 unlimited            files":     "ok files_fit [unlimited]",
		"Max open files            5000                 5000                 files":     "ok files_fit [5000]",
		"Max processes             1                    2                    processes": "warn files_unread",
	} {
		checkFindings(t, "judgeDescriptors", want, judgeDescriptors(limits, 5000))
	}
}

func TestMountsThatForbidExecution(t *testing.T) {
	t.Parallel()
	const mounts = "/dev/a / ext4 rw 0 0\n/dev/b /usr ext4 rw,noexec 0 0\n/dev/c /usr ext4 rw 0 0\n/dev/d /var ext4 rw,noexec 0 0\n/dev/e /variety ext4 rw 0 0\n"
	for file, want := range map[string]string{
		"/usr/bin/lqproxy": "ok mounts_fit", // what is mounted last counts
		"/bin/lqproxy":     "ok mounts_fit",
		"/var/lqproxy":     "fail mount_noexec [/var/lqproxy] [/var]",
		"/variety/lqproxy": "ok mounts_fit",
	} {
		checkFindings(t, "judgeMounts("+file+")", want, judgeMounts(mounts, file))
	}
}

func TestDenials(t *testing.T) {
	t.Parallel()
	const audit = "type=AVC msg=audit(1:1): avc:  denied  { read } for  pid=1 comm=\"lqproxy\" name=\"key.pem\" dev=\"sda1\" tclass=file\n"
	for _, tt := range []struct {
		audit     string
		enforcing bool
		want      string
	}{
		{"", true, "ok selinux_quiet"},
		{strings.ReplaceAll(audit, "lqproxy", "nginx"), true, "ok selinux_quiet"},
		{audit + audit, true, `fail selinux_denies [2] [{ read } name="key.pem" tclass=file]`},
		{audit, false, `warn selinux_would [1] [{ read } name="key.pem" tclass=file]`},
	} {
		checkFindings(t, "judgeDenials", tt.want, judgeDenials([]byte(tt.audit), tt.enforcing))
	}
}

func TestConfigurations(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		config Config
		want   string
	}{
		{Config{File: "f"}, "ok config_good [f]"},
		{Config{File: "f", Missing: true}, "warn config_missing [f]"},
		{Config{File: "f", Mistakes: 3}, "fail config_bad [f] [3]"},
		{Config{File: "f", Error: errors.New("no")}, "fail config_unread [f] [no]"},
		{Config{File: "f", User: "u", Denied: []string{"a", "b"}}, "fail config_denied [a] [u]\nfail config_denied [b] [u]"},
	} {
		checkFindings(t, "judgeConfig", tt.want, judgeConfig(tt.config)...)
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	in, running := Instance{Unit: "u"}, Instance{Unit: "u", Running: &Running{PID: 7}}
	for _, tt := range []struct {
		in    Instance
		state string
		err   error
		want  string
	}{
		{in, "LoadState=loaded\nActiveState=active\nMainPID=12", nil, "ok service_runs [u] [12]"},
		{in, "LoadState=loaded\nActiveState=reloading\nMainPID=12", nil, "ok service_runs [u] [12]"},
		{in, "LoadState=loaded\nActiveState=inactive", nil, "fail service_stopped [u]"},
		{in, "LoadState=loaded\nActiveState=failed\nResult=core-dump", nil, "fail service_failed [u] [core-dump]"},
		{in, "LoadState=not-found\nActiveState=inactive", nil, "warn service_none [u]"},
		{in, "", errNoSystemd, "warn service_unread"},
		{running, "", errNoSystemd, "warn service_by_hand [7]"},
		{running, "LoadState=loaded\nActiveState=inactive", nil, "warn service_by_hand [7]"},
	} {
		checkFindings(t, "judgeUnit("+tt.state+")", tt.want, judgeUnit(tt.in, parseRelease(tt.state), tt.err))
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	in, running := Instance{}, Instance{Running: &Running{PID: 7}}
	for _, tt := range []struct {
		in      Instance
		taken   bool
		holders []holder
		want    string
	}{
		{in, false, nil, "warn port_free [8864]"},
		{in, true, nil, "warn port_hidden [8864]"},
		{running, true, nil, "ok port_ours [8864]"},
		{in, true, []holder{{3, "lqproxy"}}, "ok port_ours [8864]"},
		{running, true, []holder{{7, "lqproxy-1.2"}}, "ok port_ours [8864]"},
		{running, true, []holder{{5, "nginx"}, {6, "nginx"}}, "fail port_nginx [8864] [5]"},
		{in, true, []holder{{5, "haproxy"}}, "fail port_taken [8864] [haproxy] [5]"},
	} {
		checkFindings(t, "judgePort", tt.want, judgePort(8864, tt.taken, tt.holders, tt.in))
	}
}

func TestSources(t *testing.T) {
	t.Parallel()
	calls := func(source string, n int) string {
		return strings.Repeat(`{"source":"`+source+`"}`+"\n", n)
	}
	for _, tt := range []struct{ name, log, want string }{
		{"none", "", "ok sources_few [0]"},
		{"few", calls("10.0.0.1", 19), "ok sources_few [19]"},
		{"private", calls("10.0.0.1", 10) + calls("100.64.1.1", 5) + calls("fd00::1", 5), "fail sources_same [20]"},
		{"public", calls("10.0.0.1", 50) + calls("49.4.80.61", 1), "ok sources_told [51]"},
		{"ourselves", calls("127.0.0.1", 50), "ok sources_few [0]"},
		{"torn", "{\"source\":\"10.0\nnothing\n{}\n", "ok sources_few [0]"},
	} {
		checkFindings(t, "judgeSources("+tt.name+")", tt.want, judgeSources([]byte(tt.log)))
	}
}

func TestClocks(t *testing.T) {
	t.Parallel()
	for offset, want := range map[time.Duration]string{
		0:                        "ok clock_right [0s]",
		-4600 * time.Millisecond: "ok clock_right [5s]",
		40 * time.Second:         "warn clock_off [40s]",
		-time.Hour:               "fail clock_wrong [1h0m0s]",
	} {
		checkFindings(t, "judgeClock", want, judgeClock(&offset))
	}
	checkFindings(t, "judgeClock(nil)", "warn clock_unread", judgeClock(nil))
}

func TestEgress(t *testing.T) {
	t.Parallel()
	inner, outer, other := netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("203.0.113.8")
	for _, tt := range []struct {
		name  string
		seen  Outgoing
		filed []netip.Addr
		want  string
	}{
		{"filed", Outgoing{Local: inner, Public: outer}, []netip.Addr{other, outer}, "ok egress_filed [203.0.113.7]"},
		{"another", Outgoing{Local: inner, Public: outer}, []netip.Addr{other}, "fail egress_other [203.0.113.7] [203.0.113.8]"},
		{"none filed", Outgoing{Local: inner, Public: outer}, nil, "warn egress_unfiled [203.0.113.7]"},
		{"no NAT", Outgoing{Local: outer}, []netip.Addr{outer}, "ok egress_filed [203.0.113.7]"},
		{"NAT", Outgoing{Local: inner}, []netip.Addr{outer}, "ok egress_hidden [10.0.0.5]"},
		{"no echo", Outgoing{Local: inner, Echo: "timeout"}, []netip.Addr{outer}, "warn egress_unread [10.0.0.5] [timeout]"},
		{"no route", Outgoing{Error: "no route"}, nil, "fail egress_none [no route]"},
		{"no host", Outgoing{}, nil, "fail egress_none [no address of the host is known]"},
	} {
		checkFindings(t, "judgeEgress("+tt.name+")", tt.want, judgeEgress(tt.seen, tt.filed))
	}
}

func TestWay(t *testing.T) {
	t.Parallel()
	a, b := netip.MustParseAddrPort("192.0.2.1:8443"), netip.MustParseAddrPort("192.0.2.2:8443")
	addrs := []netip.Addr{a.Addr(), b.Addr()}
	resolve := &probe.Resolve{Source: probe.SourceDNS, Addresses: addrs}
	for _, tt := range []struct {
		name   string
		report probe.Report
		want   string
	}{
		{"nothing", probe.Report{}, ""},
		{"unresolved", probe.Report{Resolve: &probe.Resolve{Error: "no such host"}, Verdict: probe.Unresolved}, "fail dns_failed [h] [no such host] [unresolved]"},
		{
			"banned",
			probe.Report{Resolve: resolve, Connect: []probe.Connect{{Address: a, Verdict: probe.TimedOut}, {Address: b, Verdict: probe.TimedOut}}, Verdict: probe.TimedOut},
			"ok dns_found [h] [2] [dns]\nfail connect_none [timed_out]",
		},
		{
			"half, no unit",
			probe.Report{
				Resolve: resolve, Connect: []probe.Connect{{Address: a, Verdict: probe.ConnectRefused}, {Address: b, Verdict: probe.PathOpen}},
				TLS: []probe.Handshake{{Address: b, Verdict: probe.PathOpen, Version: "TLS 1.3", Suite: "S"}}, Verdict: probe.PathOpen,
			},
			"ok dns_found [h] [2] [dns]\nwarn connect_some [1] [2] [192.0.2.1:8443] [connect_refused]\nok tls_good [TLS 1.3] [S]\nok call_none",
		},
		{
			"old gateway",
			probe.Report{
				Connect: []probe.Connect{{Address: a, Verdict: probe.PathOpen}},
				TLS:     []probe.Handshake{{Verdict: probe.TLSFailed, Error: "handshake failure", Remedy: []probe.Setting{{Key: "upstream.tls.legacy", Value: "true"}}}}, Verdict: probe.TLSFailed,
			},
			"ok connect_all [1]\nfail tls_remedy [handshake failure] [upstream.tls.legacy = true]",
		},
		{
			"another key",
			probe.Report{TLS: []probe.Handshake{{Verdict: probe.IdentityChanged, Error: "unknown key"}}, Verdict: probe.IdentityChanged},
			"fail tls_bad [unknown key] [identity_changed]",
		},
		{
			"calls",
			probe.Report{
				Calls:   []probe.Call{{Environment: probe.Sandbox, Verdict: probe.Reached}, {Environment: probe.Production, Verdict: probe.Forbidden}, {Environment: probe.Production}},
				Verdict: probe.Forbidden,
			},
			"ok call_good [sandbox]\nfail call_bad [production] [forbidden]",
		},
	} {
		checkFindings(t, "judgeWay("+tt.name+")", tt.want, judgeWay(&tt.report, "h")...)
	}
}

func TestWorstState(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		findings []Finding
		want     State
	}{
		{nil, OK},
		{[]Finding{{State: OK}, {State: Warn}}, Warn},
		{[]Finding{{State: Fail}, {State: Warn}}, Fail},
	} {
		if got := Worst(tt.findings); got != tt.want {
			t.Errorf("Worst(%v) = %v, want %v", tt.findings, got, tt.want)
		}
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	for b, want := range map[Bytes]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 3880192 << 10: "3.7 GiB", 1 << 62: "4.0 EiB"} {
		if got := b.String(); got != want {
			t.Errorf("Bytes(%d).String() = %q, want %q", int64(b), got, want)
		}
	}
}
