package words

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 10, []string{""}},
		{"as it is", 10, []string{"as it is"}},
		{"one line and another", 10, []string{"one line", "and", "another"}},
		{"spaces    and\nlines", 20, []string{"spaces and lines"}},
		{"0123456789abcdef", 10, []string{"0123456789", "abcdef"}},
		{"x 0123456789abcdef", 10, []string{"x", "0123456789", "abcdef"}},
		{"出口地址未备案，或被封禁。", 10, []string{"出口地址未", "备案，或被", "封禁。"}},
		{"出口地址未备，案", 10, []string{"出口地址未", "备，案"}},
		{"把 legacy = true 写入", 10, []string{"把 legacy", "= true 写", "入"}},
		{"税", 1, []string{"税"}},
		{"it took " + Keep("45 ms") + " then", 12, []string{"it took", "45 ms then"}},
	} {
		got := Wrap(tt.text, tt.width)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Wrap(%q, %d) (-want +got):\n%s", tt.text, tt.width, diff)
		}
	}
}

func FuzzWrapLosesNothing(f *testing.F) {
	f.Add("one line and another", 10)
	f.Add("出口地址未备案，或被封禁。sha256/0123456789", 7)
	f.Fuzz(func(t *testing.T, text string, width int) {
		if width < 2 || width > 200 || len(text) > 1000 {
			t.Skip()
		}
		lines := Wrap(text, width)
		bare := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if bare(strings.Join(lines, "")) != bare(string([]rune(text))) {
			t.Errorf("Wrap(%q, %d) = %q, want the same characters", text, width, lines)
		}
		for _, line := range lines {
			if Width(line) > width+2 { // a closing mark may stand outside
				t.Errorf("Wrap(%q, %d): %q is %d columns wide", text, width, line, Width(line))
			}
		}
	})
}
