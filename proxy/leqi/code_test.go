package leqi

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Codes are label values: taking one away or renaming it breaks dashboards.
func TestCodesGolden(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("testdata/codes.golden")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), strings.Join(Codes(), "\n")+"\n"); diff != "" {
		t.Errorf("Codes() (-want +got):\n%s", diff)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for _, code := range Codes() {
		got, ok := Explain(code)
		if want := code != CodeOther && code != CodeUnread; ok != want {
			t.Errorf("Explain(%s) = %v, %v, want %v", code, got, ok, want)
		}
		if ok && (got.Code != code || got.Where == "" || got.Meaning == "" || got.Advice == "") {
			t.Errorf("Explain(%s) = %+v, which is incomplete", code, got)
		}
	}
	for _, code := range []string{"", "404"} {
		if got, ok := Explain(code); ok || got != (Meaning{}) {
			t.Errorf("Explain(%q) = %v, %v, want none", code, got, ok)
		}
	}
}
