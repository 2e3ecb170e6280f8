package takeover

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/cmd/internal/host"
)

func TestObstacle(t *testing.T) {
	t.Parallel()
	other := &host.Process{PID: 5, Name: "haproxy"}
	nginx := func(change func(*Nginx)) Situation {
		s := Situation{Systemd: true, Unit: host.Unit{Known: true}, Taken: true, Holder: &host.Process{PID: 7, Name: host.Nginx}, Nginx: &Nginx{PID: 7}}
		change(s.Nginx)
		return s
	}
	plain := nginx(func(*Nginx) {})
	bare, uninstalled := plain, plain
	bare.Systemd, uninstalled.Unit.Known = false, false
	busy := nginx(func(n *Nginx) { n.Others = []uint16{80} })
	for name, tt := range map[string]struct {
		s      Situation
		anyway bool
		want   Obstacle
	}{
		"nobody listens":          {Situation{}, false, PortFree},
		"somebody hidden":         {Situation{Taken: true}, false, PortHidden},
		"another program":         {Situation{Taken: true, Holder: other}, false, PortOther},
		"no systemd":              {bare, false, NoSystemd},
		"not installed":           {uninstalled, false, NoService},
		"run by another":          {nginx(func(n *Nginx) { n.Keeper = "supervisord" }), true, Kept},
		"started by cron":         {nginx(func(n *Nginx) { n.Cron = []Line{{"/etc/crontab", 3}} }), true, Scheduled},
		"other ports":             {busy, false, OtherPorts},
		"other ports, and wanted": {busy, true, ""},
		"nothing":                 {plain, false, ""},
	} {
		if got := tt.s.Obstacle(tt.anyway); got != tt.want {
			t.Errorf("%s: Obstacle(%v) = %q, want %q", name, tt.anyway, got, tt.want)
		}
	}
}

// What was done is undone in the opposite order, the step that failed first; also
// when it was a signal that ended it.
func TestStepsAreUndone(t *testing.T) {
	t.Parallel()
	failure := errors.New("it fails")
	for name, tt := range map[string]struct {
		fails Step
		want  string
	}{
		"all well":   {"", "stop_nginx start_lqproxy enable_lqproxy"},
		"in between": {StartLqproxy, "stop_nginx start_lqproxy stop_lqproxy bring_nginx_back"},
		"at the end": {EnableLqproxy, "stop_nginx start_lqproxy enable_lqproxy stop_lqproxy bring_nginx_back"},
		"by Ctrl-C":  {"signal", "stop_nginx bring_nginx_back"},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		var seen []string
		m := Move{Observe: func(s Step) {
			seen = append(seen, string(s))
			if tt.fails == "signal" {
				cancel(failure)
			}
		}}
		do := func(s Step) func(context.Context) error {
			return func(context.Context) error {
				if s == tt.fails {
					return failure
				}
				return nil
			}
		}
		well := func(ctx context.Context) error { return ctx.Err() }
		err := m.walk(ctx, []action{
			{StopNginx, do(StopNginx), well, BringNginxBack},
			{StartLqproxy, do(StartLqproxy), well, StopLqproxy},
			{EnableLqproxy, do(EnableLqproxy), nil, ""},
		})
		if got := strings.Join(seen, " "); got != tt.want {
			t.Errorf("%s: steps = %s, want %s", name, got, tt.want)
		}
		e, ok := errors.AsType[*StepError](err)
		if failed := tt.fails != ""; ok != failed || ok && (!errors.Is(e, failure) || e.Undo != nil) {
			t.Errorf("%s: error = %v, want one: %v", name, err, failed)
		}
		cancel(nil)
	}
}

const rcLocal = `#!/bin/sh
# nginx is started here
touch /var/lock/subsys/local
/usr/local/nginx/sbin/nginx -c /etc/nginx.conf
  systemctl start nginx
nginx-exporter --port 9113
echo done >/var/log/nginx.log
/usr/sbin/nginx;/opt/other
`

