package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lqproxy/lqproxy/configs"
)

func TestCheckLooksWithTheEyesOfTheService(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.Chmod(filepath.Dir(folder), 0o755); err != nil { // which is closed to others
		t.Fatal(err)
	}
	file := filepath.Join(folder, "lqproxy.toml")
	if err := os.WriteFile(file, []byte(`allow.sources = ["10.0.0.1"]`), 0o600); err != nil {
		t.Fatal(err)
	}
	stranger := &configs.Account{UID: 1<<32 - 2, GIDs: []uint32{1<<32 - 2}}
	for _, tt := range []struct {
		mode os.FileMode
		well bool
	}{{0o600, false}, {0o644, true}} {
		if err := os.Chmod(file, tt.mode); err != nil {
			t.Fatal(err)
		}
		v := check(settings{file: file}, stranger)
		if v.well() != tt.well {
			t.Errorf("check of a file of mode %v = %+v, want well: %v", tt.mode, v, tt.well)
		}
	}
	if v := check(settings{file: file}, nil); !v.well() {
		t.Errorf("check with no eyes but ours = %+v, want nothing", v)
	}
}

func TestWhatTheServiceCannotReadIsAMistake(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	c := newConsole(nil, process{stdout: &out, stderr: &errs, getenv: func(string) string { return "" }})
	v := verdict{file: "lqproxy.toml", config: configs.Default(), denied: os.ErrPermission}
	if got := c.report(v.say(c)); got != exitConfig {
		t.Errorf("exit code = %d, want %d", got, exitConfig)
	}
	want := `lqproxy: error: lqproxy.toml: number of mistakes: 1
  the configuration itself cannot be read: permission denied
lqproxy: hint: judged for user lqproxy, as which the service runs
`
	if errs.String() != want || out.Len() > 0 {
		t.Errorf("check prints %q and %q, want %q alone", out.String(), errs.String(), want)
	}
	if got := c.report(v.document(c)); got != exitConfig || !strings.Contains(out.String(), `"error": "the configuration itself cannot be read`) {
		t.Errorf("check --json = %d %s, want %d and the error", got, out.String(), exitConfig)
	}
}

func TestRunKnowsNoProcess(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		uid  int
		env  string // LQPROXY_LANG
		code int
		text string // on stderr
	}{
		{[]string{"serve"}, 0, "en", exitUsage, "error: lqproxy does not run as root"},
		{[]string{"serve", "-c", "/none"}, 0, "en", exitUsage, "hint: start it with systemctl"},
		{[]string{"serve", "-c", "/none"}, 1000, "en", exitConfig, "/none: no such file"},
		{[]string{"serve", "-c", "/none"}, 1000, "zh", exitConfig, "错误：无法读取配置文件"},
		{[]string{"check", "-c", "/none", "--lang", "en"}, 1000, "zh", exitConfig, "error: the configuration cannot be read"},
		{[]string{"version"}, 0, "", exitOK, ""},
	} {
		var out, errs bytes.Buffer
		getenv := func(name string) string {
			if name == "LQPROXY_LANG" {
				return tt.env
			}
			return ""
		}
		got := run(context.Background(), tt.args, process{stdout: &out, stderr: &errs, getenv: getenv, uid: tt.uid})
		if got != tt.code || !strings.Contains(errs.String(), tt.text) {
			t.Errorf("run(%q) as %d = %d %q, want %d with %q", tt.args, tt.uid, got, errs.String(), tt.code, tt.text)
		}
	}
}
