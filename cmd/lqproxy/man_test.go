package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestManual(t *testing.T) {
	t.Parallel()
	for lang, want := range map[string][]string{
		"en": {".SH SYNOPSIS\n", `\fBlqproxy firewall apply`, "do not ask", `\fB\-\-heal\fR`, `\fBlqproxy-firewall\fR(1)`},
		"zh": {".SH 用法\n", `\fBlqproxy firewall apply`, "不再询问", `\fB\-\-heal\fR`},
	} {
		folder := t.TempDir()
		p := process{stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }}
		if code := run(t.Context(), []string{"man", folder, "--lang", lang}, p); code != exitOK {
			t.Fatalf("lqproxy man ends with %d", code)
		}
		page, err := os.ReadFile(filepath.Join(folder, "lqproxy-firewall-apply.1"))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(string(page), w) {
				t.Errorf("the page in %s has no %q:\n%s", lang, w, page)
			}
		}
		if _, err := os.Stat(filepath.Join(folder, "lqproxy-man.1")); err == nil {
			t.Error("the command for packages has a page")
		}
	}
}

func TestRoff(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain":         "plain",
		"--yes":         `\-\-yes`,
		`a\b`:           `a\eb`,
		".start\n'next": "\\&.start\n\\&'next",
		"in. the.'way'": "in. the.'way'",
		"连通性测试":         "连通性测试",
	} {
		if got := roff(text); got != want {
			t.Errorf("roff(%q) = %q, want %q", text, got, want)
		}
	}
}
