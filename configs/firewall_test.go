package configs

import "testing"

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
