package firewall

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var counters = regexp.MustCompile(`\[\d+:\d+\]`)

const foreignFirewalld = `
	for side in "" --permanent; do
		firewall-cmd -q $side --zone=public --add-port=9000-9010/tcp
		firewall-cmd -q $side --zone=public --add-rich-rule='rule family="ipv4" source address="198.51.100.0/24" drop'
		firewall-cmd -q $side --zone=public --add-rich-rule='rule family="ipv4" source address="198.51.100.7" port port="8864" protocol="tcp" reject'
		firewall-cmd -q $side --zone=public --add-rich-rule='rule family="ipv4" source address="10.77.0.20" port port="22" protocol="tcp" log prefix="ssh" level="info" accept'
		firewall-cmd -q $side --zone=trusted --add-source=192.0.2.0/24
		firewall-cmd -q $side --zone=trusted --add-rich-rule='rule port port="8864" protocol="tcp" drop'
		firewall-cmd -q $side --direct --add-rule ipv4 filter FORWARD 0 -i docker0 -j ACCEPT
	done
	nft add table inet others; nft add set inet others banned '{ type ipv4_addr; elements = { 198.51.100.9 } ; }'
	nft add chain inet others input '{ type filter hook input priority 5; policy accept; }'
	nft add rule inet others input ip saddr @banned drop`

// settings lists all that firewalld knows, runtime and permanent, and foreign
// tables.
func firewalldSettings(t *testing.T) string {
	t.Helper()
	return shell(t, `firewall-cmd --list-all-zones; firewall-cmd --permanent --list-all-zones
		firewall-cmd --list-all-policies; firewall-cmd --direct --get-all-rules; nft list table inet others`)
}

// foreignSettings is firewalldSettings without the rules of exactly our shape.
func foreignSettings(t *testing.T) string {
	t.Helper()
	var kept []string
	for line := range strings.Lines(firewalldSettings(t)) {
		if a, ok := parseRich(strings.TrimSpace(line)).admission(); !ok || a.Port != 8864 {
			kept = append(kept, line)
		}
	}
	return strings.Join(sortedRules(kept), "")
}

// sortedRules sorts the rich rules of each zone, which firewall-cmd lists in no
// stable order.
func sortedRules(lines []string) []string {
	isRule := func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "rule ") }
	for i := 0; i < len(lines); i++ {
		end := i
		for end < len(lines) && isRule(lines[end]) {
			end++
		}
		slices.Sort(lines[i:end])
		i = max(i, end-1)
	}
	return lines
}

func TestFirewalldOnNFTables(t *testing.T) {
	if inside(t, "firewalld", "dbus-daemon", "nft") {
		testFirewalld(t, "nftables")
	}
}

func TestFirewalldOnIPTables(t *testing.T) {
	if inside(t, "firewalld", "dbus-daemon", "iptables", "ipset", "nft") {
		testFirewalld(t, "iptables")
	}
}

