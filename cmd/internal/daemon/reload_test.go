package daemon

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/lqproxy/lqproxy/configs"
)

func TestReloadPutsTheFileInForce(t *testing.T) {
	i := newInstance(t, admitted)
	i.run(t)
	i.write(t, admitted+`allow.paths = ["/access/newsandbox/"]
`)
	before := i.current.Load()
	if err := i.Reload(); err != nil {
		t.Fatalf("Reload() = %v, want nil", err)
	}
	if status, _ := i.call(t); status != 404 {
		t.Errorf("call of a path that is no longer allowed = %d, want 404", status)
	}
	if i.current.Load().upstream != before.upstream {
		t.Error("an upstream that did not change was replaced")
	}
	i.write(t, admitted+`upstream.idle_timeout = "20s"
`)
	if err := i.Reload(); err != nil {
		t.Fatalf("Reload() = %v, want nil", err)
	}
	if status, body := i.call(t); status != 200 {
		t.Errorf("call through the new upstream = %d %s, want 200", status, body)
	}
	if i.current.Load().upstream == before.upstream {
		t.Error("an upstream that changed was kept")
	}
	if got := i.Status().Reload; !got.Successful || got.Error != "" {
		t.Errorf("Status().Reload = %+v, want success", got)
	}
}

func TestReloadOfTheSameChangesNothing(t *testing.T) {
	i := newInstance(t, admitted)
	i.run(t)
	before := i.current.Load()
	i.write(t, admitted+"# a comment\n")
	if err := i.Reload(); err != nil {
		t.Fatalf("Reload() = %v, want nil", err)
	}
	if i.current.Load() != before {
		t.Error("a file that says nothing new was put in force")
	}
}

func TestReloadKeepsTheOldWhenTheNewIsBad(t *testing.T) {
	i := newInstance(t, admitted)
	i.run(t)
	before := i.current.Load()
	isMistakes := func(err error) bool { _, ok := errors.AsType[configs.Mistakes](err); return ok }
	isRestart := func(err error) bool { return errors.Is(err, ErrRestart) }
	for _, tt := range []struct {
		name     string
		old, new string // in the file
		is       func(error) bool
		text     string
	}{
		{"mistakes", "allow.sources", "allow.source", isMistakes, "allow.sources"},
		{"another state directory", `state_dir = "`, `state_dir = "/none`, isRestart, "changing state_dir: "},
	} {
		file := strings.ReplaceAll(i.base+admitted, tt.old, tt.new)
		if err := os.WriteFile(i.file, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		err := i.Reload()
		if !tt.is(err) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: Reload() = %v, want %q in it", tt.name, err, tt.text)
		}
		if i.current.Load() != before {
			t.Errorf("%s: the configuration was replaced", tt.name)
		}
		if got := i.Status().Reload; got.Successful || got.Error != err.Error() {
			t.Errorf("%s: Status().Reload = %+v, want the error", tt.name, got)
		}
		if _, metrics := i.ask(t, "/metrics"); !strings.Contains(metrics, "\nlqproxy_config_last_reload_successful 0\n") {
			t.Errorf("%s: the metrics do not show it", tt.name)
		}
		if status, body := i.call(t); status != 200 {
			t.Errorf("%s: call = %d %s, want 200", tt.name, status, body)
		}
	}
}

func TestReloadFailsDuringAStop(t *testing.T) {
	i := newInstance(t, admitted)
	i.run(t)
	i.server.Stop()
	if err := i.Reload(); !errors.Is(err, errStopping) {
		t.Errorf("Reload() = %v, want %v", err, errStopping)
	}
	if got := i.Status().Reload; !got.Successful {
		t.Errorf("Status().Reload = %+v, want that of the start", got)
	}
}
