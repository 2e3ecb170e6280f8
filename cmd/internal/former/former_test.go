package former

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// old is a former binary: it knows no key "fresh".
const old = `#!/bin/sh
case $1 in
version) echo '{"version":"1.0.0"}' ;;
check)
	[ "$2 $3 $4 $5" = "--json --lang zh -c" ] || exit 2
	! grep -q fresh "$6" || { echo '{"mistakes":[{"message":"fresh: no such key"}]}'; exit 3; }
	! grep -q broken "$6" || { echo '{"error":"it is broken"}'; exit 3; }
	;;
esac
`

// host is an installation below a folder of the test, with its former version.
func host(t *testing.T) (installed, conf string) {
	t.Helper()
	root := t.TempDir()
	conf = filepath.Join(root, "etc")
	for name, text := range map[string]string{
		"bin/lqproxy":                       "new binary",
		"lib/lqproxy/previous/lqproxy":      old,
		"etc/lqproxy.toml":                  "fresh = 1",
		"lib/lqproxy/previous/lqproxy.toml": "former = 1",
		"etc/same.toml":                     "same = 1",
		"etc/lost.toml":                     "fresh = 2",
		"etc/both.toml":                     "fresh = 3",
		"lib/lqproxy/previous/both.toml":    "broken = 1",
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "lib/lqproxy/previous/lqproxy"), 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "bin", "lqproxy"), conf
}

func find(t *testing.T, installed string) Version {
	t.Helper()
	v, err := Find(t.Context(), installed)
	if err != nil {
		t.Fatalf("Find(%s): %v", installed, err)
	}
	return v
}

func TestFind(t *testing.T) {
	t.Parallel()
	installed, _ := host(t)
	if v := find(t, installed); v.Name != "1.0.0" {
		t.Errorf("Find: version = %s, want 1.0.0", v.Name)
	}
	if _, err := Find(t.Context(), filepath.Join(t.TempDir(), "bin", "lqproxy")); !errors.Is(err, ErrNone) {
		t.Errorf("Find where nothing is kept: %v, want %v", err, ErrNone)
	}
	damaged := filepath.Join(filepath.Dir(installed), "..", "lib", "lqproxy", "previous", "lqproxy")
	if err := os.WriteFile(damaged, []byte("#!/bin/sh\necho nonsense\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(t.Context(), installed); err == nil || errors.Is(err, ErrNone) {
		t.Errorf("Find where something else is kept: %v, want another error than %v", err, ErrNone)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	installed, conf := host(t)
	v := find(t, installed)
	for _, test := range []struct {
		file string
		want Judgement
		said []string
	}{
		{"lqproxy.toml", Returns, nil},
		{"same.toml", Accepts, nil},
		{"lost.toml", Refuses, []string{"fresh: no such key"}},
		{"both.toml", Refuses, []string{"fresh: no such key"}},
	} {
		got, said := v.Judge(t.Context(), filepath.Join(conf, test.file), "", "zh")
		if got != test.want || !cmp.Equal(said, test.said) {
			t.Errorf("Judge(%s) = %v, %q, want %v, %q", test.file, got, said, test.want, test.said)
		}
	}
}

// Going back twice is where one was.
func TestRestore(t *testing.T) {
	t.Parallel()
	installed, conf := host(t)
	file := filepath.Join(conf, "lqproxy.toml")
	for i, want := range []struct{ binary, kept, file string }{
		{old, "new binary", "former = 1"},
		{"new binary", old, "fresh = 1"},
	} {
		v := Version{binary: installed, folder: filepath.Join(filepath.Dir(installed), "..", "lib", "lqproxy", "previous")}
		if err := v.Restore([]string{file}); err != nil {
			t.Fatalf("Restore: %v", err)
		}
		if got := []string{read(t, installed), read(t, v.kept(installed)), read(t, file)}; !cmp.Equal(got, []string{want.binary, want.kept, want.file}) {
			t.Errorf("after Restore %d: binary, kept one and file = %q, want %q", i+1, got, want)
		}
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode of %s = %v, %v, want 0640", file, info.Mode(), err)
	}
	left, err := filepath.Glob(filepath.Join(conf, "*.exchange"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// What cannot be written leaves the binary alone.
func TestRestoreFails(t *testing.T) {
	t.Parallel()
	installed, conf := host(t)
	v := find(t, installed)
	if err := v.Restore([]string{filepath.Join(conf, "lost.toml")}); err == nil { // nothing is kept
		t.Error("Restore of a file that is not kept succeeds")
	}
	if got := read(t, installed); got != "new binary" {
		t.Errorf("binary after a Restore that failed = %q, want the present one", got)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
