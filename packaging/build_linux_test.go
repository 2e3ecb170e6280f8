package packaging

import (
	"bufio"
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// copyModule copies what git knows of, or would, to a new folder.
func copyModule(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "elsewhere")
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others", "--exclude-standard")
	cmd.Dir = ".."
	names, err := cmd.Output()
	if err != nil {
		leaveOut(t, []string{"a clone of the repository"})
	}
	for lines := bufio.NewScanner(bytes.NewReader(names)); lines.Scan(); {
		text, err := os.ReadFile(filepath.Join("..", lines.Text()))
		if os.IsNotExist(err) {
			continue // deleted, and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, lines.Text())
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join("..", lines.Text()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, info.Mode()&0o700); err != nil { // the umask of others
			t.Fatal(err)
		}
	}
	return dir
}

// Two people who build the same commit in different places get the same bytes.
func TestPackagesAreReproducible(t *testing.T) {
	t.Parallel()
	need(t, "git")
	here := packages(t, older)
	there := filepath.Join(t.TempDir(), "packages")
	commit := "GIT_DIR=" + strings.TrimSpace(output(t, "git", "rev-parse", "--absolute-git-dir"))
	makePackages(t, copyModule(t), []string{commit}, "-version", "v"+older, "-arch", runtime.GOARCH, "-out", there)
	files, err := os.ReadDir(here)
	if err != nil || len(files) != 5 {
		t.Fatalf("files of a release for one architecture = %v, %v, want 5", files, err)
	}
	for _, f := range files {
		a, err := os.ReadFile(filepath.Join(here, f.Name()))
		b, err2 := os.ReadFile(filepath.Join(there, f.Name()))
		if err != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs (%d and %d bytes; %v, %v)", f.Name(), len(a), len(b), err, err2)
		}
	}
}

func TestSumsAreRight(t *testing.T) {
	t.Parallel()
	need(t, "sha256sum")
	cmd := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
	cmd.Dir = packages(t, older)
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), ": OK") != 4 {
		t.Errorf("sha256sum --check: %v, want four files well\n%s", err, out)
	}
}

// extract returns a file of the archive of a version.
func extract(t *testing.T, version, name string) []byte {
	t.Helper()
	file, folder := archiveOf(t, version)
	return []byte(output(t, "tar", "-xOzf", file, folder+"/"+name))
}

// Each module that is in the binary is named, with its licence.
func TestEveryLicenceIsThere(t *testing.T) {
	t.Parallel()
	need(t, "tar")
	info, err := buildinfo.Read(bytes.NewReader(extract(t, older, "files/usr/bin/lqproxy")))
	if err != nil {
		t.Fatal(err)
	}
	notices := string(extract(t, older, "files/usr/share/doc/lqproxy/third-party.txt"))
	wantText(t, "third-party.txt", notices, "std go", "Copyright 2009 The Go Authors")
	if len(info.Deps) == 0 {
		t.Error("the binary names no modules")
	}
	for _, m := range info.Deps {
		_, notice, ok := strings.Cut(notices, "\n"+m.Path+" "+m.Version+": ")
		notice, _, _ = strings.Cut(notice, "\n====")
		if !ok || len(notice) < 500 {
			t.Errorf("third-party.txt has no licence of %s %s", m.Path, m.Version)
		}
	}
}

// The bill of materials names the modules in the binary, and nothing that
// differs from build to build.
func TestMaterialsAreThoseOfTheBinary(t *testing.T) {
	t.Parallel()
	need(t, "tar")
	info, err := buildinfo.Read(bytes.NewReader(extract(t, older, "files/usr/bin/lqproxy")))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(packages(t, older), "lqproxy-"+older+"-linux-"+runtime.GOARCH+".cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		SerialNumber string
		Metadata     struct{ Timestamp string }
		Components   []struct{ Name string }
	}
	if err := json.Unmarshal(text, &bill); err != nil {
		t.Fatal(err)
	}
	if bill.SerialNumber != "" || bill.Metadata.Timestamp != "" {
		t.Errorf("serial number %q, time %q: want none", bill.SerialNumber, bill.Metadata.Timestamp)
	}
	for _, m := range info.Deps {
		if !slices.ContainsFunc(bill.Components, func(c struct{ Name string }) bool { return c.Name == m.Path }) {
			t.Errorf("the bill of materials lacks %s", m.Path)
		}
	}
}

