package firewall

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
)

func TestRichAdmission(t *testing.T) {
	t.Parallel()
	tests := []struct{ rule, want string }{
		{`rule family="ipv4" source address="49.4.80.61" port protocol="tcp" port="8864" accept`, "49.4.80.61/32 8864"},
		{`rule family="ipv4" source address="49.4.80.61" port port="8864" protocol="tcp" accept`, "49.4.80.61/32 8864"},
		{`rule family='ipv4' source address='10.0.0.0/255.0.0.0' port port=8864 protocol=tcp accept`, "10.0.0.0/8 8864"},
		{`rule family="ipv6" source address="2001:db8::/32" port port="8864" protocol="tcp" accept`, "2001:db8::/32 8864"},
		{`rule family="ipv6" source address="49.4.80.61" port port="8864" protocol="tcp" accept`, ""},
		{`rule priority="-1" family="ipv4" source address="49.4.80.61" port port="8864" protocol="tcp" accept`, ""},
		{`rule family="ipv4" source NOT address="49.4.80.61" port port="8864" protocol="tcp" accept`, ""},
		{`rule family="ipv4" source address="49.4.80.61" invert="True" port port="8864" protocol="tcp" accept`, ""},
		{`rule family="ipv4" source address="49.4.80.61" port port="8864-8865" protocol="tcp" accept`, ""},
		{`rule family="ipv4" source address="49.4.80.61" port port="8864" protocol="udp" accept`, ""},
		{`rule family="ipv4" source address="49.4.80.61" port port="8864" protocol="tcp" log prefix="a b" accept`, ""},
		{`rule family="ipv4" source address="49.4.80.61" port port="8864" protocol="tcp" accept limit value="1/s"`, ""},
		{`rule family="ipv4" source address="49.4.80.61" port port="8864" protocol="tcp" drop`, ""},
		{`rule family="ipv4" source ipset="friends" port port="8864" protocol="tcp" accept`, ""},
		{`rule family="ipv4" source address="49.4.80.61" accept`, ""},
		{``, ""},
		{`= = "`, ""},
	}
	for _, tt := range tests {
		got := ""
		if a, ok := parseRich(tt.rule).admission(); ok {
			got = a.Source.String() + " " + portText(a.Port)
			if again, ok := parseRich(formatRich(a)).admission(); !ok || again != a {
				t.Errorf("admission of formatRich(%v) = %v, %v", a, again, ok)
			}
		}
		if got != tt.want {
			t.Errorf("parseRich(%s).admission() = %q, want %q", tt.rule, got, tt.want)
		}
	}
}

func FuzzRichRule(f *testing.F) {
	f.Add(`rule family="ipv4" source address="49.4.80.61" port protocol="tcp" port="8864" accept`)
	f.Add(`rule family="ipv4" source NOT address="10.0.0.0/255.0.0.0" log prefix="a 'b" accept`)
	f.Fuzz(func(t *testing.T, rule string) {
		a, ok := parseRich(rule).admission()
		if !ok {
			return
		}
		if again, ok := parseRich(formatRich(a)).admission(); !ok || again != a {
			t.Errorf("admission of formatRich(%v), of %q, = %v, %v", a, rule, again, ok)
		}
	})
}

func TestOpensPort(t *testing.T) {
	t.Parallel()
	p := policyOf("49.4.80.0/24")
	tests := []struct {
		rule string
		want bool
	}{
		{"-A INPUT -p tcp -m tcp --dport 8864 -j ACCEPT", true},
		{"-A INPUT -p tcp -m multiport --dports 22,8860:8870 -j ACCEPT", true},
		{"-A INPUT -j ACCEPT", true},
		{"-A INPUT -s 203.0.113.0/24 -j ACCEPT", true},
		{"-A INPUT -s 49.4.80.61/32 -p tcp -m tcp --dport 8864 -j ACCEPT", false},
		{"-A INPUT ! -s 49.4.80.61/32 -p tcp -m tcp --dport 8864 -j ACCEPT", true},
		{"-A INPUT -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT", true},
		{"-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", false},
		{"-A INPUT -m state --state ESTABLISHED -j ACCEPT", false},
		{"-A INPUT -i lo -j ACCEPT", false},
		{"-A INPUT -p icmp -j ACCEPT", false},
		{"-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT", false},
		{"-A INPUT -p tcp -m tcp --dport 8864 -j DROP", false},
		{"-A INPUT -p tcp -m tcp --dport 8864 -j", false},
	}
	for _, tt := range tests {
		if got := opensPort(strings.Fields(tt.rule), 8864, p); got != tt.want {
			t.Errorf("opensPort(%s) = %v, want %v", tt.rule, got, tt.want)
		}
	}
}

