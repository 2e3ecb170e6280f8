package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// A packed is a file of an archive, by its path below the archive's folder.
type packed struct {
	path string
	mode fs.FileMode
	text []byte
}

// archive makes the tar.gz: install.sh, the list of what it installs, and those
// files below files/ as they will lie on the host.
func (r *release) archive(arch string) error {
	list, err := r.contents(arch, formatTar)
	if err != nil {
		return err
	}
	script, err := r.scriptFile("install.sh")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(script)
	if err != nil {
		return fmt.Errorf("reading script: %w", err)
	}
	files := []packed{{"architecture", 0o644, []byte(arch + "\n")}}
	var names bytes.Buffer
	for _, e := range list {
		names.WriteString(listLine(e))
		if e.Source == "" {
			continue
		}
		text, err := os.ReadFile(e.Source)
		if err != nil {
			return fmt.Errorf("reading file of package: %w", err)
		}
		files = append(files, packed{path.Join("files", e.Path), e.Mode, text})
	}
	files = append(files, packed{"files.list", 0o644, names.Bytes()}, packed{"install.sh", 0o755, text})
	return create(filepath.Join(r.out, r.name(arch, formatTar)), func(w io.Writer) error {
		return r.writeArchive(w, r.folder(arch), files)
	})
}

// listLine is what install.sh reads of e: its kind (folder, file or
// configuration), mode, owner, group and path.
func listLine(e entry) string {
	kind := "f"
	switch {
	case e.Source == "":
		kind = "d"
	case e.Config:
		kind = "c"
	}
	owner, group := "root", "root"
	if e.Owner != "" {
		owner = e.Owner
	}
	if e.Group != "" {
		group = e.Group
	}
	return fmt.Sprintf("%s %04o %s %s %s\n", kind, e.Mode, owner, group, e.Path)
}

// writeArchive writes files below folder, all of root and of the commit's time.
func (r *release) writeArchive(w io.Writer, folder string, files []packed) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, f := range files {
		h := &tar.Header{
			Name: path.Join(folder, f.path), Mode: int64(f.mode), Size: int64(len(f.text)), ModTime: r.time,
			Uname: "root", Gname: "root", Format: tar.FormatUSTAR,
		}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if err := write(t, f.text); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return z.Close()
}

// sumsName is the file by which people check what they were given:
// sha256sum -c SHA256SUMS.
const sumsName = "SHA256SUMS"

// writeSums writes the digests of all files of folder.
func writeSums(folder string) error {
	files, err := os.ReadDir(folder) // sorted
	if err != nil {
		return fmt.Errorf("listing packages: %w", err)
	}
	var sums strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			return fmt.Errorf("reading package: %w", err)
		}
		sum := sha256.Sum256(text)
		sums.WriteString(hex.EncodeToString(sum[:]) + "  " + f.Name() + "\n")
	}
	return os.WriteFile(filepath.Join(folder, sumsName), []byte(sums.String()), 0o644)
}

// signFiles gives what cannot hold a signature a detached one: archives and sums.
func (r *release) signFiles(ctx context.Context) error {
	if r.key == "" {
		return nil
	}
	home, err := os.MkdirTemp(r.stage, "gpg-")
	if err != nil {
		return fmt.Errorf("making folder for gpg: %w", err)
	}
	if err := tell(r.gpg(ctx, home, "--import", r.key)); err != nil {
		return fmt.Errorf("reading signing key: %w", err)
	}
	defer r.gpgEnd(ctx, home)
	names, err := filepath.Glob(filepath.Join(r.out, "*."+formatTar))
	if err != nil {
		return fmt.Errorf("listing archives: %w", err)
	}
	for _, name := range append(names, filepath.Join(r.out, sumsName)) {
		if err := tell(r.gpg(ctx, home, "--armor", "--detach-sign", name)); err != nil {
			return fmt.Errorf("signing %s: %w", name, err)
		}
	}
	return nil
}

// gpg returns gpg with a key ring of its own; it takes the passphrase from where
// nfpm does.
func (r *release) gpg(ctx context.Context, home string, args ...string) *exec.Cmd {
	all := append([]string{"--homedir", home, "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase-fd", "0"}, args...)
	cmd := exec.CommandContext(ctx, "gpg", all...)
	cmd.Stdin = strings.NewReader(os.Getenv("NFPM_PASSPHRASE") + "\n")
	return cmd
}

// gpgEnd ends the agent that gpg started for home.
func (r *release) gpgEnd(ctx context.Context, home string) {
	cmd := exec.CommandContext(ctx, "gpgconf", "--homedir", home, "--kill", "all")
	_ = cmd.Run() // it ends by itself when its folder goes
}
