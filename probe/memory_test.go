package probe

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "lqproxy", "new")
	m := NewMemory(folder)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if got := m.Forbidden("a:1", now); !got.IsZero() {
		t.Errorf("Forbidden() = %v before anything was noted, want none", got)
	}
	if err := m.Note("a:1", time.Time{}); err != nil {
		t.Errorf("Note() = %v, want nil", err)
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("forgetting what was not known makes a folder")
	}
	for name, at := range map[string]time.Time{"a:1": now, "b:1": now.Add(-time.Minute)} {
		if err := m.Note(name, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		at   time.Time
		want time.Time
	}{
		{"a:1", now, now},
		{"a:1", now.Add(Silence - 1), now},
		{"a:1", now.Add(Silence), time.Time{}},
		{"a:1", now.Add(-time.Hour), time.Time{}}, // the clock was set back
		{"b:1", now, now.Add(-time.Minute)},
		{"c:1", now, time.Time{}},
	} {
		if got := NewMemory(folder).Forbidden(tt.name, tt.at); !got.Equal(tt.want) {
			t.Errorf("Forbidden(%s, %v) = %v, want %v", tt.name, tt.at, got, tt.want)
		}
	}
	if err := m.Note("a:1", time.Time{}); err != nil {
		t.Fatal(err)
	}
	if got := m.Forbidden("a:1", now); !got.IsZero() {
		t.Errorf("Forbidden() = %v, want none: it was forgotten", got)
	}
	files, _ := filepath.Glob(filepath.Join(folder, "*"))
	if info, err := os.Stat(files[0]); len(files) != 1 || err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("files = %q, %v, want one that is the person's own", files, err)
	}
}

func TestMemoryThatIsLost(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	m := NewMemory(folder)
	if err := os.WriteFile(m.file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if got := m.Forbidden("a:1", now); !got.IsZero() {
		t.Errorf("Forbidden() = %v, want none", got)
	}
	if err := m.Note("a:1", now); err != nil || !m.Forbidden("a:1", now).Equal(now) {
		t.Errorf("Note() = %v, want a new memory", err)
	}
	if err := (Memory{}).Note("a:1", now); err != nil || !(Memory{}).Forbidden("a:1", now).IsZero() {
		t.Errorf("the zero Memory: Note() = %v, want nothing to be remembered", err)
	}
	blocked := NewMemory(filepath.Join(m.file, "below a file"))
	if err := blocked.Note("a:1", now); err == nil {
		t.Error("Note() = nil where nothing can be written, want an error")
	}
}
