package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
)

// The sample documents of package admin.
var sampleDocuments = map[string]int{"well": checkOK, "ill": checkCritical, "draining": checkCritical}

func sampleDocument(t *testing.T, name string) (text []byte, s admin.Status) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "internal", "admin", "testdata", name+".json"))
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text, s
}

func TestStatusScreen(t *testing.T) {
	t.Parallel()
	for name := range sampleDocuments {
		for _, l := range []words.Lang{words.English, words.Chinese} {
			_, s := sampleDocument(t, name)
			var out, errs bytes.Buffer
			printView(newTestConsole(l, &out, &errs), admin.NewView(s, nil, l))
			checkGolden(t, filepath.Join("status", name), l, out.String())
			if lines := strings.Count(out.String(), "\n"); name == "well" && lines > 23 {
				t.Errorf("%s in %s has %d lines, want all above the prompt of 24", name, l, lines)
			}
		}
	}
}

// An adminServer answers /status as the instance of p would.
func (p *person) adminServer(t *testing.T, h http.Handler) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	p.announce(t, os.Getpid(), server.Listener.Addr().String())
}

// announce writes the file of an instance that runs.
func (p *person) announce(t *testing.T, pid int, addresses ...string) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"pid": pid, "admin": addresses, "file": p.file, "version": "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.keep(t, ""), "instance.json"), text, 0o640); err != nil {
		t.Fatal(err)
	}
}

func answers(text []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(text) }) //nolint:errcheck // the command says so
}

func TestStatusCheck(t *testing.T) {
	t.Parallel()
	for name, code := range sampleDocuments {
		for lang, want := range map[string]string{
			"en": map[string]string{
				"well":     "OK - all is well | exchanges_minute=126;;;0 failures_minute=0;;;0 total_p95=1.28s;;;0 own_p95=0.0035s;;;0 connections=24;;;0;4096 ",
				"ill":      "CRITICAL - Leqi cannot be reached since 11:55:00: dialing upstream",
				"draining": "CRITICAL - lqproxy is stopping: no new connection is accepted | ",
			}[name],
			"zh": map[string]string{
				"well": "OK - 一切正常 | ", "ill": "CRITICAL - 自 11:55:00 起无法连接乐企：", "draining": "CRITICAL - 正在平滑停止：不再接受新连接 | ",
			}[name],
		} {
			text, _ := sampleDocument(t, name)
			p := newPerson(t, "127.0.0.1:1", "")
			p.adminServer(t, answers(text))
			got, out, errs := p.run(t.Context(), "--lang", lang, "status", "--check", "-c", p.file)
			if got != code || !strings.HasPrefix(out, want) || strings.Count(out, "\n") != 1 || strings.Count(out, "|") != 1 || errs != "" {
				t.Errorf("status --check (%s, %s) = %d, %q, %q, want %d and one line %q...", name, lang, got, out, errs, code, want)
			}
		}
	}
}

func TestStatusDocumentIsPassedOn(t *testing.T) {
	t.Parallel()
	document := []byte(`{"state":"ready","of_the_future":{"<a>":[1,"x"]},"pid":7}`)
	p := newPerson(t, "127.0.0.1:1", "")
	p.adminServer(t, answers(document))
	code, out, errs := p.run(t.Context(), "status", "--json", "-c", p.file)
	var got, want any
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitOK || errs != "" {
		t.Fatalf("status --json = %d, %q, %q: %v", code, out, errs, err)
	}
	if err := json.Unmarshal(document, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
	for key, want := range map[string]string{
		"pid": "7\n", "state": "ready\n", "of_the_future.<a>.1": "x\n", "of_the_future.<a>": "[1,\"x\"]\n",
	} {
		if code, out, errs := p.run(t.Context(), "status", "--value", key, "-c", p.file); code != exitOK || out != want {
			t.Errorf("status --value %s = %d, %q, %q, want %q", key, code, out, errs, want)
		}
	}
	for _, key := range []string{"nothing", "pid.x", "of_the_future.<a>.2", "of_the_future.<a>.-1", "of_the_future..<a>", "state.0"} {
		if code, out, errs := p.run(t.Context(), "status", "--value", key, "-c", p.file); code != exitFailed || out != "" || !strings.Contains(errs, key) {
			t.Errorf("status --value %s = %d, %q, %q, want %d and the key", key, code, out, errs, exitFailed)
		}
	}
}

// endedProcess is the number of a process that is no more.
func endedProcess(t *testing.T) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

// refusingAddress is a listener that resets every connection, as the admin listener
// does to whom it does not admit.
func refusingAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.(*net.TCPConn).SetLinger(0) //nolint:errcheck // the command says so
			c.Close()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	return ln.Addr().String()
}

