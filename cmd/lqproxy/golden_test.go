package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
)

var update = flag.Bool("update", false, "write the golden files anew")

// checkGolden compares what is printed for people with testdata/NAME.LANG, and
// holds it to the width of a terminal.
func checkGolden(t *testing.T, name string, l words.Lang, got string) {
	t.Helper()
	for line := range strings.Lines(got) {
		if n := words.Width(strings.TrimSuffix(line, "\n")); n > reportWidth {
			t.Errorf("%s in %s: %d columns, want at most %d: %s", name, l, n, reportWidth, line)
		}
	}
	file := filepath.Join("testdata", name+"."+string(l))
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s in %s (-want +got):\n%s", name, l, diff)
	}
}