// manualOf returns the commands that have a page in a folder of the manual.
func manualOf(names, folder string) []string {
	var pages []string
	for name := range strings.Lines(names) {
		if page, ok := strings.CutPrefix(strings.TrimSpace(name), folder); ok && strings.HasSuffix(page, ".1.gz") {
			pages = append(pages, strings.TrimSuffix(page, ".1.gz"))
		}
	}
	return pages
}

func TestManualIsInBothLanguages(t *testing.T) {
	t.Parallel()
	need(t, "tar")
	file, folder := archiveOf(t, older)
	names := output(t, "tar", "-tzf", file)
	english, chinese := manualOf(names, folder+"/files/usr/share/man/man1/"), manualOf(names, folder+"/files/usr/share/man/zh_CN/man1/")
	if !slices.Equal(english, chinese) || !slices.Contains(english, "lqproxy-firewall-apply") || len(english) < 15 {
		t.Errorf("English pages %v, Chinese pages %v", english, chinese)
	}
	for _, completion := range []string{"bash-completion/completions/lqproxy", "zsh/site-functions/_lqproxy", "fish/vendor_completions.d/lqproxy.fish"} {
		if !strings.Contains(names, "files/usr/share/"+completion+"\n") {
			t.Errorf("no completion %s", completion)
		}
	}
}

// newKey makes a signing key, and returns gpg's folder and the key's file.
func newKey(t *testing.T) (home, key string) {
	t.Helper()
	home, err := os.MkdirTemp("", "lq") //nolint:usetesting // the sockets of gpg need a short name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		os.RemoveAll(home)
	})
	gpg := []string{"gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""}
	output(t, append(gpg, "--quick-generate-key", "packager <packager@example.com>", "rsa3072", "sign", "never")...)
	key = filepath.Join(home, "secret.asc")
	output(t, append(gpg, "--armor", "--output", key, "--export-secret-keys")...)
	return home, key
}

func TestPackagesAreSigned(t *testing.T) {
	t.Parallel()
	need(t, "gpg", "rpm", "ar")
	home, key := newKey(t)
	folder := filepath.Join(t.TempDir(), "signed")
	makePackages(t, "..", []string{"LQPROXY_SIGN_KEY=" + key}, "-version", "v"+older, "-arch", runtime.GOARCH, "-out", folder)

	public := filepath.Join(home, "public.asc")
	output(t, "gpg", "--homedir", home, "--batch", "--armor", "--output", public, "--export")
	db := t.TempDir()
	output(t, "rpmkeys", "--dbpath", db, "--import", public)
	rpm := filepath.Join(folder, filepath.Base(rpmOf(t, older)))
	if said := output(t, "rpmkeys", "--dbpath", db, "--checksig", rpm); !strings.Contains(said, "signatures OK") {
		t.Errorf("rpmkeys --checksig: %s", said)
	}
	deb := filepath.Join(folder, filepath.Base(debOf(t, older)))
	if members := output(t, "ar", "t", deb); !strings.Contains(members, "_gpgorigin") {
		t.Errorf("members of the deb = %q, want a signature", members)
	}
	archive, _ := archiveOf(t, older)
	for _, name := range []string{filepath.Base(archive), "SHA256SUMS"} {
		file := filepath.Join(folder, name)
		output(t, "gpg", "--homedir", home, "--batch", "--quiet", "--verify", file+".asc", file)
	}
}