// The lines that start nginx, and no others, go out of use and come back.
func TestStartLines(t *testing.T) {
	t.Parallel()
	h := host.Host{Root: t.TempDir()}
	for _, folder := range []string{"/etc/rc.d", "/etc"} {
		if err := os.MkdirAll(h.Path(folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file := h.Path("/etc/rc.d/rc.local")
	if err := os.WriteFile(file, []byte(rcLocal), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("rc.d/rc.local", h.Path("/etc/rc.local")); err != nil {
		t.Fatal(err)
	}
	lines := startLines(h)
	want := []Line{{"/etc/rc.local", 4}, {"/etc/rc.local", 5}, {"/etc/rc.local", 8}}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Fatalf("startLines() (-want +got):\n%s", diff)
	}
	for range 2 { // the second time there is nothing to do
		if err := switchLines(h, lines, off); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(text), mark); got != len(lines) || len(startLines(h)) != 0 {
		t.Errorf("%d lines are out of use, want %d:\n%s", got, len(lines), text)
	}
	if info, err := os.Lstat(h.Path("/etc/rc.local")); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("rc.local is no link any more: %v, %v", info, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o755 {
		t.Errorf("rc.local has mode %v (%v), want 0755", info.Mode(), err)
	}
	copies, _ := filepath.Glob(file + ".2*")
	if len(copies) != 1 {
		t.Errorf("copies of rc.local: %q, want one", copies)
	}
	if err := switchLines(h, append(lines, Line{"/etc/rc.local", 99}), on); err != nil {
		t.Fatal(err)
	}
	text, err = os.ReadFile(file)
	if diff := cmp.Diff(rcLocal, string(text)); diff != "" || err != nil {
		t.Errorf("after the way back: %v (-want +got):\n%s", err, diff)
	}
}

// What could put nginx in lqproxy's place at the next start, and nothing that
// only looks like it.
func TestRemaining(t *testing.T) {
	t.Parallel()
	h := host.Host{Root: t.TempDir(), Run: func(_ context.Context, argv ...string) (string, error) {
		if strings.Join(argv[:3], " ") != "systemctl show nginx.service" {
			return "", errors.New("no such unit")
		}
		return "LoadState=loaded\nUnitFileState=enabled\n", nil
	}}
	if diff := cmp.Diff(Remains{}, Remaining(t.Context(), h)); diff != "" {
		t.Errorf("Remaining() of an empty machine (-want +got):\n%s", diff)
	}
	for file, text := range map[string]string{
		"/run/systemd/system/x":            "",
		"/etc/rc.local":                    rcLocal,
		"/etc/crontab":                     "#@reboot root nginx\n@reboot root sleep 5; /usr/sbin/nginx\n0 3 * * * root nginx -s reopen\n",
		"/etc/cron.d/web":                  "@reboot root nginx-exporter\n",
		"/var/spool/cron/root":             "@reboot /usr/local/nginx/sbin/nginx -c conf/nginx.conf\n",
		"/etc/nginx/conf.d/lqpt.conf":      "server {\n  listen 8864;\n  location / {\n    proxy_pass https://lqpt.chinatax.gov.cn:8443;\n}}\n",
		"/etc/nginx/conf.d/lqpt-old.conf":  "  # proxy_pass https://lqpt.chinatax.gov.cn:8443;\n",
		"/etc/nginx/conf.d/shop.conf":      "proxy_pass https://lqpt.chinatax.gov.cn:8443;\n",
		"/usr/local/nginx/conf/lqpt2.conf": "upstream leqi {\n\tserver lqpt.chinatax.gov.cn:8443;\n}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(h.Path(file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.Path(file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := Remains{
		Files: []string{"/etc/nginx/conf.d/lqpt.conf", "/usr/local/nginx/conf/lqpt2.conf"},
		Starters: []string{
			"nginx.service", "/etc/rc.local:4", "/etc/rc.local:5", "/etc/rc.local:8", "/etc/crontab:2", "/var/spool/cron/root:1",
		},
	}
	if diff := cmp.Diff(want, Remaining(t.Context(), h)); diff != "" {
		t.Errorf("Remaining() (-want +got):\n%s", diff)
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "records")
	if _, err := ReadRecord(folder, ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadRecord(nothing) = %v, want fs.ErrNotExist", err)
	}
	want := Record{
		Taken: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Nginx: Nginx{PID: 7, Program: "/usr/sbin/nginx", Arguments: []string{"-c", "x"}, Folder: "/", Enabled: []string{"nginx.service"}, Lines: []Line{{"/etc/rc.local", 3}}},
	}
	if err := want.Write(folder, "branch"); err != nil {
		t.Fatal(err)
	}
	got, err := ReadRecord(folder, "branch")
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("ReadRecord() = %v (-want +got):\n%s", err, diff)
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v (%v), want 0700", info.Mode(), err)
	}
	for range 2 {
		if err := RemoveRecord(folder, "branch"); err != nil {
			t.Errorf("RemoveRecord() = %v, want nil", err)
		}
	}
	if err := os.WriteFile(recordFile(folder, ""), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRecord(folder, ""); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadRecord(damaged) = %v, want an error that says so", err)
	}
}
