package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/probe/leqisim"
	"golang.org/x/sys/unix"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// aPort returns a port that nobody listens on.
func aPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// loaded reads what was written, as the service would.
func loaded(t *testing.T, file string) configs.Config {
	t.Helper()
	cfg, err := configs.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// steady replaces what differs from run to run.
func steady(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }

// The transcripts have names of one length, or their lines would break elsewhere.
func TestSetupDialoguePublicCloud(t *testing.T) {
	for _, l := range []words.Lang{words.English, words.Chinese} {
		checkGolden(t, "setup/public", l, publicCloud(t, l))
	}
}

func publicCloud(t *testing.T, l words.Lang) (transcript string) {
	t.Helper()
	t.Run(string(l), func(t *testing.T) {
		t.Chdir(t.TempDir())
		port, file := aPort(t), "lqproxy.toml"
		p := newTypist(t)
		number := map[words.Lang]string{words.English: "1", words.Chinese: "2"}[l]
		ended := p.start(t.Context(), nil, "setup", "-c", "none.toml", "--output", file, "--listen", "10.0.0.5:"+port)
		p.typed("2 中文 [1]: ", number)
		p.typed("[1]: ", "3")
		p.typed("[1]: ", "")
		p.typed("[5]: ", "3，４")
		p.typed("]: ", "1234 5678")
		p.typed("]: ", "12345678901234567890")
		p.typed("[1]: ", "")
		p.typed("[1]: ", "")
		p.typed("]: ", "")
		p.typed("[Y/n]: ", "perhaps")
		p.typed("[Y/n]: ", "")
		p.ends(ended, exitOK)
		p.leave()
		transcript = steady(p.text(), port, "18864")
		cfg := loaded(t, file)
		if got, want := fmt.Sprint(cfg.Allow.Presets), "[fpy-production fpy-sandbox]"; got != want || cfg.Proxy.Units[0].ID != "12345678901234567890" || cfg.Language != string(l) {
			t.Errorf("wrote %v, %v, %q, want %s, the unit and %q", got, cfg.Proxy.Units, cfg.Language, want, l)
		}
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o640 {
			t.Errorf("the file has mode %v (%v), want 0640", info.Mode(), err)
		}
	})
	return transcript
}

// An old file is changed, and stays beside the new one.
func TestSetupDialoguePrivateCloud(t *testing.T) {
	upstream := startSim(t, leqisim.Options{}).Address().String()
	for _, l := range []words.Lang{words.English, words.Chinese} {
		checkGolden(t, "setup/private", l, privateCloud(t, l, upstream))
	}
}

func privateCloud(t *testing.T, l words.Lang, upstream string) (transcript string) {
	t.Helper()
	t.Run(string(l), func(t *testing.T) {
		t.Chdir(t.TempDir())
		port, admin, file := aPort(t), aPort(t), "lqproxy.toml"
		old := fmt.Sprintf(`# ours
listen.addresses = ["10.0.0.5:%s"] # inside
[allow]
presets = ["kingdee-all"]
[admin]
addresses = ["127.0.0.1:%s"]
[upstream]
address = %q
[log]
retain_days = 200
`, port, admin, upstream)
		if err := os.WriteFile(file, []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
		p := newTypist(t)
		home := map[string]string{"HOME": t.TempDir(), "TERM": "dumb"}
		ended := p.start(t.Context(), home, "setup", "-c", file, "--lang", string(l), "--tls", "off")
		p.typed("[1]: ", "2")
		p.typed("]: ", "10.1.2.3/16")
		p.typed("]: ", "１０.１.２.３、10.1.4.0/24")
		p.typed("]: ", "A234567890123456789")
		p.typed("[1]: ", "3")
		p.typed("]: ", "10.0.0.9")
		p.typed("[10.0.0.5:"+port+"]: ", "")
		p.typed("]: ", "-")
		p.typed("[Y/n]: ", "是")
		p.typed("[Y/n]: ", "y")
		p.ends(ended, exitOK)
		p.leave()
		backups, _ := filepath.Glob(file + ".2*")
		if len(backups) != 1 {
			t.Fatalf("the old file has the names %q, want one", backups)
		}
		if text, err := os.ReadFile(backups[0]); err != nil || string(text) != old {
			t.Errorf("the backup is %q (%v), want the old file", text, err)
		}
		transcript = withoutProbe(steady(p.text(), backups[0], "lqproxy.toml.DATE", port, "18864", admin, "19864", upstream, "127.0.0.1:18443"))
		if !strings.Contains(p.text(), "reached:") {
			t.Errorf("the probe did not reach %s:\n%s", upstream, p.text())
		}
		cfg := loaded(t, file)
		if cfg.Log.RetainDays != 200 || len(cfg.Allow.Presets) != 0 || len(cfg.Listen.ForwardedForFrom) != 1 {
			t.Errorf("wrote %d days, presets %v, devices %v, want 200, none, one", cfg.Log.RetainDays, cfg.Allow.Presets, cfg.Listen.ForwardedForFrom)
		}
	})
	return transcript
}

// What is wrong with certificates is said where they are asked for; who leaves by
// Ctrl-D leaves the file as it was.
func TestSetupDialogueAboutTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "lqproxy.toml")
	if err := os.WriteFile(file, configs.Reference(), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newTypist(t)
	ended := p.start(t.Context(), nil, "setup", "-c", file, "--lang", "en", "--cloud", "public", "--preset", "kingdee-all",
		"--device", "none", "--listen", ":"+aPort(t), "--unit", "12345678901234567890", "--local-address", "")
	p.typed("Number [1]: ", "2")
	p.typed("Certificate file (PEM) [needed]: ", "")
	p.typed("Certificate file (PEM) [needed]: ", "cert.pem")
	p.await(`"cert.pem" is not a whole path`)
	p.typed("Certificate file (PEM) [needed]: ", "/none/cert.pem")
	p.await("cannot be read: no such file")
	p.keyboard.WriteString("\x04") // Ctrl-D
	p.ends(ended, exitFailed)
	p.await("interrupted: nothing was written")
	if text, err := os.ReadFile(file); err != nil || !bytes.Equal(text, configs.Reference()) {
		t.Errorf("the file is %q (%v), want it untouched", text, err)
	}
	p = newTypist(t)
	ended = p.start(t.Context(), nil, "setup", "-c", file, "--lang", "en", "--cloud", "public", "--preset", "kingdee-all", "--output", file+".new",
		"--device", "none", "--listen", ":"+aPort(t), "--unit", "12345678901234567890", "--local-address", "")
	p.typed("Number [1]: ", "3")
	p.typed("Directory URL of the CA [needed]: ", "ca")
	p.typed("Directory URL of the CA [needed]: ", "https://ca.example.cn/directory")
	p.typed("Domains of the certificate [needed]: ", "")
	p.typed("Domains of the certificate [needed]: ", "proxy.example.cn")
	p.typed("[Y/n]: ", "")
	p.ends(ended, exitOK)
	p.await("https://proxy.example.cn:")
	if cfg := loaded(t, file+".new"); cfg.Listen.TLS != configs.TLSACME {
		t.Errorf("wrote listen.tls = %q, want acme", cfg.Listen.TLS)
	}
}

// withoutProbe leaves out what the probe printed, which has golden files of its
// own.
func withoutProbe(text string) string {
	var kept []string
	probing := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "Probing ") || strings.HasPrefix(line, "测试 ") || strings.HasPrefix(line, "正在测试") {
			probing = true
			kept = append(kept, "(the probe)\n")
		}
		if strings.HasPrefix(line, "Next:") || strings.HasPrefix(line, "接下来") {
			probing = false
			kept = append(kept, "\n")
		}
		if !probing {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// In a GBK locale what is typed is GBK.
func TestSetupDialogueInGBK(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "lqproxy.toml")
	p := newTypist(t)
	ended := p.start(t.Context(), map[string]string{"LC_ALL": "zh_CN.GBK"}, "setup", "-c", file+".none", "--output", file,
		"--listen", "10.0.0.5:"+aPort(t), "--device", "none", "--tls", "off", "--unit", "12345678901234567890", "--local-address", "10.0.0.5")
	gbk := func(text string) string {
		out, err := simplifiedchinese.GBK.NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	p.typed("[2]: ", gbk("２"))
	p.typed("[1]: ", "2")
	p.typed(gbk("必填"), gbk("10.1.2.3，10.1.2.4"))
	p.typed("[Y/n]: ", gbk("是"))
	p.ends(ended, exitOK)
	if got := len(loaded(t, file).Allow.Sources); got != 2 {
		t.Errorf("wrote %d sources, want 2", got)
	}
}

// Whoever leaves in the middle leaves the machine as it was: by Ctrl-C, as a
// signal of the terminal, or by saying no.
func TestSetupGivenUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newTypist(t)
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "setup", "-c", filepath.Join(dir, "a.toml"), "--lang", "zh")
	cmd.Args[0] = "lqproxy"
	cmd.Env = append(os.Environ(), "TERM=dumb")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.tty, p.tty, p.tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.await("]: ")
	p.keyboard.WriteString("\x03")
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitFailed {
		t.Errorf("after Ctrl-C it ended with %v, want exit code %d", err, exitFailed)
	}
	p.await("已中断：未写入任何内容")

	p = newTypist(t)
	ended := p.start(t.Context(), nil, "setup", "-c", filepath.Join(dir, "b.toml"), "--lang", "en", "--cloud", "private", "--source", "10.1.2.3",
		"--listen", ":"+aPort(t), "--device", "none", "--tls", "off", "--unit", "1", "--local-address", "")
	p.typed("Write ", "否")
	p.ends(ended, exitOK)
	p.await("nothing was written")
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v, want nothing", left)
	}
}

