package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestTakeoverScripts runs the stories of testdata/takeover, each on a machine of
// its own: they enter new namespaces before they touch anything. nginx is real;
// what stands for systemd is a script.
func TestTakeoverScripts(t *testing.T) {
	t.Parallel()
	needsMachine(t, "unshare", "ip", "nginx", "curl")
	testscript.Run(t, testscript.Params{
		Dir: "testdata/takeover", RequireExplicitExec: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			return os.CopyFS(env.WorkDir, os.DirFS(filepath.Join("testdata", "takeover", "machine")))
		},
	})
}

// needsMachine leaves a test out where it cannot make a machine of its own; in CI
// it fails instead.
func needsMachine(t *testing.T, commands ...string) {
	t.Helper()
	missing := ""
	for _, command := range commands {
		if _, err := exec.LookPath(command); err != nil {
			missing = command
		}
	}
	switch {
	case testing.Short():
		t.Skip("left out: it is not short")
	case missing == "" && os.Geteuid() == 0:
	case os.Getenv("CI") == "true":
		t.Fatalf("needs root and %s", missing)
	default:
		t.Skipf("left out: needs root and %s", missing)
	}
}
