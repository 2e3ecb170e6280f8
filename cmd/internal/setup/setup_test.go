package setup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/configs"
)

func TestParseDevice(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"none":                            "none [] true",
		"proxy-protocol=10.0.0.9":         "proxy-protocol [10.0.0.9] true",
		"forwarded-for=10.0.0.9,10.0.0.8": "forwarded-for [10.0.0.9 10.0.0.8] true",
		"rewrites=fc00::9":                "rewrites [fc00::9] true",
		"rewrites":                        "rewrites [] false",
		"none=10.0.0.9":                   "none [10.0.0.9] false",
		"f5=10.0.0.9":                     "f5 [10.0.0.9] false",
		"":                                " [] false",
	} {
		d, addresses, ok := ParseDevice(s)
		if got := fmt.Sprint(d, " ", addresses, " ", ok); got != want {
			t.Errorf("ParseDevice(%q) = %s, want %s", s, got, want)
		}
	}
}

// begun is a draft from a file with that text; "" is none.
func begun(t *testing.T, text, instance string) *Draft {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lqproxy.toml")
	if text != "" {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := Begin(file, instance)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Whatever is answered, what is written loads and says it; the report names the
// keys that changed, and no others.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		old     string
		answers []configs.Edits
		changes []string
		warned  string
		device  Device
	}{
		"public cloud": {
			string(configs.Reference()),
			[]configs.Edits{Presets([]string{"fpy-sandbox"}), Unit("12345678901234567890"), Encryption{Mode: configs.TLSOff}.Edits(), Local("")},
			[]string{`allow.presets: [] -> [fpy-sandbox]`, `units[0].id: "" -> "12345678901234567890"`},
			"[in_clear]", NoDevice,
		},
		"private cloud": {
			"",
			[]configs.Edits{Presets(nil), Sources([]string{"10.1.2.3"}), Language("zh")},
			[]string{`allow.sources: [] -> [10.1.2.3]`, `language: "auto" -> "zh"`},
			"[no_unit]", NoDevice,
		},
		"a device that hides everyone": {
			"[allow]\npresets = [\"fpy-sandbox\"]\n",
			[]configs.Edits{InFront(Rewrites, []string{"10.0.0.9"})},
			[]string{`allow.presets: [fpy-sandbox] -> []`, `allow.sources: [] -> [10.0.0.9]`},
			"[rewritten no_unit]", Rewrites,
		},
		"another device": {
			"allow.sources = [\"10.1.2.3\"]\nlisten.proxy_protocol_from = [\"10.0.0.9\"]\n",
			[]configs.Edits{InFront(ForwardedFor, []string{"10.0.0.8"})},
			[]string{`listen.forwarded_for_from: [] -> [10.0.0.8]`, `listen.proxy_protocol_from: [10.0.0.9] -> []`},
			"[no_unit]", ForwardedFor,
		},
		"the same again": {
			"allow.sources = [\"10.1.2.3\"]\n",
			[]configs.Edits{Sources([]string{"10.1.2.3"}), InFront(NoDevice, nil), Listen([]string{":8864"})},
			nil, "[no_unit]", NoDevice,
		},
	} {
		d := begun(t, tt.old, "")
		for _, a := range tt.answers {
			if wrong := d.Try(a); len(wrong) > 0 {
				t.Errorf("%s: Try(%v) = %v, want nothing wrong", name, a, wrong)
			}
			d.Answer(a)
		}
		r, err := d.Finish()
		if err != nil {
			t.Errorf("%s: Finish() = %v", name, err)
			continue
		}
		if diff := cmp.Diff(tt.changes, r.Changes); diff != "" {
			t.Errorf("%s: changes (-want +got):\n%s", name, diff)
		}
		if got := fmt.Sprint(Warnings(r.Config, tt.device)); got != tt.warned {
			t.Errorf("%s: warnings = %s, want %s", name, got, tt.warned)
		}
		if _, err := configs.Parse(r.Text); err != nil {
			t.Errorf("%s: what is written does not load: %v", name, err)
		}
		if changed := len(tt.changes) > 0 && d.Exists; (len(r.Diff) > 0) != changed {
			t.Errorf("%s: the difference is %q, want one: %v", name, r.Diff, changed)
		}
	}
}

