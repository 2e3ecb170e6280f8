package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// The formats of packages.
const (
	formatDeb = "deb"
	formatRPM = "rpm"
	formatTar = "tar.gz"

	formatMaterials = "cdx.json"
)

// group is the group of the service's user, who may read what has it.
const group = "lqproxy"

// licence is where the licence lies, but for Debian, which has its own place.
const licence = "/usr/share/licenses/lqproxy/LICENSE"

// An entry is a file or folder of a package.
type entry struct {
	Path   string // on the host
	Source string // "" for a folder
	Mode   fs.FileMode
	Owner  string // "" is root
	Group  string // "" is root
	Config bool   // the administrator's changes stay
}

// contents returns what is in a package, sorted by path.
func (r *release) contents(arch, format string) ([]entry, error) {
	list := []entry{
		{Path: "/usr/bin/lqproxy", Source: r.binary(arch), Mode: 0o755},
		{Path: "/etc/lqproxy", Mode: 0o750, Group: group},
		{Path: "/etc/lqproxy/package.conf", Source: "packaging/package.conf", Mode: 0o644, Config: true},
		{Path: "/var/lib/lqproxy", Mode: 0o750, Owner: group, Group: group},
		{Path: "/var/log/lqproxy", Mode: 0o750, Owner: group, Group: group},
		{Path: "/usr/share/lqproxy", Mode: 0o755},
		{Path: "/usr/share/lqproxy/lqproxy.toml", Source: "configs/lqproxy.toml", Mode: 0o644},
		{Path: "/usr/share/lqproxy/logrotate", Source: "packaging/logrotate", Mode: 0o644},
		{Path: "/usr/share/bash-completion/completions/lqproxy", Source: r.completion("bash"), Mode: 0o644},
		{Path: "/usr/share/fish/vendor_completions.d/lqproxy.fish", Source: r.completion("fish"), Mode: 0o644},
		{Path: "/usr/share/zsh/" + zshFolder(format) + "/_lqproxy", Source: r.completion("zsh"), Mode: 0o644},
		{Path: "/usr/share/doc/lqproxy", Mode: 0o755},
		{Path: "/usr/share/doc/lqproxy/third-party.txt", Source: r.noticesFile(arch), Mode: 0o644},
		{Path: "/usr/share/doc/lqproxy/README.md", Source: "README.md", Mode: 0o644},
		{Path: "/usr/share/doc/lqproxy/README.zh-CN.md", Source: "README.zh-CN.md", Mode: 0o644},
		{Path: "/usr/share/doc/lqproxy/CHANGELOG.md", Source: "CHANGELOG.md", Mode: 0o644},
	}
	list = append(list, r.special(format)...)
	trees, err := r.trees()
	if err != nil {
		return nil, err
	}
	for from, to := range trees {
		files, err := filesOf(from, to)
		if err != nil {
			return nil, err
		}
		list = append(list, files...)
	}
	slices.SortFunc(list, func(a, b entry) int { return cmp.Compare(a.Path, b.Path) })
	return list, nil
}

// zshFolder is where zsh looks for what packages complete.
func zshFolder(format string) string {
	if format == formatDeb {
		return "vendor-completions"
	}
	return "site-functions"
}

// special returns what only one format has, or has elsewhere.
func (r *release) special(format string) []entry {
	switch format {
	case formatDeb:
		// Not the configuration: of a file that package and administrator have
		// both changed, dpkg asks which it should be, or fails where it cannot
		// ask. The script puts it there once.
		return []entry{
			{Path: "/usr/share/doc/lqproxy/changelog.gz", Source: r.changelog(), Mode: 0o644},
			{Path: "/usr/share/doc/lqproxy/copyright", Source: "packaging/deb/copyright", Mode: 0o644},
			{Path: "/usr/share/lintian/overrides/lqproxy", Source: "packaging/deb/lintian-overrides", Mode: 0o644},
		}
	case formatRPM:
		return []entry{
			{Path: "/usr/share/licenses/lqproxy", Mode: 0o755},
			{Path: "/etc/lqproxy/lqproxy.toml", Source: "configs/lqproxy.toml", Mode: 0o640, Group: group, Config: true},
			{Path: licence, Source: "LICENSE", Mode: 0o644},
		}
	}
	return []entry{
		{Path: "/usr/share/licenses/lqproxy", Mode: 0o755},
		{Path: licence, Source: "LICENSE", Mode: 0o644},
	}
}

// trees returns the folders that go into every package, and where to: units,
// what was generated, and the folders of configs, which are for other programs.
func (r *release) trees() (map[string]string, error) {
	trees := map[string]string{
		"packaging/systemd":           "/usr/lib/systemd/system",
		filepath.Join(r.stage, "man"): "/usr/share/man",
	}
	folders, err := os.ReadDir("configs")
	if err != nil {
		return nil, fmt.Errorf("listing examples: %w", err)
	}
	for _, f := range folders {
		if f.IsDir() && f.Name() != "testdata" {
			trees[filepath.Join("configs", f.Name())] = "/usr/share/lqproxy/" + f.Name()
		}
	}
	return trees, nil
}

// filesOf returns the files below from, to be put below to: those that others
// use, not tests. Folders below /usr/share/lqproxy are the package's own.
func filesOf(from, to string) ([]entry, error) {
	var list []entry
	err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		at := path.Join(to, filepath.ToSlash(rel))
		switch {
		case d.IsDir() && d.Name() == "testdata":
			return fs.SkipDir
		case d.IsDir() && strings.HasPrefix(at, "/usr/share/lqproxy/"):
			list = append(list, entry{Path: at, Mode: 0o755})
		case d.Type().IsRegular() && !strings.HasSuffix(name, ".go"):
			mode, err := modeOf(d)
			if err != nil {
				return err
			}
			list = append(list, entry{Path: at, Source: name, Mode: mode})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", from, err)
	}
	return list, nil
}

// modeOf is what everybody may do with a file: of its own mode only whether it
// is a program counts, as the rest is a matter of the umask.
func modeOf(d fs.DirEntry) (fs.FileMode, error) {
	info, err := d.Info()
	if err != nil {
		return 0, err
	}
	if info.Mode()&0o100 != 0 {
		return 0o755, nil
	}
	return 0o644, nil
}

// scriptFile assembles a script of the packages: what all have in common, then
// its own part.
func (r *release) scriptFile(name string) (string, error) {
	var text []byte
	for _, part := range []string{"lifecycle.sh", name} {
		b, err := os.ReadFile(filepath.Join("packaging", "scripts", part))
		if err != nil {
			return "", fmt.Errorf("reading script: %w", err)
		}
		text = append(append(text, b...), '\n')
	}
	file := filepath.Join(r.stage, "scripts", name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", fmt.Errorf("making folder for scripts: %w", err)
	}
	if err := os.WriteFile(file, append([]byte("#!/bin/sh\n"), text...), 0o755); err != nil {
		return "", fmt.Errorf("writing script: %w", err)
	}
	return file, nil
}
