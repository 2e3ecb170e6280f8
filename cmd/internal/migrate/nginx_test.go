package migrate

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/configs"
)

// imported returns the draft of a file with that text.
func imported(t testing.TB, text string, c Choice) (Draft, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nginx.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return NGINX(file, c)
}

// server returns an nginx that forwards to Leqi, with lines in its server and
// in the location.
func server(inServer, inLocation string) string {
	return "http { server { listen 8864; " + inServer + "\nlocation /access/ { " + inLocation + "\nproxy_pass https://lqpt.chinatax.gov.cn:8443; } } }"
}

// summary is what a draft says of a key: its value, then the kinds of its notes.
func summary(d Draft, key string) string {
	var words []string
	for _, k := range d.Keys {
		if k.Name != key {
			continue
		}
		if k.Value != "" {
			words = append(words, k.Value)
		}
		for _, e := range k.Elements {
			switch {
			case e.Note == nil && e.Out:
				words = append(words, "-"+e.Text)
			case e.Out:
				words = append(words, "-"+e.Text+":"+string(e.Note.Kind))
			case e.Note != nil:
				words = append(words, e.Text+":"+string(e.Note.Kind))
			default:
				words = append(words, e.Text)
			}
		}
		for _, n := range k.Notes {
			words = append(words, "["+string(n.Kind)+"]")
		}
	}
	return strings.Join(words, " ")
}

