package allow

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// prefixes reads a list in which prefixes are separated by spaces.
func prefixes(t testing.TB, text string) []netip.Prefix {
	t.Helper()
	var ps []netip.Prefix
	for field := range strings.FieldsSeq(text) {
		p, err := netip.ParsePrefix(field)
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
	return ps
}

func TestContains(t *testing.T) {
	t.Parallel()
	tests := []struct {
		list string
		in   string
		out  string
	}{
		{
			list: "",
			out:  "0.0.0.0 127.0.0.1 10.1.2.3 255.255.255.255 :: ::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		},
		{
			list: "10.0.0.0/8",
			in:   "10.0.0.0 10.1.2.3 10.255.255.255 ::ffff:10.1.2.3 ::ffff:10.1.2.3%eth0",
			out:  "9.255.255.255 11.0.0.0 ::10.1.2.3 ::ffff:11.0.0.0 a00::",
		},
		{
			list: "49.4.80.61/32 49.4.80.63/32",
			in:   "49.4.80.61 49.4.80.63",
			out:  "49.4.80.60 49.4.80.62 49.4.80.64",
		},
		{
			list: "0.0.0.0/0",
			in:   "0.0.0.0 255.255.255.255 ::ffff:1.2.3.4",
			out:  ":: ::1 ::fffe:1.2.3.4",
		},
		{
			list: "::/0",
			in:   ":: ::1 ::fffe:1.2.3.4 fe80::1%eth0 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			out:  "0.0.0.0 1.2.3.4 ::ffff:1.2.3.4",
		},
		{
			list: "2001:db8::/33",
			in:   "2001:db8:: 2001:db8:7fff:ffff:ffff:ffff:ffff:ffff",
			out:  "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff 2001:db8:8000::",
		},
		{
			list: "2001:db8::/64 2001:db8:0:2::/65",
			in:   "2001:db8::ffff:ffff:ffff:ffff 2001:db8:0:2:7fff:ffff:ffff:ffff",
			out:  "2001:db8:0:1:: 2001:db8:0:2:8000::",
		},
		{
			list: "fe80::1/128",
			in:   "fe80::1 fe80::1%eth0",
			out:  "fe80:: fe80::2",
		},
		{
			list: "10.1.2.3/8",
			in:   "10.0.0.0 10.200.0.1",
			out:  "11.1.2.3",
		},
		{
			list: "::ffff:10.0.0.0/104",
			out:  "10.1.2.3 ::ffff:10.1.2.3",
		},
	}
	for _, tt := range tests {
		l := NewList(prefixes(t, tt.list)...)
		for _, want := range []bool{true, false} {
			for addr := range strings.FieldsSeq(map[bool]string{true: tt.in, false: tt.out}[want]) {
				if got := l.Contains(netip.MustParseAddr(addr)); got != want {
					t.Errorf("NewList(%s).Contains(%s) = %v, want %v", tt.list, addr, got, want)
				}
			}
		}
	}
}

func TestZeroAddrIsInNoList(t *testing.T) {
	t.Parallel()
	if NewList(prefixes(t, "0.0.0.0/0 ::/0")...).Contains(netip.Addr{}) {
		t.Error("Contains(netip.Addr{}) = true, want false")
	}
}

func TestZeroListAdmitsNobody(t *testing.T) {
	t.Parallel()
	var l List
	if !l.Empty() {
		t.Error("List{}.Empty() = false, want true")
	}
	if got := l.Prefixes(); len(got) != 0 {
		t.Errorf("List{}.Prefixes() = %v, want none", got)
	}
	for _, addr := range []string{"0.0.0.0", "127.0.0.1", "::", "::1"} {
		if l.Contains(netip.MustParseAddr(addr)) {
			t.Errorf("List{}.Contains(%s) = true, want false", addr)
		}
	}
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, list, want string }{
		{"sorted, IPv4 first", "fc00::/7 10.0.0.2/32 10.0.0.1/32 ::1/128", "10.0.0.1/32 10.0.0.2/32 ::1/128 fc00::/7"},
		{"repeated", "10.0.0.1/32 10.0.0.1/32", "10.0.0.1/32"},
		{"within a wider one", "10.1.0.0/16 10.0.0.0/8 10.1.2.0/24 10.255.255.255/32 11.0.0.0/32", "10.0.0.0/8 11.0.0.0/32"},
		{"neighbours stay apart", "10.0.0.0/25 10.0.0.128/25", "10.0.0.0/25 10.0.0.128/25"},
		{"masked", "10.1.2.3/8 2001:db8::1/32", "10.0.0.0/8 2001:db8::/32"},
		{"everything", "::/0 2001:db8::/32 0.0.0.0/0 10.0.0.0/8", "0.0.0.0/0 ::/0"},
		{"matching nothing", "::ffff:10.0.0.0/104", ""},
	}
	for _, tt := range tests {
		got := NewList(prefixes(t, tt.list)...).Prefixes()
		if diff := cmp.Diff(prefixes(t, tt.want), got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("%s: NewList(%s).Prefixes() (-want +got):\n%s", tt.name, tt.list, diff)
		}
	}
}

func TestListIsImmutable(t *testing.T) {
	t.Parallel()
	given := prefixes(t, "10.0.0.0/8 192.168.0.0/16")
	l := NewList(given...)
	given[0] = netip.MustParsePrefix("0.0.0.0/0")
	l.Prefixes()[1] = netip.MustParsePrefix("0.0.0.0/0")
	if got, want := l.Prefixes(), prefixes(t, "10.0.0.0/8 192.168.0.0/16"); !slices.Equal(got, want) {
		t.Errorf("Prefixes() = %v, want %v", got, want)
	}
	if l.Contains(netip.MustParseAddr("1.2.3.4")) {
		t.Error("Contains(1.2.3.4) = true, want false")
	}
}

func TestInvalidPrefixContainsNobody(t *testing.T) {
	t.Parallel()
	if l := NewList(netip.Prefix{}, netip.PrefixFrom(netip.MustParseAddr("10.0.0.1"), 33)); !l.Empty() {
		t.Errorf("NewList(invalid).Prefixes() = %v, want none", l.Prefixes())
	}
}

func FuzzContainsAgreesWithLinearSearch(f *testing.F) {
	f.Add("10.0.0.0/8 10.1.0.0/16 ::/0", "10.1.2.3")
	f.Add("10.0.0.0/8 10.1.0.0/16 12.0.0.0/8", "::ffff:11.255.255.255")
	f.Add("2001:db8::/33 2001:db8:8000::/64 2001:db8:8000:1::/65", "2001:db8:8000:0:ffff:ffff:ffff:ffff")
	f.Add("::ffff:10.0.0.0/104 fe80::/10", "fe80::1%eth0")
	f.Add("0.0.0.0/0 ::/1 ::/64 ::1/128", "8000::")
	f.Fuzz(func(t *testing.T, list, ip string) {
		var ps []netip.Prefix
		for field := range strings.FieldsSeq(list) {
			p, err := netip.ParsePrefix(field)
			if err != nil {
				t.Skip()
			}
			ps = append(ps, p)
		}
		addr, err := netip.ParseAddr(ip)
		if err != nil {
			t.Skip()
		}
		compareWithLinearSearch(t, NewList(ps...), ps, addr)
		for _, p := range ps { // the edges, which a random address rarely meets
			compareWithLinearSearch(t, NewList(ps...), ps, p.Masked().Addr())
			compareWithLinearSearch(t, NewList(ps...), ps, p.Masked().Addr().Prev())
		}
	})
}

func compareWithLinearSearch(t *testing.T, l List, ps []netip.Prefix, addr netip.Addr) {
	t.Helper()
	want := slices.ContainsFunc(ps, func(p netip.Prefix) bool {
		return p.Contains(addr.Unmap().WithZone(""))
	})
	if got := l.Contains(addr); got != want {
		t.Errorf("NewList(%v).Contains(%v) = %v, want %v", ps, addr, got, want)
	}
}

// manyPrefixes returns n different prefixes, half of them IPv6, and as many
// addresses, of which about half lie in one.
func manyPrefixes(n int) (ps []netip.Prefix, addrs []netip.Addr) {
	random := rand.New(rand.NewPCG(8, 864))
	for i := range n {
		b := [16]byte{0x20, 0x01, byte(i >> 8), byte(i), byte(random.Uint32()), byte(random.Uint32())}
		p := netip.PrefixFrom(netip.AddrFrom16(b), 64)
		if i%2 == 0 {
			p = netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i >> 8), byte(i), byte(random.Uint32()), 0}), 25)
		}
		ps = append(ps, p)
		if random.IntN(2) == 0 {
			addrs = append(addrs, p.Addr().Next())
		} else {
			addrs = append(addrs, p.Addr().Prev())
		}
	}
	random.Shuffle(n, func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	return ps, addrs
}

func BenchmarkContains(b *testing.B) {
	ps, addrs := manyPrefixes(20_000)
	byFamily := func(is4 bool) List {
		return NewList(slices.DeleteFunc(slices.Clone(ps), func(p netip.Prefix) bool { return p.Addr().Is4() != is4 })...)
	}
	for _, bb := range []struct {
		name string
		is4  bool
	}{{"IPv4", true}, {"IPv6", false}} {
		l := byFamily(bb.is4)
		addrs := slices.DeleteFunc(slices.Clone(addrs), func(a netip.Addr) bool { return a.Is4() != bb.is4 })
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				l.Contains(addrs[i&8191])
			}
		})
	}
}
