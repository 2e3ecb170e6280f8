package firewall

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A runner runs one host command. Beside go-iptables it is the only way out of
// this package.
type runner func(ctx context.Context, stdin string, argv ...string) (stdout string, err error)

// A CommandError is a host command that exited non-zero. Stderr is kept whole:
// it is usually the only explanation there is.
type CommandError struct {
	Argv   []string
	Code   int
	Stderr string
}

// Error implements error.
func (e *CommandError) Error() string {
	return fmt.Sprintf("%s: exit code %d: %s", strings.Join(e.Argv, " "), e.Code, strings.TrimSpace(e.Stderr))
}

func runHost(ctx context.Context, stdin string, argv ...string) (string, error) {
	var out, errOut strings.Builder
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C") // the texts below are the English ones
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String(), &CommandError{argv, exit.ExitCode(), errOut.String()}
	}
	return out.String(), err
}

// sbin is where the commands of administrators are; a person's PATH may lack it.
var sbin = [...]string{"/usr/sbin", "/sbin"}

// lookCommand returns the path of a host command.
func lookCommand(name string) (path string, ok bool) {
	if path, err := exec.LookPath(name); err == nil {
		return path, true
	}
	for _, dir := range sbin {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, true
		}
	}
	return "", false
}

// alreadyDone reports whether firewalld answered that a rule or port is already
// there, or already gone: somebody else was faster.
func alreadyDone(err error) bool {
	text := err.Error()
	return strings.Contains(text, "ALREADY_ENABLED") || strings.Contains(text, "NOT_ENABLED")
}
