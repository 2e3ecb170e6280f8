package leqi

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestParsePathKnowsEveryService(t *testing.T) {
	t.Parallel()
	for _, s := range Services() {
		for path, want := range map[string]Call{
			"/access/v2/invoke/" + s.Ability + "/" + s.Code:            {Production, s.Ability, s.Code},
			"/access/newsandbox/v2/invoke/" + s.Ability + "/" + s.Code: {Sandbox, s.Ability, s.Code},
			"/access/sandbox/v2/invoke/" + s.Ability + "/" + s.Code:    {Sandbox, s.Ability, s.Code},
			"/access/v2/invoke/" + s.Code:                              {Control, "", s.Code},
			"/access/sandbox_kzfw/v1/" + s.Code:                        {Control, "", s.Code},
		} {
			for _, path := range []string{path, path + "/"} {
				if got := ParsePath([]byte(path)); got != want {
					t.Errorf("ParsePath(%s) = %v, want %v", path, got, want)
				}
			}
		}
	}
}

func TestParsePath(t *testing.T) {
	t.Parallel()
	tests := []struct {
		path string
		want Call
	}{
		{"/access/v2/invoke/202007/CXKYSL", Call{Production, "202007", "CXKYSL"}},
		{"/access/newsandbox/v2/invoke/202007/CXKYSL/", Call{Sandbox, "202007", "CXKYSL"}},
		{"/access/v1/getQRCode", Call{Auth, "", "getQRCode"}},
		{"/access/v1/getAuthCode", Call{Auth, "", "getAuthCode"}},
		{"/access/v1/getToken/", Call{Auth, "", "getToken"}},
		{"/access/v1/queryNlwdfbqk", Call{Auth, "", "queryNlwdfbqk"}},
		{"/access/v1/queryBbfbqk", Call{Auth, "", "queryBbfbqk"}},

		// Known addresses with what is in no table.
		{"/access/v2/invoke/999999/CXKYSL", Call{Production, "other", "CXKYSL"}},
		{"/access/v2/invoke/202007/NEW", Call{Production, "202007", "other"}},
		{"/access/v2/invoke/202007/CXKYSL%2F", Call{Production, "202007", "other"}},
		{"/access/v2/invoke/202007/cxkysl", Call{Production, "202007", "other"}},
		{"/access/v2/invoke/202007/", Call{Control, "", "other"}},
		{"/access/v2/invoke/NEW", Call{Control, "", "other"}},
		{"/access/v1/getEverything", Call{Auth, "", "other"}},
		{"/access/v1/CXKYSL", Call{Auth, "", "other"}},
		{"/access/v2/invoke/getToken", Call{Control, "", "other"}},

		// No documented addresses.
		{"", Call{}},
		{"/", Call{}},
		{"/access", Call{}},
		{"/access/", Call{}},
		{"/Access/v2/invoke/202007/CXKYSL", Call{}},
		{"/access//v2/invoke/202007/CXKYSL", Call{}},
		{"/access/v2/invoke", Call{}},
		{"/access/v2/invoke/", Call{}},
		{"/access/v2/invoke//", Call{}},
		{"/access/v2/invoke//CXKYSL", Call{}},
		{"/access/v2/invoke/202007//", Call{}},
		{"/access/v2/invoke/202007/CXKYSL//", Call{}},
		{"/access/v2/invoke/202007/CXKYSL/more", Call{}},
		{"/access/newsandbox/v2/invoke/CXKYSL", Call{}},
		{"/access/sandbox_kzfw/v1/100010/CXSYDWJRZT", Call{}},
		{"/access/v1/", Call{}},
		{"/access/v1/getToken/more", Call{}},
		{"/access/v3/invoke/202007/CXKYSL", Call{}},
		{"access/v2/invoke/202007/CXKYSL", Call{}},
	}
	for _, tt := range tests {
		if got := ParsePath([]byte(tt.path)); got != tt.want {
			t.Errorf("ParsePath(%q) = %v, want %v", tt.path, got, tt.want)
		}
	}
}

func TestParsePathKeepsNoReference(t *testing.T) {
	t.Parallel()
	path := []byte("/access/v2/invoke/202007/CXKYSL")
	got := ParsePath(path)
	clear(path)
	if want := (Call{Production, "202007", "CXKYSL"}); got != want {
		t.Errorf("after clearing the path: %v, want %v", got, want)
	}
}

