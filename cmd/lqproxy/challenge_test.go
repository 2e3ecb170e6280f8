package main

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/firewall"
)

func TestChallengesAreLeftToTheAdministrator(t *testing.T) {
	t.Parallel()
	const english = "the certificate's authority asks at port 80, from addresses that nobody names; to let it in, lead that port to 8880 for everyone:\n"
	acme := configs.Default()
	acme.Listen.TLS = configs.TLSACME
	zoned := acme
	zoned.Firewall.Zones = []string{"public", "dmz"}
	direct, local := acme, acme
	direct.Listen.ACME.HTTPAddress = "10.0.0.5:80"
	local.Listen.ACME.HTTPAddress = "127.0.0.1:8880"
	for _, tt := range []struct {
		name    string
		cfg     configs.Config
		backend firewall.Kind
		want    string
	}{
		{"no acme", configs.Default(), firewall.Firewalld, ""},
		{"port 80 itself", direct, firewall.Firewalld, ""},
		{"this machine alone", local, firewall.Firewalld, ""},
		{"by other means", acme, firewall.None, english},
		{"firewalld", acme, firewall.Firewalld, english +
			"  firewall-cmd --zone=$(firewall-cmd --get-default-zone) --add-forward-port=port=80:proto=tcp:toport=8880\n" +
			"  firewall-cmd --permanent --zone=$(firewall-cmd --get-default-zone) --add-forward-port=port=80:proto=tcp:toport=8880\n"},
		{"zones", zoned, firewall.Firewalld, english +
			"  firewall-cmd --zone=public --add-forward-port=port=80:proto=tcp:toport=8880\n" +
			"  firewall-cmd --permanent --zone=public --add-forward-port=port=80:proto=tcp:toport=8880\n" +
			"  firewall-cmd --zone=dmz --add-forward-port=port=80:proto=tcp:toport=8880\n" +
			"  firewall-cmd --permanent --zone=dmz --add-forward-port=port=80:proto=tcp:toport=8880\n"},
		{"iptables", zoned, firewall.IPTables, english +
			"  iptables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8880\n" +
			"  iptables -A INPUT -p tcp --dport 8880 -j ACCEPT\n"},
	} {
		var out, errs bytes.Buffer
		printChallenges(newTestConsole(words.English, &out, &errs), tt.cfg, tt.backend)
		if diff := cmp.Diff(tt.want, out.String()+errs.String()); diff != "" {
			t.Errorf("printChallenges(%s) (-want +got):\n%s", tt.name, diff)
		}
	}
}
