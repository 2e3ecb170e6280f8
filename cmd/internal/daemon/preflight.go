package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// preflightTimeout bounds each run of the binary that is to take over.
const preflightTimeout = 10 * time.Second

// A BinaryError is an installed binary that cannot take over. Nothing was
// started, and nothing has changed.
type BinaryError struct {
	File     string   // of the binary
	Refusal  bool     // it runs, and refuses the configuration
	Mistakes []string // that it finds in the configuration, in the language of who asked; with Refusal
	Err      error    // why it cannot be run, or what it says beside Mistakes
}

// Error names the binary and the cause.
func (e *BinaryError) Error() string {
	if !e.Refusal {
		return fmt.Sprintf("the installed binary %s cannot be run: %v", e.File, e.Err)
	}
	text := fmt.Sprintf("the installed binary %s refuses the configuration", e.File)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return strings.Join(append([]string{text}, e.Mistakes...), "\n")
}

// Unwrap returns the cause.
func (e *BinaryError) Unwrap() error { return e.Err }

// preflight tries the binary that would be started: whether it is there, runs
// and accepts the configuration. It returns its version. An older one may know
// fewer keys than are set: better it says so here than at its start. What it
// says is in lang.
func (d *Daemon) preflight(ctx context.Context, lang string) (version string, err error) {
	folder := d.o.Succession.folder
	if _, err := os.Stat(folder); err != nil {
		return "", fmt.Errorf("the folder that this process was started in is gone, and the new one cannot be started there: %w", err)
	}
	file, err := exec.LookPath(os.Args[0]) // as tableflip will
	if err != nil {
		return "", &BinaryError{File: os.Args[0], Err: cause(err)}
	}
	if !filepath.IsAbs(file) { // for whoever reads it elsewhere
		file = filepath.Join(folder, file)
	}
	b := binary{file, folder}
	if version, err = b.version(ctx); err != nil {
		return "", &BinaryError{File: file, Err: err}
	}
	return version, b.check(ctx, d.o.File, d.o.Instance, lang)
}

// cause is err without the command and the path, which are named beside it.
func cause(err error) error {
	if e, ok := errors.AsType[*exec.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*os.PathError](err); ok {
		err = e.Err
	}
	return err
}

// A binary is an lqproxy, of whatever version, that is run to be asked.
type binary struct{ file, folder string }

// version returns what the binary says it is.
func (b binary) version(ctx context.Context) (string, error) {
	out, err := b.run(ctx, "version", "--json")
	var says struct{ Version string }
	if err == nil && (json.Unmarshal(out, &says) != nil || says.Version == "") {
		err = errors.New("it is not an lqproxy")
	}
	return says.Version, err
}

// check returns a *BinaryError unless the binary accepts the configuration.
func (b binary) check(ctx context.Context, file, instance, lang string) error {
	args := []string{"check", "--json", "-c", file}
	if instance != "" {
		args = append(args, "-i", instance)
	}
	if lang != "" {
		args = append(args, "--lang", lang)
	}
	out, err := b.run(ctx, args...)
	if err == nil {
		return nil
	}
	var says struct {
		Error    string
		Mistakes []struct{ Message string }
	}
	if json.Unmarshal(out, &says) != nil {
		return &BinaryError{File: b.file, Refusal: true, Err: err}
	}
	e := &BinaryError{File: b.file, Refusal: true}
	for _, m := range says.Mistakes {
		e.Mistakes = append(e.Mistakes, m.Message)
	}
	if says.Error != "" {
		e.Err = errors.New(says.Error)
	}
	return e
}

// run returns what the binary prints. The error has what it complains of.
func (b binary) run(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.file, args...)
	cmd.Dir = b.folder
	cmd.WaitDelay = time.Second // a child of its own may hold the pipe
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%q took more than %v", args[0], preflightTimeout)
	case err == nil:
		return out, nil
	}
	err = cause(err)
	if complaint := strings.TrimSpace(stderr.String()); complaint != "" {
		err = fmt.Errorf("%w: %s", err, complaint)
	}
	return out, err
}
