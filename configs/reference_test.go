package configs

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"

	"github.com/lqproxy/lqproxy/proxy"
)

func TestReferenceIsTheDefaults(t *testing.T) {
	t.Parallel()
	doc, mistake := decode(Reference())
	if mistake != nil {
		t.Fatal(mistake)
	}
	c := Config{}
	r := &reader{doc: doc}
	r.fields("", schema(&c))
	if len(r.mistakes) > 0 {
		t.Fatal(r.mistakes)
	}
	if c.Presets == nil {
		t.Error("the reference file has no table [presets]")
	}
	if diff := diffConfigs(Default(), c); diff != "" {
		t.Errorf("the reference file (-Default() +decoded):\n%s", diff)
	}
}

func TestReferenceHasEveryKey(t *testing.T) {
	t.Parallel()
	doc, mistake := decode(Reference())
	if mistake != nil {
		t.Fatal(mistake)
	}
	for _, f := range append(schema(new(Config)), unitKeys("units[0]", new(proxy.Unit))...) {
		if _, ok := doc.values[f.key]; !ok {
			t.Errorf("the reference file has no %s", f.key)
		}
	}
}

func TestReferenceHasOneMistake(t *testing.T) {
	t.Parallel()
	_, err := Parse(Reference())
	want := "allow.sources: must name at least one source, or nobody can connect"
	if ms, ok := errors.AsType[Mistakes](err); !ok || len(ms) != 1 || !strings.HasPrefix(ms[0].Error(), want) {
		t.Errorf("Parse(Reference()) = %v, want %q alone", err, want)
	}
}

func TestReferenceFitsTheTerminal(t *testing.T) {
	t.Parallel()
	width := runewidth.Condition{}
	for i, line := range strings.Split(string(Reference()), "\n") {
		if n := width.StringWidth(line); n > 100 {
			t.Errorf("line %d is %d columns wide, want 100 at most: %s", i+1, n, line)
		}
	}
}

// The reference file repeats the addresses for the reader; they must be those
// that the names stand for.
func TestReferenceListsThePresets(t *testing.T) {
	t.Parallel()
	for _, p := range builtIn() {
		if p.Name == everyPreset {
			continue
		}
		words := strings.Fields(lineWith(string(Reference()), "#   "+p.Name))
		if got, want := fmt.Sprint(words[max(len(words)-2, 0):]), fmt.Sprint(formatList(p.Addresses, source())); got != want {
			t.Errorf("the reference file lists %s as %s, want %s", p.Name, got, want)
		}
	}
}

func lineWith(text, prefix string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	return ""
}