// runSetup runs setup where nobody can be asked.
func runSetup(t *testing.T, uid int, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), append([]string{"setup", "--lang", "en"}, args...), process{
		stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: func(string) string { return "" }, uid: uid,
	})
	return code, stdout.String(), stderr.String()
}

// A disk that is full leaves the old file as it was.
func TestSetupOnAFullDisk(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root, to mount a small disk")
		}
		t.Skip("left out: needs root, to mount a small disk")
	}
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=32k"); err != nil {
		t.Skipf("left out: no disk can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(dir, "lqproxy.toml")
	if err := os.WriteFile(file, configs.Reference(), 0o600); err != nil {
		t.Fatal(err)
	}
	fill := make([]byte, 8<<10)
	if err := os.WriteFile(filepath.Join(dir, "full"), fill, 0o600); err != nil && !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	code, _, errs := runSetup(t, 1000, "-c", file, "--cloud", "private", "--source", "10.1.2.3", "--yes")
	if code != exitFailed || !strings.Contains(errs, "nothing was written: writing to "+dir+": no space left on device") {
		t.Errorf("setup = %d, %q, want %d and the full disk", code, errs, exitFailed)
	}
	if text, err := os.ReadFile(file); err != nil || !bytes.Equal(text, configs.Reference()) {
		t.Errorf("the old file has changed (%v)", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("left behind: %v, want the two files of before", left)
	}
}

// Ctrl-C after the answers writes nothing either.
func TestSetupEndsWithItsContext(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "lqproxy.toml")
	ctx, cancel := context.WithCancel(t.Context())
	p := newTypist(t)
	ended := p.start(ctx, nil, "setup", "-c", file, "--lang", "en", "--cloud", "private", "--source", "10.1.2.3",
		"--listen", ":"+aPort(t), "--device", "none", "--tls", "off", "--unit", "12345678901234567890", "--local-address", "")
	p.await("[Y/n]: ")
	cancel()
	p.ends(ended, exitFailed)
	if _, err := os.Stat(file); err == nil {
		t.Error("the file was written")
	}
	p.typed("nothing was written", "") // lets the read end
}