// closedAddress is an address on which nobody listens.
func closedAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// silences are ways in which an instance does not answer.
func (p *person) silences(t *testing.T) map[string]func() {
	t.Helper()
	redirect := http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound)
	return map[string]func(){
		"not running":          func() {},
		"ended":                func() { p.announce(t, endedProcess(t), closedAddress(t)) },
		"silent":               func() { p.announce(t, os.Getpid(), closedAddress(t)) },
		"not admitted":         func() { p.announce(t, os.Getpid(), refusingAddress(t)) },
		"no address":           func() { p.announce(t, os.Getpid()) },
		"another program":      func() { p.adminServer(t, answers([]byte("<html>"))) },
		"another site":         func() { p.adminServer(t, http.NotFoundHandler()) },
		"somebody else's page": func() { p.adminServer(t, redirect) },
		"no file":              func() { p.file += ".none" },
		"damaged": func() {
			if err := os.WriteFile(filepath.Join(p.keep(t, ""), "instance.json"), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func TestStatusWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		code, check int
		want        string
	}{
		"not running":          {exitFailed, checkCritical, "lqproxy is not running (state directory "},
		"ended":                {exitFailed, checkCritical, "has ended without a farewell"},
		"silent":               {exitFailed, checkCritical, "does not answer on 127.0.0.1:"},
		"not admitted":         {exitNotAllowed, checkUnknown, "does not let this machine ask"},
		"no address":           {exitFailed, checkCritical, "has no admin address"},
		"another program":      {exitFailed, checkCritical, "is not lqproxy"},
		"another site":         {exitFailed, checkCritical, "is not lqproxy: 404 Not Found"},
		"somebody else's page": {exitFailed, checkCritical, "is not lqproxy: 302 Found"},
		"no file":              {exitNotAllowed, checkUnknown, "no such file"},
		"damaged":              {exitFailed, checkCritical, "reading the running instance"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, "127.0.0.1:1", "")
			p.silences(t)[name]()
			for _, args := range [][]string{{}, {"--json"}, {"--value", "pid"}} {
				code, out, errs := p.run(t.Context(), append([]string{"status", "-c", p.file}, args...)...)
				if code != tt.code || out != "" || !strings.Contains(errs, tt.want) {
					t.Errorf("status %q = %d, %q, %q, want %d and %q", args, code, out, errs, tt.code, tt.want)
				}
			}
			code, out, _ := p.run(t.Context(), "status", "--check", "-c", p.file)
			if code != tt.check || !strings.HasPrefix(out, checkNames[tt.check]+" - ") || !strings.Contains(out, tt.want) {
				t.Errorf("status --check = %d, %q, want %d and %q", code, out, tt.check, tt.want)
			}
		})
	}
}

// TestStatusSaysWhereToLook when nothing runs: the unit of the instance, and
// the last error of its log.
func TestStatusSaysWhereToLook(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "127.0.0.1:1", "")
	log := filepath.Join(filepath.Dir(p.file), "error.log")
	text := strings.Repeat(`{"level":"info","time":"t0","msg":"x"}`+"\n", 5000) +
		`{"level":"error","time":"t1","msg":"first"}` + "\n" +
		`{"level":"error","time":"t2","msg":"log cannot be written","file":"access","error":"no space left on device"}` + "\n" +
		`{"level":"info","time":"t3","msg":"stopped"}` + "\nhalf a li"
	if err := os.WriteFile(log, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	p.write(t, fmt.Sprintf("log.error_file = %q\n", log))
	_, _, errs := p.run(t.Context(), "status", "-c", p.file)
	for _, want := range []string{
		"systemctl status lqproxy\n", "journalctl -u lqproxy -n 50\n",
		"last error in " + log + ": t2 log cannot be written: no space left on device\n",
	} {
		if !strings.Contains(errs, want) {
			t.Errorf("status = %q, want %q", errs, want)
		}
	}
	p.write(t, "nonsense = 1\n")
	if _, _, errs := p.run(t.Context(), "status", "-c", p.file); !strings.Contains(errs, "the configuration has mistakes: lqproxy check -c "+p.file) {
		t.Errorf("status with a broken file = %q, want word of it", errs)
	}
}

