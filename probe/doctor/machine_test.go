package doctor

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the golden files anew")

// checkGolden compares got with a file of testdata.
func checkGolden(t *testing.T, file, got string) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// unpack makes the tree of a txtar archive. A file that says "link TARGET" is a
// symbolic link.
func unpack(t *testing.T, name string) string {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", "machines", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, f := range archive.Files {
		path := filepath.Join(root, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(string(f.Data), "link "); ok {
			err = os.Symlink(strings.TrimSpace(target), path)
		} else {
			err = os.WriteFile(path, f.Data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// describe writes findings one a line.
func describe(findings ...Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s %s", f.State, f.Code)
		for _, arg := range f.Args {
			fmt.Fprintf(&b, " [%v]", arg)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

var errNoSystemd = errors.New("systemctl is not there")

// systemctl returns a Runner that knows one unit; "" is none.
func systemctl(properties string) Runner {
	return func(_ context.Context, argv ...string) (string, error) {
		if properties == "" || argv[0] != "systemctl" || argv[1] != "show" {
			return "", errNoSystemd
		}
		return properties, nil
	}
}

// TestMachines examines trees without a way to anywhere.
func TestMachines(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	logs := Logs{Access: "/var/log/lqproxy/access.log", Error: "/var/log/lqproxy/error.log", MinFree: 1 << 30}
	for _, tt := range []struct {
		name     string
		instance Instance
		systemd  string
		free     int64
		config   Config
	}{
		{
			"centos7",
			Instance{Unit: "lqproxy.service", Binary: "/opt apps/lqproxy"},
			"LoadState=loaded\nActiveState=failed\nUnitFileState=enabled\nMainPID=0\nResult=exit-code\n", 1<<30 + 400,
			Config{File: "/etc/lqproxy/lqproxy.toml", Mistakes: 2},
		},
		{
			"kylin",
			Instance{
				Unit: "lqproxy@b.service", Binary: "/usr/local/bin/lqproxy", Running: &Running{PID: 900, Loaded: now},
				Former: []string{"/etc/nginx/conf.d/lqpt.conf"}, Starters: []string{"nginx.service", "/etc/rc.local:4"},
			},
			"LoadState=loaded\nActiveState=active\nUnitFileState=disabled\nMainPID=900\nResult=success\n", 1 << 20,
			Config{File: "/etc/lqproxy/b.toml", User: "lqproxy", Denied: []string{"/etc/lqproxy/key.pem"}},
		},
		{"hidden", Instance{Unit: "lqproxy.service", Binary: "/usr/bin/lqproxy"}, "", 0, Config{File: "/etc/lqproxy/lqproxy.toml", Missing: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := machine{root: unpack(t, tt.name), run: systemctl(tt.systemd), free: func(string) (int64, error) {
				if tt.free == 0 {
					return 0, errors.New("permission denied")
				}
				return tt.free, nil
			}}
			r := &Report{Began: now, Host: Host{Arch: "riscv64"}}
			o := Options{Instance: tt.instance, Logs: logs, Config: tt.config, Ports: []uint16{8864, 9000}, Descriptors: 5184, Public: true, Firewall: &FirewallLine{Warn, "in step"}}
			r.machine(m, &o)
			r.service(t.Context(), m, &o)
			checkGolden(t, "machines/"+tt.name+".golden", describe(r.Findings...))
		})
	}
}

func TestTailBeginsWithALine(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "log"), []byte("first\nsecond\nthird\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		size int64
		want string
	}{
		{1000, "first\nsecond\nthird\n"},
		{10, "third\n"},
		{3, ""},
	} {
		got, err := machine{root: root}.tail("/log", tt.size)
		if err != nil || string(got) != tt.want {
			t.Errorf("tail(%d) = %q, %v, want %q", tt.size, got, err, tt.want)
		}
	}
}

func TestFilesOfALog(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, name := range []string{
		"access.log", "access.log.1", "access.log.10.gz", "access.log.2.gz", "access.log-20261101", "access.log-20261102.gz",
		"access-2026-11-21.001.log", "access-2026-11-21.001.log.gz", "access-2026-11-21.010.log.gz", "access-2026-11-21.002.log.gz", "access-2026-11-20.001.log",
		"access-2026-11-22.001.log.gz.tmp", "access-2026.log", "access.log.bak", "access", "error.log", "access.log.12345",
	} {
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "access.log.3"), 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := machine{}.logFiles(filepath.Join(root, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, strings.TrimSpace(filepath.Base(f.path)+" "+f.day))
	}
	want := []string{
		"access.log.10.gz", "access.log.2.gz", "access.log.1", "access.log-20261101", "access.log-20261102.gz",
		"access-2026-11-20.001.log 2026-11-20", "access-2026-11-21.001.log 2026-11-21", "access-2026-11-21.002.log.gz 2026-11-21",
		"access-2026-11-21.010.log.gz 2026-11-21", "access.log",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("logFiles (-want +got):\n%s", diff)
	}
}
