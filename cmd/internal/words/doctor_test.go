package words

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/probe/doctor"
)

// examples are findings of every code, with such arguments as it has.
var examples = map[doctor.Code][]any{
	doctor.SystemListed:  {"CentOS Linux 7 (Core)"},
	doctor.SystemBuilt:   {"Debian GNU/Linux 12 (bookworm)"},
	doctor.SystemUnknown: {"Gentoo 2.15"},
	doctor.KernelFits:    {"3.10.0-1160.el7.x86_64"},
	doctor.KernelOld:     {"2.6.32-754.el6.x86_64", "3.2"},
	doctor.ArchBuilt:     {"amd64"},
	doctor.ArchOther:     {"riscv64"},
	doctor.ResourcesFit:  {2, doctor.Bytes(4 << 30)},
	doctor.ResourcesFew:  {1, doctor.Bytes(1 << 30)},
	doctor.DiskFits:      {"/var/log/lqproxy", doctor.Bytes(40 << 30), int64(400)},
	doctor.DiskFree:      {"/var/log/lqproxy", doctor.Bytes(40 << 30)},
	doctor.DiskSoon:      {"/var/log/lqproxy", doctor.Bytes(4 << 30), int64(9)},
	doctor.DiskLow:       {"/var/log/lqproxy", doctor.Bytes(1 << 30), doctor.Bytes(2 << 30)},
	doctor.DiskUnread:    {"/var/log/lqproxy", errors.New("no such file or directory")},
	doctor.FilesFit:      {"524288"},
	doctor.FilesFew:      {4096, 5184},
	doctor.MountNoexec:   {"/opt/lqproxy", "/opt"},
	doctor.SELinuxDenies: {2, "{ name_connect } dest=8443 tclass=tcp_socket"},
	doctor.SELinuxWould:  {2, "{ name_connect } dest=8443 tclass=tcp_socket"},
	doctor.ConfigGood:    {"/etc/lqproxy/lqproxy.toml"},
	doctor.ConfigMissing: {"/etc/lqproxy/lqproxy.toml"},
	doctor.ConfigBad:     {"/etc/lqproxy/lqproxy.toml", 3},
	doctor.ConfigUnread:  {"/etc/lqproxy/lqproxy.toml", errors.New("permission denied")},
	doctor.ConfigDenied:  {"/etc/lqproxy/key.pem", "lqproxy"},
	doctor.ServiceRuns:   {"lqproxy.service", 812},
	doctor.ServiceHand:   {812},
	doctor.ServiceStops:  {"lqproxy.service"},
	doctor.ServiceFailed: {"lqproxy.service", "exit-code"},
	doctor.ServiceOff:    {"lqproxy.service"},
	doctor.ServiceOlder:  {"/etc/lqproxy/lqproxy.toml"},
	doctor.ServiceKeeps:  {"allow.sources: must name at least one source, or nobody can connect"},
	doctor.ServiceBinary: {812},
	doctor.ServiceNone:   {"lqproxy.service"},
	doctor.PortOurs:      {8864},
	doctor.PortFree:      {8864},
	doctor.PortNginx:     {8864, 700},
	doctor.PortTaken:     {8864, "haproxy", 700},
	doctor.PortHidden:    {8864},
	doctor.SourcesTold:   {120},
	doctor.SourcesSame:   {120},
	doctor.SourcesFew:    {3},
	doctor.FirewallSays:  {"firewalld, in step"},
	doctor.DNSFound:      {"lqpt.chinatax.gov.cn", 2, probe.SourceHosts},
	doctor.DNSFailed:     {"lqpt.chinatax.gov.cn", "no such host", probe.Unresolved},
	doctor.ConnectAll:    {2},
	doctor.ConnectSome:   {1, 2, netip.MustParseAddrPort("192.0.2.1:8443"), doctor.Outcome(probe.TimedOut)},
	doctor.ConnectNone:   {probe.TimedOut},
	doctor.TLSGood:       {"TLS 1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
	doctor.TLSBad:        {"remote error: tls: handshake failure", probe.TLSFailed},
	doctor.TLSRemedy:     {"remote error: tls: handshake failure", "upstream.tls.legacy = true"},
	doctor.CallGood:      {probe.Sandbox},
	doctor.CallBad:       {probe.Production, probe.Forbidden},
	doctor.ClockRight:    {time.Second},
	doctor.ClockOff:      {40 * time.Second},
	doctor.ClockWrong:    {time.Hour},
	doctor.RouteReached:  {netip.MustParseAddr("192.0.2.1"), 9},
	doctor.RouteEnds:     {netip.MustParseAddr("192.0.2.1"), "10.0.0.1", 3},
	doctor.RouteSilent:   {netip.MustParseAddr("192.0.2.1")},
	doctor.RouteRefused:  {netip.MustParseAddr("192.0.2.1"), 2},
	doctor.RouteBarred:   {netip.MustParseAddr("192.0.2.1"), "10.0.0.1", 3},
	doctor.RouteNone:     {netip.MustParseAddr("2001:db8::1"), "network is unreachable"},
	doctor.EgressFiled:   {netip.MustParseAddr("203.0.113.7")},
	doctor.EgressOther:   {netip.MustParseAddr("203.0.113.8"), "203.0.113.7"},
	doctor.EgressUnfiled: {netip.MustParseAddr("203.0.113.7")},
	doctor.EgressHidden:  {netip.MustParseAddr("10.0.0.5")},
	doctor.EgressUnread:  {netip.MustParseAddr("10.0.0.5"), "status 502"},
	doctor.EgressNone:    {"connect: network is unreachable"},
}

func TestEveryFindingIsSaidInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, code := range doctor.Codes() {
		s, ok := findings[code]
		if !ok {
			t.Errorf("there are no words for the finding %q", code)
			continue
		}
		for _, text := range []Text{s.fact, s.remedy} {
			if diff := cmp.Diff(verbs(text.EN), verbs(text.ZH)); diff != "" {
				t.Errorf("verbs of %q (-EN +ZH):\n%s", code, diff)
			}
			if (text.EN == "") != (text.ZH == "") {
				t.Errorf("words of %q = %+v, want both languages", code, text)
			}
		}
		for _, l := range []Lang{English, Chinese} {
			fact, remedy := DoctorFinding(l, doctor.Finding{Code: code, Args: examples[code]}, probe.Report{})
			if fact == "" || regexp.MustCompile(`%!|<nil>`).MatchString(fact+remedy) {
				t.Errorf("DoctorFinding(%s, %s) = %q, %q, want words for its arguments", l, code, fact, remedy)
			}
		}
	}
	if len(findings) != len(doctor.Codes()) {
		t.Errorf("%d findings have words, want %d", len(findings), len(doctor.Codes()))
	}
}

