package daemon

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/prometheus/client_golang/prometheus"
)

var updateReadme = flag.Bool("update-readme", false, "write the generated tables into the READMEs")

// TestReadmeTablesComeFromTheCode holds the tables between the markers of both
// READMEs to what the code says; -update-readme writes them.
func TestReadmeTablesComeFromTheCode(t *testing.T) {
	english := map[string]string{
		"reasons": reasonTable("| reason | status | meaning |", func(r proxy.Reason) string { return r.Message() }),
		"metrics": metricTable(t, "| metric | labels | meaning |"),
	}
	chinese := map[string]string{
		"reasons": reasonTable("| 原因 | 状态码 | 处理办法 |", func(r proxy.Reason) string { return r.Hint() }),
		"metrics": metricTable(t, "| 指标 | 标签 | 含义 |"),
	}
	for file, tables := range map[string]map[string]string{"README.md": english, "README.zh-CN.md": chinese} {
		name := filepath.Join("..", "..", "..", file)
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want := string(data)
		for section, table := range tables {
			want = replaceSection(t, want, section, table)
		}
		if *updateReadme {
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(want, string(data)); diff != "" {
			t.Errorf("%s is not what the code says; go test ./cmd/internal/daemon -run Readme -update-readme writes it (-want +got):\n%s", file, diff)
		}
	}
}

// replaceSection puts table between the markers of a section.
func replaceSection(t *testing.T, text, section, table string) string {
	t.Helper()
	begin, end := "<!-- begin "+section+" -->\n", "<!-- end "+section+" -->"
	before, rest, ok := strings.Cut(text, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("no markers of section %q", section)
	}
	return before + begin + table + end + after
}

func reasonTable(head string, text func(proxy.Reason) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n|---|---|---|\n", head)
	for _, r := range proxy.Reasons {
		status := "–"
		if r.Status() != 0 {
			status = fmt.Sprint(r.Status())
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r, status, text(r))
	}
	return b.String()
}

// descriptor is how a metric describes itself.
var descriptor = regexp.MustCompile(`fqName: "(lqproxy_[^"]+)", help: "([^"]*)".*constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)

func metricTable(t *testing.T, head string) string {
	t.Helper()
	reg, _ := newMetrics(admin.Build{})
	descs := make(chan *prometheus.Desc)
	go func() {
		reg.Describe(descs)
		close(descs)
	}()
	rows := make(map[string]bool)
	for d := range descs {
		if m := descriptor.FindStringSubmatch(d.String()); m != nil {
			rows[fmt.Sprintf("| `%s` | %s | %s |\n", m[1], labelNames(m[3]+","+m[4]), m[2])] = true
		}
	}
	lines := make([]string, 0, len(rows))
	for row := range rows {
		lines = append(lines, row)
	}
	slices.Sort(lines)
	if len(lines) < 20 {
		t.Fatalf("saw %d metrics only", len(lines))
	}
	return head + "\n|---|---|---|\n" + strings.Join(lines, "")
}

// labelNames returns the names of labels, of which constant ones have values.
func labelNames(labels string) string {
	var names []string
	for label := range strings.SplitSeq(labels, ",") {
		if name, _, _ := strings.Cut(label, "="); name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
