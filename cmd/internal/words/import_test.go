package words

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/cmd/internal/migrate"
)

// noteKinds reads the kinds of notes from the source, and how often each is
// mentioned there: its declaration is one.
func noteKinds(t *testing.T) (kinds map[string]migrate.Kind, mentions map[string]int) {
	t.Helper()
	kinds, mentions = map[string]migrate.Kind{}, map[string]int{}
	for _, file := range parseFolder(t, filepath.Join("..", "migrate")) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				mentions[n.Name]++
			case *ast.ValueSpec:
				typ, ok := n.Type.(*ast.Ident)
				if !ok || typ.Name != "Kind" || len(n.Values) != 1 {
					return true
				}
				if lit, ok := n.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
					value, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					kinds[n.Names[0].Name] = migrate.Kind(value)
				}
			}
			return true
		})
	}
	return kinds, mentions
}

func TestEveryNoteOfAnImportIsSaid(t *testing.T) {
	t.Parallel()
	kinds, mentions := noteKinds(t)
	blank := regexp.MustCompile(`\{[a-z]+\}`)
	blanks := func(text string) []string {
		return slices.Compact(slices.Sorted(slices.Values(blank.FindAllString(text, -1))))
	}
	for name, kind := range kinds {
		text, ok := noteTexts[kind]
		if !ok {
			t.Errorf("%s has no text", name)
			continue
		}
		said := 1 // its declaration
		if kind.Loud() {
			said++
		}
		if mentions[name] <= said {
			t.Errorf("%s is never made", name)
		}
		if diff := cmp.Diff(blanks(text.EN), blanks(text.ZH)); diff != "" {
			t.Errorf("blanks of %s (-EN +ZH):\n%s", name, diff)
		}
		if text.EN == "" || strings.IndexFunc(text.ZH, isHan) < 0 {
			t.Errorf("%s = %+v, want both languages", name, text)
		}
	}
	if len(noteTexts) != len(kinds) || len(kinds) == 0 {
		t.Errorf("%d texts for %d kinds", len(noteTexts), len(kinds))
	}
}
