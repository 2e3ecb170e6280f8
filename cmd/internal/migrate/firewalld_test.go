package migrate

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kingdee is a rule of the deployment guide.
const kingdee = `rule family="ipv4" source address="49.4.80.61" port protocol="tcp" port="8864" accept`

func TestSourcesOfFirewalld(t *testing.T) {
	t.Parallel()
	zone := func(head string, lines ...string) string {
		return head + "\n  target: default\n" + strings.Join(lines, "\n") + "\n"
	}
	rules := func(all ...string) string { return "  rich rules: \n\t" + strings.Join(all, "\n\t") }
	const eth0 = "  interfaces: eth0"
	tests := []struct{ name, listing, want string }{
		{"the guide", zone("public (active)", eth0, rules(kingdee)), "49.4.80.61"},
		{"firewalld 2", zone("public (default, active)", eth0, rules(kingdee)), "49.4.80.61"},
		{"rules alone", kingdee + "\n", "49.4.80.61"},
		{"another port", zone("public (active)", eth0, rules(strings.ReplaceAll(kingdee, "8864", "8865"))), "[nothing_admits]"},
		{"open", zone("public (active)", eth0, "  ports: 22/tcp 8864/tcp"), "[open_port]"},
		{"open range", zone("public (active)", eth0, "  ports: 8000-9000/tcp"), "[open_port]"},
		{"open to UDP", zone("public (active)", eth0, "  ports: 8864/udp"), "[nothing_admits]"},
		{"all of TCP", zone("public (active)", eth0, "  protocols: tcp"), "[open_port]"},
		{"accepts all", "public (active)\n  target: ACCEPT\n  interfaces: eth0\n", "[target_accept]"},
		{"a service", zone("public (active)", eth0, "  services: ssh leqi"), "[open_service]"},
		{"forwarded", zone("public (active)", eth0, "  forward-ports: port=80:proto=tcp:toport=8864:toaddr="), "[forwarded]"},
		{"forwarded on a line of its own", zone("public (active)", eth0, "  forward-ports: ", "\tport=80:proto=tcp:toport=8864:toaddr="), "[forwarded]"},
		{"denied", zone("public (active)", eth0, rules(kingdee, `rule family="ipv4" source address="49.4.80.0/24" drop`)), "[shadowed] [nothing_admits]"},
		{
			"denied in part",
			zone("public (active)", eth0, rules(`rule family="ipv4" source address="10.1.2.0/30" port port="8864" protocol="tcp" accept`, `rule family="ipv4" source address="10.1.2.1" reject`)),
			"10.1.2.0:carved 10.1.2.2/31",
		},
		{"denied to all but one", zone("public (active)", eth0, "  ports: 8864/tcp", rules(`rule family="ipv4" source NOT address="10.1.2.3" port port="8864" protocol="tcp" drop`)), "10.1.2.3"},
		{"denied to all", zone("public (active)", eth0, rules(kingdee, `rule port port="8864" protocol="tcp" drop`)), "[rule_unread]"},
		{"for everyone", zone("public (active)", eth0, rules(`rule port port="8864" protocol="tcp" accept`)), "[rule_for_all]"},
		{"a set", zone("public (active)", eth0, rules(`rule source ipset="known" port port="8864" protocol="tcp" accept`)), "10.7.0.1 10.7.1.0/24"},
		{"an unknown set", zone("public (active)", eth0, rules(`rule source ipset="other" port port="8864" protocol="tcp" accept`)), "[set_unread]"},
		{"sources of a zone", zone("leqi (active)", "  interfaces: ", "  sources: 10.8.0.0/24 ipset:known", "  ports: 8864/tcp"), "10.8.0.0/24 10.7.0.1 10.7.1.0/24 [zone_sources]"},
		{"a MAC address", zone("leqi (active)", "  sources: 00:11:22:33:44:55", "  ports: 8864/tcp"), "[zone_sources] [rule_unread]"},
		{"an idle zone", zone("public (active)", eth0, rules(kingdee)) + zone("dmz", rules(strings.ReplaceAll(kingdee, "80.61", "80.62"))), "49.4.80.61 [zone_inactive]"},
		{"the default zone", zone("home", rules(kingdee)) + zone("dmz (active)", eth0), "49.4.80.61"},
		{"too wide", zone("public (active)", eth0, rules(strings.ReplaceAll(kingdee, "49.4.80.61", "49.0.0.0/8"))), "-49.0.0.0/8:refused"},
	}
	sets := func(name string) ([]string, bool) {
		if name != "known" {
			return nil, false
		}
		return []string{"10.7.0.1", "10.7.1.0/24", "00:11:22:33:44:55"}, true
	}
	for _, tt := range tests {
		d, err := Firewalld(Listing{From: "test", Zones: tt.listing, Default: "home", Sets: sets}, 8864)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := summary(d, "allow.sources"); got != tt.want {
			t.Errorf("%s: allow.sources = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestFirewalldThatIsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"empty": "", "other": "FirewallD is not running\n", "xml": "<ipset><entry>10.0.0.1</entry></ipset>", "binary": "a\x00b",
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := FirewalldFile(file, 8864); err == nil {
			t.Errorf("FirewalldFile(%s) = nil, want an error", name)
		}
	}
	if _, err := Firewalld(Listing{Zones: "not running"}, 8864); !errors.Is(err, ErrNoListing) {
		t.Errorf("Firewalld(nothing) = %v, want %v", err, ErrNoListing)
	}
	if _, err := FirewalldFile(t.TempDir(), 8864); !errors.Is(err, ErrNoListing) {
		t.Errorf("FirewalldFile(an empty folder) = %v, want %v", err, ErrNoListing)
	}
}
