package configs

import (
	"strings"
	"testing"
)

func TestFirewallPolicyNamesEveryone(t *testing.T) {
	t.Parallel()
	c, err := Parse([]byte(`
[listen]
addresses = ["10.0.0.5:8864", "127.0.0.1:8870"]
proxy_protocol_from = ["10.9.0.1"]
forwarded_for_from = ["10.9.0.2"]
health_from = ["10.9.0.3"]
[allow]
presets = ["kingdee-group-sandbox"]
sources = ["10.1.0.0/16", "127.0.0.1"]
[admin]
addresses = [":9864"]
allow = ["10.2.0.0/24"]
`))
	if err != nil {
		t.Fatal(err)
	}
	p := c.FirewallPolicy()
	want := "8864: 10.1.0.0/16 10.9.0.1 10.9.0.2 10.9.0.3 49.4.80.61 124.70.28.68; 9864: 10.2.0.0/24"
	if got := p.String(); got != want {
		t.Errorf("FirewallPolicy() = %s, want %s", got, want)
	}
	from := map[string]bool{}
	for _, a := range p.Admits {
		for _, s := range a.Sources {
			from[s.From] = true
		}
	}
	for _, name := range []string{"preset kingdee-group-sandbox", "allow.sources", "proxy_protocol_from", "forwarded_for_from", "health_from", "admin.allow"} {
		if !from[name] {
			t.Errorf("no source is from %s", name)
		}
	}
	if got := c.FirewallListen(); len(got) != 1 || got[0].String() != "10.0.0.5:8864" {
		t.Errorf("FirewallListen() = %v, want 10.0.0.5:8864", got)
	}
}

// Challenges are asked for by anyone, from addresses that nobody names: to let
// them in is the administrator's decision, and no part of the policy.
func TestFirewallPolicyLeavesChallengesAlone(t *testing.T) {
	t.Parallel()
	const rest = "[allow]\nsources = [\"10.1.2.3\"]\n"
	with, err := Parse([]byte("[listen]\ntls = \"acme\"\n[listen.acme]\ndirectory = \"https://ca.example.cn/dir\"\ndomains = [\"a.example.cn\"]\n" + rest))
	if err != nil {
		t.Fatal(err)
	}
	without, err := Parse([]byte(rest))
	if err != nil {
		t.Fatal(err)
	}
	if !with.FirewallPolicy().Equal(without.FirewallPolicy()) {
		t.Errorf("FirewallPolicy() with acme = %s, want %s as without", with.FirewallPolicy(), without.FirewallPolicy())
	}
}

func TestPublicHosts(t *testing.T) {
	t.Parallel()
	c, err := Parse([]byte("[listen]\naddresses = [\"203.0.113.9:8864\", \"10.0.0.5:8864\", \"127.0.0.1:8864\", \"203.0.113.7:8865\"]\n" +
		"[allow]\nsources = [\"10.1.2.3\"]\n[probe]\nfiled_ips = [\"203.0.113.7\", \"192.168.1.1\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(c.PublicHosts(), " "), "203.0.113.7 203.0.113.9"; got != want {
		t.Errorf("PublicHosts() = %s, want %s", got, want)
	}
}
