package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A release is one version, on its way to packages.
type release struct {
	version  string // of packages and program
	revision string // short; "" without git
	time     time.Time
	archs    []string // as Go names them
	formats  []string
	key      string // file of the signing key; "" for none
	stage    string // folder of generated files
	out      string
}

// newRelease asks git for what describe, the environment and it know of the
// commit. Without describe git is asked for that too.
func newRelease(ctx context.Context, describe string) (*release, error) {
	if describe == "" {
		describe, _ = output(ctx, "git", "describe", "--tags", "--always", "--dirty") // or there is no git
	}
	seconds := os.Getenv("SOURCE_DATE_EPOCH")
	if seconds == "" {
		var err error
		if seconds, err = output(ctx, "git", "show", "--no-patch", "--format=%ct", "HEAD"); err != nil {
			return nil, fmt.Errorf("finding the commit's time: %w; SOURCE_DATE_EPOCH can name it", err)
		}
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("reading the commit's time: %w", err)
	}
	r := &release{time: time.Unix(n, 0).UTC()}
	r.version = packageVersion(describe, r.time)
	r.revision, _ = output(ctx, "git", "rev-parse", "--short=12", "HEAD") // or there is no git
	if r.stage, err = os.MkdirTemp("", "lqproxy-build-"); err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	return r, nil
}

// build makes everything, into a new folder that takes the place of r.out.
func (r *release) build(ctx context.Context) error {
	if err := os.RemoveAll(r.out); err != nil {
		return fmt.Errorf("removing former packages: %w", err)
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return fmt.Errorf("making folder for packages: %w", err)
	}
	if err := r.shared(ctx); err != nil {
		return err
	}
	for _, arch := range r.archs {
		if err := r.buildArch(ctx, arch); err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
	}
	if err := writeSums(r.out); err != nil {
		return err
	}
	return r.signFiles(ctx)
}

// buildArch makes the packages of one architecture.
func (r *release) buildArch(ctx context.Context, arch string) error {
	if err := r.compile(ctx, arch, r.binary(arch)); err != nil {
		return err
	}
	if err := r.notices(ctx, arch); err != nil {
		return err
	}
	if err := r.materials(ctx, arch); err != nil {
		return err
	}
	for _, format := range r.formats {
		var err error
		if format == formatTar {
			err = r.archive(arch)
		} else {
			err = r.pack(ctx, arch, format)
		}
		if err != nil {
			return fmt.Errorf("making %s: %w", format, err)
		}
	}
	return nil
}

// machines are the architectures as rpm names them.
var machines = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// name is the name of a package's file, as each format has it.
func (r *release) name(arch, format string) string {
	switch format {
	case formatDeb:
		return "lqproxy_" + r.version + "_" + arch + ".deb"
	case formatRPM:
		return "lqproxy-" + r.version + "-1." + machines[arch] + ".rpm"
	}
	return r.folder(arch) + "." + format
}

// folder is the one that an archive unpacks to.
func (r *release) folder(arch string) string { return "lqproxy-" + r.version + "-linux-" + arch }

func (r *release) binary(arch string) string { return filepath.Join(r.stage, arch, "lqproxy") }

// compile builds the static binary. Version and revision are told by the linker,
// as what the go command would note of git depends on the clone.
func (r *release) compile(ctx context.Context, arch, file string) error {
	ldflags := "-s -w -buildid= -X main.version=" + r.version + " -X main.revision=" + r.revision
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", file, "./cmd/lqproxy")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=-mod=readonly")
	if err := tell(cmd); err != nil {
		return fmt.Errorf("compiling: %w", err)
	}
	return nil
}

// tool returns a command of a tool in .ci/tools.mod.
func tool(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "go", slices.Concat([]string{"tool", "-modfile=.ci/tools.mod", name}, args)...)
}

// tell runs cmd, whose output is told if it fails.
func tell(cmd *exec.Cmd) error {
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd.Args[0], err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

// output returns what a command prints, without the space around it.
func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

// create writes a new file by write.
func create(name string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close() //nolint:errcheck // it is of no use
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return f.Close()
}