func testFirewalld(t *testing.T, backend string) {
	t.Helper()
	p := newPeer(t)
	serve(t, 8864)
	serve(t, 22)
	startFirewalld(t, backend)
	shell(t, foreignFirewalld)
	p.expect(t, 8864, nil, kingdee, stranger, friendV6)
	before, rulesBefore := foreignSettings(t), shell(t, "nft -s list ruleset")

	m := manager(t, Auto, tempFolders(t), policyOf("49.4.80.61", "10.77.0.0/27", "2001:db8::61"))
	report := apply(t, m, Consent{})
	if report.Backend != Firewalld || len(report.Findings) > 0 {
		t.Errorf("Apply = %v with findings %v, want firewalld and none", report.Backend, report.Findings)
	}
	p.expect(t, 8864, []netip.Addr{kingdee, container, friendV6}, stranger, kingdeeToo, strangerV6)
	p.expect(t, 22, []netip.Addr{stranger, strangerV6})
	if diff := cmp.Diff(before, foreignSettings(t)); diff != "" {
		t.Errorf("what is not ours (-before +after Apply):\n%s", diff)
	}

	healedAfter(t, p, m, `firewall-cmd -q --remove-rich-rule='rule family="ipv4" source address="49.4.80.61" port port="8864" protocol="tcp" accept'`)
	healedAfter(t, p, m, `firewall-cmd -q --permanent --remove-rich-rule='rule family="ipv4" source address="49.4.80.61" port port="8864" protocol="tcp" accept'`)
	if err := m.Remove(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	p.expect(t, 8864, nil, kingdee, friendV6, stranger)
	if diff := cmp.Diff(rulesBefore, shell(t, "nft -s list ruleset")); diff != "" {
		t.Errorf("rules of the kernel (-before +after Remove):\n%s", diff)
	}
	if text := firewalldSettings(t); strings.Contains(text, "49.4.80.61") || strings.Contains(text, "2001:db8::61") {
		t.Errorf("settings after Remove:\n%s", text)
	}

	apply(t, m, Consent{})
	shell(t, "firewall-cmd -q --reload")
	awaitFirewalld(t)
	p.expect(t, 8864, []netip.Addr{kingdee, friendV6}, stranger, strangerV6)
}

// waysToOpen let a stranger reach the port beside our rules.
var waysToOpen = []struct {
	kind FindingKind
	open string
}{
	{OpenPort, "firewall-cmd -q --add-port=8864/tcp"},
	{OpenRange, "firewall-cmd -q --add-port=8860-8870/tcp"},
	{OpenProtocol, "firewall-cmd -q --add-protocol=tcp"},
	{RichAccept, `firewall-cmd -q --add-rich-rule='rule family="ipv4" source address="203.0.113.0/24" accept'`},
	{RichAccept, `firewall-cmd -q --add-rich-rule='rule family="ipv4" source address="203.0.113.9" port port="8864" protocol="tcp" accept'`},
	{RichAccept, `firewall-cmd -q --add-rich-rule='rule family="ipv4" source NOT address="198.51.100.1" port port="8000-9000" protocol="tcp" accept'`},
	{TargetAccept, "firewall-cmd -q --zone=trusted --add-source=203.0.113.0/24"},
	{OpenPort, "firewall-cmd -q --zone=trusted --remove-source=203.0.113.0/24; firewall-cmd -q --zone=work --add-source=203.0.113.0/24; firewall-cmd -q --zone=work --add-port=8864/tcp"},
}

// permanentWays are those of which some part has no runtime side: they come
// into force by a reload.
var permanentWays = `
	firewall-cmd -q --permanent --zone=public --add-interface=eth0
	firewall-cmd -q --permanent --new-service=wide; firewall-cmd -q --permanent --service=wide --add-port=8800-8900/tcp
	firewall-cmd -q --permanent --new-policy=lan; firewall-cmd -q --permanent --policy=lan --add-ingress-zone=public
	firewall-cmd -q --permanent --policy=lan --add-egress-zone=HOST
	firewall-cmd -q --reload`

func TestFirewalldOpenings(t *testing.T) {
	if !inside(t, "firewalld", "dbus-daemon", "iptables", "nft") {
		return
	}
	p := newPeer(t)
	serve(t, 8864)
	startFirewalld(t, "nftables")
	shell(t, permanentWays)
	awaitFirewalld(t)
	m := manager(t, Firewalld, tempFolders(t), policyOf("49.4.80.61"))
	apply(t, m, Consent{})
	for _, way := range waysToOpen {
		closedByItsCommands(t, p, m, way.kind, way.open)
	}
	shell(t, "firewall-cmd -q --zone=work --remove-source=203.0.113.0/24")
	closedByItsCommands(t, p, m, OpenService, "firewall-cmd -q --add-service=wide")
	closedByItsCommands(t, p, m, Redirect, "iptables -t nat -A PREROUTING -p tcp --dport 7777 -j REDIRECT --to-ports 8864")
	closedByItsCommands(t, p, m, Redirect, `nft add table ip mine; nft add chain ip mine pre '{ type nat hook prerouting priority -100; }'
		nft add rule ip mine pre tcp dport 7777 redirect to :8864`)
	closedByItsCommands(t, p, m, Forward, "firewall-cmd -q --add-forward-port=port=7777:proto=tcp:toport=8864")
	closedByItsCommands(t, p, m, OpenPort, "firewall-cmd -q --policy=lan --add-port=8864/tcp")

	shell(t, `firewall-cmd -q --direct --add-rule ipv4 filter INPUT 0 -p tcp --dport 8864 -j ACCEPT
		firewall-cmd -q --permanent --add-port=8864/tcp`)
	report, err := m.Inspect(t.Context())
	kinds := kindsOf(report.Findings)
	if want := []FindingKind{DirectAccept, OpenPort}; err != nil || !slices.Equal(kinds, want) {
		t.Errorf("Inspect finds %v, %v, want %v", kinds, err, want)
	}
}

// On iptables a rule before firewalld's own lets packets in, and so does a
// direct rule.
func TestFirewalldOpeningsOnIPTables(t *testing.T) {
	if !inside(t, "firewalld", "dbus-daemon", "iptables") {
		return
	}
	p := newPeer(t)
	serve(t, 8864)
	startFirewalld(t, "iptables")
	m := manager(t, Firewalld, tempFolders(t), policyOf("49.4.80.61"))
	apply(t, m, Consent{})
	closedByItsCommands(t, p, m, DirectAccept, "firewall-cmd -q --direct --add-rule ipv4 filter INPUT 0 -p tcp --dport 8864 -j ACCEPT")
	closedByItsCommands(t, p, m, DirectAccept, "firewall-cmd -q --permanent --direct --add-rule ipv4 filter INPUT 0 -p tcp -j ACCEPT; firewall-cmd -q --direct --add-rule ipv4 filter INPUT 0 -p tcp -j ACCEPT")
	closedByItsCommands(t, p, m, IPTableAccept, "iptables -I INPUT -p tcp -m multiport --dports 80,8864 -j ACCEPT")
}

func kindsOf(findings []Finding) []FindingKind {
	var kinds []FindingKind
	for _, f := range findings {
		kinds = append(kinds, f.Kind)
	}
	return kinds
}

// closedByItsCommands opens the port, and checks that this is found, and ended
// by the commands of the finding.
func closedByItsCommands(t *testing.T, p *peer, m *Manager, want FindingKind, open string) {
	t.Helper()
	shell(t, open)
	port := uint16(8864)
	if strings.Contains(open, "7777") {
		port = 7777
	}
	p.expect(t, port, []netip.Addr{stranger})
	report, err := m.Inspect(t.Context())
	if kinds := kindsOf(report.Findings); err != nil || !slices.Equal(kinds, []FindingKind{want}) || report.InSync() {
		t.Fatalf("Inspect after %q finds %v, %v, want %v and out of step", open, report.Findings, err, want)
	}
	for _, command := range report.Findings[0].Commands {
		shell(t, command)
	}
	p.expect(t, port, nil, stranger)
	if report, err := m.Inspect(t.Context()); err != nil || len(report.Findings) > 0 {
		t.Errorf("Inspect after %q and its commands finds %v, %v, want nothing", open, report.Findings, err)
	}
}

// A host as the deployment guide, and somebody before it, left it.
const guidesLeftovers = `
	for side in "" --permanent; do
		firewall-cmd -q $side --add-port=8864/tcp
		firewall-cmd -q $side --add-rich-rule='rule family="ipv4" source address="49.4.80.61" port protocol="tcp" port="8864" accept' \
			--add-rich-rule='rule family="ipv4" source address="203.0.113.10" port protocol="tcp" port="8864" accept'
	done`

func TestFirewalldLeftovers(t *testing.T) {
	if !inside(t, "firewalld", "dbus-daemon", "nft") {
		return
	}
	former := netip.MustParseAddr("203.0.113.10")
	p := newPeer(t)
	serve(t, 8864)
	startFirewalld(t, "nftables")
	shell(t, guidesLeftovers)
	m := manager(t, Firewalld, tempFolders(t), policyOf("49.4.80.61", "124.70.28.68"))

	report := apply(t, m, Consent{})
	if got, want := kindsOf(report.Leftovers()), []FindingKind{OpenPort, RichAccept}; !slices.Equal(got, want) {
		t.Fatalf("Leftovers() = %v, want %v", got, want)
	}
	if r, _, err := Applied("", m.o.Folders); err != nil || len(r.Former) != 3 {
		t.Errorf("the record keeps %q, %v, want the three rules of before", r.Former, err)
	}
	p.expect(t, 8864, []netip.Addr{kingdee, kingdeeToo, former, stranger})
	report = apply(t, m, Consent{Adopt: true, ClosePorts: true})
	if len(report.Findings) > 0 {
		t.Errorf("Apply leaves %v, want nothing", report.Findings)
	}
	p.expect(t, 8864, []netip.Addr{kingdee, kingdeeToo}, former, stranger)

	if err := m.Remove(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	p.expect(t, 8864, []netip.Addr{kingdee, former}, kingdeeToo, stranger)
	for _, side := range []string{"", "--permanent "} {
		got := strings.Fields(shell(t, "firewall-cmd "+side+"--list-rich-rules | grep -o 'address=\"[^\"]*' | sort; firewall-cmd "+side+"--list-ports"))
		if want := []string{`address="203.0.113.10`, `address="49.4.80.61`}; !slices.Equal(got, want) {
			t.Errorf("sources and ports after Remove(restore) %s= %v, want %v", side, got, want)
		}
	}
}

// Where a list of a zone becomes empty, firewalld's own settings of the zone
// still have what was loaded.
func TestFirewalldEmptiedLists(t *testing.T) {
	if !inside(t, "firewalld", "dbus-daemon", "nft") {
		return
	}
	p := newPeer(t)
	serve(t, 8864)
	startFirewalld(t, "nftables")
	shell(t, "firewall-cmd -q --permanent --add-port=8864/tcp; firewall-cmd -q --reload")
	awaitFirewalld(t)
	m := manager(t, Firewalld, tempFolders(t), policyOf("49.4.80.61"))
	if report := apply(t, m, Consent{ClosePorts: true}); len(report.Findings) > 0 {
		t.Errorf("Apply leaves %v, want nothing", report.Findings)
	}
	p.expect(t, 8864, []netip.Addr{kingdee}, stranger)

	shell(t, "firewall-cmd -q --reload")
	awaitFirewalld(t)
	if err := m.Remove(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	p.expect(t, 8864, nil, kingdee)
	if report, err := m.Inspect(t.Context()); err != nil || len(report.Changes) != 1 {
		t.Errorf("Inspect after Remove = %v, %v, want the one rule that is gone", report.Changes, err)
	}
}

func TestFirewalldManySources(t *testing.T) {
	if !inside(t, "firewalld", "dbus-daemon", "nft") {
		return
	}
	startFirewalld(t, "nftables")
	many := []string{"49.4.80.61"}
	for i := range 200 {
		many = append(many, fmt.Sprintf("198.18.%d.1", i))
	}
	m := manager(t, Firewalld, tempFolders(t), policyOf(many...))
	began := time.Now()
	if _, err := m.Apply(t.Context(), Consent{}); err != nil {
		t.Fatal(err)
	}
	applied := time.Since(began)
	began = time.Now()
	if report, err := Heal(t.Context(), "", m.o.Folders); err != nil || len(report.Changes) > 0 {
		t.Errorf("Heal = %v, %v, want nothing to do", report.Changes, err)
	}
	t.Logf("201 sources: applied in %v, looked at in %v", applied.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	if most := 60 * time.Second; applied > most {
		t.Errorf("Apply of 201 sources took %v, want %v at most", applied, most)
	}
}
