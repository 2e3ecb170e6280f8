package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rewrite puts another text into the file of i, for the next reload.
func (i *instance) rewrite(t *testing.T, old, next string) {
	t.Helper()
	text := strings.ReplaceAll(i.base, old, next)
	if text == i.base {
		t.Fatalf("the file has no %q", old)
	}
	i.base = text
	i.write(t, admitted)
}

// mustReload reloads, which must succeed.
func (i *instance) mustReload(t *testing.T) {
	t.Helper()
	if err := i.Reload(); err != nil {
		t.Fatalf("Reload() = %v, want nil", err)
	}
}

// refused reports whether nobody listens at address.
func refused(t *testing.T, address string) bool {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err == nil {
		c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

func TestReloadAddsAndRemovesListeners(t *testing.T) {
	t.Parallel()
	i := newInstance(t, admitted)
	i.run(t)
	first := i.Addresses()[0]
	second, third := freeAddresses(t)
	for _, tt := range []struct {
		name     string
		old, new string // in the file
		answer   []string
		refuse   []string
	}{
		{"one is added", `["` + first + `"]`, `["` + first + `", "` + second + `"]`, []string{first, second}, []string{third}},
		{"one is removed", `["` + first + `", "` + second + `"]`, `["` + second + `"]`, []string{second}, []string{first, third}},
		{"one takes the place of the other", `["` + second + `"]`, `["` + third + `"]`, []string{third}, []string{first, second}},
		{"the first one again", `["` + third + `"]`, `["` + first + `", "` + third + `"]`, []string{first, third}, []string{second}},
	} {
		i.rewrite(t, tt.old, tt.new)
		i.mustReload(t)
		for _, address := range tt.answer {
			if status, body := ask(t, http.MethodPost, "http://"+address+callPath); status != 200 {
				t.Errorf("%s: call at %s = %d %s, want 200", tt.name, address, status, body)
			}
		}
		for _, address := range tt.refuse {
			if !refused(t, address) {
				t.Errorf("%s: %s accepts, want a refusal", tt.name, address)
			}
		}
		if got := fmt.Sprint(i.Addresses()); got != fmt.Sprint(tt.answer) {
			t.Errorf("%s: Addresses() = %v, want %v", tt.name, got, tt.answer)
		}
	}
}

// An upgrade library keeps copies of listeners, so a close would not be enough.
func TestARemovedListenerEndsAlsoForCopiesOfIt(t *testing.T) {
	t.Parallel()
	i := newInstance(t, admitted)
	i.run(t)
	first := i.Addresses()[0]
	admins := i.AdminAddresses()[0]
	for _, f := range *i.fronts.Load() {
		copied, err := f.ln.File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { copied.Close() })
	}
	second, third := freeAddresses(t)
	i.rewrite(t, first, second)
	i.mustReload(t)
	i.rewrite(t, admins, third)
	i.mustReload(t)
	for _, address := range []string{first, admins} {
		if !refused(t, address) {
			t.Errorf("%s accepts, want a refusal", address)
		}
	}
	if status, _ := i.ask(t, "/readyz"); status != 200 || i.AdminAddresses()[0] != third {
		t.Errorf("/readyz at %v = %d, want 200 at %s", i.AdminAddresses(), status, third)
	}
	if got, err := ReadInstance(i.dir); err != nil || got.Admin[0] != third {
		t.Errorf("ReadInstance() = %+v, %v, want the new address %s", got, err, third)
	}
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{second, third} {
		if !refused(t, address) {
			t.Errorf("%s accepts behind the stop, want a refusal", address)
		}
	}
}

// Who is connected through a listener that goes has its answer, and is told.
func TestAConnectionOutlivesItsListener(t *testing.T) {
	t.Parallel()
	i := newInstance(t, admitted)
	i.run(t)
	first := i.Addresses()[0]
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", first)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(soon)) //nolint:errcheck // the read fails
	in := bufio.NewReader(c)
	exchange := func() *http.Response {
		t.Helper()
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: p\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", callPath)
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		return r
	}
	if r := exchange(); r.StatusCode != 200 || r.Close {
		t.Fatalf("answer = %d, closing %v, want 200 and a connection that stays", r.StatusCode, r.Close)
	}
	second, _ := freeAddresses(t)
	i.rewrite(t, first, second)
	i.mustReload(t)
	if r := exchange(); r.StatusCode != 200 || !r.Close {
		t.Errorf("answer = %d, closing %v, want 200 and the end of the connection", r.StatusCode, r.Close)
	}
}

func TestReloadRefusesAnAddressThatCannotBeBound(t *testing.T) {
	t.Parallel()
	i := newInstance(t, admitted)
	i.run(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	first := i.Addresses()[0]
	_, port, _ := net.SplitHostPort(first)
	free, _ := freeAddresses(t)
	before, listening := i.current.Load(), i.fronts.Load()
	for _, tt := range []struct {
		name      string
		addresses string
		want      ListenError
	}{
		{"taken", `"` + first + `", "` + free + `", "` + taken.Addr().String() + `"`, ListenError{Address: taken.Addr().String()}},
		{"overlapping", `"0.0.0.0:` + port + `"`, ListenError{Address: "0.0.0.0:" + port, Overlaps: first}},
	} {
		text := strings.Replace(i.base, `listen.addresses = ["`+first+`"]`, `listen.addresses = [`+tt.addresses+`]`, 1)
		if err := os.WriteFile(i.file, []byte(text+admitted), 0o600); err != nil {
			t.Fatal(err)
		}
		err := i.Reload()
		e, ok := errors.AsType[*ListenError](err)
		if !ok || e.Key != keyListenAddresses || e.Address != tt.want.Address || e.Overlaps != tt.want.Overlaps || e.Holder == "" {
			t.Errorf("%s: Reload() = %#v, want %+v with the holder", tt.name, err, tt.want)
		}
		if i.current.Load() != before || i.fronts.Load() != listening {
			t.Errorf("%s: something was put in force", tt.name)
		}
		if !refused(t, free) {
			t.Errorf("%s: %s accepts, want a refusal", tt.name, free)
		}
		if status, body := i.call(t); status != 200 {
			t.Errorf("%s: call = %d %s, want 200", tt.name, status, body)
		}
		outcome, err := Send(context.Background(), i.dir, Order{Action: Reload})
		if err != nil || outcome.Problem != ProblemListen || outcome.Listen.Overlaps != tt.want.Overlaps || outcome.Command != "systemctl restart lqproxy" {
			t.Errorf("%s: Send(reload) = %+v, %v, want problem %q with the command", tt.name, outcome, err, ProblemListen)
		}
	}
}
