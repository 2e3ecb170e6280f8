package firewall

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The timer may have read the record just before a person removes the rules: it
// must not bring them back.
func TestHealHeedsARemovalThatItWaitedFor(t *testing.T) {
	t.Parallel()
	folders := tempFolders(t)
	file := folders.Record("")
	if err := (Record{Backend: None, Policy: policyOf("49.4.80.61")}).write(file); err != nil {
		t.Fatal(err)
	}
	lock, err := lockFile(file + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	healed := make(chan error, 1)
	go func() {
		_, err := Heal(t.Context(), "", folders)
		healed <- err
	}()
	awaitWaiter(t, lock)
	if err := errors.Join(os.Remove(file), lock.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-healed; !errors.Is(err, ErrNotManaged) {
		t.Errorf("Heal behind a removal = %v, want %v", err, ErrNotManaged)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*.json")); len(left) > 0 {
		t.Errorf("Heal behind a removal leaves %q", left)
	}
}

// awaitWaiter waits until somebody waits for the lock.
func awaitWaiter(t *testing.T, lock *os.File) {
	t.Helper()
	info, err := lock.Stat()
	if err != nil {
		t.Fatal(err)
	}
	inode := ":" + strconv.FormatUint(info.Sys().(*syscall.Stat_t).Ino, 10) + " "
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		locks, err := os.ReadFile("/proc/locks")
		if err != nil {
			t.Skipf("left out: %v", err)
		}
		for line := range strings.Lines(string(locks)) {
			if strings.Contains(line, "->") && strings.Contains(line, inode) {
				return
			}
		}
	}
	t.Fatal("nobody waits for the lock")
}
