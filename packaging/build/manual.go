package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// shared makes what is the same on every architecture: manual pages in both
// languages, completion scripts and the changelog. The program itself writes the
// former, so it is compiled for this machine first.
func (r *release) shared(ctx context.Context) error {
	program := r.binary(runtime.GOARCH)
	if err := r.compile(ctx, runtime.GOARCH, program); err != nil {
		return err
	}
	if err := r.manual(ctx, program); err != nil {
		return err
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script, err := exec.CommandContext(ctx, program, "--lang", "en", "completion", shell).Output()
		if err != nil {
			return fmt.Errorf("making completion for %s: %w", shell, err)
		}
		if err := create(r.completion(shell), func(w io.Writer) error { return write(w, script) }); err != nil {
			return err
		}
	}
	return create(r.changelog(), func(w io.Writer) error { return compress(w, []byte(r.debianChangelog())) })
}

// manual writes the manual pages, packed, to the folders where man looks.
func (r *release) manual(ctx context.Context, program string) error {
	for lang, folder := range map[string]string{"en": "man1", "zh": "zh_CN/man1"} {
		plain := filepath.Join(r.stage, "plain", lang)
		if err := os.MkdirAll(plain, 0o755); err != nil {
			return fmt.Errorf("making folder for manual: %w", err)
		}
		if err := tell(exec.CommandContext(ctx, program, "--lang", lang, "man", plain)); err != nil {
			return fmt.Errorf("writing manual: %w", err)
		}
		pages, err := filepath.Glob(filepath.Join(plain, "*.1"))
		if err != nil {
			return fmt.Errorf("listing manual: %w", err)
		}
		for _, page := range pages {
			text, err := os.ReadFile(page)
			if err != nil {
				return fmt.Errorf("reading page of manual: %w", err)
			}
			name := filepath.Join(r.stage, "man", folder, filepath.Base(page)+".gz")
			if err := create(name, func(w io.Writer) error { return compress(w, text) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// completion is the completion script for a shell.
func (r *release) completion(shell string) string { return filepath.Join(r.stage, "completion."+shell) }

func (r *release) changelog() string { return filepath.Join(r.stage, "changelog.gz") }

// debianChangelog is what Debian's tools expect of every package; what people
// want to read is CHANGELOG.md.
func (r *release) debianChangelog() string {
	return fmt.Sprintf("lqproxy (%s) stable; urgency=medium\n\n  * See /usr/share/doc/lqproxy/README.md.\n\n -- %s  %s\n",
		r.version, maintainer, r.time.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
}

// compress writes text packed, as gzip -9n does: without name and time.
func compress(w io.Writer, text []byte) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := write(z, text); err != nil {
		return err
	}
	return z.Close()
}

func write(w io.Writer, text []byte) error {
	_, err := io.Copy(w, bytes.NewReader(text))
	return err
}
