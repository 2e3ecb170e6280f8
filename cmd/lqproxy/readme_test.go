package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/probe"
)

// readmes are what an administrator reads, by language.
var readmes = map[string]words.Lang{"README.md": words.English, "README.zh-CN.md": words.Chinese}

// TestReadmeHasTheTables holds the tables between the markers of both READMEs
// to the code; -update writes them.
func TestReadmeHasTheTables(t *testing.T) {
	t.Parallel()
	for file, l := range readmes {
		name := filepath.Join("..", "..", file)
		text := readFile(t, name)
		want := withSection(t, text, "verdicts", markdownVerdicts(l))
		want = withSection(t, want, "exit codes", markdownExitCodes(l))
		if *update {
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(want, text); diff != "" {
			t.Errorf("%s is not what the code says; -update writes it (-want +got):\n%s", file, diff)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section cuts text at the markers of a section.
func section(t *testing.T, text, name string) (before, inside, after string) {
	t.Helper()
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->\n"
	before, rest, found := strings.Cut(text, begin)
	inside, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("no markers of the section %q", name)
	}
	return before + begin, inside, end + after
}

func withSection(t *testing.T, text, name, inside string) string {
	t.Helper()
	before, _, after := section(t, text, name)
	return before + inside + after
}

// markdownVerdicts is the table of the verdicts in a README.
func markdownVerdicts(l words.Lang) string {
	head := words.Text{EN: "| verdict | exit code | meaning | what to do |", ZH: "| 结论 | 退出码 | 含义 | 处理办法 |"}
	lines := []string{head.In(l), "|---|---|---|---|"}
	for _, v := range probe.Verdicts {
		lines = append(lines, "| `"+string(v)+"` | "+strconv.Itoa(v.ExitCode())+" | "+
			words.VerdictMeaning(l, v)+" | "+words.VerdictRemedy(l, v)+" |")
	}
	return strings.Join(lines, "\n") + "\n"
}

// exitLine is a line of the table of exit codes, as the help has it.
var exitLine = regexp.MustCompile(`(?m)^ +(\d) +(.+)$`)

// markdownExitCodes is the table of the exit codes in a README.
func markdownExitCodes(l words.Lang) string {
	var out bytes.Buffer
	var b strings.Builder
	b.WriteString(words.Text{EN: "| code | meaning |", ZH: "| 退出码 | 含义 |"}.In(l) + "\n|---|---|\n")
	for _, m := range exitLine.FindAllStringSubmatch(exitCodes(newTestConsole(l, &out, &out)), -1) {
		fmt.Fprintf(&b, "| %s | %s |\n", m[1], m[2])
	}
	return b.String()
}

// eventRow is a row of the table of events.
var eventRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|")

// Whoever filters syslog by events finds each of them in the README.
func TestReadmeNamesEveryEvent(t *testing.T) {
	t.Parallel()
	want := eventNames(t)
	if len(want) < 15 {
		t.Fatalf("saw the events %q only", want)
	}
	for file := range readmes {
		_, inside, _ := section(t, readFile(t, filepath.Join("..", "..", file)), "events")
		var got []string
		for _, m := range eventRow.FindAllStringSubmatch(inside, -1) {
			got = append(got, m[1])
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events in %s (-want +got):\n%s", file, diff)
		}
	}
}

// eventNames returns the events of all packages: the constants that are called
// so.
func eventNames(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"proxy/*.go", "proxy/*/*.go", "probe/*.go", "firewall/*.go", "cmd/internal/*/*.go", "cmd/lqproxy/*.go"} {
		files, err := filepath.Glob(filepath.Join("..", "..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, eventsOf(f)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// eventsOf returns the values of f's constants that are events.
func eventsOf(f *ast.File) []string {
	var names []string
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !eventConst.MatchString(spec.Names[0].Name) {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			names = append(names, strings.Trim(lit.Value, `"`))
		}
		return true
	})
	return names
}

var eventConst = regexp.MustCompile(`^[eE]vent[A-Z]`)

// Each direct dependency has a line that says why.
func TestReadmeNamesEveryDependency(t *testing.T) {
	t.Parallel()
	readme := readFile(t, filepath.Join("..", "..", "README.md"))
	direct, _, _ := strings.Cut(readFile(t, filepath.Join("..", "..", "go.mod")), "\n)\n") // the first block
	modules := regexp.MustCompile(`(?m)^\t(\S+) v`).FindAllStringSubmatch(direct, -1)
	if len(modules) < 15 {
		t.Fatalf("saw %d modules only", len(modules))
	}
	for _, m := range modules {
		name := strings.TrimPrefix(m[1], "github.com/")
		name = regexp.MustCompile(`/v\d+$`).ReplaceAllString(name, "")
		if !strings.Contains(readme, name) {
			t.Errorf("README.md does not say why there is %s", m[1])
		}
	}
}
