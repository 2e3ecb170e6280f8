package packaging

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// Two versions, and the order that package managers see in them.
const (
	older = "9.0.0"
	newer = "9.1.0"
)

// built are the folders of packages that tests have in common, by version.
var built struct {
	sync.Mutex // guards the rest
	dir        string
	folders    map[string]string
}

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(built.dir)
	os.Exit(code)
}

// packages returns a folder with the packages of a version, for this machine.
func packages(t *testing.T, version string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if folder, ok := built.folders[version]; ok {
		return folder
	}
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "lqproxy-packages-") //nolint:usetesting // it outlives the test
		if err != nil {
			t.Fatal(err)
		}
		built.dir, built.folders = dir, map[string]string{}
	}
	folder := filepath.Join(built.dir, version)
	makePackages(t, "..", nil, "-version", "v"+version, "-arch", runtime.GOARCH, "-out", folder)
	built.folders[version] = folder
	return folder
}

// makePackages runs the build in the module at root, with further variables of
// the environment.
func makePackages(t *testing.T, root string, env []string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"run", "./packaging/build"}, args...)...)
	cmd.Dir = root
	cmd.Env = slices.Concat(os.Environ(), []string{"SOURCE_DATE_EPOCH=1700000000"}, env)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("making packages %v: %v\n%s", args, err, out)
	}
}

func debOf(t *testing.T, version string) string {
	t.Helper()
	return filepath.Join(packages(t, version), fmt.Sprintf("lqproxy_%s_%s.deb", version, runtime.GOARCH))
}

func rpmOf(t *testing.T, version string) string {
	t.Helper()
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	return filepath.Join(packages(t, version), fmt.Sprintf("lqproxy-%s-1.%s.rpm", version, machine))
}

// archiveOf returns the tar.gz of a version, and the folder in it.
func archiveOf(t *testing.T, version string) (file, folder string) {
	t.Helper()
	folder = fmt.Sprintf("lqproxy-%s-linux-%s", version, runtime.GOARCH)
	return filepath.Join(packages(t, version), folder+".tar.gz"), folder
}
