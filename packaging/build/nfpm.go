package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The file that nfpm reads, as far as it is needed here. It is written as JSON,
// which is YAML too.
type (
	packageFile struct {
		Name          string            `json:"name"`
		Arch          string            `json:"arch"`
		Platform      string            `json:"platform"`
		Version       string            `json:"version"`
		VersionSchema string            `json:"version_schema"`
		Section       string            `json:"section"`
		Priority      string            `json:"priority"`
		Maintainer    string            `json:"maintainer"`
		Description   string            `json:"description"`
		Vendor        string            `json:"vendor"`
		Homepage      string            `json:"homepage"`
		License       string            `json:"license"`
		MTime         time.Time         `json:"mtime"`
		Depends       []string          `json:"depends"`
		Contents      []packageContent  `json:"contents"`
		Scripts       map[string]string `json:"scripts"`
		RPM           packageRPM        `json:"rpm"`
		Deb           packageDeb        `json:"deb"`
	}
	packageContent struct {
		Source      string          `json:"src,omitempty"`
		Destination string          `json:"dst"`
		Type        string          `json:"type,omitempty"`
		FileInfo    packageFileInfo `json:"file_info"`
	}
	packageFileInfo struct {
		Owner string      `json:"owner"`
		Group string      `json:"group"`
		Mode  fs.FileMode `json:"mode"`
		MTime time.Time   `json:"mtime"`
	}
	packageRPM struct {
		BuildHost   string           `json:"buildhost"`
		Group       string           `json:"group"`
		Summary     string           `json:"summary"`
		Compression string           `json:"compression"`
		Signature   packageSignature `json:"signature"`
	}
	packageDeb struct {
		Compression string           `json:"compression"`
		Signature   packageSignature `json:"signature"`
	}
	packageSignature struct {
		KeyFile string `json:"key_file,omitempty"`
	}
)

const (
	maintainer  = "lqproxy <lqproxy@users.noreply.github.com>"
	summary     = "Proxy in front of the Chinese tax invoice platform Leqi"
	description = summary + `
 It listens on one port, admits only known sources, forwards their calls to
 Leqi byte for byte, says what is wrong in words, and keeps working while it is
 reconfigured and upgraded.`
)

// depends are what the scripts call. A path suits every kind of rpm, whatever
// its package is called.
var depends = map[string][]string{
	formatDeb: {"passwd"},
	formatRPM: {"/bin/sh", "/usr/sbin/useradd", "/usr/sbin/groupadd"},
}

// pack has nfpm make a deb or an rpm.
func (r *release) pack(ctx context.Context, arch, format string) error {
	file, err := r.packageFile(arch, format)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding package: %w", err)
	}
	config := filepath.Join(r.stage, arch, format+".json")
	if err := os.WriteFile(config, text, 0o644); err != nil {
		return fmt.Errorf("writing package's file: %w", err)
	}
	target := filepath.Join(r.out, r.name(arch, format))
	return tell(tool(ctx, "nfpm", "package", "--config", config, "--packager", format, "--target", target))
}

func (r *release) packageFile(arch, format string) (packageFile, error) {
	p := packageFile{
		Name: "lqproxy", Arch: arch, Platform: "linux", Version: r.version, VersionSchema: "none",
		Section: "net", Priority: "optional", Maintainer: maintainer,
		Description: description, Vendor: "lqproxy", Homepage: "https://github.com/lqproxy/lqproxy", License: "Apache-2.0",
		MTime: r.time, Depends: depends[format], Scripts: map[string]string{},
		// gzip is what every rpm since that of CentOS 7 can unpack.
		RPM: packageRPM{"lqproxy", "Applications/Internet", summary, "gzip:9", packageSignature{r.key}},
		Deb: packageDeb{"gzip:9", packageSignature{r.key}},
	}
	list, err := r.contents(arch, format)
	if err != nil {
		return p, err
	}
	for _, e := range list {
		p.Contents = append(p.Contents, r.packageContent(e, format))
	}
	for _, name := range []string{"preinstall", "postinstall", "preremove", "postremove"} {
		if p.Scripts[name], err = r.scriptFile(name + ".sh"); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (r *release) packageContent(e entry, format string) packageContent {
	c := packageContent{Source: e.Source, Destination: e.Path, FileInfo: packageFileInfo{"root", "root", e.Mode, r.time}}
	if e.Owner != "" {
		c.FileInfo.Owner = e.Owner
	}
	if e.Group != "" {
		c.FileInfo.Group = e.Group
	}
	switch {
	case e.Source == "":
		c.Type = "dir"
	case e.Config:
		c.Type = "config|noreplace"
	case format != formatRPM: // the others know no further types
	case e.Path == licence:
		c.Type = "license"
	case strings.HasPrefix(e.Path, "/usr/share/doc/"), strings.HasPrefix(e.Path, "/usr/share/man/"):
		c.Type = "doc"
	}
	return c
}
