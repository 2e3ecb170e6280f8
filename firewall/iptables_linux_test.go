package firewall

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// foreignIPTables is what other people's tools have on a host: Docker's chains,
// an SSH rule, a drop rule, a chain of a fail2ban, a set.
const foreignIPTables = `
	iptables -N DOCKER; iptables -N DOCKER-USER; iptables -N DOCKER-ISOLATION-STAGE-1
	iptables -A FORWARD -j DOCKER-USER; iptables -A FORWARD -j DOCKER-ISOLATION-STAGE-1
	iptables -A FORWARD -o docker0 -j DOCKER; iptables -A DOCKER-USER -j RETURN
	iptables -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
	iptables -t nat -N DOCKER; iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
	iptables -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
	iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
	iptables -N f2b-sshd; iptables -A INPUT -p tcp -m tcp --dport 22 -j f2b-sshd
	iptables -A f2b-sshd -s 198.51.100.7/32 -j DROP; iptables -A f2b-sshd -j RETURN
	iptables -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
	iptables -A INPUT -s 198.51.100.0/24 -j DROP
	iptables -A INPUT -p tcp -m tcp --dport 8864 -m comment --comment "the guide's" -j ACCEPT
	ip6tables -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
	ipset create others hash:ip; ipset add others 198.51.100.9
	iptables -A INPUT -m set --match-set others src -j DROP`

// tables lists all that iptables and ipset know, without counters and dates.
func tables(t *testing.T) string {
	t.Helper()
	var kept []string
	for line := range strings.Lines(shell(t, "iptables-save; ip6tables-save; ipset save")) {
		if !strings.HasPrefix(line, "#") {
			kept = append(kept, counters.ReplaceAllString(line, "[0:0]"))
		}
	}
	return strings.Join(kept, "")
}

// foreign is tables without what is ours.
func foreign(t *testing.T) string {
	t.Helper()
	var kept []string
	for line := range strings.Lines(tables(t)) {
		if !strings.Contains(line, "LQPROXY") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestIPTablesOnNFT(t *testing.T) {
	if inside(t, "iptables-nft", "ipset") {
		testIPTables(t, "nft")
	}
}

func TestIPTablesLegacy(t *testing.T) {
	if inside(t, "iptables-legacy", "ipset") {
		testIPTables(t, "legacy")
	}
}

func testIPTables(t *testing.T, name string) {
	t.Helper()
	variant(t, name)
	p := newPeer(t)
	serve(t, 8864)
	serve(t, 22)
	shell(t, foreignIPTables)
	p.expect(t, 8864, []netip.Addr{kingdee, stranger, friendV6, strangerV6})
	before := tables(t)

	folders := tempFolders(t)
	m := manager(t, IPTables, folders, policyOf("49.4.80.61", "10.77.0.0/27", "2001:db8::61"))
	apply(t, m, Consent{})
	p.expect(t, 8864, []netip.Addr{kingdee, container, friendV6}, stranger, kingdeeToo, strangerV6)
	p.expect(t, 22, []netip.Addr{stranger, strangerV6})
	if diff := cmp.Diff(before, foreign(t)); diff != "" {
		t.Errorf("what is not ours (-before +after Apply):\n%s", diff)
	}
	if report, err := m.Inspect(t.Context()); err != nil || !report.InSync() {
		t.Errorf("Inspect = %+v, %v, want it in sync", report, err)
	}

	healedAfter(t, p, m, "iptables -F; ip6tables -F")
	shell(t, foreignIPTablesAgain)
	healedAfter(t, p, m, "iptables -D LQPROXY 1; iptables -A LQPROXY -j ACCEPT")
	healedAfter(t, p, m, "iptables -I INPUT -p tcp --dport 8864 -j ACCEPT")
	shell(t, "iptables -D INPUT -p tcp --dport 8864 -j ACCEPT")
	healedAfter(t, p, m, "iptables -I INPUT 3 -p tcp -m multiport --dports 8864 -j LQPROXY; iptables -D INPUT 1")
	healedAfter(t, p, m, "iptables -D INPUT 1; iptables -F LQPROXY; iptables -X LQPROXY")

	if diff := cmp.Diff(before, foreign(t)); diff != "" {
		t.Errorf("what is not ours (-before +after healing):\n%s", diff)
	}
	if err := m.Remove(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, tables(t)); diff != "" {
		t.Errorf("tables (-before +after Remove):\n%s", diff)
	}
	if _, err := os.Stat(folders.Record("")); !os.IsNotExist(err) {
		t.Errorf("the record remains after Remove: %v", err)
	}
}

// foreignIPTablesAgain is what a flush of all chains took of foreignIPTables.
const foreignIPTablesAgain = `
	iptables -A FORWARD -j DOCKER-USER; iptables -A FORWARD -j DOCKER-ISOLATION-STAGE-1
	iptables -A FORWARD -o docker0 -j DOCKER; iptables -A DOCKER-USER -j RETURN
	iptables -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
	iptables -A INPUT -p tcp -m tcp --dport 22 -j f2b-sshd
	iptables -A f2b-sshd -s 198.51.100.7/32 -j DROP; iptables -A f2b-sshd -j RETURN
	iptables -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
	iptables -A INPUT -s 198.51.100.0/24 -j DROP
	iptables -A INPUT -p tcp -m tcp --dport 8864 -m comment --comment "the guide's" -j ACCEPT
	ip6tables -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
	iptables -A INPUT -m set --match-set others src -j DROP`

// healedAfter spoils the rules, and checks that this is seen and mended.
func healedAfter(t *testing.T, p *peer, m *Manager, damage string) {
	t.Helper()
	shell(t, damage)
	if report, err := m.Inspect(t.Context()); err != nil || report.InSync() {
		t.Errorf("Inspect after %q = %+v, %v, want it out of step", damage, report, err)
	}
	report, err := Heal(t.Context(), "", m.o.Folders)
	if err != nil || len(report.Changes) == 0 {
		t.Errorf("Heal after %q = %+v, %v, want changes", damage, report.Changes, err)
	}
	p.expect(t, 8864, []netip.Addr{kingdee, friendV6}, stranger, strangerV6)
	if report, err := Heal(t.Context(), "", m.o.Folders); err != nil || len(report.Changes) > 0 {
		t.Errorf("second Heal after %q = %+v, %v, want nothing to do", damage, report.Changes, err)
	}
	s, err := ReadState(m.o.Folders.State(""))
	if err != nil || !s.InSync {
		t.Errorf("ReadState after %q = %+v, %v, want it in sync", damage, s, err)
	}
}
