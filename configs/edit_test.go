package configs

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lqproxy/lqproxy/proxy"
)

func TestEdit(t *testing.T) {
	t.Parallel()
	long := []string{"10.100.100.100", "10.100.100.101", "10.100.100.102", "10.100.100.103", "10.100.100.104", "10.100.100.105"}
	for name, tt := range map[string]struct {
		text  string
		edits Edits
		want  string
	}{
		"a value, its comments stay": {
			"# above\n[listen]\n  tls = \"off\" # beside\n# below\n",
			Edits{"listen.tls": "files"},
			"# above\n[listen]\n  tls = \"files\" # beside\n# below\n",
		},
		"a list of many lines": {
			"[allow]\nsources = [\n  \"10.0.0.1\", # old\n  \"10.0.0.2\",\n]\nunits = []\n",
			Edits{"allow.sources": []string{"10.9.9.9"}},
			"[allow]\nsources = [\"10.9.9.9\"]\nunits = []\n",
		},
		"a list too long for a line": {
			"[allow]\nsources = []\n",
			Edits{"allow.sources": long},
			"[allow]\nsources = [\n  \"" + strings.Join(long, "\",\n  \"") + "\",\n]\n",
		},
		"a key that is missing": {
			"[allow]\npresets = []\n\n[listen]\ntls = \"off\"\n",
			Edits{"allow.sources": []string{}},
			"[allow]\npresets = []\nsources = []\n\n[listen]\ntls = \"off\"\n",
		},
		"a key at the top": {
			"[allow]\npresets = []\n",
			Edits{"language": "zh"},
			"language = \"zh\"\n[allow]\npresets = []\n",
		},
		"a table that is missing": {
			"language = \"zh\"",
			Edits{"allow.sources": []string{"10.0.0.1"}},
			"language = \"zh\"\n\n[allow]\nsources = [\"10.0.0.1\"]\n",
		},
		"no text": {"", Edits{"language": "zh"}, "language = \"zh\"\n"},
		"dotted keys": {
			"allow.sources = [\"10.0.0.1\"]\n[listen]\n",
			Edits{"allow.sources": []string{"10.0.0.2"}, "allow.presets": []string{"x"}},
			"allow.sources = [\"10.0.0.2\"]\nallow.presets = [\"x\"]\n[listen]\n",
		},
		"quoted keys": {
			"\"a = b\" = \"c\"\n[\"listen\"]\n'tls' = \"off\"\n",
			Edits{"listen.tls": "files"},
			"\"a = b\" = \"c\"\n[\"listen\"]\n'tls' = \"files\"\n",
		},
		"the second unit": {
			"[[units]]\nid = \"1\"\n[[units]]\nid = \"2\"\n",
			Edits{"units[1].id": "3"},
			"[[units]]\nid = \"1\"\n[[units]]\nid = \"3\"\n",
		},
		"a unit that is missing": {
			"[listen]\n",
			Edits{"units[0].id": "1"},
			"[listen]\n\n[[units]]\nid = \"1\"\n",
		},
		"a table below another": {
			"[upstream.tls]\nverify = \"full\"\n",
			Edits{"upstream.address": "h:1", "upstream.tls.verify": "none"},
			"[upstream.tls]\nverify = \"none\"\n\n[upstream]\naddress = \"h:1\"\n",
		},
		"a header within a string": {
			"x = \"\"\"\n[listen]\ntls = \"off\"\n\"\"\"\n[listen]\ntls = \"off\"\n",
			Edits{"listen.tls": "files"},
			"x = \"\"\"\n[listen]\ntls = \"off\"\n\"\"\"\n[listen]\ntls = \"files\"\n",
		},
		"lines of Windows": {
			"[listen]\r\ntls = \"off\"\r\n",
			Edits{"listen.tls": "files"},
			"[listen]\r\ntls = \"files\"\r\n",
		},
		"numbers": {"[log]\nretain_days = 180 # half a year\n", Edits{"log.level": "warn"}, "[log]\nretain_days = 180 # half a year\nlevel = \"warn\"\n"},
	} {
		got, err := Edit([]byte(tt.text), tt.edits)
		if diff := cmp.Diff(tt.want, string(got)); diff != "" || err != nil {
			t.Errorf("%s: Edit() = %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestEditOfWhatItCannot(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"listen = {tls = \"off\"}\n", "units = [{id = \"1\"}]\n"} {
		if got, err := Edit([]byte(text), Edits{"listen.tls": "files", "units[0].id": "2"}); !errors.Is(err, ErrForm) {
			t.Errorf("Edit(%q) = %q, %v, want ErrForm", text, got, err)
		}
	}
	_, err := Edit([]byte("[allow\n"), Edits{"language": "zh"})
	if mistakes, ok := errors.AsType[Mistakes](err); !ok || mistakes[0].Kind != Syntax {
		t.Errorf("Edit(no TOML) = %v, want a mistake of syntax", err)
	}
}

// The reference file with values in it is the configuration that they make, and
// has every comment that it had.
func TestEditOfTheReference(t *testing.T) {
	t.Parallel()
	text, err := Edit(Reference(), Edits{
		"units[0].id": "12345678901234567890", "allow.presets": []string{"fpy-production"},
		"allow.sources": []string{"10.1.2.3", "10.1.4.0/24"}, "upstream.local_address": "10.0.0.5", "listen.addresses": []string{":8865"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseInstance(text, "branch")
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Proxy.Units = []proxy.Unit{{ID: "12345678901234567890"}}
	want.Allow = Allow{Presets: []string{"fpy-production"}, Sources: []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("10.1.4.0/24")}}
	want.Upstream.LocalAddress = netip.MustParseAddr("10.0.0.5")
	want.Listen.Addresses = []string{":8865"}
	want.compile()
	if diff := diffConfigs(want, got); diff != "" {
		t.Errorf("the edited reference (-want +got):\n%s", diff)
	}
	if got, want := bytes.Count(text, []byte("\n")), bytes.Count(Reference(), []byte("\n")); got != want {
		t.Errorf("the edited reference has %d lines, want %d", got, want)
	}
}

// Whatever the text, an edit does what it says, or says that it cannot.
func FuzzEdit(f *testing.F) {
	f.Add(string(Reference()), "allow.sources", "10.0.0.1")
	f.Add("a.b = 1\n[c]\nd = [1,\n2] # x\n[[e]]\n", "e[0].f", "v")
	f.Add("x = '''\n[y]\n'''\n\"k=\" = {}\n", "y.z", "\"\n")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		out, err := Edit([]byte(text), Edits{key: value})
		if err != nil {
			return
		}
		d, mistake := decode(out)
		if mistake != nil || d.values[key] != value {
			t.Errorf("Edit(%q, %q) = %q, want %q there", text, key, out, value)
		}
	})
}

// What a configuration has at its keys makes the same one of any other.
func TestValuesOfAConfig(t *testing.T) {
	t.Parallel()
	text := []byte(`
allow.presets = ["mine"]
[presets]
mine = ["192.0.2.1"]
[[units]]
id = "12345678901234567890"
name = "head office"
[upstream]
fresh_connections = true
local_address = "10.0.0.5"
`)
	want, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	edits := want.Values()
	if edits["units[0].name"] != "head office" || edits["log.retain_days"] != 365 {
		t.Errorf("Values() = %v, want the name of the unit and the days", edits)
	}
	for key, value := range edits { // of numbers the reference has the same
		if _, number := value.(int); number {
			delete(edits, key)
		}
	}
	out, err := Edit(Reference(), edits)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(out)
	if err != nil {
		t.Fatal(err)
	}
	if diff := diffConfigs(want, got); diff != "" {
		t.Errorf("the reference with Values() (-want +got):\n%s", diff)
	}
}
