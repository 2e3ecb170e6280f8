package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// asStranger runs f with the rights of a user who owns nothing, for root reads
// everything. Only the thread changes, and it ends with f.
func asStranger(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		const nobody = 65534
		if _, err := unix.SetfsgidRetGid(nobody); err != nil {
			t.Error(err)
		}
		if _, err := unix.SetfsuidRetUid(nobody); err != nil {
			t.Error(err)
		}
		f()
	}()
	<-done
}

func TestStatusForAStranger(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		forbidden func(p *person, state string) string // what a stranger may not enter
		want      string
	}{
		"state directory": {func(_ *person, state string) string { return state }, "only root, user lqproxy and its group may look"},
		"configuration":   {func(p *person, _ string) string { return p.file }, "permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, "127.0.0.1:1", "")
			p.announce(t, os.Getpid(), closedAddress(t))
			state := p.keep(t, "")
			for _, open := range []string{filepath.Dir(p.env["HOME"]), p.env["HOME"], state, p.file} {
				if err := os.Chmod(open, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(tt.forbidden(p, state), 0); err != nil {
				t.Fatal(err)
			}
			asStranger(t, func() {
				if code, out, errs := p.run(t.Context(), "status", "-c", p.file); code != exitNotAllowed || out != "" || !strings.Contains(errs, tt.want) {
					t.Errorf("status = %d, %q, %q, want %d and %q", code, out, errs, exitNotAllowed, tt.want)
				}
				if code, out, _ := p.run(t.Context(), "status", "--check", "-c", p.file); code != checkUnknown || !strings.HasPrefix(out, "UNKNOWN - ") {
					t.Errorf("status --check = %d, %q, want %d", code, out, checkUnknown)
				}
			})
		})
	}
}
