package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lqproxy": main})
}

// TestScripts runs the stories of testdata/script. In them lqproxy is a
// process of its own, so that signals and exit codes are real.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Values[keyPrograms] = programs{}
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "root" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return os.Geteuid() == 0, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeport":    freePort,
			"expand":      expand,
			"await":       await,
			"call":        callOnce,
			"awaittext":   awaitText,
			"awaitmetric": awaitMetric,
			"variable":    variable,
			"empty":       empty,
			"hold":        hold,
			"exits":       exits,
			"start":       start,
			"signal":      signalProgram,
			"finish":      finishProgram,
			"narrow":      narrow,
			"zabbix":      zabbix,
		},
	})
}

// patience bounds what a story waits for.
const patience = 20 * time.Second

// freePort is "freeport NAME...": sets each variable to a port that is free.
func freePort(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Setenv(name, strconv.Itoa(ln.Addr().(*net.TCPAddr).Port))
		defer ln.Close()
	}
}

// expand is "expand FILE": replaces the variables in a file.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(file, []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o644))
}

// await is "await URL STATUS" or "await ADDRESS": until it answers so.
func await(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, func(ctx context.Context) error {
		if len(args) == 1 {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", args[0])
			if err == nil {
				c.Close()
			}
			return err
		}
		status, _, err := get(ctx, args[0])
		if got := strconv.Itoa(status); err == nil && got != args[1] {
			err = fmt.Errorf("status of %s = %s, want %s", args[0], got, args[1])
		}
		return err
	})
}

// awaitMetric is "awaitmetric URL PATTERN": until a line matches.
func awaitMetric(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, func(ctx context.Context) error {
		_, body, err := get(ctx, args[0])
		if err != nil {
			return err
		}
		return matched(args[1], body)
	})
}

// awaitText is "awaittext FILE PATTERN": until a line matches.
func awaitText(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[0])
	until(ts, func(context.Context) error {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return matched(args[1], text)
	})
}

func matched(pattern string, text []byte) error {
	if regexp.MustCompile("(?m)" + pattern).Match(text) {
		return nil
	}
	return fmt.Errorf("%q does not match %q", text, pattern)
}

// until tries again and again what happens in another process.
func until(ts *testscript.TestScript, done func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := done(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			ts.Fatalf("waiting in vain: %v", err)
		}
	}
}

// get asks url on a connection of its own.
func get(ctx context.Context, url string) (status int, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	r.Close = true
	answer, err := new(http.Client).Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	return answer.StatusCode, body, err
}

// variable is "variable NAME FILE PATTERN": sets it to what the group matched.
func variable(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile(args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if found == nil {
		ts.Fatalf("%s does not match %q", args[1], args[2])
	}
	ts.Setenv(args[0], found[1])
}

// empty is "empty FOLDER": there is nothing in it.
func empty(ts *testscript.TestScript, _ bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(entries) > 0 {
		ts.Fatalf("%s holds %v, want nothing", args[0], entries)
	}
}

// callOnce is "call METHOD URL [FIELD:VALUE]...": prints the head and body of the answer.
func callOnce(ts *testscript.TestScript, neg bool, args []string) {
	r, err := http.NewRequest(args[0], args[1], nil)
	ts.Check(err)
	r.Header.Set("Content-Type", "application/json") // without it Leqi answers 4057
	for _, field := range args[2:] {
		name, value, _ := strings.Cut(field, ":")
		r.Header.Set(name, value)
	}
	r.Close = true
	answer, err := new(http.Client).Do(r)
	if neg {
		if err == nil {
			ts.Fatalf("call = %s, want an error", answer.Status)
		}
		fmt.Fprintln(ts.Stderr(), err)
		return
	}
	ts.Check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	ts.Check(err)
	var head bytes.Buffer
	ts.Check(answer.Header.Write(&head))
	fmt.Fprintf(ts.Stdout(), "%s\n%s\n%s\n", answer.Status, head.Bytes(), body)
}

// hold is "hold URL": sends a request and leaves its connection open.
func hold(ts *testscript.TestScript, _ bool, args []string) {
	u, err := url.Parse(args[0])
	ts.Check(err)
	c, err := net.Dial("tcp", u.Host)
	ts.Check(err)
	ts.Defer(func() { c.Close() })
	_, err = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n", u.Path, u.Host)
	ts.Check(err)
}

// narrow is "narrow FILE": no line is wider than a terminal.
func narrow(ts *testscript.TestScript, _ bool, args []string) {
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if line = strings.TrimSuffix(line, "\n"); words.Width(line) > 80 {
			ts.Fatalf("%q has %d columns, want at most 80", line, words.Width(line))
		}
	}
}
