package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
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

// The summary fits the screen of a console, however long its lists are.
func TestSummaryFitsTheScreen(t *testing.T) {
	t.Parallel()
	cfg, err := configs.Parse([]byte(`allow.presets = ["kingdee-group-production", "fpy-production", "kingdee-group-sandbox", "fpy-sandbox"]
listen.addresses = ["192.168.100.101:8864", "192.168.100.102:8864", "[fd00:1234:5678:9abc::101]:8864"]
admin.addresses = ["127.0.0.1:9864", "192.168.100.101:9864", "192.168.100.102:9864"]
admin.allow = ["192.168.100.0/24"]
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []words.Lang{words.English, words.Chinese} {
		var out, errs bytes.Buffer
		printSummary(newTestConsole(l, &out, &errs), cfg)
		for line := range strings.Lines(out.String()) {
			if width := words.Width(strings.TrimSuffix(line, "\n")); width > reportWidth {
				t.Errorf("in %s the line %q has %d columns, want at most %d", l, line, width, reportWidth)
			}
		}
		if got := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(got, "kingdee-group-production, fpy-production, kingdee-group-sandbox, fpy-sandbox") {
			t.Errorf("summary in %s = %s, want all presets", l, out.String())
		}
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
lqproxy: hint: let its group read: chgrp lqproxy FILE; chmod g+r FILE
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

// writeCertificate makes the two files of a certificate of name, which is valid
// until then, and returns a configuration that names them.
func writeCertificate(t *testing.T, name string, until time.Time) configs.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cfg, dir := configs.Default(), t.TempDir()
	cfg.Listen.TLS, cfg.Listen.CertFile, cfg.Listen.KeyFile = configs.TLSFiles, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cfg.Listen.CertFile: {Type: "CERTIFICATE", Bytes: der}, cfg.Listen.KeyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

func TestCheckWarnsOfTheCertificate(t *testing.T) {
	t.Parallel()
	cfg := writeCertificate(t, "proxy.example.cn", time.Now().Add(-time.Hour))
	cfg.Language, cfg.Probe.FiledIPs = "zh", []netip.Addr{netip.MustParseAddr("203.0.113.7")}
	var out, errs bytes.Buffer
	c := newTestConsole(words.Chinese, &out, &errs)
	v := verdict{file: "lqproxy.toml", config: cfg, warnings: certificateWarnings(cfg)}
	if got := c.report(v.say(c)); got != exitOK {
		t.Errorf("exit code = %d, want %d: the certificate is used all the same", got, exitOK)
	}
	for _, want := range []string{"证书已于", "以 https://203.0.113.7 访问的调用方会拒绝此证书，证书中的名称是 proxy.example.cn"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("check prints %q, want %q in it", errs.String(), want)
		}
	}
	out.Reset()
	if err := v.document(c); err != nil || !strings.Contains(out.String(), `"kind": "expired"`) || !strings.Contains(out.String(), `"kind": "other_names"`) {
		t.Errorf("check --json = %v %s, want both warnings", err, out.String())
	}
	if got := certificateWarnings(writeCertificate(t, "a", time.Now().Add(time.Hour))); len(got) > 0 {
		t.Errorf("warnings of a good certificate = %v, want none", got)
	}
}

func TestCheckSpeaksOfChallenges(t *testing.T) {
	t.Parallel()
	cfg := configs.Default()
	cfg.Listen.TLS = configs.TLSACME
	var out, errs bytes.Buffer
	c := newTestConsole(words.English, &out, &errs)
	if err := (verdict{file: "lqproxy.toml", config: cfg}).say(c); err != nil {
		t.Error(err)
	}
	if want := `must lead to port 8880: "lqproxy firewall plan" shows the commands`; !strings.Contains(errs.String(), want) {
		t.Errorf("check prints %q, want %q in it", errs.String(), want)
	}
}
