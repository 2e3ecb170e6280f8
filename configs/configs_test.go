package configs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"io/fs"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lqproxy/lqproxy/proxy/allow"
)

var update = flag.Bool("update", false, "write the golden files anew")

// wanted begins a line of a bad file that says what is expected of it.
const wanted = "# want: "

// The instance whose file is to be read, for those files that are one's.
const instancePrefix = "instance-"

func TestBadFiles(t *testing.T) {
	t.Parallel()
	dir := certificates(t)
	for _, file := range glob(t, "testdata/bad/*.toml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text := readIn(t, file, dir)
			_, err := parse([]byte(text), instanceOf(file))
			if _, ok := errors.AsType[Mistakes](err); !ok {
				t.Fatalf("parse(%s) = %v, want Mistakes", file, err)
			}
			if diff := cmp.Diff(wants(text), err.Error()); diff != "" {
				t.Errorf("parse(%s) (-want +got):\n%s", file, diff)
			}
		})
	}
}

// wants returns what the first lines of a bad file expect.
func wants(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, wanted)
		if !ok {
			break
		}
		lines = append(lines, strings.TrimSuffix(rest, "\n"))
	}
	return strings.Join(lines, "\n")
}

func instanceOf(file string) string {
	if strings.HasPrefix(filepath.Base(file), instancePrefix) {
		return "sd"
	}
	return ""
}

func TestEveryKindHasABadFile(t *testing.T) {
	t.Parallel()
	dir := certificates(t)
	unseen := map[Kind]bool{}
	for _, k := range Kinds() {
		unseen[k] = true
	}
	for _, file := range glob(t, "testdata/bad/*.toml") {
		_, err := parse([]byte(readIn(t, file, dir)), instanceOf(file))
		ms, _ := errors.AsType[Mistakes](err)
		for _, m := range ms {
			delete(unseen, m.Kind)
		}
	}
	if len(unseen) > 0 {
		t.Errorf("no file in testdata/bad has a mistake of the kinds %v", unseen)
	}
}

func TestEffectiveOfGoodFiles(t *testing.T) {
	t.Parallel()
	dir := certificates(t)
	for _, file := range glob(t, "testdata/good/*.toml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			c, err := parse([]byte(readIn(t, file, dir)), instanceOf(file))
			if err != nil {
				t.Fatalf("parse(%s): %v", file, err)
			}
			got := strings.ReplaceAll(string(c.Effective()), dir, "$DIR")
			golden := strings.TrimSuffix(file, ".toml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("Effective() of %s (-want +got):\n%s", file, diff)
			}
			checkRoundTrip(t, c)
		})
	}
}

// checkRoundTrip checks that what is in force, written as a file, is read as
// the same.
func checkRoundTrip(t *testing.T, c Config) {
	t.Helper()
	again, err := Parse(c.Effective())
	if err != nil {
		t.Fatalf("Parse(Effective()): %v\n%s", err, c.Effective())
	}
	if diff := diffConfigs(c, again); diff != "" {
		t.Errorf("Parse(Effective()) (-want +got):\n%s", diff)
	}
}

// diffConfigs compares all that a Config holds. An empty list is as good as none.
func diffConfigs(want, got Config) string {
	return cmp.Diff(want, got,
		cmpopts.EquateEmpty(),
		cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
		cmp.Comparer(func(a, b allow.List) bool { return slices.Equal(a.Prefixes(), b.Prefixes()) }),
		cmp.Comparer(func(a, b *x509.CertPool) bool { return a.Equal(b) }),
	)
}

func TestLoad(t *testing.T) {
	t.Parallel()
	c, err := Load("testdata/good/public-cloud.toml")
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"52.82.125.155":  true,
		"82.157.180.203": true,
		"68.79.14.3":     false,
	} {
		if got := c.Proxy.Sources.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("Sources.Contains(%s) = %v, want %v", addr, got, want)
		}
	}
}

func TestLoadMissingFile(t *testing.T) {
	t.Parallel()
	if _, err := Load(filepath.Join(t.TempDir(), "none.toml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load(none.toml) = %v, want fs.ErrNotExist", err)
	}
}

func TestInstanceDefaults(t *testing.T) {
	t.Parallel()
	c := DefaultInstance("sd")
	got := []string{c.StateDir, c.Log.AccessFile, c.Log.ErrorFile, FileOf("sd")}
	want := []string{
		"/var/lib/lqproxy/sd", "/var/log/lqproxy/sd/access.log", "/var/log/lqproxy/sd/error.log",
		"/etc/lqproxy/sd.toml",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("DefaultInstance(sd) (-want +got):\n%s", diff)
	}
	if got := FileOf(""); got != DefaultFile {
		t.Errorf("FileOf(%q) = %q, want %q", "", got, DefaultFile)
	}
	if diff := diffConfigs(Default(), DefaultInstance("")); diff != "" {
		t.Errorf(`DefaultInstance("") (-want +got):%s%s`, "\n", diff)
	}
}

func TestByteOrderMarkAndWindowsLineEnds(t *testing.T) {
	t.Parallel()
	text := "\xef\xbb\xbf[allow]\r\nsources = [\"10.0.0.1\"]\r\n"
	if _, err := Parse([]byte(text)); err != nil {
		t.Errorf("Parse(%q): %v", text, err)
	}
}

func TestMistakesUnwrap(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte("allow.sources = [\"10.0.0.1\"]\nupstream.tls.verify = \"full\"\nupstream.tls.ca_file = \"/nonexistent/ca.pem\"\n"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Parse(missing ca_file) = %v, want it to be fs.ErrNotExist", err)
	}
	if m, ok := errors.AsType[Mistake](err); !ok || m.Key != "upstream.tls.ca_file" || m.Line != 3 {
		t.Errorf("errors.AsType[Mistake] = %+v, %v, want the mistake of upstream.tls.ca_file in line 3", m, ok)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("Glob(%s) = %d files, %v", pattern, len(files), err)
	}
	return files
}

// readIn returns the text of file with $DIR replaced by dir.
func readIn(t *testing.T, file, dir string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), "$DIR", dir)
}

// certificates returns a folder with cert.pem, its key.pem, other-key.pem and
// text.pem, which is none.
func certificates(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	key, keyPEM := newKey(t)
	_, otherPEM := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"cert.pem":      pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"key.pem":       keyPEM,
		"other-key.pem": otherPEM,
		"text.pem":      []byte("no certificate\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func newKey(t *testing.T) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func FuzzParse(f *testing.F) {
	f.Add(Reference())
	for _, pattern := range []string{"testdata/bad/*.toml", "testdata/good/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(bytes.Clone(data))
		if err == nil {
			checkRoundTrip(t, c)
			return
		}
		ms, ok := errors.AsType[Mistakes](err)
		if !ok || len(ms) == 0 {
			t.Fatalf("Parse(%q) = %v, want Mistakes", data, err)
		}
		for _, m := range ms {
			if text := m.Error(); text == "" || strings.ContainsAny(text, "\r\n") {
				t.Errorf("Parse(%q) has the mistake %q, want one line", data, text)
			}
		}
	})
}
