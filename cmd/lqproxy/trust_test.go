package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

func sampleKeys() []upstream.KnownKey {
	day := func(month time.Month, d int) time.Time { return time.Date(2026, month, d, 12, 0, 0, 0, time.UTC) }
	subject := "CN=*.chinatax.gov.cn,O=State Taxation Administration of the People's Republic of China,L=Beijing,C=CN"
	return []upstream.KnownKey{
		{Pin: samplePin, Subject: subject, Issuer: "CN=Some Issuing CA,C=CN", NotAfter: day(3, 1), FirstSeen: day(1, 2), LastSeen: day(2, 28), Accepted: true},
		{Pin: upstream.Pin{9}, Subject: "CN=gateway", Issuer: "CN=Some Issuing CA,C=CN", NotAfter: day(12, 31), FirstSeen: day(4, 5), LastSeen: day(4, 5)},
	}
}

func TestTrustListForPeople(t *testing.T) {
	t.Parallel()
	for _, l := range []words.Lang{words.English, words.Chinese} {
		for name, keys := range map[string][]upstream.KnownKey{"list": sampleKeys(), "empty": nil} {
			var out, errs bytes.Buffer
			printKeys(newTestConsole(l, &out, &errs), "/var/lib/lqproxy", keys, time.Date(2026, 4, 6, 0, 0, 0, 0, time.UTC))
			checkGolden(t, filepath.Join("trust", name), l, out.String())
		}
	}
}

// keep writes the record into the state directory of p.
func (p *person) keep(t *testing.T, text string) (stateDir string) {
	t.Helper()
	dir := filepath.Join(p.env["HOME"], "state")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if text != "" {
		if err := os.WriteFile(daemon.RecordFile(dir), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func recordText(t *testing.T) string {
	t.Helper()
	keys, err := json.Marshal(sampleKeys())
	if err != nil {
		t.Fatal(err)
	}
	return `{"version":1,"keys":` + string(keys) + `}`
}

func TestTrustListAsDocument(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "127.0.0.1:1", "")
	p.keep(t, "")
	if code, out, _ := p.run(t.Context(), "trust", "list", "-c", p.file, "--json"); code != exitOK || out != "[]\n" {
		t.Errorf("trust list --json = %d, %q, want an empty list", code, out)
	}
	p.keep(t, recordText(t))
	var keys []upstream.KnownKey
	code, out, _ := p.run(t.Context(), "trust", "list", "-c", p.file, "--json")
	if err := json.Unmarshal([]byte(out), &keys); err != nil || code != exitOK || len(keys) != 2 || keys[0].Pin != samplePin {
		t.Errorf("trust list --json = %d, %q, want both keys", code, out)
	}
	p.keep(t, "{")
	if code, out, errs := p.run(t.Context(), "trust", "list", "-c", p.file); code != exitFailed || out != "" || errs == "" {
		t.Errorf("trust list of a damaged record = %d, %q, %q, want %d and the error", code, out, errs, exitFailed)
	}
}

func TestTrustUsage(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "127.0.0.1:1", "")
	p.keep(t, recordText(t))
	waits := "this one waits to be accepted: " + upstream.Pin{9}.String()
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"trust"}, []string{"say what to do", "lqproxy trust --help"}},
		{[]string{"trust", "acept"}, []string{`there is no command "acept"`, `did you mean "lqproxy trust accept"?`}},
		{[]string{"trust", "accept", "-c", p.file}, []string{"name one pin: lqproxy trust accept sha256/...", waits}},
		{[]string{"trust", "accept", "-c", p.file, "CN=gateway"}, []string{`"CN=gateway" is not a pin`, waits}},
		{[]string{"trust", "forget", "-c", p.file, "a", "b"}, []string{"name one pin: lqproxy trust forget sha256/..."}},
		{[]string{"trust", "list", "-c", p.file, "x"}, []string{"takes no arguments"}},
	} {
		code, out, errs := p.run(t.Context(), tt.args...)
		for _, want := range tt.want {
			if code != exitUsage || out != "" || !strings.Contains(errs, want) {
				t.Errorf("%q = %d, %q, %q, want %d and %q", tt.args, code, out, errs, exitUsage, want)
			}
		}
	}
}

func TestTrustWithoutADaemon(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "127.0.0.1:1", "")
	dir := p.keep(t, recordText(t))
	for _, name := range []string{"accept", "forget"} {
		code, out, errs := p.run(t.Context(), "trust", name, "-c", p.file, samplePin.String())
		if code != exitFailed || out != "" || !strings.Contains(errs, "no lqproxy runs with the state directory "+dir) {
			t.Errorf("trust %s = %d, %q, %q, want %d and to be told", name, code, out, errs, exitFailed)
		}
	}
}

// newControl answers each order with outcome, as a daemon of any version may.
func newControl(t *testing.T, dir, outcome string) {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(dir, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			var order daemon.Order
			if json.NewDecoder(conn).Decode(&order) == nil {
				conn.Write([]byte(outcome)) //nolint:errcheck // the command says so
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
}

func TestTrustOutcomes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		outcome string
		code    int
		want    string
	}{
		"done":          {"{}\n", exitOK, samplePin.String() + " is accepted from now on"},
		"no key":        {`{"problem":"no_such_key","error":"x"}` + "\n", exitFailed, "the record has no key " + samplePin.String()},
		"unknown":       {`{"problem":"unknown_action","error":"x"}` + "\n", exitFailed, "of another version"},
		"failed":        {`{"problem":"failed","error":"disk full"}` + "\n", exitFailed, "the record could not be changed: disk full"},
		"of the future": {`{"problem":"tired","error":"later"}` + "\n", exitFailed, "the record could not be changed: later"},
		"no answer":     {"", exitFailed, "waiting for the outcome of an order"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, "127.0.0.1:1", "")
			newControl(t, p.keep(t, ""), tt.outcome)
			code, out, errs := p.run(t.Context(), "trust", "accept", "-c", p.file, samplePin.String())
			if code != tt.code || !strings.Contains(out+errs, tt.want) {
				t.Errorf("trust accept = %d, %q, %q, want %d and %q", code, out, errs, tt.code, tt.want)
			}
		})
	}
}

func TestWhoCalls(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	c := newTestConsole(words.English, &out, &errs)
	if who := whoCalls(c); who.Login == "" || who.SudoUser != "" {
		t.Errorf("whoCalls() = %+v, want the user of this process", who)
	}
	c.getenv = func(name string) string { return map[string]string{"USER": "root", "SUDO_USER": "wang"}[name] }
	if who := whoCalls(c); who.Login != "root" || who.SudoUser != "wang" {
		t.Errorf("whoCalls() = %+v, want root, who is wang", who)
	}
}