// TestWhatIsWrongHasARemedy: a finding that is bad says what to do, but for those
// that only could not be read.
func TestWhatIsWrongHasARemedy(t *testing.T) {
	t.Parallel()
	silent := []doctor.Code{doctor.KernelUnread, doctor.FilesUnread, doctor.ResourcesNone, doctor.ClockUnread}
	for _, code := range doctor.Codes() {
		if _, remedy := DoctorFinding(Chinese, doctor.Finding{Code: code, Args: examples[code]}, probe.Report{}); remedy == "" &&
			doctor.StateOf(code) != doctor.OK && !slices.Contains(silent, code) {
			t.Errorf("DoctorFinding(%s) has no remedy", code)
		}
	}
}

func TestEveryCheckHasAName(t *testing.T) {
	t.Parallel()
	for _, code := range doctor.Codes() {
		check := doctor.CheckOf(code)
		for _, l := range []Lang{English, Chinese} {
			if name := CheckName(l, check); name == "" || Width(name) > 13 {
				t.Errorf("CheckName(%s, %s) = %q, want a name of at most 13 columns", l, check, name)
			}
		}
	}
}

func TestProgressOfDoctor(t *testing.T) {
	t.Parallel()
	var said []string
	for _, c := range []doctor.Check{doctor.System, doctor.Service, doctor.Clock, doctor.Route, doctor.Egress, doctor.Sources, doctor.FIPS} {
		said = append(said, DoctorProgress(English, c))
	}
	if i := slices.Index(said, ""); i != len(said)-1 || len(slices.Compact(said)) != len(said) {
		t.Errorf("DoctorProgress = %s, want a line for each but the last", fmt.Sprint(strings.Join(said, "; ")))
	}
}
