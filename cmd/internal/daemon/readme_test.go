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
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/prometheus/client_golang/prometheus"
)

var updateReadme = flag.Bool("update-readme", false, "write the generated tables into the READMEs")

// TestReadmeTablesComeFromTheCode holds the tables between the markers of both
// READMEs to what the code says; -update-readme writes them.
func TestReadmeTablesComeFromTheCode(t *testing.T) {
	english := map[string]string{
		"reasons": reasonTable("| reason | status | meaning |", func(r proxy.Reason) string { return r.Message() }),
		"metrics": metricTable(t, "| metric | labels | meaning |", nil),
		"keys":    keyTable(t, "| key | default | meaning |", false),
	}
	chinese := map[string]string{
		"reasons": reasonTable("| 原因 | 状态码 | 处理办法 |", func(r proxy.Reason) string { return r.Hint() }),
		"metrics": metricTable(t, "| 指标 | 标签 | 含义 |", chineseMeanings(t)),
		"keys":    keyTable(t, "| 配置项 | 默认值 | 含义 |", true),
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

// metricTable describes the metrics as they describe themselves, or as meanings
// does, by their names.
func metricTable(t *testing.T, head string, meanings map[string]string) string {
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
			meaning := m[2]
			if meanings != nil {
				meaning = meanings[m[1]]
			}
			rows[fmt.Sprintf("| `%s` | %s | %s |\n", m[1], labelNames(m[3]+","+m[4]), meaning)] = true
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

// metricRow is one of the table of metrics: name, labels, meaning.
var metricRow = regexp.MustCompile("(?m)^\\| `(lqproxy_[a-z0-9_]+)` \\|[^|]*\\| (.*) \\|$")

// chineseMeanings returns what the Chinese README says of each metric, which is
// said there alone.
func chineseMeanings(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "README.zh-CN.md"))
	if err != nil {
		t.Fatal(err)
	}
	meanings := make(map[string]string)
	for _, m := range metricRow.FindAllStringSubmatch(string(text), -1) {
		meanings[m[1]] = m[2]
		if !han.MatchString(m[2]) {
			t.Errorf("README.zh-CN.md says %q of %s, want Chinese", m[2], m[1])
		}
	}
	return meanings
}

var (
	han      = regexp.MustCompile(`\p{Han}`)
	tableTop = regexp.MustCompile(`^\[+([a-z.]+)\]+$`)
	keyLine  = regexp.MustCompile(`^([a-z_]+) = (.*)$`)
)

// keyTable describes the keys as the reference file does: each key's comment is
// first in Chinese, then in English.
func keyTable(t *testing.T, head string, chinese bool) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n|---|---|---|\n", head)
	table, meaning, rows, shared := "", []string(nil), 0, false
	for line := range strings.Lines(string(configs.Reference())) {
		line = strings.TrimSuffix(line, "\n")
		comment, isComment := strings.CutPrefix(line, "# ")
		if isComment && shared { // of the next key
			meaning, shared = nil, false
		}
		switch {
		case strings.HasPrefix(comment, " "): // a list of examples
		case isComment && han.MatchString(comment) == chinese:
			meaning = append(meaning, comment)
		case tableTop.MatchString(line):
			table, meaning = tableTop.FindStringSubmatch(line)[1]+".", nil
		case keyLine.MatchString(line):
			m := keyLine.FindStringSubmatch(line)
			said := strings.Join(meaning, map[bool]string{true: "", false: " "}[chinese])
			fmt.Fprintf(&b, "| `%s%s` | `%s` | %s |\n", table, m[1], m[2], strings.ReplaceAll(said, "|", `\|`))
			rows, shared = rows+1, true
		case line == "":
			meaning = nil
		}
	}
	if rows < 60 {
		t.Fatalf("saw %d keys only", rows)
	}
	return b.String()
}