// Of the file only what an answer is about is judged.
func TestTry(t *testing.T) {
	t.Parallel()
	d := begun(t, "", "")
	for _, tt := range []struct {
		answer configs.Edits
		want   string
	}{
		{Unit("1"), ""}, // nobody is admitted yet, which is another matter
		{Sources(nil), "[nobody_admitted]"},
		{Sources([]string{"10.0.0.1", "10.0.0.1"}), "[duplicate]"},
		{Presets([]string{"kingdee"}), "[unknown_value]"},
		{Encryption{Mode: configs.TLSFiles, CertFile: "cert.pem"}.Edits(), "[not_absolute]"},
		{Upstream("leqi"), "[not_upstream]"},
	} {
		var kinds []configs.Kind
		for _, m := range d.Try(tt.answer) {
			kinds = append(kinds, m.Kind)
		}
		if got := strings.TrimPrefix(fmt.Sprint(kinds), "[]"); got != tt.want {
			t.Errorf("Try(%v) = %s, want %s", tt.answer, got, tt.want)
		}
	}
}

func TestBeginOfAnInstance(t *testing.T) {
	t.Parallel()
	for listen, admin := range map[string]string{":8865": "127.0.0.1:9865", "10.0.0.5:65000": "127.0.0.1:64000"} {
		d := begun(t, "", "branch")
		d.Answer(Sources([]string{"10.1.2.3"}))
		d.Answer(Listen([]string{listen}))
		r, err := d.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Config.Admin.Addresses[0]; got != admin || r.Config.StateDir != "/var/lib/lqproxy/branch" {
			t.Errorf("listening on %s, admin = %s, state in %s, want %s and the instance's", listen, got, r.Config.StateDir, admin)
		}
	}
}

func TestBeginOfWhatItCannot(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "lqproxy.toml")
	for _, text := range []string{"[allow\n", "[allow]\nsorces = []\n", "[limits]\nconnections = 0\nallow.sources = []\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Begin(file, ""); !isMistakes(err) {
			t.Errorf("Begin(%q) = %v, want mistakes", text, err)
		}
	}
}

func isMistakes(err error) bool {
	_, ok := errors.AsType[configs.Mistakes](err)
	return ok
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "real.toml"), filepath.Join(dir, "lqproxy.toml")
	if err := os.Symlink("real.toml", link); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	if err := os.WriteFile(file, []byte("old"), 0o604); err != nil {
		t.Fatal(err)
	}
	backup, err := Write(link, []byte("new"), "no-such-group", now)
	if want := file + ".20260102-030405"; backup != want || err != nil {
		t.Fatalf("Write() = %q, %v, want %q", backup, err, want)
	}
	for name, want := range map[string]string{file: "new", backup: "old", link: "new"} {
		if text, err := os.ReadFile(name); string(text) != want || err != nil {
			t.Errorf("%s is %q (%v), want %q", name, text, err, want)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != mode {
		t.Errorf("the new file has mode %v (%v), want 0640", info.Mode(), err)
	}
	// A copy of the same second is not overwritten, and the file stays.
	if _, err := Write(file, []byte("newer"), "", now); !errors.Is(err, os.ErrExist) {
		t.Errorf("Write() over a copy = %v, want os.ErrExist", err)
	}
	if text, _ := os.ReadFile(file); !bytes.Equal(text, []byte("new")) {
		t.Errorf("the file is %q, want it untouched", text)
	}
	if left, _ := os.ReadDir(dir); len(left) != 3 {
		t.Errorf("left behind: %v, want three", left)
	}
	if err := Writable(filepath.Join(dir, "none", "x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Writable(no folder) = %v, want os.ErrNotExist", err)
	}
	if err := Writable(file); err != nil {
		t.Errorf("Writable() = %v, want nil", err)
	}
}
