package words

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/lqproxy/lqproxy/configs"
)

// catalogue reads the texts of this package from its source, by name.
func catalogue(t *testing.T) map[string]Text {
	t.Helper()
	texts := make(map[string]Text)
	for _, file := range parseFolder(t, ".") {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			if lit, ok := spec.Values[0].(*ast.CompositeLit); ok && isText(lit) {
				texts[spec.Names[0].Name] = readText(t, spec.Names[0].Name, lit)
			}
			return true
		})
	}
	if len(texts) == 0 {
		t.Fatal("no texts found")
	}
	return texts
}

// parseFolder parses the source of a folder and of those below it, without tests.
func parseFolder(t *testing.T, root string) (files []*ast.File) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		files = append(files, file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func isText(lit *ast.CompositeLit) bool {
	name, ok := lit.Type.(*ast.Ident)
	return ok && name.Name == "Text"
}

func readText(t *testing.T, name string, lit *ast.CompositeLit) Text {
	t.Helper()
	if len(lit.Elts) != 2 {
		t.Errorf("%s has %d languages, want 2", name, len(lit.Elts))
		return Text{}
	}
	var both [2]string
	for i, e := range lit.Elts {
		basic, ok := e.(*ast.BasicLit)
		if !ok {
			t.Errorf("%s is not two string literals", name)
			return Text{}
		}
		s, err := strconv.Unquote(basic.Value)
		if err != nil {
			t.Fatal(err)
		}
		both[i] = s
	}
	return Text{both[0], both[1]}
}

var verbPattern = regexp.MustCompile(`%(?:\[(\d+)\])?([-+# 0]*[\d.]*[a-zA-Z%])`)

// verbs returns the verb of each argument of a format, by its position from 1.
func verbs(format string) map[int]string {
	found := make(map[int]string)
	next := 1
	for _, m := range verbPattern.FindAllStringSubmatch(format, -1) {
		if m[2] == "%" {
			continue
		}
		if m[1] != "" {
			next, _ = strconv.Atoi(m[1])
		}
		found[next] = m[2]
		next++
	}
	return found
}

func TestEveryTextIsInBothLanguagesWithTheSameVerbs(t *testing.T) {
	t.Parallel()
	for name, text := range catalogue(t) {
		if strings.TrimSpace(text.EN) == "" || strings.TrimSpace(text.ZH) == "" {
			t.Errorf("%s = %+v, want both languages", name, text)
		}
		if diff := cmp.Diff(verbs(text.EN), verbs(text.ZH)); diff != "" {
			t.Errorf("verbs of %s (-EN +ZH):\n%s", name, diff)
		}
		if slices.Contains(foreign, name) {
			continue
		}
		if strings.IndexFunc(text.EN, func(r rune) bool { return r > unicode.MaxASCII }) >= 0 {
			t.Errorf("%s.EN = %q, want ASCII", name, text.EN)
		}
		if strings.IndexFunc(text.ZH, isHan) < 0 {
			t.Errorf("%s.ZH = %q, want Chinese", name, text.ZH)
		}
	}
}

// foreign are the texts that are not in the language of their place: names, abbreviations, the way to the other language.
var foreign = []string{"Verbatim", "SetupLanguage", "Version", "PageOther"}

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }

// sayers are the functions and methods that take the arguments of a text.
var sayers = []string{"In", "Say", "Note", "Error", "Hint"}

func TestEveryTextIsUsedWithItsArguments(t *testing.T) {
	t.Parallel()
	texts := catalogue(t)
	mentions := make(map[string]int) // its declaration is one
	commands := 0
	for _, file := range parseFolder(t, filepath.Join("..", "..")) {
		inside := file.Name.Name == "words"
		if file.Name.Name == "main" && importsWords(file) {
			commands++
		}
		ast.Inspect(file, func(n ast.Node) bool {
			mentions[textName(n, inside)]++
			if call, ok := n.(*ast.CallExpr); ok {
				checkCall(t, texts, call, inside)
			}
			return true
		})
	}
	if commands == 0 {
		t.Fatal("no command was found")
	}
	maps.DeleteFunc(texts, func(name string, _ Text) bool { return mentions[name] > 1 })
	if len(texts) > 0 {
		t.Errorf("texts that no command uses: %q", slices.Sorted(maps.Keys(texts)))
	}
}

func importsWords(file *ast.File) bool {
	return slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool {
		return strings.HasSuffix(i.Path.Value, `/cmd/internal/words"`)
	})
}

// textName returns the name of the text that n mentions, if it mentions one: words.X elsewhere, X in this package.
func textName(n ast.Node, inside bool) string {
	if id, ok := n.(*ast.Ident); ok && inside {
		return id.Name
	}
	if sel, ok := n.(*ast.SelectorExpr); ok && !inside {
		if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "words" {
			return sel.Sel.Name
		}
	}
	return ""
}

// checkCall compares the arguments of a text with its verbs, in X.In(lang, ...) and p.Say(X, ...).
func checkCall(t *testing.T, texts map[string]Text, call *ast.CallExpr, inside bool) {
	t.Helper()
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains(sayers, method.Sel.Name) || len(call.Args) == 0 || call.Ellipsis.IsValid() {
		return
	}
	text, ok := texts[textName(method.X, inside)]
	if !ok {
		text, ok = texts[textName(call.Args[0], inside)]
	}
	if got, want := len(call.Args)-1, len(verbs(text.EN)); ok && got != want {
		t.Errorf("%q is said with %d arguments, want %d", text.EN, got, want)
	}
}

func TestEveryMistakeHasChineseWithTheSameParameters(t *testing.T) {
	t.Parallel()
	parameters := func(text string) []string {
		return slices.Compact(slices.Sorted(slices.Values(regexp.MustCompile(`\{[a-z]+\}`).FindAllString(text, -1))))
	}
	for _, kind := range configs.Kinds() {
		text, ok := chinese[kind]
		if !ok {
			t.Errorf("no Chinese text for the mistake %q: %s", kind, kind.English())
			continue
		}
		if diff := cmp.Diff(parameters(kind.English()), parameters(text)); diff != "" {
			t.Errorf("parameters of %q (-EN +ZH):\n%s", kind, diff)
		}
	}
	if len(chinese) > len(configs.Kinds()) {
		t.Errorf("%d Chinese texts, want %d", len(chinese), len(configs.Kinds()))
	}
}

func TestVerbs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		format string
		want   map[int]string
	}{
		{"100 %% plain", map[int]string{}},
		{"%s and %-3d", map[int]string{1: "s", 2: "-3d"}},
		{"%[2]q %[1]v %s", map[int]string{1: "v", 2: "s"}},
	} {
		if diff := cmp.Diff(tt.want, verbs(tt.format)); diff != "" {
			t.Errorf("verbs(%q) (-want +got):\n%s", tt.format, diff)
		}
	}
}
