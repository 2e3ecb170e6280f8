// Package former is the way back from an upgrade: to the binary that it
// replaced and, where that one does not know the present configuration, to the
// files of then. The scripts of the packages keep both in one folder beside the
// binary, lib/lqproxy/previous.
//
// Going back exchanges what is kept and what is installed, so that it can itself
// be taken back.
package former

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// patience is for each run of the former binary.
const patience = 10 * time.Second

// ErrNone says that no former version is kept.
var ErrNone = errors.New("no former version is kept")

// A Version is what an upgrade replaced.
type Version struct {
	Name   string // what the binary says it is
	folder string
	binary string // the installed one
}

// Find returns what is kept beside the installed binary. The error is [ErrNone]
// if nothing is.
func Find(ctx context.Context, installed string) (Version, error) {
	v := Version{binary: installed, folder: filepath.Join(filepath.Dir(installed), "..", "lib", "lqproxy", "previous")}
	out, err := v.run(ctx, "version", "--json")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return v, ErrNone
	case err != nil:
		return v, fmt.Errorf("asking %s for its version: %w", v.kept(installed), err)
	}
	var says struct{ Version string }
	if err := json.Unmarshal(out, &says); err != nil {
		return v, fmt.Errorf("reading the version of %s: %w", v.kept(installed), err)
	}
	v.Name = says.Version
	return v, nil
}

// kept is where the former state of a file is.
func (v Version) kept(file string) string { return filepath.Join(v.folder, filepath.Base(file)) }

// run returns what the former binary prints.
func (v Version) run(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return exec.CommandContext(ctx, v.kept(v.binary), args...).Output()
}

// A Judgement is what the former binary thinks of a configuration.
type Judgement int

// The judgements.
const (
	Accepts Judgement = iota // the present file will do
	Returns                  // the file of then will
	Refuses                  // none will
)

// Judge asks the former binary about the configuration of an instance ("" for
// the unnamed one). With [Refuses] it returns the mistakes that the binary finds
// in the present file, in the language lang.
func (v Version) Judge(ctx context.Context, file, instance, lang string) (Judgement, []string) {
	said, ok := v.accepts(ctx, file, instance, lang)
	if ok {
		return Accepts, nil
	}
	if _, err := os.Stat(v.kept(file)); err != nil {
		return Refuses, said
	}
	if _, ok := v.accepts(ctx, v.kept(file), instance, lang); ok {
		return Returns, nil
	}
	return Refuses, said
}

func (v Version) accepts(ctx context.Context, file, instance, lang string) (said []string, ok bool) {
	args := []string{"check", "--json", "--lang", lang, "-c", file}
	if instance != "" {
		args = append(args, "-i", instance)
	}
	out, err := v.run(ctx, args...)
	if err == nil {
		return nil, true
	}
	var says struct {
		Error    string
		Mistakes []struct{ Message string }
	}
	if json.Unmarshal(out, &says) != nil {
		return []string{err.Error()}, false
	}
	if says.Error != "" {
		said = append(said, says.Error)
	}
	for _, m := range says.Mistakes {
		said = append(said, m.Message)
	}
	return said, false
}

// Restore puts the former binary in the place of the installed one, and the
// files of then in the place of those that are named; what stood there is kept
// in their stead. If anything cannot be written, nothing is changed but what the
// error names.
func (v Version) Restore(files []string) error {
	for _, file := range append(files, v.binary) { // the binary last: it brings all the rest into force
		if err := exchange(file, v.kept(file)); err != nil {
			return err
		}
	}
	return nil
}

// exchange lets two files change places, each in one step. They may lie on
// different file systems.
func exchange(a, b string) error {
	besideA, besideB := a+".exchange", b+".exchange"
	defer os.Remove(besideA) //nolint:errcheck // it has its name by now
	defer os.Remove(besideB) //nolint:errcheck // likewise
	if err := duplicate(b, besideA); err != nil {
		return err
	}
	if err := duplicate(a, besideB); err != nil {
		return err
	}
	if err := os.Rename(besideA, a); err != nil {
		return fmt.Errorf("replacing %s: %w", a, err)
	}
	if err := os.Rename(besideB, b); err != nil {
		return fmt.Errorf("replacing %s: %w", b, err)
	}
	return nil
}

// duplicate writes a copy with the same mode and owner. Nobody else may read it
// before it has them.
func duplicate(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("copying %s: %w", from, err)
	}
	defer in.Close() //nolint:errcheck // it was read alone
	info, err := in.Stat()
	if err != nil {
		return fmt.Errorf("copying %s: %w", from, err)
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("copying %s: %w", from, err)
	}
	_, err = io.Copy(out, in)
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && err == nil {
		err = out.Chown(int(stat.Uid), int(stat.Gid))
	}
	if err == nil {
		err = out.Chmod(info.Mode().Perm())
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copying %s: %w", from, err)
	}
	return nil
}
