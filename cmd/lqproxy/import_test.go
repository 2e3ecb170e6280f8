package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lqproxy/lqproxy/cmd/internal/migrate"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
)

// nginxFiles are written for the tests: the file that the deployment guide
// leads to, and what else is met.
const nginxFiles = "../internal/migrate/testdata/nginx"

// importIn runs "lqproxy import ARGUMENT..." in a language.
func importIn(t *testing.T, l words.Lang, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"import", "--lang", string(l)}, args...), process{
		stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: func(string) string { return "" }, uid: 1000,
	})
	return code, out.String(), errs.String()
}

// checkDraft wants text to be a file that configs takes strictly, but for what
// only a person can say: who may connect, and where certificates are.
func checkDraft(t *testing.T, name, text string) {
	t.Helper()
	_, err := configs.Parse([]byte(text))
	mistakes, _ := err.(configs.Mistakes)
	if err != nil && mistakes == nil {
		t.Errorf("%s: %v", name, err)
	}
	for _, m := range mistakes {
		if m.Kind != configs.NobodyAdmitted && m.Kind != configs.Unreadable {
			t.Errorf("%s: %v", name, m)
		}
	}
}

func TestImportsForPeople(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"guide":     {"nginx", nginxFiles + "/guide"},
		"keepalive": {"nginx", nginxFiles + "/keepalive/nginx.conf"},
		"tls":       {"nginx", nginxFiles + "/tls"},
		"several":   {"nginx", nginxFiles + "/several"},
		"variables": {"nginx", nginxFiles + "/variables"},
		"balancer":  {"nginx", nginxFiles + "/balancer"},
		"waf":       {"nginx", nginxFiles + "/waf"},
		"nested":    {"nginx", nginxFiles + "/nested"},
		"stream":    {"nginx", nginxFiles + "/stream"},
		"odd":       {"nginx", nginxFiles + "/odd", "--listen", "8864"},

		"firewalld-0.6": {"firewalld", firewalldFiles + "/centos7.txt"},
		"firewalld-1.3": {"firewalld", firewalldFiles + "/debian12.txt"},
		"zone-file":     {"firewalld", firewalldFiles + "/etc"},
		"typed":         {"firewalld", firewalldFiles + "/typed.txt"},
		"open":          {"firewalld", firewalldFiles + "/open.txt"},
	} {
		for _, l := range []words.Lang{words.English, words.Chinese} {
			code, out, errs := importIn(t, l, args...)
			if code != exitOK {
				t.Errorf("import %q = %d, want %d: %s", args, code, exitOK, errs)
			}
			checkDraft(t, name, out)
			clean := strings.NewReplacer(nginxFiles, "/etc/nginx", firewalldFiles, "/root").Replace
			checkGolden(t, filepath.Join("import", name+".toml"), l, clean(out))
			checkGolden(t, filepath.Join("import", name+".summary"), l, clean(errs))
		}
	}
}

// firewalldFiles are listings that firewalld itself made.
const firewalldFiles = "../internal/migrate/testdata/firewalld"

