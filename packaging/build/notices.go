package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// licenceName matches the files that a module must be passed on with.
var licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|unlicense)([.-].*)?$`)

// A module is one whose code is in the binary.
type module struct{ path, version, dir string }

// linked returns the modules whose packages are linked into the binary for arch,
// sorted by path; the standard library is the first.
func linked(ctx context.Context, arch string) ([]module, error) {
	goroot, err := output(ctx, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	version, err := output(ctx, "go", "env", "GOVERSION")
	if err != nil {
		return nil, err
	}
	const format = `{{with .Module}}{{if not .Main}}{{.Path}}|{{.Version}}|{{.Dir}}{{end}}{{end}}`
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-f", format, "./cmd/lqproxy")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing modules: %w", err)
	}
	lines := strings.Fields(string(out))
	slices.Sort(lines)
	modules := []module{{"std", version, goroot}}
	for _, l := range slices.Compact(lines) {
		fields := strings.Split(l, "|")
		modules = append(modules, module{fields[0], fields[1], fields[2]})
	}
	return modules, nil
}

func (r *release) noticesFile(arch string) string {
	return filepath.Join(r.stage, arch, "third-party.txt")
}

// notices writes the licences of all that is in the binary. A module without one
// may not be passed on: that is an error.
func (r *release) notices(ctx context.Context, arch string) error {
	modules, err := linked(ctx, arch)
	if err != nil {
		return err
	}
	return create(r.noticesFile(arch), func(w io.Writer) error {
		if _, err := fmt.Fprint(w, "lqproxy contains the following works of others, under their licences.\n"); err != nil {
			return err
		}
		for _, m := range modules {
			if err := m.notice(w); err != nil {
				return err
			}
		}
		return nil
	})
}

// notice writes the licences of m.
func (m module) notice(w io.Writer) error {
	files, err := os.ReadDir(m.dir)
	if err != nil {
		return fmt.Errorf("reading module %s: %w", m.path, err)
	}
	found := false
	for _, f := range files {
		if f.IsDir() || !licenceName.MatchString(f.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.dir, f.Name()))
		if err != nil {
			return fmt.Errorf("reading licence: %w", err)
		}
		found = true
		if _, err := fmt.Fprintf(w, "\n%s\n%s %s: %s\n\n%s\n", strings.Repeat("=", 80), m.path, m.version, f.Name(), strings.TrimSpace(string(text))); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("module %s has no licence", m.path)
	}
	return nil
}

// materials writes the bill of materials of the binary, in the form CycloneDX.
func (r *release) materials(ctx context.Context, arch string) error {
	target := filepath.Join(r.out, r.name(arch, formatMaterials))
	return tell(tool(ctx, "cyclonedx-gomod", "bin", "-json", "-noserial", "-notimestamp",
		"-version", "v"+r.version, "-output", target, r.binary(arch)))
}
