package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// A machine says where and with what the figures were taken.
type machine []struct{ name, value string }

func describeMachine(ctx context.Context) machine {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	loadavg, _ := os.ReadFile("/proc/loadavg")
	return machine{
		{"date", time.Now().Format(time.DateOnly)},
		{"machine", fmt.Sprintf("%s, %d cores, Linux %s", cpuModel(), runtime.NumCPU(), strings.TrimSpace(string(kernel)))},
		{"load average", firstFields(string(loadavg), 3)},
		{"programs", fmt.Sprintf("%s, nginx %s, HAProxy %s, h2load %s", runtime.Version(),
			version(ctx, "nginx", "-v"), version(ctx, "haproxy", "-v"), version(ctx, "h2load", "--version"))},
		{"load", fmt.Sprintf("POST 2 KiB, answer 2 KiB, %d connections, plain in, TLS 1.3 out", connections)},
		{"cores", "one for each proxy, another for callers and upstream together"},
		{"logs", "lqproxy JSON, nginx buffered (guide: unbuffered), HAProxy none"},
	}
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func firstFields(text string, n int) string {
	fields := strings.Fields(text)
	return strings.Join(fields[:min(n, len(fields))], " ")
}

var versionNumber = regexp.MustCompile(`\d+\.\d+(\.\d+)*`)

// version returns the first version number that a tool prints.
func version(ctx context.Context, name, flag string) string {
	out, err := exec.CommandContext(ctx, tool(name), flag).CombinedOutput()
	if err != nil {
		return "?"
	}
	return versionNumber.FindString(string(out))
}

// print writes m above the tables.
func (m machine) print(w io.Writer, markdown bool) error {
	var out strings.Builder
	for _, line := range m {
		if markdown {
			fmt.Fprintf(&out, "- %s: %s\n", line.name, line.value)
			continue
		}
		fmt.Fprintf(&out, "%-12s %s\n", line.name, line.value)
	}
	_, err := fmt.Fprintln(w, out.String())
	return err
}