func TestKeysOfAnNginx(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, inServer, inLocation, key, want string }{
		{"first match wins", "deny 10.1.2.3; allow 10.1.2.0/30; deny all;", "", "allow.sources", "10.1.2.0/31:carved 10.1.2.2"},
		{"a deny after the allow is late", "allow 10.1.2.0/24; deny 10.1.2.3; deny all;", "", "allow.sources", "10.1.2.0/24"},
		{"shadowed", "deny 10.0.0.0/8; allow 10.1.2.3; allow 192.168.0.1; deny all;", "", "allow.sources", "192.168.0.1 [shadowed]"},
		{"no deny all", "allow 10.1.2.3;", "", "allow.sources", "10.1.2.3 [open_to_all]"},
		{"allow all", "deny 10.1.2.3; allow all;", "", "allow.sources", "[open_to_all]"},
		{"no rules", "", "", "allow.sources", "[no_rules]"},
		{"deny all first", "deny all; allow 10.1.2.3;", "", "allow.sources", ""},
		{"the location's rules replace the server's", "allow 10.1.2.3; deny all;", "allow 10.1.2.4; deny all;", "allow.sources", "10.1.2.4"},
		{"the server's deny does not reach the location", "deny all;", "allow 10.1.2.4;", "allow.sources", "10.1.2.4 [open_to_all]"},
		{"everyone", "allow 0.0.0.0/0; deny all;", "", "allow.sources", "-0.0.0.0/0:refused"},
		{"too wide", "allow 49.4.0.0/16; allow 9.0.0.0/7; deny all;", "", "allow.sources", "-49.4.0.0/16:refused -8.0.0.0/7:refused"},
		{"host bits", "allow 10.1.2.3/24; allow ::ffff:10.1.2.9; deny all;", "", "allow.sources", "10.1.2.0/24:masked 10.1.2.9"},
		{"IPv6", "allow 2001:db8::1; allow fd00::/8; deny all;", "", "allow.sources", "2001:db8::1 fd00::/8"},
		{"twice", "allow 10.1.2.3; allow 10.1.2.3; deny all;", "", "allow.sources", "10.1.2.3"},
		{"not read", "allow host.example.cn; allow unix:; deny all;", "", "allow.sources", "[unread] [unread]"},
		{"loopback is a source", "allow 127.0.0.1; deny all;", "", "allow.sources", "127.0.0.1"},
		{"address of the caller", "allow 10.1.2.0/30; deny all;", "if ($remote_addr != 10.1.2.3) { return 403; }", "allow.sources", "10.1.2.3"},
		{"all but an address", "allow 10.1.2.2/31; deny all;", "if ($remote_addr = 10.1.2.3) { return 444; }", "allow.sources", "10.1.2.2"},

		{"port alone", "", "", "listen.addresses", "0.0.0.0:8864"},
		{"both families", "listen [::]:8864;", "", "listen.addresses", ""},
		{"covered", "listen 10.0.0.5:8864; listen [fd00::1]:8864;", "", "listen.addresses", "0.0.0.0:8864 [fd00::1]:8864 [covered]"},
		{"low port", "listen 80;", "", "listen.addresses", "0.0.0.0:8864 0.0.0.0:80 [low_port]"},
		{"socket", "listen unix:/run/x;", "", "listen.addresses", "0.0.0.0:8864 [unix_socket]"},
		{"localhost", "listen localhost:8865;", "", "listen.addresses", "0.0.0.0:8864 127.0.0.1:8865"},
		{"a name", "listen lqpt.example.cn:8865;", "", "listen.addresses", "0.0.0.0:8864 [unread]"},
		{"another mode", "listen 8443 ssl;", "", "listen.addresses", "0.0.0.0:8864 [other_mode]"},
		{"ssl on", "ssl on; ssl_certificate /a.pem; ssl_certificate /b.pem;", "", "listen.cert_file", "/a.pem [second_pair]"},
		{"password", "ssl on; ssl_password_file p;", "", "listen.key_file", "[key_password]"},
		{"callers' certificates", "ssl_verify_client on;", "", "listen.tls", "[caller_cert]"},

		{"X-Forwarded-For", "set_real_ip_from 10.9.0.1; real_ip_header x-forwarded-for;", "", "listen.forwarded_for_from", "10.9.0.1 [last_address]"},
		{"a device is no source", "set_real_ip_from 10.9.0.0/24; real_ip_header X-Forwarded-For; real_ip_recursive on; allow 10.9.0.7; allow 10.1.2.3; deny all;", "", "allow.sources", "-10.9.0.7:device_itself 10.1.2.3"},
		{"another header", "set_real_ip_from 10.9.0.1; real_ip_header X-Real-IP;", "", "listen.forwarded_for_from", "-10.9.0.1 [device_header]"},
		{"nginx's own header", "set_real_ip_from 10.9.0.1;", "", "listen.forwarded_for_from", "-10.9.0.1 [device_header]"},
		{"trusts everyone", "set_real_ip_from 0.0.0.0/0; real_ip_header X-Forwarded-For; real_ip_recursive on;", "", "listen.forwarded_for_from", "-0.0.0.0/0:refused"},
		{"PROXY protocol", "listen 8865 proxy_protocol; set_real_ip_from 10.9.0.1; real_ip_header proxy_protocol;", "", "listen.proxy_protocol_from", "10.9.0.1"},
		{"PROXY protocol of everyone", "listen 8865 proxy_protocol;", "", "listen.proxy_protocol_from", "[no_balancers]"},
		{"PROXY protocol with rules", "listen 8865 proxy_protocol; allow 10.9.0.1; deny all;", "", "listen.proxy_protocol_from", "10.9.0.1 [balancer_rules]"},
		{"rules about balancers", "listen 8865 proxy_protocol; allow 10.9.0.1; deny all;", "", "allow.sources", ""},

		{"connect", "proxy_connect_timeout 3;", "", "upstream.dial_timeout", "3s"},
		{"connect too long", "proxy_connect_timeout 1m;", "", "upstream.dial_timeout", "15s [clamped]"},
		{"connect too short", "proxy_connect_timeout 1ms;", "", "upstream.dial_timeout", "100ms [clamped]"},
		{"the default is left out", "proxy_read_timeout 2m;", "", "upstream.response_timeout", ""},
		{"the inner one", "proxy_read_timeout 5m;", "proxy_read_timeout 1m30s;", "upstream.response_timeout", "90s"},
		{"variable", "set $t 40s; proxy_read_timeout $t;", "", "upstream.response_timeout", "40s"},
		{"no time", "proxy_read_timeout soon;", "", "upstream.response_timeout", "[unread]"},
		{"send as read", "proxy_read_timeout 50s; proxy_send_timeout 50s;", "", "upstream.response_timeout", "50s"},
		{"send alone", "proxy_send_timeout 50s;", "", "upstream.response_timeout", "[one_timeout]"},
		{"keep-alive off", "keepalive_timeout 0;", "", "listen.idle_timeout", "10s [clamped]"},
		{"two times", "keepalive_timeout 70s 60s;", "", "listen.idle_timeout", "70s"},
		{"body", "client_max_body_size 20M;", "", "limits.body_size", "20MiB"},
		{"unlimited body", "client_max_body_size 0;", "", "limits.body_size", "16GiB [clamped]"},
		{"small body", "client_max_body_size 10;", "", "limits.body_size", "64KiB [clamped]"},
		{"head", "large_client_header_buffers 4 16k;", "", "limits.header_size", "64KiB [line_limit]"},
		{"odd head", "large_client_header_buffers many 16k;", "", "limits.header_size", "[unread]"},
		{"rate", "", "limit_req zone=a;", "limits.body_size", "[no_rate_limit]"},

		{"bind", "proxy_bind 10.0.0.5;", "", "upstream.local_address", "10.0.0.5"},
		{"bind with port", "proxy_bind 10.0.0.5:0;", "", "upstream.local_address", "[transparent]"},
		{"bind transparent", "proxy_bind 10.0.0.5 transparent;", "", "upstream.local_address", "[transparent]"},
		{"bind off", "", "proxy_bind off;", "upstream.local_address", ""},
		{"removed", "", `proxy_set_header X-Inner "";`, "upstream.drop_headers", "X-Forwarded-For X-Real-IP Forwarded Via X-Inner"},
		{"needed by Leqi", "", `proxy_set_header jrdwptbh "";`, "upstream.drop_headers", "[not_added]"},
		{"added", "", "proxy_set_header X-Key abc; proxy_set_header X-Real-IP $remote_addr;", "upstream.drop_headers", "[not_added] [address_header]"},
		{"passed on", "", "proxy_set_header X-Key $http_x_key;", "upstream.drop_headers", ""},
		{"host", "", "proxy_set_header Host $host;", "upstream.address", "[host_replaced]"},
		{"the same host", "", "proxy_set_header Host lqpt.chinatax.gov.cn:8443;", "upstream.address", ""},

		{"verified", "proxy_ssl_verify on; proxy_ssl_name a.example.cn;", "", "upstream.tls.verify", "full"},
		{"name", "proxy_ssl_server_name on; proxy_ssl_name a.example.cn;", "", "upstream.tls.server_name", "a.example.cn"},
		{"the host's name", "proxy_ssl_server_name on; proxy_ssl_name lqpt.chinatax.gov.cn;", "", "upstream.tls.server_name", ""},
		{"no SNI", "", "", "upstream.tls.server_name", "[names_host]"},
		{"old versions", "proxy_ssl_protocols TLSv1 TLSv1.1;", "", "upstream.tls.max_version", "1.1"},
		{"versions to 1.2", "proxy_ssl_protocols TLSv1.1 TLSv1.2;", "", "upstream.tls.max_version", "1.2"},
		{"client certificate", "proxy_ssl_certificate c.pem;", "", "upstream.address", "[client_cert]"},
		{"no version", "proxy_ssl_protocols SSLv3;", "", "upstream.tls.min_version", "[unread]"},
	}
	for _, tt := range tests {
		d, err := imported(t, server(tt.inServer, tt.inLocation), Choice{})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := summary(d, tt.key); got != tt.want {
			t.Errorf("%s: %s = %q, want %q", tt.name, tt.key, got, tt.want)
		}
	}
}

