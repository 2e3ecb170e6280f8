package upstream

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// shown returns a certificate of which only the record's part is there.
func shown(key string) *x509.Certificate {
	return &x509.Certificate{
		RawSubjectPublicKeyInfo: []byte(key),
		Subject:                 pkix.Name{CommonName: "subject of " + key},
		Issuer:                  pkix.Name{CommonName: "issuer of " + key},
		NotAfter:                epoch.AddDate(1, 0, 0),
	}
}

func entry(key string, first, last time.Time, accepted bool) KnownKey {
	return KnownKey{
		Pin: PinOf(shown(key)), Subject: "CN=subject of " + key, Issuer: "CN=issuer of " + key,
		NotAfter: epoch.AddDate(1, 0, 0), FirstSeen: first, LastSeen: last, Accepted: accepted,
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	k, err := OpenKnownKeys(file)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("OpenKnownKeys() of no file = %v, want %v", err, fs.ErrNotExist)
	}
	see := func(key string, after time.Duration, accepted, news bool) {
		t.Helper()
		got, gotNews := k.see(shown(key), epoch.Add(after))
		if got.Accepted != accepted || gotNews != news {
			t.Errorf("see(%s) after %v: accepted %v, news %v, want %v, %v", key, after, got.Accepted, gotNews, accepted, news)
		}
	}
	see("a", 0, true, true) // the very first
	see("a", time.Minute, true, false)
	see("b", time.Minute, false, true)
	see("b", time.Minute+time.Hour-1, false, false)
	see("b", time.Minute+time.Hour, false, true) // still not accepted: told again
	see("a", 3*time.Hour, true, false)

	want := []KnownKey{
		entry("a", epoch, epoch.Add(3*time.Hour), true),
		entry("b", epoch.Add(time.Minute), epoch.Add(time.Minute+time.Hour), false),
	}
	if diff := cmp.Diff(want, k.List()); diff != "" {
		t.Errorf("List() (-want +got):\n%s", diff)
	}
	if err := k.Accept(PinOf(shown("b"))); err != nil { // writes
		t.Fatal(err)
	}
	want[1].Accepted = true
	again, err := OpenKnownKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, again.List()); diff != "" {
		t.Errorf("List() of the file (-want +got):\n%s", diff)
	}

	for _, key := range []string{"a", "b"} {
		if err := k.Forget(PinOf(shown(key))); err != nil {
			t.Fatal(err)
		}
	}
	for name, edit := range map[string]func(Pin) error{"Accept": k.Accept, "Forget": k.Forget} {
		if err := edit(PinOf(shown("b"))); !errors.Is(err, ErrNoSuchKey) {
			t.Errorf("%s() of a key that is gone = %v, want %v", name, err, ErrNoSuchKey)
		}
	}
	see("c", 4*time.Hour, true, true) // the first again
}

func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	pin := PinOf(shown("a")).String()
	tests := []struct {
		name, text string
		keys       int
		ok         bool
	}{
		{"empty", "", 0, false},
		{"cut", `{"version":1,"keys":[{"pin":"` + pin[:20], 0, false},
		{"zeros", "\x00\x00\x00\x00", 0, false},
		{"another document", `{"keys":[]}`, 0, false},
		{"a bad pin", `{"version":1,"keys":[{"pin":"sha256/AAAA"}]}`, 0, false},
		{"a newer version's", `{"version":2,"note":{},"keys":[{"pin":"` + pin + `","accepted":true,"by":"root"}]}`, 1, true},
		{"repeated", `{"version":1,"keys":[{"pin":"` + pin + `"},{"pin":"` + pin + `","accepted":true}]}`, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "keys.json")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			k, err := OpenKnownKeys(file)
			if (err == nil) != tt.ok || len(k.List()) != tt.keys {
				t.Fatalf("OpenKnownKeys() = %d keys, %v, want %d, ok %v", len(k.List()), err, tt.keys, tt.ok)
			}
			k.see(shown("b"), epoch)
			if err := k.save(); err != nil {
				t.Fatal(err)
			}
			if k, err := OpenKnownKeys(file); err != nil || len(k.List()) != tt.keys+1 {
				t.Errorf("after saving: %d keys, %v, want %d", len(k.List()), err, tt.keys+1)
			}
			evidence, err := os.ReadFile(file + ".damaged")
			if !tt.ok && string(evidence) != tt.text || tt.ok && err == nil {
				t.Errorf("evidence = %q, %v, want it only of a damaged record", evidence, err)
			}
		})
	}
}

