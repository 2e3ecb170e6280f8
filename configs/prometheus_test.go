package configs_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// The files for Prometheus, and the tests that promtool makes of the rules.
const (
	scrapeFile    = "prometheus/prometheus.yml"
	rulesFile     = "prometheus/lqproxy.rules.yml"
	rulesTestFile = "prometheus/lqproxy.rules.test.yml"
)

// promtool runs it. Without it a test is left out, but not in the gate.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs promtool")
		}
		t.Skip("left out: needs promtool")
	}
	if out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPrometheusAcceptsTheFiles(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "config", scrapeFile)
	promtool(t, "check", "rules", "--lint-fatal", rulesFile)
}

func TestAlertsFireAndAreSilent(t *testing.T) {
	t.Parallel()
	promtool(t, "test", "rules", rulesTestFile)
}

// blocks splits a YAML list into its elements, by the value of their first key.
func blocks(t *testing.T, text, first string) map[string]string {
	t.Helper()
	starts := regexp.MustCompile(`(?m)^ +- `+first+`: (\w+)`).FindAllStringSubmatchIndex(text, -1)
	all := make(map[string]string)
	for i, at := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		name := text[at[2]:at[3]]
		if all[name] != "" {
			t.Errorf("%s is there twice", name)
		}
		all[name] = text[at[0]:end]
	}
	if len(all) == 0 {
		t.Fatalf("nothing begins with %q", first)
	}
	return all
}

// TestEveryAlertIsTested holds the tests to their promise: each alert has one
// in which it alone fires, for the instance that is ill and not for the one that
// is well, and before that nothing does.
func TestEveryAlertIsTested(t *testing.T) {
	t.Parallel()
	tests := blocks(t, readText(t, rulesTestFile), "name")
	alerts := blocks(t, readText(t, rulesFile), "alert")
	if diff := cmp.Diff(slices.Sorted(maps.Keys(alerts)), slices.Sorted(maps.Keys(tests))); diff != "" {
		t.Errorf("alerts and tests (-alerts +tests):\n%s", diff)
	}
	names := regexp.MustCompile(`ALERTS\{alertname="(\w+)"`)
	for alert, test := range tests {
		for _, want := range []string{`instance="ill"`, `instance="well`, "exp_samples: []", `ALERTS{alertname="` + alert + `",`} {
			if !strings.Contains(test, want) {
				t.Errorf("the test of %s has no %s", alert, want)
			}
		}
		for _, other := range names.FindAllStringSubmatch(test, -1) {
			if other[1] != alert {
				t.Errorf("the test of %s lets %s fire", alert, other[1])
			}
		}
		if strings.Count(test, "expr: ") != strings.Count(test, `expr: ALERTS{alertstate="firing"}`) {
			t.Errorf("the test of %s does not ask for all alerts", alert)
		}
	}
}

// TestEveryAlertSpeaksBothLanguages also compares the labels that the texts
// name with those that the alert has when it fires.
func TestEveryAlertSpeaksBothLanguages(t *testing.T) {
	t.Parallel()
	tests := blocks(t, readText(t, rulesTestFile), "name")
	annotation := regexp.MustCompile(`(?m)^ {10}(\w+): "(.+)"$`)
	severity := regexp.MustCompile(`(?m)^ {8}labels: \{severity: (critical|warning)\}$`)
	for alert, rule := range blocks(t, readText(t, rulesFile), "alert") {
		texts := make(map[string]string)
		for _, m := range annotation.FindAllStringSubmatch(rule, -1) {
			texts[m[1]] = m[2]
		}
		want := []string{"description", "description_zh", "summary", "summary_zh"}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(texts))); diff != "" {
			t.Errorf("annotations of %s (-want +got):\n%s", alert, diff)
		}
		for key, text := range texts {
			chinese := strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) })
			if chinese != strings.HasSuffix(key, "_zh") {
				t.Errorf("%s of %s = %q, which is the other language", key, alert, text)
			}
			if diff := cmp.Diff(labelsNamed(texts[strings.TrimSuffix(key, "_zh")]), labelsNamed(text)); diff != "" {
				t.Errorf("labels in %s of %s (-English +this):\n%s", key, alert, diff)
			}
			for _, label := range labelsNamed(text) {
				if !strings.Contains(tests[alert], label+`="`) {
					t.Errorf("%s of %s names the label %s, which it has not", key, alert, label)
				}
			}
		}
		if !severity.MatchString(rule) {
			t.Errorf("%s has no severity", alert)
		}
	}
}

// labelsNamed returns the labels that a template puts into its text.
func labelsNamed(text string) []string {
	var names []string
	for _, m := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// measured returns the labels of every metric that lqproxy has, by name. They are
// those of the README's table, which a test of the daemon holds to the code: the
// golden file of the metrics has no series of probes, as none was made there.
func measured(t *testing.T) map[string][]string {
	t.Helper()
	labels := make(map[string][]string)
	row := regexp.MustCompile("(?m)^\\| `(lqproxy_\\w+)` \\| ([\\w, ]*)\\| ")
	for _, m := range row.FindAllStringSubmatch(readText(t, filepath.Join("..", "README.md")), -1) {
		labels[m[1]] = append(strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' || r == ' ' }), "job", "instance", "le")
	}
	if len(labels) < 20 {
		t.Fatalf("the README has %d metrics only", len(labels))
	}
	return labels
}

var (
	metricName  = regexp.MustCompile(`\blqproxy_\w+`)
	metricUse   = regexp.MustCompile(`\b(lqproxy_\w+)\{([^}]*)\}`)
	matcherName = regexp.MustCompile(`(\w+) *(?:=~|!~|!=|=)`)
)

// checkMeasured fails the test for each metric in expressions that lqproxy does
// not have, and for each label that the metric does not have.
func checkMeasured(t *testing.T, where, expressions string) {
	t.Helper()
	known := measured(t)
	base := func(name string) string {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if cut, ok := strings.CutSuffix(name, suffix); ok && known[cut] != nil {
				return cut
			}
		}
		return name
	}
	for _, name := range metricName.FindAllString(expressions, -1) {
		if known[base(name)] == nil {
			t.Errorf("%s uses %s, which is not measured", where, name)
		}
	}
	for _, use := range metricUse.FindAllStringSubmatch(expressions, -1) {
		for _, label := range matcherName.FindAllStringSubmatch(use[2], -1) {
			if !slices.Contains(known[base(use[1])], label[1]) {
				t.Errorf("%s uses the label %s of %s, which it has not", where, label[1], use[1])
			}
		}
	}
}

func TestAlertsAreAboutWhatIsMeasured(t *testing.T) {
	t.Parallel()
	for _, file := range []string{rulesFile, rulesTestFile} {
		checkMeasured(t, file, readText(t, file))
	}
}