func TestFindNFT(t *testing.T) {
	t.Parallel()
	listing := `{"nftables": [{"metainfo": {"version": "1.0.6"}},
		{"chain": {"family": "inet", "table": "mine", "name": "a", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
		{"chain": {"family": "inet", "table": "mine", "name": "b", "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}},
		{"rule": {"family": "inet", "table": "mine", "chain": "b", "handle": 4, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"set": [22, {"range": [8860, 8870]}]}}}, {"reject": null}]}},
		{"chain": {"family": "inet", "table": "mine", "name": "c", "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}},
		{"rule": {"family": "inet", "table": "mine", "chain": "c", "handle": 5, "expr": [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "invalid"}}, {"drop": null}]}},
		{"rule": {"family": "inet", "table": "mine", "chain": "c", "handle": 6, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": "@ports"}}, {"drop": null}]}},
		{"chain": {"family": "ip", "table": "filter", "name": "INPUT", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
		{"chain": {"family": "inet", "table": "firewalld", "name": "filter_INPUT", "type": "filter", "hook": "input", "prio": 10, "policy": "drop"}},
		{"chain": {"family": "ip", "table": "mine", "name": "pre", "type": "nat", "hook": "prerouting", "prio": -100, "policy": "accept"}},
		{"rule": {"family": "ip", "table": "mine", "chain": "pre", "handle": 7, "expr": [{"redirect": {"port": 8864}}]}},
		{"rule": {"family": "ip", "table": "mine", "chain": "pre", "handle": 8, "expr": [{"redirect": {"port": 80}}]}}]}`
	found, err := findNFT(listing, policyOf("49.4.80.61"))
	var got []string
	for _, f := range found {
		got = append(got, f.String()+": "+strings.Join(f.Commands, "; "))
	}
	want := []string{
		"chain_drops policy drop in nft inet mine a: nft insert rule inet mine a tcp dport 8864 accept",
		"chain_drops policy accept in nft inet mine b: nft insert rule inet mine b tcp dport 8864 accept",
		"redirect handle 7 in nft ip mine pre: nft delete rule ip mine pre handle 7",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("findNFT: %v (-want +got):\n%s", err, diff)
	}
	if _, err := findNFT("no JSON", policyOf("49.4.80.61")); err == nil {
		t.Error("findNFT of what is no JSON succeeds")
	}
}

func TestZoneMap(t *testing.T) {
	t.Parallel()
	interfaces := []hostInterface{
		{"eth0", []netip.Prefix{netip.MustParsePrefix("10.0.0.5/24")}},
		{"eth1", []netip.Prefix{netip.MustParsePrefix("192.0.2.5/24"), netip.MustParsePrefix("2001:db8::5/64")}},
	}
	tests := []struct {
		listen string
		want   []string
	}{
		{"[::]:8864", []string{"eth0", "eth1"}},
		{"0.0.0.0:8864", []string{"eth0", "eth1"}},
		{"10.0.0.5:8864", []string{"eth0"}},
		{"192.0.2.77:8864", []string{"eth1"}}, // a virtual address that is elsewhere now
		{"203.0.113.1:8864", []string{"eth0", "eth1"}},
		{"[2001:db8::5]:8864", []string{"eth1"}},
		{"127.0.0.1:8864", nil},
	}
	for _, tt := range tests {
		if got := covered(interfaces, []netip.AddrPort{netip.MustParseAddrPort(tt.listen)}); !slices.Equal(got, tt.want) {
			t.Errorf("covered(%s) = %v, want %v", tt.listen, got, tt.want)
		}
	}
	m := zoneMap{
		active:      map[string]zoneBinding{"dmz": {interfaces: []string{"eth1"}}, "partners": {sources: []string{"10.9.0.0/16"}}, "far": {interfaces: []string{"eth9"}}},
		defaultZone: "public", interfaces: []string{"eth0", "eth1"},
	}
	if got, want := m.passed(), []string{"dmz", "partners", "public"}; !slices.Equal(got, want) {
		t.Errorf("passed() = %v, want %v", got, want)
	}
	if !m.overlaps("partners", policyOf("10.9.1.1")) || m.overlaps("partners", policyOf("10.8.1.1")) {
		t.Error("overlaps does not tell who is bound to the zone")
	}
}

func TestDefaultZoneOfStoppedFirewalld(t *testing.T) {
	t.Parallel()
	etc, usr := t.TempDir(), t.TempDir()
	for file, text := range map[string]string{
		filepath.Join(etc, "firewalld.conf"):     "# comment\nDefaultZone=dmz\n",
		filepath.Join(etc, "zones/dmz.xml"):      `<zone><service name="ssh"/><port port="8000-8010" protocol="tcp"/></zone>`,
		filepath.Join(usr, "zones/dmz.xml"):      `<zone target="ACCEPT"/>`,
		filepath.Join(usr, "services/ssh.xml"):   `<service><port protocol="tcp" port="22"/></service>`,
		filepath.Join(usr, "services/http.xml"):  `<service><port protocol="tcp" port="80"/></service>`,
		filepath.Join(usr, "zones/trusted.xml"):  `<zone target="ACCEPT"/>`,
		filepath.Join(usr, "zones/unused.xml"):   `<zone`,
		filepath.Join(usr, "services/other.xml"): ``,
	} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := defaultZoneOf([2]string{etc, usr})
	if want := []portProtocol{{"8000-8010", "tcp"}, {"22", "tcp"}}; !slices.Equal(got, want) {
		t.Errorf("defaultZoneOf = %v, want %v", got, want)
	}
}

