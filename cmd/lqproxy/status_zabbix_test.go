package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// zabbixFile is what the package brings for the Zabbix agent.
var zabbixFile = filepath.Join("..", "..", "configs", "zabbix", "lqproxy.conf")

// Of the file: the commands by item, and the items that the comments propose.
var (
	zabbixParameter = regexp.MustCompile(`(?m)^UserParameter=(lqproxy\.[a-z]+)\[\*\],(.+)$`)
	zabbixItem      = regexp.MustCompile(`(?m)^#   (lqproxy\.[a-z]+)\[([^\]]*)\]`)
)

// zabbix is "zabbix FILE": runs every command of configs/zabbix/lqproxy.conf
// for every item that the file proposes, about the instance of a configuration,
// as an agent would. Each must yield a value.
func zabbix(ts *testscript.TestScript, _ bool, args []string) {
	file, err := filepath.Abs(zabbixFile)
	ts.Check(err)
	text := []byte(ts.ReadFile(file))
	items := map[string][]string{"lqproxy.level": {""}, "lqproxy.check": {""}, "lqproxy.json": {""}}
	for _, m := range zabbixItem.FindAllSubmatch(text, -1) {
		items[string(m[1])] = append(items[string(m[1])], string(m[2]))
	}
	commands := zabbixParameter.FindAllSubmatch(text, -1)
	if len(commands) != len(items) || len(commands) != bytes.Count(text, []byte("\nUserParameter=")) {
		ts.Fatalf("%d commands for the items %v", len(commands), items)
	}
	for _, m := range commands {
		parameters := items[string(m[1])]
		if len(parameters) == 0 {
			ts.Fatalf("no item is known for %s", m[1])
		}
		for _, parameter := range parameters {
			yields(ts, string(m[1]), agentCommand(ts, string(m[2]), parameter, args[0]))
		}
	}
}

// agentCommand is what an agent makes of a command: the parameters are in their
// places. The installed program becomes the one that is tested, and is told
// where its configuration lies.
func agentCommand(ts *testscript.TestScript, command, parameter, config string) string {
	program := find(ts, "lqproxy")
	return strings.NewReplacer(
		"$1", parameter, "$2", "", "/usr/bin/lqproxy", program, " status ", " status -c "+ts.MkAbs(config)+" ").Replace(command)
}

func yields(ts *testscript.TestScript, item, command string) {
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH")}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil || strings.TrimSpace(out.String()) == "" || errs.Len() > 0 {
		ts.Fatalf("%s: %s = %v, %q, %q, want a value", item, command, err, &out, &errs)
	}
	if item == "lqproxy.level" && out.String() != "0\n" {
		ts.Fatalf("%s = %q, want 0 of a well instance", item, &out)
	}
}

// An agent takes a line of 2048 bytes at most, and no tab before a name.
func TestZabbixFileIsPlain(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(zabbixFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if len(line) > 2048 || !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "UserParameter=") && line != "\n" {
			t.Errorf("line %q, want a comment, a parameter or nothing", line)
		}
	}
}
