package configs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// In the tree of these tests everything belongs to whoever runs them. Two
// accounts are judged: the owner's group, and a stranger.
func TestCanRead(t *testing.T) {
	t.Parallel()
	stranger := Account{UID: 64_999, GIDs: []uint32{64_999}}
	member := Account{UID: 64_999, GIDs: []uint32{64_999, uint32(os.Getegid())}}
	tests := []struct {
		name   string
		folder fs.FileMode
		file   fs.FileMode
		who    Account
		want   error
	}{
		{"all may", 0o755, 0o644, stranger, nil},
		{"group may", 0o750, 0o640, member, nil},
		{"file of the owner", 0o755, 0o600, member, fs.ErrPermission},
		{"file of the group", 0o755, 0o640, stranger, fs.ErrPermission},
		{"folder of the owner", 0o700, 0o644, member, fs.ErrPermission},
		{"folder of the group", 0o750, 0o644, stranger, fs.ErrPermission},
		{"folder that is entered, not listed", 0o711, 0o644, stranger, nil},
		{"group has less than others", 0o755, 0o604, member, fs.ErrPermission},
		{"owner", 0o700, 0o600, Account{UID: uint32(os.Geteuid())}, nil},
		{"root", 0o700, 0o600, Account{UID: 0}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := tree(t, tt.folder, tt.file)
			if err := tt.who.CanRead(file); !errors.Is(err, tt.want) {
				t.Errorf("%+v.CanRead(%s in %s) = %v, want %v", tt.who, tt.file, tt.folder, err, tt.want)
			}
		})
	}
}

func TestCanReadFollowsLinks(t *testing.T) {
	t.Parallel()
	stranger := Account{UID: 64_999}
	file := tree(t, 0o700, 0o644)
	link := filepath.Join(openFolder(t), "link.pem")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := stranger.CanRead(link); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("CanRead(link into a closed folder) = %v, want fs.ErrPermission", err)
	}
	if err := stranger.CanRead(link + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("CanRead(missing file) = %v, want fs.ErrNotExist", err)
	}
}

func TestUnreadableNamesKeyFileAndCause(t *testing.T) {
	t.Parallel()
	c := Default()
	c.Listen.CertFile, c.Listen.KeyFile = tree(t, 0o755, 0o644), tree(t, 0o755, 0o600)
	ms := Account{UID: 64_999}.Unreadable(c)
	want := `listen.key_file: "` + c.Listen.KeyFile + `" cannot be read: permission denied`
	if ms.Error() != want {
		t.Errorf("Unreadable = %q, want %q", ms.Error(), want)
	}
}

// tree returns a file of mode file in a folder of mode folder.
func tree(t *testing.T, folder, file fs.FileMode) string {
	t.Helper()
	dir := filepath.Join(openFolder(t), "folder")
	name := filepath.Join(dir, "file.pem")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// The umask bounds what Mkdir and WriteFile give, not what Chmod does.
	if err := errors.Join(os.Chmod(name, file), os.Chmod(dir, folder)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	return name
}

// openFolder returns a folder that everyone may enter; the one above those of
// t.TempDir is closed to others.
func openFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
