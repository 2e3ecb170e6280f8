package allow

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSource(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"49.4.80.61", "49.4.80.61/32"},
		{"49.4.80.61/32", "49.4.80.61/32"},
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"127.0.0.1", "127.0.0.1/32"},
		{"::1", "::1/128"},
		{"2001:DB8::/32", "2001:db8::/32"},
		{"::ffff:10.1.2.3", "10.1.2.3/32"},
		{"0.0.0.0/8", "0.0.0.0/8"},
	}
	for _, tt := range tests {
		got, err := ParseSource(tt.text)
		if err != nil || got.String() != tt.want {
			t.Errorf("ParseSource(%q) = %v, %v, want %v", tt.text, got, err, tt.want)
		}
	}
}

func TestParseSourceSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text    string
		mistake Mistake
		want    string
	}{
		{"", Unreadable, `"" is neither an address nor a prefix`},
		{"lqpt.chinatax.gov.cn", Unreadable, `"lqpt.chinatax.gov.cn" is neither an address nor a prefix`},
		{" 10.0.0.1", Unreadable, `" 10.0.0.1" is neither an address nor a prefix`},
		{"10.0.0.1:8864", Unreadable, `"10.0.0.1:8864" is neither an address nor a prefix`},
		{"10.0.0.1-10.0.0.9", Unreadable, `"10.0.0.1-10.0.0.9" is neither an address nor a prefix`},
		{"10.0.0.0/33", Unreadable, `"10.0.0.0/33" is neither an address nor a prefix`},
		{"10.0.0.0/255.0.0.0", Unreadable, `"10.0.0.0/255.0.0.0" is neither an address nor a prefix`},
		{"010.0.0.1", Unreadable, `"010.0.0.1" is neither an address nor a prefix`},
		{"10.0.0.1/8", HostBits, `"10.0.0.1/8" has host bits set; did you mean "10.0.0.0/8"?`},
		{"2001:db8::1/32", HostBits, `"2001:db8::1/32" has host bits set; did you mean "2001:db8::/32"?`},
		{"::ffff:10.0.0.0/104", Mapped, `"::ffff:10.0.0.0/104" is an IPv4 prefix written as IPv6 and would match nothing; did you mean "10.0.0.0/8"?`},
		{"::ffff:10.0.0.1/104", Mapped, `"::ffff:10.0.0.1/104" is an IPv4 prefix written as IPv6 and would match nothing; did you mean "10.0.0.0/8"?`},
		{"fe80::1%eth0", Zoned, `"fe80::1%eth0" has a zone; write it without`},
		{"fe80::%eth0/64", Zoned, `"fe80::%eth0/64" has a zone; write it without`},
		{"0.0.0.0/0", Everyone, `"0.0.0.0/0" is everyone; name the callers`},
		{"10.0.0.1/0", Everyone, `"10.0.0.1/0" is everyone; name the callers`},
		{"::/0", Everyone, `"::/0" is everyone; name the callers`},
		{"::ffff:0.0.0.0/96", Everyone, `"::ffff:0.0.0.0/96" is everyone; name the callers`},
		{"0.0.0.0", Unspecified, `"0.0.0.0" is no caller's address; name the callers`},
		{"::ffff:0.0.0.0/128", Unspecified, `"::ffff:0.0.0.0/128" is no caller's address; name the callers`},
		{"::", Unspecified, `"::" is no caller's address; name the callers`},
	}
	for _, tt := range tests {
		_, err := ParseSource(tt.text)
		checkMistake(t, "ParseSource("+tt.text+")", err, tt.mistake, tt.want)
	}
}

func checkMistake(t *testing.T, call string, err error, mistake Mistake, text string) {
	t.Helper()
	e, ok := errors.AsType[*SourceError](err)
	if !ok {
		t.Errorf("%s = %v, want a *SourceError", call, err)
		return
	}
	if e.Mistake != mistake {
		t.Errorf("%s: mistake %d, want %d", call, e.Mistake, mistake)
	}
	if diff := cmp.Diff(text, e.Error()); diff != "" {
		t.Errorf("%s: text (-want +got):\n%s", call, diff)
	}
}

