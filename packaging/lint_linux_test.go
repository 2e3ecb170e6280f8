package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// output runs a command of this machine, which must succeed.
func output(t *testing.T, argv ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(argv, " "), err, out, errs.String())
	}
	return string(out)
}

func TestLintianFindsNoError(t *testing.T) {
	t.Parallel()
	need(t, "lintian")
	cmd := exec.CommandContext(t.Context(), "lintian", "--fail-on", "error", "--tag-display-limit", "0", debOf(t, older))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}

func TestRPMLintFindsNoError(t *testing.T) {
	t.Parallel()
	need(t, "rpmlint")
	cmd := exec.CommandContext(t.Context(), "rpmlint", "--config", "rpm/rpmlint.toml", rpmOf(t, older))
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), ": E: ") || !strings.Contains(string(out), " 0 errors") {
		t.Errorf("rpmlint: %v\n%s", err, out)
	}
}

// The scripts as they are in the packages, each with what all have in common.
func TestShellCheck(t *testing.T) {
	t.Parallel()
	need(t, "shellcheck")
	common, err := os.ReadFile("scripts/lifecycle.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"preinstall", "postinstall", "preremove", "postremove", "install"} {
		own, err := os.ReadFile("scripts/" + name + ".sh")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), name+".sh")
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"+string(common)+"\n"+string(own)), 0o644); err != nil {
			t.Fatal(err)
		}
		// SC2317, SC2034: what is not reached or used in one script is in another.
		cmd := exec.CommandContext(t.Context(), "shellcheck", "--shell=sh", "--exclude=SC2317,SC2034", file)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("shellcheck %s: %v\n%s", name, err, out)
		}
	}
}