// locations returns an nginx whose server has these lines alone.
func locations(lines string) string {
	return "http { upstream leqi { server 203.0.113.1:8443; server 203.0.113.2:8443; keepalive 2; }\n" +
		"upstream mixed { server lqpt.chinatax.gov.cn:8443; server b.example.cn:8443; server 203.0.113.2:9; random; }\n" +
		"map $http_x $m { default lqpt.chinatax.gov.cn; 1 b.example.cn; }\n" +
		"server { listen 8864; " + lines + " } }"
}

func TestWaysOfAnNginx(t *testing.T) {
	t.Parallel()
	const leqi = "proxy_pass https://lqpt.chinatax.gov.cn:8443"
	tests := []struct{ lines, key, want string }{
		{"location / { " + leqi + "; }", "allow.paths", "[root_path]"},
		{"location / { " + leqi + "/; }", "allow.paths", "[root_path] [normalised]"},
		{"location /access { " + leqi + "; }", "allow.paths", "/access"},
		{"location ^~ /access/v2 { " + leqi + "; }", "allow.paths", "/access/v2"},
		{"location = /access/x { " + leqi + "; }", "allow.paths", "[exact_path]"},
		{"location =/access/x { " + leqi + "; }", "allow.paths", "[exact_path]"},
		{"location ~ ^/access/v2/(a|b) { " + leqi + "; }", "allow.paths", "/access/v2/ [pattern_path]"},
		{"location ~ ^/access/|^/b { " + leqi + "; }", "allow.paths", "[pattern_path]"},
		{"location ~ ^/ab?c { " + leqi + "; }", "allow.paths", "[pattern_path]"},
		{"location ~* ^/access { " + leqi + "; }", "allow.paths", "[pattern_path]"},
		{"location /leqi/ { " + leqi + "/; }", "allow.paths", "[rewritten]"},
		{"location /access/ { " + leqi + "/access/; }", "allow.paths", "[normalised]"},
		{"location /access/ { " + leqi + "$request_uri; }", "allow.paths", ""},
		{"location /access/ { " + leqi + "$uri$is_args$args; }", "allow.paths", "[normalised]"},
		{"location /a/ { set $h lqpt.chinatax.gov.cn; proxy_pass https://$h:8443/; }", "allow.paths", "[rewritten]"},
		{"location /access/b/ { " + leqi + "; } location /access/ { " + leqi + "; } location /x/ { return 200; }", "allow.paths", "[other_location]"},
		{"location / { proxy_pass https://leqi; }", "upstream.fixed_ips", "203.0.113.1 203.0.113.2"},
		{"location / { proxy_pass https://leqi; }", "upstream.address", "203.0.113.1:8443 [name_needed]"},
		{"location / { proxy_pass https://leqi; proxy_set_header Host lqpt.chinatax.gov.cn; }", "upstream.address", "[name_from_host] [host_replaced]"},
		{"location / { proxy_pass https://mixed; }", "upstream.address", "[other_host] [other_port] [all_alike]"},
		{"location / { proxy_pass https://$m:8443; }", "upstream.address", "[varies]"},
		{"location / { proxy_pass http://lqpt.chinatax.gov.cn; }", "upstream.address", "lqpt.chinatax.gov.cn:80 [plain_upstream]"},
		{"location / { proxy_pass https://lqpt.chinatax.gov.cn; }", "upstream.address", "lqpt.chinatax.gov.cn:443"},
		{"location / { proxy_pass https://lqpt.anhui.chinatax.gov.cn:8443; }", "upstream.address", "lqpt.anhui.chinatax.gov.cn:8443"},
		{"location / { proxy_pass https://$unknown:8443; }", "upstream.address", "[unread]"},
		{"location / { proxy_pass https://unix:/run/x; }", "upstream.address", "[unread]"},
		{"location / { proxy_pass https://[2001:db8::1]:8443; }", "upstream.address", "[2001:db8::1]:8443"},
	}
	for _, tt := range tests {
		d, err := imported(t, locations(tt.lines), Choice{Listen: "8864"})
		if err != nil {
			t.Errorf("%s: %v", tt.lines, err)
			continue
		}
		if got := summary(d, tt.key); got != tt.want {
			t.Errorf("%s: %s = %q, want %q", tt.lines, tt.key, got, tt.want)
		}
	}
}

