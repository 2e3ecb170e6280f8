package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/lqproxy/lqproxy/"

// A listedPackage is what `go list -json` says of a package.
type listedPackage struct {
	ImportPath   string
	Standard     bool
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Standard,Imports,TestImports,XTestImports", modulePath+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listedPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listedPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("reading go list: %v", err)
		}
		all = append(all, p)
	}
}

// within reports whether path is pkg or lies below it.
func within(path, pkg string) bool {
	return path == modulePath+pkg || strings.HasPrefix(path, modulePath+pkg+"/")
}

// TestImportsPointOneWay holds the direction of imports:
// cmd → configs → proxy, firewall, probe; probe → proxy/upstream, proxy/h1,
// proxy/leqi. Tests may use probe/leqisim besides.
func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	rules := []struct {
		from string
		may  []string // of this module
	}{
		{from: "configs", may: []string{"configs", "proxy", "firewall", "probe"}},
		{from: "proxy", may: []string{"proxy"}},
		{from: "firewall", may: []string{"firewall"}},
		{from: "probe", may: []string{"probe", "proxy/upstream", "proxy/h1", "proxy/leqi"}},
	}
	for _, p := range listPackages(t) {
		for _, rule := range rules {
			if !within(p.ImportPath, rule.from) {
				continue
			}
			for _, imported := range p.Imports {
				ours := strings.HasPrefix(imported, modulePath)
				if ours && !slices.ContainsFunc(rule.may, func(pkg string) bool { return within(imported, pkg) }) {
					t.Errorf("%s imports %s, which points the wrong way", p.ImportPath, imported)
				}
			}
		}
	}
}

// TestNothingImportsCmd holds for tests too.
func TestNothingImportsCmd(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		if within(p.ImportPath, "cmd") {
			continue
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if within(imported, "cmd") {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}

// TestPurePackagesImportTheStandardLibraryOnly keeps what judges and classifies
// free of I/O libraries.
func TestPurePackagesImportTheStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	pure := []string{"proxy/h1", "proxy/allow", "proxy/leqi"}
	seen := 0
	for _, p := range listPackages(t) {
		if !slices.ContainsFunc(pure, func(pkg string) bool { return p.ImportPath == modulePath+pkg }) {
			continue
		}
		seen++
		for _, imported := range p.Imports {
			if strings.Contains(strings.SplitN(imported, "/", 2)[0], ".") {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
	if seen != len(pure) {
		t.Errorf("saw %d of the packages %v", seen, pure)
	}
}
