package firewall

import (
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
)

func sources(texts ...string) []Source {
	var all []Source
	for _, text := range texts {
		p, ok := parsePrefix(text)
		if !ok {
			panic("BUG: firewall: " + text)
		}
		all = append(all, Source{p, "allow.sources"})
	}
	return all
}

func TestNewPolicyIsCanonical(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		admits []Admit
		want   string
	}{
		{"nothing", nil, ""},
		{"sorted", []Admit{{9864, sources("10.0.0.2", "10.0.0.1")}, {8864, sources("2001:db8::1", "49.4.80.61")}}, "8864: 49.4.80.61 2001:db8::1; 9864: 10.0.0.1 10.0.0.2"},
		{"ports once", []Admit{{8864, sources("10.0.0.2")}, {8864, sources("10.0.0.1")}}, "8864: 10.0.0.1 10.0.0.2"},
		{"held by others", []Admit{{8864, sources("10.1.2.3", "10.0.0.0/8", "10.1.0.0/16", "11.0.0.1")}}, "8864: 10.0.0.0/8 11.0.0.1"},
		{"loopback is left out", []Admit{{8864, sources("127.0.0.1", "::1", "127.0.0.0/8")}}, "8864:"},
		{"written as IPv6", []Admit{{8864, []Source{{Prefix: netip.MustParsePrefix("::ffff:10.0.0.0/104")}}}}, "8864: 10.0.0.0/8"},
	}
	for _, tt := range tests {
		p := NewPolicy(tt.admits...)
		if got := p.String(); got != tt.want {
			t.Errorf("%s: NewPolicy(%v) = %q, want %q", tt.name, tt.admits, got, tt.want)
		}
		if again := NewPolicy(p.Admits...); !again.Equal(p) {
			t.Errorf("%s: NewPolicy of its own result = %v, want %v", tt.name, again, p)
		}
	}
}

func TestPolicyKeepsNames(t *testing.T) {
	t.Parallel()
	one := netip.MustParsePrefix("49.4.80.61/32")
	p := NewPolicy(Admit{8864, []Source{{one, "preset a"}, {one, "allow.sources"}, {one, "preset a"}}})
	if got, want := p.Admits[0].Sources[0].From, "preset a, allow.sources"; got != want {
		t.Errorf("From = %q, want %q", got, want)
	}
}

func TestPolicyAllows(t *testing.T) {
	t.Parallel()
	p := NewPolicy(Admit{8864, sources("10.0.0.0/8", "2001:db8::/32")})
	tests := []struct {
		addr string
		port uint16
		want bool
	}{
		{"10.1.2.3", 8864, true},
		{"::ffff:10.1.2.3", 8864, true},
		{"10.1.2.3", 9864, false},
		{"11.0.0.1", 8864, false},
		{"2001:db8::1%eth0", 8864, true},
		{"2001:db9::1", 8864, false},
	}
	for _, tt := range tests {
		if got := p.Allows(netip.MustParseAddr(tt.addr), tt.port); got != tt.want {
			t.Errorf("Allows(%s, %d) = %v, want %v", tt.addr, tt.port, got, tt.want)
		}
	}
}

func TestEmptyPolicyIsRefused(t *testing.T) {
	t.Parallel()
	for _, p := range []Policy{{}, NewPolicy(Admit{Port: 8864}), NewPolicy(Admit{8864, sources("127.0.0.1")})} {
		m := NewManager(Options{Backend: IPTables, Policy: p, Folders: tempFolders(t)})
		if _, err := m.Apply(t.Context(), Consent{}); !errors.Is(err, ErrEmptyPolicy) {
			t.Errorf("Apply(%q) = %v, want %v", p, err, ErrEmptyPolicy)
		}
	}
}

func TestPending(t *testing.T) {
	t.Parallel()
	old := NewPolicy(Admit{8864, sources("10.0.0.0/8", "49.4.80.61")})
	tests := []struct {
		want Policy
		text string
	}{
		{old, ""},
		{NewPolicy(Admit{8864, sources("10.0.0.0/8", "49.4.80.61", "52.83.1.1")}), "+52.83.1.1"},
		{NewPolicy(Admit{8864, sources("10.0.0.0/16", "49.4.80.61")}), "+10.0.0.0/16 -10.0.0.0/8"},
		{NewPolicy(Admit{8865, sources("49.4.80.61")}), "+49.4.80.61 -10.0.0.0/8 -49.4.80.61"},
	}
	for _, tt := range tests {
		if got := Pending(old, tt.want); got != tt.text {
			t.Errorf("Pending(%v, %v) = %q, want %q", old, tt.want, got, tt.text)
		}
	}
}

func tempFolders(t *testing.T) Folders {
	t.Helper()
	return Folders{Records: filepath.Join(t.TempDir(), "records"), States: filepath.Join(t.TempDir(), "states")}
}

// policyOf returns a policy for the port 8864.
func policyOf(texts ...string) Policy {
	return NewPolicy(Admit{8864, sources(texts...)})
}