func TestChoice(t *testing.T) {
	t.Parallel()
	text := `http {
		server { listen 8864; server_name a b; location / { proxy_pass https://lqpt.chinatax.gov.cn:8443; } }
		server { listen 10.0.0.5:8865; server_name c; location / { proxy_pass https://lqpt.chinatax.gov.cn:8443; } }
		server { server_name d; location / { proxy_pass http://10.0.0.7; } }
		server { listen 8866; }
	}`
	for _, tt := range []struct {
		c    Choice
		line int // of the server; 0: none or several
		fit  int
	}{
		{Choice{}, 0, 2},
		{Choice{Listen: "8864"}, 2, 1},
		{Choice{Listen: ":8864"}, 2, 1},
		{Choice{Listen: "10.0.0.5:8865"}, 3, 1},
		{Choice{Server: "b"}, 2, 1},
		{Choice{Server: "b", Listen: "8865"}, 0, 0},
		{Choice{Listen: "80"}, 4, 1},
		{Choice{Listen: "8866"}, 0, 0},
	} {
		d, err := imported(t, text, tt.c)
		var fit int
		if e, ok := errors.AsType[*ChoiceError](err); ok {
			fit = e.Fit
		} else {
			fit = 1
		}
		if d.Chosen.At.Line != tt.line || fit != tt.fit {
			t.Errorf("NGINX(%+v) chose line %d of %d, want %d of %d (%v)", tt.c, d.Chosen.At.Line, fit, tt.line, tt.fit, err)
		}
		if tt.fit == 1 && len(d.Stays) != 3 {
			t.Errorf("NGINX(%+v) leaves %d servers, want 3", tt.c, len(d.Stays))
		}
	}
}