func TestImportFailures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	two := `http { server { listen 1; location / { proxy_pass https://lqpt.chinatax.gov.cn:8443; } }
		server { listen 2; server_name b; location / { proxy_pass https://lqpt.chinatax.gov.cn:8443; } } }`
	other := `http { server { listen 8864; location / { proxy_pass https://127.0.0.1:8443; } } }`
	for _, tt := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"nginx"}, exitUsage, []string{"name the file", "/usr/local/nginx/conf"}},
		{[]string{"nginx", "a", "b"}, exitUsage, []string{`"b"`}},
		{[]string{"apache"}, exitUsage, []string{`no command "apache"`}},
		{[]string{}, exitUsage, []string{"a command is missing"}},
		{[]string{"nginx", dir + "/none"}, exitFailed, []string{"/none cannot be read: no such file", "nginx -t"}},
		{[]string{"nginx", t.TempDir()}, exitFailed, []string{"no nginx.conf"}},
		{[]string{"nginx", file("brace.conf", "http {\n server {\n")}, exitFailed, []string{"brace.conf:3: this is no configuration", "nginx -t"}},
		{[]string{"nginx", file("semicolon.conf", "http {\n server {\n  listen 8864;\n  proxy_pass https://a:1\n }\n}\n")}, exitFailed, []string{"semicolon.conf:4: "}},
		{[]string{"nginx", file("binary", "\x7fELF\x00\x00")}, exitFailed, []string{"is no text"}},
		{[]string{"nginx", file("httpd.conf", "Listen 80\n<VirtualHost *:80>\n ServerName a\n</VirtualHost>\n")}, exitFailed, []string{"of Apache", "lqproxy setup"}},
		{[]string{"nginx", file("hosts", "127.0.0.1 localhost;\n")}, exitFailed, []string{"is no configuration of nginx"}},
		{[]string{"nginx", file("cycle.conf", "http { include cycle.conf; }")}, exitFailed, []string{"includes itself"}},
		{[]string{"nginx", file("include.conf", "http {\n include gone.conf;\n}")}, exitFailed, []string{"gone.conf, which include.conf:2 includes, cannot be read"}},
		{[]string{"nginx", file("static.conf", "http { server { root /srv; } }")}, exitFailed, []string{"no proxy_pass"}},
		{[]string{"nginx", file("two.conf", two)}, exitFailed, []string{"2 of its servers", "two.conf:1 listen 1", "--listen"}},
		{[]string{"nginx", file("other.conf", other)}, exitFailed, []string{"no server of it leads to lqpt*.chinatax.gov.cn", "https://127.0.0.1:8443", "--listen"}},
		{[]string{"nginx", nginxFiles + "/guide/lqpt.conf"}, exitOK, []string{"! lqpt.conf: this is a part of an nginx.conf", "guide/nginx.conf"}},
		{[]string{"nginx", dir + "/two.conf", "--listen", "3"}, exitFailed, []string{"no server that forwards is at 3"}},
		{[]string{"nginx", dir + "/two.conf", "--listen", "2"}, exitOK, []string{"imported"}},
		{[]string{"nginx", dir + "/two.conf", "--server", "b"}, exitOK, []string{"imported"}},
		{[]string{"nginx", dir + "/other.conf", "--listen", "8864"}, exitOK, []string{"everyone may", "mistakes: 1"}},
		{[]string{"nginx", dir + "/other.conf", "--listen", "8864", "--force"}, exitUsage, []string{"--force does nothing"}},
		{[]string{"nginx", dir + "/other.conf", "--listen", "8864", "--output", dir + "/hosts"}, exitFailed, []string{"is there already", "--force"}},
		{[]string{"nginx", dir + "/other.conf", "--listen", "8864", "--output", dir + "/none/a"}, exitFailed, []string{"nothing was written"}},
		{[]string{"firewalld", dir + "/hosts"}, exitFailed, []string{"neither a listing", "--list-all-zones"}},
		{[]string{"firewalld", "--port", "0"}, exitUsage, []string{"--port"}},
		{[]string{"firewalld", "a", "b"}, exitUsage, []string{`"b"`}},
	} {
		code, out, errs := importIn(t, words.English, tt.args...)
		if code != tt.code || (code != exitOK && out != "") {
			t.Errorf("import %q = %d and %q, want %d: %s", tt.args, code, out, tt.code, errs)
		}
		for _, want := range tt.says {
			if !strings.Contains(errs, want) {
				t.Errorf("import %q says %q, want %q in it", tt.args, errs, want)
			}
		}
	}
}

func TestImportIntoAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "lqproxy.toml")
	for i, args := range [][]string{nil, {"--force"}} {
		code, out, errs := importIn(t, words.English, append([]string{"nginx", nginxFiles + "/guide", "--output", file}, args...)...)
		if code != exitOK || out != "" || !strings.Contains(errs, "written: "+file) {
			t.Errorf("import %q = %d, %q, %q, want it written", args, code, out, errs)
		}
		if kept := strings.Contains(errs, "the former one is"); kept != (i > 0) {
			t.Errorf("import %q says %q, want a backup: %v", args, errs, i > 0)
		}
		if _, err := configs.Load(file); err != nil {
			t.Error(err)
		}
	}
	if all, _ := filepath.Glob(file + "*"); len(all) != 2 {
		t.Errorf("files = %q, want the new one and the old", all)
	}
}

// Every kind that is made is said, and every loud one begins so.
func TestLoudNotesAreMarked(t *testing.T) {
	t.Parallel()
	for _, l := range []words.Lang{words.English, words.Chinese} {
		loud := words.ImportNoteText(l, migrate.Note{Kind: migrate.OpenToAll, At: migrate.Place{File: "a", Line: 1}, What: "allow all"})
		quiet := words.ImportNoteText(l, migrate.Note{Kind: migrate.Covered, Value: "b"})
		if !strings.HasPrefix(loud, "! a:1") || strings.HasPrefix(quiet, "!") {
			t.Errorf("notes in %s = %q, %q, want the first marked alone", l, loud, quiet)
		}
	}
}