func FuzzParsePath(f *testing.F) {
	for _, a := range addresses {
		f.Add([]byte(a.prefix + "202007/CXKYSL/"))
		f.Add([]byte(a.prefix + "getToken"))
		f.Add([]byte(a.prefix + "//"))
	}
	f.Fuzz(func(t *testing.T, path []byte) {
		got := ParsePath(path)
		if !slices.Contains(Environments, got.Environment) {
			t.Errorf("ParsePath(%q): environment %d is none", path, got.Environment)
		}
		if got.Environment == Other && got != (Call{}) {
			t.Errorf("ParsePath(%q) = %v, want %v", path, got, Call{})
		}
		if got.Environment != Other && got.Service == "" {
			t.Errorf("ParsePath(%q) = %v, which has no service", path, got)
		}
		if hasAbility := got.Environment == Production || got.Environment == Sandbox; hasAbility != (got.Ability != "") {
			t.Errorf("ParsePath(%q) = %v, want an ability: %v", path, got, hasAbility)
		}
		if a := got.Ability; a != "" && a != Unknown && AbilityName(a) == "" {
			t.Errorf("ParsePath(%q): ability %q is in no table", path, a)
		}
		if s := got.Service; s != "" && got.Environment != Auth && s != Unknown && ServiceName(got.Ability, s) == "" {
			t.Errorf("ParsePath(%q): service %q is in no table", path, s)
		}
		if s := got.Service; s != "" && s != Unknown && !strings.Contains(string(path), s) {
			t.Errorf("ParsePath(%q): service %q is not in the path", path, s)
		}
	})
}

func TestEnvironmentNames(t *testing.T) {
	t.Parallel()
	var got []string
	for _, e := range Environments {
		got = append(got, e.String())
	}
	if want := []string{"other", "production", "sandbox", "control", "auth"}; !slices.Equal(got, want) {
		t.Errorf("Environments = %v, want %v", got, want)
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	abilities, services := Abilities(), Services()
	if got, want := len(abilities), 40; got != want {
		t.Errorf("%d abilities, want %d", got, want)
	}
	if got, want := len(services), 639; got != want {
		t.Errorf("%d services, want %d", got, want)
	}
	for _, a := range abilities {
		if !regexp.MustCompile(`^[0-9]{6}$`).MatchString(a.Code) || a.Name == "" || a.Name != AbilityName(a.Code) {
			t.Errorf("ability %+v: bad code, or name", a)
		}
	}
	withServices, codes := map[string]bool{}, map[string]bool{}
	for _, s := range services {
		withServices[s.Ability], codes[s.Code] = true, true
		if !regexp.MustCompile(`^[A-Z0-9_]{1,27}$`).MatchString(s.Code) || s.Name == "" || AbilityName(s.Ability) == "" {
			t.Errorf("service %+v: bad code, name, or ability", s)
		}
		if got := ServiceName(s.Ability, s.Code); got != s.Name {
			t.Errorf("ServiceName(%s, %s) = %s, want %s", s.Ability, s.Code, got, s.Name)
		}
	}
	if len(withServices) != 38 || len(codes) != 193 {
		t.Errorf("%d abilities with %d service codes, want 38 with 193", len(withServices), len(codes))
	}
}

func TestServiceName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ ability, code, want string }{
		{"202003", "CXQDFPSCJG", "查询电子行程单上传结果"},
		{"", "CXSYDWJRZT", "查询使用单位接入状态"},
		{"202007", "CXSYDWJRZT", "查询使用单位接入状态"},
		{"202007", "NEW", ""},
		{"202007", "", ""},
	} {
		if got := ServiceName(tt.ability, tt.code); got != tt.want {
			t.Errorf("ServiceName(%q, %q) = %q, want %q", tt.ability, tt.code, got, tt.want)
		}
	}
}

func BenchmarkParsePath(b *testing.B) {
	path := []byte("/access/newsandbox/v2/invoke/202007/QDFPSC")
	b.ReportAllocs()
	for b.Loop() {
		ParsePath(path)
	}
}