func TestCheckWidth(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"49.4.80.61/32", "49.4.80.0/24", "2001:db8::/48",
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
		"fc00::/7", "fe80::/10", "::1/128",
	} {
		if err := CheckWidth(netip.MustParsePrefix(text)); err != nil {
			t.Errorf("CheckWidth(%s) = %v, want nil", text, err)
		}
	}
	for _, tt := range []struct {
		text    string
		mistake Mistake
		want    string
	}{
		{"49.4.80.0/23", TooWide, `"49.4.80.0/23" is too wide; a public prefix is at most a /24`},
		{"172.32.0.0/12", TooWide, `"172.32.0.0/12" is too wide; a public prefix is at most a /24`},
		{"2001:db8::/47", TooWide, `"2001:db8::/47" is too wide; a public prefix is at most a /48`},
		{"0.0.0.0/1", TooWide, `"0.0.0.0/1" is too wide; a public prefix is at most a /24`},
		{"172.0.0.0/8", BeyondPrivate, `"172.0.0.0/8" reaches beyond the private "172.16.0.0/12", and a public prefix is at most a /24`},
		{"10.0.0.0/7", BeyondPrivate, `"10.0.0.0/7" reaches beyond the private "10.0.0.0/8", and a public prefix is at most a /24`},
		{"192.168.0.0/15", BeyondPrivate, `"192.168.0.0/15" reaches beyond the private "192.168.0.0/16", and a public prefix is at most a /24`},
		{"fe00::/7", BeyondPrivate, `"fe00::/7" reaches beyond the private "fe80::/10", and a public prefix is at most a /48`},
		{"fc00::/6", TooWide, `"fc00::/6" is too wide; a public prefix is at most a /48`},
	} {
		checkMistake(t, "CheckWidth("+tt.text+")", CheckWidth(netip.MustParsePrefix(tt.text)), tt.mistake, tt.want)
	}
}

func TestCheckTotal(t *testing.T) {
	t.Parallel()
	var ps []netip.Prefix
	for i := range 256 {
		ps = append(ps, netip.PrefixFrom(netip.AddrFrom4([4]byte{49, 4, byte(i), 0}), 24))
	}
	ps = append(ps, prefixes(t, "10.0.0.0/8 2001:db8::/48 49.4.0.1/32")...) // private, IPv6, counted already
	l := NewList(ps...)
	if got := l.PublicIPv4(); got != MaxPublicIPv4 {
		t.Errorf("PublicIPv4() = %d, want %d", got, MaxPublicIPv4)
	}
	if err := CheckTotal(l); err != nil {
		t.Errorf("CheckTotal(65536 addresses) = %v, want nil", err)
	}
	l = NewList(append(ps, prefixes(t, "68.79.14.3/32")...)...)
	checkMistake(t, "CheckTotal(65537 addresses)", CheckTotal(l), TooMany, "public sources hold 65537 addresses together; the most is 65536")
}

func TestPublicIPv4CountsEverything(t *testing.T) {
	t.Parallel()
	if got, want := NewList(prefixes(t, "0.0.0.0/0")...).PublicIPv4(), int64(1)<<32; got != want {
		t.Errorf("NewList(0.0.0.0/0).PublicIPv4() = %d, want %d", got, want)
	}
}

func TestPrivate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"10.255.255.255": true, "172.31.255.255": true, "192.168.0.1": true, "100.127.255.255": true,
		"127.0.0.1": true, "169.254.1.1": true, "::ffff:10.0.0.1": true, "::1": true, "fd00::1": true, "fe80::1%eth0": true,
		"11.0.0.0": false, "172.32.0.0": false, "100.128.0.0": false, "49.4.80.61": false, "2001:db8::1": false, "::2": false, "fec0::1": false,
	} {
		if got := Private(netip.MustParseAddr(text)); got != want {
			t.Errorf("Private(%s) = %v, want %v", text, got, want)
		}
	}
	if Private(netip.Addr{}) {
		t.Error("Private(netip.Addr{}) = true, want false")
	}
}

// What ParseSource returns is canonical, and what it proposes it accepts.
func FuzzParseSource(f *testing.F) {
	for _, text := range []string{"10.0.0.1/8", "::ffff:10.0.0.1/104", "10.0.0.0/8", "fe80::1%eth0", "::", "0.0.0.0/0", "::ffff:1.2.3.4/90"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseSource(text)
		if err == nil {
			if q, err := ParseSource(p.String()); err != nil || q != p {
				t.Errorf("ParseSource(%q) = %v, which reads again as %v, %v", text, p, q, err)
			}
			if got := NewList(p).Prefixes(); len(got) != 1 || got[0] != p {
				t.Errorf("NewList(ParseSource(%q)).Prefixes() = %v, want %v", text, got, p)
			}
			return
		}
		if e, _ := errors.AsType[*SourceError](err); e.Proposal.IsValid() {
			if _, err := ParseSource(e.Proposal.String()); err != nil {
				t.Errorf("ParseSource(%q) proposes %v, which is refused: %v", text, e.Proposal, err)
			}
		}
	})
}