// write appends to the configuration of p.
func (p *person) write(t *testing.T, more string) {
	t.Helper()
	f, err := os.OpenFile(p.file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.WriteString(f, more); err != nil {
		t.Fatal(err)
	}
}

// A file that was broken later does not hide the instance that runs.
func TestStatusWithABrokenFile(t *testing.T) {
	t.Parallel()
	text, _ := sampleDocument(t, "well")
	p := newPerson(t, "127.0.0.1:1", "")
	p.adminServer(t, answers(text))
	for _, more := range []string{"nonsense = 1\n", "[[[\n"} {
		p.write(t, more)
		if code, out, errs := p.run(t.Context(), "status", "-c", p.file); code != exitOK || !strings.HasPrefix(out, "OK ") {
			t.Errorf("status = %d, %q, %q, want the instance that runs", code, out, errs)
		}
	}
}

func TestAskable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ given, want []string }{
		{[]string{"10.0.0.5:9864", "127.0.0.1:9864"}, []string{"127.0.0.1:9864", "10.0.0.5:9864"}},
		{[]string{"[::]:9864"}, []string{"127.0.0.1:9864", "[::1]:9864"}},
		{[]string{"0.0.0.0:1", "[::1]:2", "host:3"}, []string{"127.0.0.1:1", "[::1]:1", "[::1]:2", "host:3"}},
		{nil, nil},
	} {
		if diff := cmp.Diff(tt.want, askable(tt.given)); diff != "" {
			t.Errorf("askable(%q) (-want +got):\n%s", tt.given, diff)
		}
	}
}

func TestWatchShowsRatesAndOutlivesARestart(t *testing.T) {
	t.Parallel()
	_, first := sampleDocument(t, "well")
	second := first
	second.Time = second.Time.Add(2e9)
	second.Traffic.Exchanges += 10
	p := newPerson(t, "127.0.0.1:1", "")
	var out, errs bytes.Buffer
	c := newTestConsole(words.English, &out, &errs)
	before := make(map[string]*admin.Status)
	for i, look := range []struct {
		prepare    func()
		want, lack string
	}{
		{func() { p.adminServer(t, answers(marshal(t, first))) }, "OK  lqproxy 1.2.3", "10.0/s"},
		{func() { p.announce(t, os.Getpid(), closedAddress(t)) }, "does not answer", "OK  lqproxy"},
		{func() { p.adminServer(t, answers(marshal(t, second))) }, "5.0/s, failed 0.0/s", "does not answer"},
	} {
		look.prepare()
		out.Reset()
		watchOnce(t.Context(), c, []settings{{file: p.file}}, before)
		if got := out.String(); !strings.Contains(got, look.want) || strings.Contains(got, look.lack) || strings.Contains(got, "\x1b") {
			t.Errorf("look %d = %s, want %q, without %q and escapes", i, got, look.want, look.lack)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out.Reset()
	if err := watchAll(ctx, c, []settings{{file: p.file}}); err != nil || out.Len() > 0 || errs.Len() > 0 {
		t.Errorf("watchAll(done) = %v with %q, %q, want nothing", err, &out, &errs)
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestFit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text   string
		height int
		want   string
	}{
		{"a\n\nb\n\n", 0, "a\n\nb\n"},
		{"a\n\nb\n\n", 4, "a\n\nb\n"},
		{"a\n\nb\n\n", 3, "a\nb\n"},
		{"a\nb\n\nc\nd\n", 4, "a\nb\n...\n"},
		{"a\nb\nc\n", 2, "...\n"},
		{"", 24, "\n"},
	} {
		if got := fit(tt.text, tt.height); got != tt.want {
			t.Errorf("fit(%q, %d) = %q, want %q", tt.text, tt.height, got, tt.want)
		}
	}
}

func TestStatusUsage(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "127.0.0.1:1", "")
	for _, args := range [][]string{
		{"--json", "--check"}, {"--watch", "--json"}, {"--all", "-i", "x"}, {"--all", "--value", "pid"}, {"-i", "No"}, {"extra"},
	} {
		if code, out, errs := p.run(t.Context(), append([]string{"status", "-c", p.file}, args...)...); code != exitUsage || out != "" || errs == "" {
			t.Errorf("status %q = %d, %q, %q, want %d", args, code, out, errs, exitUsage)
		}
	}
}
