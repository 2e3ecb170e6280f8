package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe/leqisim"
)

// TestPrometheus lets a real one scrape a running proxy with the example files:
// its target is up, its rules are well, and one of them fires when the upstream
// goes away.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("left out: it is not short")
	}
	if _, err := exec.LookPath("prometheus"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs prometheus")
		}
		t.Skip("left out: needs prometheus")
	}
	sim, err := leqisim.Start(leqisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	listen, admin, server := promAddress(t), promAddress(t), promAddress(t)
	runPromTarget(t, listen, admin, sim.Address().String())
	p := runPrometheus(t, server, admin)

	p.await("the target is up", func(ctx context.Context) bool {
		return p.value(ctx, `up{job="lqproxy"}`) == "1" && p.value(ctx, "lqproxy_build_info") == "1"
	})
	p.await("all rules are evaluated", func(ctx context.Context) bool {
		rules := p.rules(ctx)
		for _, r := range rules {
			if r.Health == "err" {
				t.Fatalf("rule %s: %s", r.Name, r.LastError)
			}
			if r.Health != "ok" || r.State != "inactive" {
				return false
			}
		}
		return len(rules) == p.alerts
	})

	sim.Close()
	p.await("the alert fires", func(ctx context.Context) bool {
		callPromTarget(ctx, listen) // that it fails is how the proxy learns it
		for _, r := range p.rules(ctx) {
			if r.Name == "LqproxyUpstreamDown" && r.State == "firing" {
				r.check(t, admin)
				return true
			}
		}
		return false
	})
}

func promAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// runPromProgram runs a program until the end of the test.
func runPromProgram(t *testing.T, name string, args ...string) {
	t.Helper()
	var printed bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		killed := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		cmd.Wait()
		killed.Stop()
		if t.Failed() {
			t.Logf("%s:\n%s", name, printed.Bytes())
		}
	})
}

func writePromFile(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func runPromTarget(t *testing.T, listen, admin, upstream string) {
	t.Helper()
	dir := t.TempDir()
	file := writePromFile(t, filepath.Join(dir, "lqproxy.toml"), fmt.Sprintf(`
state_dir = %q
listen.addresses = [%q]
listen.drain_timeout = "1s"
admin.addresses = [%q]
allow.sources = ["127.0.0.1"]
upstream.address = %q
log.access_file = "off"
log.error_file = ""
`, dir, listen, admin, upstream))
	runPromProgram(t, "lqproxy", "serve", "--allow-root", "-c", file)
}

// callPromTarget makes a call, whatever becomes of it.
func callPromTarget(ctx context.Context, listen string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+listen+demoProduction, nil)
	if err != nil {
		panic("BUG: lqproxy: " + err.Error())
	}
	r.Close = true
	if answer, err := new(http.Client).Do(r); err == nil {
		answer.Body.Close()
	}
}

// A promServer is a running Prometheus.
type promServer struct {
	t      *testing.T
	base   string
	alerts int // in the rules
}

// runPrometheus runs one with copies of the example files in which time is
// short: it scrapes and evaluates each second, and no alert waits.
func runPrometheus(t *testing.T, server, admin string) *promServer {
	t.Helper()
	examples, dir := filepath.Join("..", "..", "configs", "prometheus"), t.TempDir()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(examples, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	config := strings.NewReplacer("15s", "1s", "127.0.0.1:9864", admin).Replace(read("prometheus.yml"))
	rules := regexp.MustCompile(`(?m)^ +for: .*\n`).ReplaceAllString(read("lqproxy.rules.yml"), "")
	writePromFile(t, filepath.Join(dir, "lqproxy.rules.yml"), rules)
	runPromProgram(t, "prometheus", "--config.file="+writePromFile(t, filepath.Join(dir, "prometheus.yml"), config),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+server, "--log.level=warn")
	return &promServer{t, "http://" + server, strings.Count(rules, "- alert: ")}
}

// await asks again and again until done.
func (p *promServer) await(what string, done func(context.Context) bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !done(ctx) {
		select {
		case <-ctx.Done():
			p.t.Fatalf("%s: not within %v", what, 2*patience)
		case <-tick.C:
		}
	}
}

// ask reads the data of an answer of the API into to; false while there is none.
func (p *promServer) ask(ctx context.Context, path string, to any) bool {
	p.t.Helper()
	status, body, err := get(ctx, p.base+path)
	if err != nil || status != http.StatusOK { // it is about to start
		return false
	}
	if err := json.Unmarshal(body, &struct{ Data any }{to}); err != nil {
		p.t.Fatalf("%s: %v: %s", path, err, body)
	}
	return true
}

// value returns the value of the first series that query finds; "" if there is none.
func (p *promServer) value(ctx context.Context, query string) string {
	p.t.Helper()
	var data struct{ Result []struct{ Value [2]any } }
	if !p.ask(ctx, "/api/v1/query?query="+url.QueryEscape(query), &data) || len(data.Result) == 0 {
		return ""
	}
	return fmt.Sprint(data.Result[0].Value[1])
}

// A promRule is a rule as Prometheus understands it.
type promRule struct {
	Name, State, Health, LastError string
	Alerts                         []struct{ Labels, Annotations map[string]string }
}

func (p *promServer) rules(ctx context.Context) (all []promRule) {
	p.t.Helper()
	var data struct{ Groups []struct{ Rules []promRule } }
	p.ask(ctx, "/api/v1/rules", &data)
	for _, g := range data.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// check compares what an administrator gets to read with what is expected.
func (r promRule) check(t *testing.T, admin string) {
	t.Helper()
	if len(r.Alerts) != 1 {
		t.Fatalf("%s fires %d times, want once", r.Name, len(r.Alerts))
	}
	for key, want := range map[string]string{
		"summary":    "lqproxy on " + admin + " cannot connect to Leqi",
		"summary_zh": admin + " 上的 lqproxy 连不上乐企",
	} {
		if got := r.Alerts[0].Annotations[key]; got != want {
			t.Errorf("%s of %s = %q, want %q", key, r.Name, got, want)
		}
	}
	if got := r.Alerts[0].Labels["severity"]; got != "critical" {
		t.Errorf("severity of %s = %q, want critical", r.Name, got)
	}
}