func TestListeningPort(t *testing.T) {
	t.Parallel()
	tests := []struct {
		line string
		want uint16
	}{
		{"   0: 00000000:22A0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1", 8864},
		{"   0: 0100007F:22A0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1", 0},
		{"   0: 00000000:22A0 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 1", 0},
		{"   0: 00000000000000000000000001000000:22A0 00000000000000000000000000000000:0000 0A 0", 0},
		{"   0: 00000000000000000000000000000000:22A0 00000000000000000000000000000000:0000 0A 0", 8864},
		{"  sl  local_address rem_address   st", 0},
	}
	for _, tt := range tests {
		if got, ok := listeningPort(tt.line); got != tt.want && ok || ok != (tt.want != 0) {
			t.Errorf("listeningPort(%s) = %d, %v, want %d", tt.line, got, ok, tt.want)
		}
	}
}

func FuzzKnock(f *testing.F) {
	v4 := append([]byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 203, 0, 113, 9, 10, 0, 0, 1}, tcpSYN...)
	f.Add(v4)
	f.Add(append(append([]byte{0x60, 0, 0, 0, 0, 20, 6, 64}, make([]byte, 32)...), tcpSYN...))
	f.Fuzz(func(t *testing.T, packet []byte) {
		if k, ok := readKnock(packet); ok && !k.source.IsValid() {
			t.Errorf("readKnock(%x) = %v, want a source", packet, k)
		}
	})
}

var tcpSYN = []byte{0x30, 0x39, 0x22, 0xa0, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0, 0, 0, 0, 0, 0}

func TestReadKnock(t *testing.T) {
	t.Parallel()
	v4 := append([]byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 203, 0, 113, 9, 10, 0, 0, 1}, tcpSYN...)
	changed := func(at int, b byte) []byte {
		p := slices.Clone(v4)
		p[at] = b
		return p
	}
	tests := []struct {
		name   string
		packet []byte
		ok     bool
	}{
		{"a knock", v4, true},
		{"the answer to one", changed(33, 0x12), false},
		{"data", changed(33, 0x18), false},
		{"UDP", changed(9, 17), false},
		{"a later fragment", changed(7, 1), false},
		{"a header that is none", changed(0, 0x41), false},
		{"cut", v4[:33], false},
		{"nothing", nil, false},
		{"no IP", changed(0, 0x35), false},
	}
	for _, tt := range tests {
		k, ok := readKnock(tt.packet)
		if ok != tt.ok || ok && (k.source.String() != "203.0.113.9" || k.port != 8864) {
			t.Errorf("%s: readKnock = %v, %v, want %v", tt.name, k, ok, tt.ok)
		}
	}
}

// busMethods are all that dbus.go declares.
var busMethods = []busMethod{
	getDefaultZone, getZoneSettings, getServiceSettings, getZones, getActiveZones, addRichRule, removeRichRule,
	addPort, removePort, getAllRules, getAllPassthroughs, getZoneByName, getSettings, update,
	getServices, getPorts, getProtocols, getSourcePorts, getForwardPorts, getRichRules,
	getActivePolicies, getPolicySettings,
}

// TestMethodsOfFirewalld06 holds the calls to what firewalld 0.6, of CentOS 7,
// answers.
func TestMethodsOfFirewalld06(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/firewalld-0.6-methods.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(string(data))
	source, err := os.ReadFile("dbus.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range busMethods {
		old := slices.Contains(known, strings.TrimPrefix(m.face+"."+m.name, mainFace+"."))
		if old == (m.since != "") {
			t.Errorf("%s.%s: in firewalld 0.6 %v, but since = %q", m.face, m.name, old, m.since)
		}
	}
	if got, want := strings.Count(string(source), "busMethod{face:"), len(busMethods); got != want {
		t.Errorf("dbus.go has %d methods, but the list %d", got, want)
	}
}

func TestAtLeast(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{"0.6.3": false, "0.9.0": true, "0.10.1": true, "1.3.3": true, "": false, "2.0": true} {
		if got := atLeast(version, "0.9"); got != want {
			t.Errorf("atLeast(%q, 0.9) = %v, want %v", version, got, want)
		}
	}
}

// The texts are those of firewalld, wrapped as they arrive.
func TestAlreadyDone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"ALREADY_ENABLED: 'rule family=\"ipv4\" source address=\"49.4.80.61\" accept' already in 'public'": true,
		"NOT_ENABLED: rule family=\"ipv4\" source address=\"49.4.80.61\" accept":                           true,
		"INVALID_ZONE: nowhere":                                  false,
		"COMMAND_FAILED: 'python-nftables' failed: internal:0:0": false,
	} {
		err := fmt.Errorf("asking firewalld (addRichRule): %w", dbus.Error{Name: busName + ".Exception", Body: []any{text}})
		if got := alreadyDone(err); got != want {
			t.Errorf("alreadyDone(%v) = %v, want %v", err, got, want)
		}
	}
}
