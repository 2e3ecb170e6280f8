package firewall

import (
	"net/netip"
	"testing"
)

func TestReadRule(t *testing.T) {
	t.Parallel()
	kingdee := netip.MustParsePrefix("49.4.80.61/32")
	for _, tt := range []struct {
		text string
		want Rule
		ok   bool
		all  bool
	}{
		{`rule family="ipv4" source address="49.4.80.61" port protocol="tcp" port="8864" accept`, Rule{Accepts: true, Source: kingdee}, true, false},
		{`rule family=ipv4 source address=49.4.80.61 port port=8000-9000 protocol=tcp drop`, Rule{Source: kingdee}, true, false},
		{`rule family="ipv4" source address="49.4.80.61" accept`, Rule{Accepts: true, Source: kingdee}, true, false},
		{`rule family="ipv4" source NOT address="49.4.80.61" port port="8864" protocol="tcp" reject`, Rule{Source: kingdee, Others: true}, true, true},
		{`rule source ipset="kingdee" port port="8864" protocol="tcp" accept`, Rule{Accepts: true, Set: "kingdee"}, true, false},
		{`rule port port="8864" protocol="tcp" accept`, Rule{Accepts: true}, true, true},
		{`rule family="ipv4" source address="49.4.80.61" port port="443" protocol="tcp" accept`, Rule{}, false, true},
		{`rule family="ipv4" source address="49.4.80.61" port port="8864" protocol="udp" accept`, Rule{}, false, true},
		{`rule family="ipv4" source address="49.4.80.61" service name="http" accept`, Rule{}, false, true},
		{`rule family="ipv4" source address="49.4.80.61" port port="8864" protocol="tcp" log prefix="x"`, Rule{}, false, true},
		{`rule family="ipv4" source address="49.4.80" port port="8864" protocol="tcp" accept`, Rule{Accepts: true}, false, true},
		{`rule source mac="00:11:22:33:44:55" port port="8864" protocol="tcp" accept`, Rule{Accepts: true}, false, true},
		{``, Rule{}, false, true},
	} {
		got, ok := ReadRule(tt.text, 8864)
		if got != tt.want || ok != tt.ok || got.ForAll() != tt.all {
			t.Errorf("ReadRule(%s) = %+v, %v, for all %v, want %+v, %v, %v", tt.text, got, ok, got.ForAll(), tt.want, tt.ok, tt.all)
		}
	}
}
