package configs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

const dashboardFile = "grafana/lqproxy.json"

// A dashboard is what of Grafana's model the tests look at.
type dashboard struct {
	SchemaVersion int `json:"schemaVersion"`
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
	Annotations struct {
		List []struct {
			Expr       string
			Datasource source
		}
	}
	Panels []panel
}

type panel struct {
	ID         int
	Type       string
	Title      string
	Datasource source
	GridPos    struct{ X, Y, W, H int }
	Targets    []struct {
		Expr       string
		Datasource source
	}
}

type source struct{ Type, UID string }

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal([]byte(readText(t, dashboardFile)), &d); err != nil {
		t.Fatalf("reading %s: %v", dashboardFile, err)
	}
	if len(d.Panels) == 0 {
		t.Fatalf("%s has no panels", dashboardFile)
	}
	return d
}

// expressions returns all of PromQL in d, by where it is, with values in place
// of Grafana's variables.
func (d dashboard) expressions() map[string]string {
	values := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")
	all := make(map[string]string)
	for i, a := range d.Annotations.List {
		all[fmt.Sprintf("annotation %d", i)] = values.Replace(a.Expr)
	}
	for _, p := range d.Panels {
		for i, target := range p.Targets {
			all[fmt.Sprintf("%s, query %d", p.Title, i)] = values.Replace(target.Expr)
		}
	}
	return all
}

func TestDashboardAsksForWhatIsMeasured(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	for where, expr := range d.expressions() {
		checkMeasured(t, where, expr)
		if strings.Contains(expr, "$") {
			t.Errorf("%s: %s has a variable that nobody sets", where, expr)
		}
	}
	shown := fmt.Sprint(d.expressions())
	for metric := range measured(t) {
		if !strings.Contains(shown, metric) {
			t.Errorf("no panel shows %s", metric)
		}
	}
	for _, v := range d.Templating.List {
		checkMeasured(t, "variable "+v.Name, v.Definition)
	}
}

// TestDashboardSpeaksPromQL lets promtool read every expression, as a rule.
func TestDashboardSpeaksPromQL(t *testing.T) {
	t.Parallel()
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	n := 0
	for where, expr := range readDashboard(t).expressions() {
		n++
		fmt.Fprintf(&rules, "      - record: lqproxy:dashboard:%d # %s\n        expr: %q\n", n, where, expr)
	}
	file := filepath.Join(t.TempDir(), "dashboard.rules.yml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}

// TestDashboardIsOfItsDatasource keeps it usable where Prometheus has another
// name: nothing asks a datasource but the one that is chosen.
func TestDashboardIsOfItsDatasource(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	chosen := source{"prometheus", "${datasource}"}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			if target.Datasource != chosen || p.Datasource != chosen {
				t.Errorf("%s asks %v and %v, want %v", p.Title, p.Datasource, target.Datasource, chosen)
			}
		}
	}
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name+" "+v.Type)
	}
	if got, want := strings.Join(variables, ", "), "datasource datasource, instance query"; got != want {
		t.Errorf("variables = %s, want %s", got, want)
	}
	const grafana9 = 36
	if d.SchemaVersion < grafana9 {
		t.Errorf("schemaVersion = %d, want at least %d", d.SchemaVersion, grafana9)
	}
}

func TestDashboardIsLaidOut(t *testing.T) {
	t.Parallel()
	const columns = 24
	taken := make(map[[2]int]string)
	ids := make(map[int]bool)
	for _, p := range readDashboard(t).Panels {
		g := p.GridPos
		if ids[p.ID] {
			t.Errorf("%s has the id %d of another", p.Title, p.ID)
		}
		ids[p.ID] = true
		if g.X < 0 || g.W <= 0 || g.X+g.W > columns || g.H <= 0 {
			t.Errorf("%s is at %+v, outside of %d columns", p.Title, g, columns)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s overlaps %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		chinese := strings.ContainsFunc(p.Title, func(r rune) bool { return unicode.Is(unicode.Han, r) })
		english := strings.ContainsFunc(p.Title, func(r rune) bool { return r < unicode.MaxASCII && unicode.IsLetter(r) })
		if !chinese || !english {
			t.Errorf("title %q, want both languages", p.Title)
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
	}
}