func TestTheRecordIsBounded(t *testing.T) {
	t.Parallel()
	k, _ := OpenKnownKeys(filepath.Join(t.TempDir(), "keys.json"))
	for i := range 3 * maxKeys {
		k.see(shown(fmt.Sprint(i)), epoch.Add(time.Duration(i)*time.Second))
	}
	list := k.List()
	if len(list) != maxKeys || !list[0].Accepted || list[len(list)-1].Pin != PinOf(shown(fmt.Sprint(3*maxKeys-1))) {
		t.Errorf("List() = %d keys, the first %+v, want %d: the accepted one and the newest", len(list), list[0], maxKeys)
	}
}

func TestTheRecordIsWrittenWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k, _ := OpenKnownKeys(filepath.Join(dir, "keys.json"))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			k.see(shown(fmt.Sprint(i)), epoch)
			if err := k.Accept(PinOf(shown(fmt.Sprint(i)))); err != nil {
				t.Errorf("Accept() failed: %v", err)
			}
		})
	}
	wg.Wait()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v, want the record alone", entries, err)
	}
	again, err := OpenKnownKeys(filepath.Join(dir, "keys.json"))
	if err != nil || len(again.List()) != 8 || again.waiting() {
		t.Errorf("the file holds %v, %v, want 8 accepted keys", again.List(), err)
	}
	if info, err := os.Stat(filepath.Join(dir, "keys.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v, want 0600", info.Mode(), err)
	}
}

// The directory appears later: as a disk that was full, or mounted late.
func TestARecordThatCannotBeWritten(t *testing.T) {
	ours := newIssuer(t)
	p := newRotating(t, ours.issue(t, time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)))
	dir := filepath.Join(t.TempDir(), "later")
	synctest.Test(t, func(t *testing.T) {
		keys, err := OpenKnownKeys(filepath.Join(dir, "keys.json"))
		if err == nil {
			t.Fatal("OpenKnownKeys() without a directory succeeded")
		}
		core, logs := observer.New(zapcore.InfoLevel)
		o := options(p.addr)
		o.TLS.Verify, o.TLS.OnChange = VerifyFirstUse, OnChangeRefuse
		u := newLogged(t, o, keys, nil, zap.New(core))
		run(t, u)
		c := mustGet(t, u)
		exchange(t, c)
		c.Close()
		advance(10*saveAgain + time.Second)
		if got := logs.FilterMessage("the record of upstream keys cannot be written").Len(); got != 1 {
			t.Errorf("said %d times that the record cannot be written, want once", got)
		}

		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		advance(saveAgain)
		if k, err := OpenKnownKeys(keys.file); err != nil || len(k.List()) != 1 {
			t.Errorf("the file holds %v, %v, want the key", k.List(), err)
		}
	})
}

func TestAcceptTellsThatItCouldNotWrite(t *testing.T) {
	t.Parallel()
	k, _ := OpenKnownKeys(filepath.Join(t.TempDir(), "absent", "keys.json"))
	k.see(shown("a"), epoch)
	k.see(shown("b"), epoch)
	if err := k.Accept(PinOf(shown("b"))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Accept() = %v, want %v", err, fs.ErrNotExist)
	}
	if k.waiting() {
		t.Error("waiting() = true, want false: it is accepted in memory")
	}
}

func TestPin(t *testing.T) {
	t.Parallel()
	good := "sha256/" + strings.Repeat("A", 42) + "E="
	p, err := ParsePin(good)
	if err != nil || p.String() != good {
		t.Errorf("ParsePin(%q) = %v, %v, want it back", good, p, err)
	}
	for _, bad := range []string{
		"", "sha256/", good[7:], "SHA256/" + good[7:], "sha1/" + good[7:], good[:len(good)-1], good + "=", good + "\n",
		"sha256/AAAA", "sha256/" + strings.Repeat("A", 42) + "F=", "sha256//" + good[8:50] + "\n=",
	} {
		if p, err := ParsePin(bad); err == nil {
			t.Errorf("ParsePin(%q) = %v, want an error", bad, p)
		}
	}
}

func FuzzParsePin(f *testing.F) {
	f.Add("sha256/" + strings.Repeat("A", 43) + "=")
	f.Add("sha256/AAAA")
	f.Add("sha1/")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePin(s); err == nil && p.String() != s {
			t.Errorf("ParsePin(%q).String() = %q, want what was read", s, p)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(`{"version":1,"keys":[{"pin":"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","accepted":true}]}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseKeys(text)
		if err != nil {
			return
		}
		out, err := json.Marshal(keyFile{Version: recordVersion, Keys: keys})
		if err != nil {
			t.Skip() // a year that JSON's times cannot have
		}
		again, err := parseKeys(out)
		if err != nil || len(again) != len(keys) {
			t.Errorf("parseKeys of what it read = %d keys, %v, want %d", len(again), err, len(keys))
		}
	})
}
