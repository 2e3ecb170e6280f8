package doctor

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A machine is the host as its files and commands show it. The tests root it at
// a folder.
type machine struct {
	root string
	run  Runner
	free func(folder string) (int64, error) // bytes that a service may still write there
}

func newMachine(o *Options) machine {
	m := machine{root: o.root, run: o.run, free: freeSpace}
	if m.run == nil {
		m.run = runHost
	}
	return m
}

// path returns where the file of that whole path is.
func (m machine) path(name string) string { return filepath.Join(m.root, name) }

// read returns a small file without the white space around it.
func (m machine) read(name string) (string, error) {
	text, err := os.ReadFile(m.path(name))
	return strings.TrimSpace(string(text)), err
}

// tail returns the last bytes of a file, from the beginning of a line.
func (m machine) tail(name string, size int64) ([]byte, error) {
	f, err := os.Open(m.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was read alone
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-size)
	text, err := io.ReadAll(io.NewSectionReader(f, from, size))
	if err != nil {
		return nil, fmt.Errorf("reading the end of %s: %w", name, err)
	}
	if from > 0 {
		_, whole, _ := strings.Cut(string(text), "\n")
		text = []byte(whole)
	}
	return text, nil
}

func runHost(ctx context.Context, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("running %s: %w", argv[0], err)
	}
	return string(out), nil
}
