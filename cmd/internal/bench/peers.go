package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

//go:embed *.conf *.toml
var files embed.FS

var configurations = template.Must(template.ParseFS(files, "*.conf", "*.toml"))

// A program is something that bench starts.
type program struct {
	name    string
	file    string // its configuration among the embedded ones
	command func(l *lab, file string) []string
	worker  bool // its work is done by a child
	tls     bool // it speaks TLS
}

var (
	lqproxy = program{name: "lqproxy", file: "lqproxy.toml", command: func(l *lab, file string) []string {
		return []string{l.binary, "serve", "-c", file, "--allow-root"}
	}}
	tunedNginx   = program{name: "nginx tuned", file: "nginx-tuned.conf", command: nginxCommand, worker: true}
	guideNginx   = program{name: "nginx guide", file: "nginx-guide.conf", command: nginxCommand, worker: true}
	haproxy      = program{name: "HAProxy", file: "haproxy.conf", command: haproxyCommand}
	fastUpstream = program{name: "upstream", file: "upstream.conf", command: nginxCommand, worker: true, tls: true}
)

// programs are the columns of the tables, in this order.
var programs = []program{lqproxy, tunedNginx, haproxy, guideNginx}

func nginxCommand(_ *lab, file string) []string {
	return []string{tool("nginx"), "-c", file, "-e", filepath.Join(filepath.Dir(file), "error.log")}
}

func haproxyCommand(_ *lab, file string) []string {
	return []string{tool("haproxy"), "-db", "-f", file}
}

// A setting is what the configurations are filled with.
type setting struct {
	Dir         string // of this program alone
	Address     string // where it listens
	Admin       string
	Upstream    string
	Connections int
	Files       uint64
	Certificate string
	Key         string
	Envelope    string // as a string of nginx's
}

// write puts the configuration of p into its folder, and returns the path.
func (p program) write(s setting) (string, error) {
	var text bytes.Buffer
	if err := configurations.ExecuteTemplate(&text, p.file, s); err != nil {
		return "", fmt.Errorf("writing the configuration of %s: %w", p.name, err)
	}
	path := filepath.Join(s.Dir, p.file)
	return path, os.WriteFile(path, text.Bytes(), 0o644)
}

// setting returns what p is told when it forwards to upstream.
func (l *lab) setting(ctx context.Context, p program, upstream string) (setting, error) {
	dir, err := os.MkdirTemp(l.dir, strings.ReplaceAll(p.name, " ", "-")+"-")
	if err != nil {
		return setting{}, err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return setting{}, err
	}
	admin, err := freeAddress(ctx)
	return setting{
		Dir: dir, Address: address, Admin: admin, Upstream: upstream,
		Connections: l.idle + 2*l.callers, Files: l.files,
		Certificate: l.certificate(), Key: l.key(),
		Envelope: strings.ReplaceAll(envelope(), `\`, `\\`),
	}, err
}

// debianPackages says where the tools come from.
var debianPackages = map[string]string{
	"nginx": "nginx-light", "haproxy": "haproxy", "h2load": "nghttp2-client", "taskset": "util-linux",
}

// tool returns the path of a tool, which for daemons is often outside PATH;
// "" if it is missing.
func tool(name string) string {
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	return ""
}

// requireTools fails with the command that installs what is missing.
func requireTools() error {
	var missing []string
	for name, pkg := range debianPackages {
		if tool(name) == "" {
			missing = append(missing, pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("programs are missing; install them: apt-get install %s", strings.Join(missing, " "))
}
