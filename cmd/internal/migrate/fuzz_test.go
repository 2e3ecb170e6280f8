package migrate

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/lqproxy/lqproxy/configs"
)

// completing are mistakes that only a person can correct: who may connect,
// where certificates are, and what the two together need.
var completing = map[configs.Kind]bool{
	configs.NobodyAdmitted: true, configs.Unreadable: true, configs.TooManyPublic: true, configs.Needed: true,
	configs.NotKeyPair: true, configs.NotCertificate: true, configs.NoEffect: true, configs.OtherFamily: true,
	configs.Overlap: true,
}

// parses wants the text of d to be strict TOML of known keys and good values.
func parses(t *testing.T, d Draft) {
	t.Helper()
	text := d.Text([]string{d.From}, func(n Note) []string { return []string{n.At.String() + n.What + n.Value} })
	_, err := configs.Parse(text)
	mistakes, ok := errors.AsType[configs.Mistakes](err)
	if err != nil && !ok {
		t.Fatal(err)
	}
	for _, m := range mistakes {
		if !completing[m.Kind] {
			t.Fatalf("%v in\n%s", m, text)
		}
	}
}

func FuzzNGINX(f *testing.F) {
	files, _ := filepath.Glob("testdata/nginx/*/*.conf")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "8864")
	}
	f.Add([]byte(server("geo $a { default 1; ranges; } if ($a) { return 403; }", "")), "")
	f.Add([]byte(locations("listen 8864 proxy_protocol; location ~ ^/(a|b) { proxy_pass https://$m:8443$uri; }")), "8864")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte, listen string) {
		file := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if d, err := NGINX(file, Choice{Listen: listen}); err == nil {
			parses(t, d)
		}
	})
}

func FuzzFirewalld(f *testing.F) {
	files, _ := filepath.Glob("testdata/firewalld/*.txt")
	zones, _ := filepath.Glob("testdata/firewalld/etc/zones/*.xml")
	for _, file := range append(files, zones...) {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		file := filepath.Join(dir, "public.xml")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if d, err := FirewalldFile(file, 8864); err == nil {
			parses(t, d)
		}
	})
}