func TestReadTimeAndBytes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"60": time.Minute, "60s": time.Minute, "1m": time.Minute, "1m30s": 90 * time.Second, "500ms": 500 * time.Millisecond,
		"1h": time.Hour, "1d": 24 * time.Hour, "1M": 30 * 24 * time.Hour, "0": 0, "": -1, "s": -1, "1x": -1, "-1": -1,
	} {
		got, ok := readTime(text)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("readTime(%q) = %v, %v, want %v", text, got, ok, want)
		}
	}
	for text, want := range map[string]int64{
		"0": 0, "512": 512, "8k": 8 << 10, "20M": 20 << 20, "1g": 1 << 30, "": -1, "k": -1, "1t": -1, "-1": -1,
	} {
		if got, ok := readBytes(text); ok != (want >= 0) || ok && got != want {
			t.Errorf("readBytes(%q) = %v, %v, want %v", text, got, ok, want)
		}
	}
}

func TestWithoutAgainstEveryAddress(t *testing.T) {
	t.Parallel()
	parse := func(text string) (all []netip.Prefix) {
		for f := range strings.FieldsSeq(text) {
			all = append(all, netip.MustParsePrefix(f))
		}
		return all
	}
	holds := func(set []netip.Prefix, a netip.Addr) bool {
		return slices.ContainsFunc(set, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	for _, tt := range []struct{ from, holes string }{
		{"10.1.2.0/24", "10.1.2.66/32"},
		{"10.1.2.0/24 10.1.3.0/25", "10.1.2.128/25 10.1.3.0/30 10.1.3.9/32"},
		{"10.1.0.0/22", "10.1.2.0/24 10.0.0.0/7"},
		{"0.0.0.0/0", "10.1.0.0/16"},
		{"10.1.2.0/24", "fd00::/8"},
		{"10.1.2.0/24", ""},
	} {
		from, holes := parse(tt.from), parse(tt.holes)
		left, ok := without(from, holes)
		if !ok {
			t.Errorf("without(%s, %s) is too much", tt.from, tt.holes)
		}
		for a := netip.MustParseAddr("10.0.255.0"); a.Less(netip.MustParseAddr("10.1.4.5")); a = a.Next() {
			if got, want := holds(left, a), holds(from, a) && !holds(holes, a); got != want {
				t.Fatalf("without(%s, %s) holds %v: %v, want %v", tt.from, tt.holes, a, got, want)
			}
			if got, want := holds(within(from, holes), a), holds(from, a) && holds(holes, a); got != want {
				t.Fatalf("within(%s, %s) holds %v: %v, want %v", tt.from, tt.holes, a, got, want)
			}
		}
	}
}

// What a table says must be said somewhere: by a note or by code.
func TestEveryRuleHasAnEnd(t *testing.T) {
	t.Parallel()
	readers := (&importer{}).readers()
	for name := range readers {
		if _, ok := rules[name]; !ok {
			t.Errorf("%s is read, but not known", name)
		}
	}
	for name, r := range rules {
		if r.key != "" && !slices.Contains(order, r.key) {
			t.Errorf("the rule of %s names the key %q, which there is not", name, r.key)
		}
	}
}

func TestQuotedStringsAreTOML(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", `a"b\c`, "中文", "\x00\x1f\x7f\u0085", "\xff", "a\nb"} {
		_, err := configs.Parse([]byte("allow.sources = [\"127.0.0.1\"]\nprobe.egress_echo_url = " + quote(s)))
		mistakes, _ := errors.AsType[configs.Mistakes](err)
		for _, m := range mistakes {
			if m.Kind == configs.Syntax || m.Kind == configs.NotUTF8 {
				t.Errorf("quote(%q) = %s: %v", s, quote(s), m)
			}
		}
	}
}

func TestTextOfADraft(t *testing.T) {
	t.Parallel()
	d := Draft{Notes: []Note{{Kind: Defaults}}, Keys: []Key{
		{Name: "listen.addresses", Notes: []Note{{Kind: LowPort}}, Elements: []Element{{Text: ":80"}, {Text: ":8864"}}},
		{Name: "listen.tls", Value: "files"},
		{Name: "allow.sources", Elements: []Element{
			{Text: "10.0.0.1"}, {Text: "0.0.0.0/0", Out: true, Note: &Note{Kind: Refused}},
		}},
		{Name: "upstream.tls.verify", Notes: []Note{{Kind: NotVerified}}},
		{Name: "upstream.tls.server_name", Elements: []Element{{Text: "x", Out: true, Note: &Note{Kind: Refused}}}},
	}}
	got := string(d.Text([]string{"head", ""}, func(n Note) []string { return []string{string(n.Kind), "\x1b[31mmore"} }))
	want := `# head
#
#
# defaults
#  [31mmore

[listen]
# low_port
#  [31mmore
addresses = [":80", ":8864"]
tls = "files"

[allow]
sources = [
  "10.0.0.1",
  # refused
  #  [31mmore
  # "0.0.0.0/0",
]

[upstream.tls]
# not_verified
#  [31mmore
# server_name = [
# refused
#  [31mmore
# "x",
# ]
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Text() (-want +got):\n%s", diff)
	}
	if n := d.Count(); n != 5 {
		t.Errorf("Count() = %d, want 5", n)
	}
	if got := d.Loud(); len(got) != 3 {
		t.Errorf("Loud() = %v, want the low port and what is refused", got)
	}
}
