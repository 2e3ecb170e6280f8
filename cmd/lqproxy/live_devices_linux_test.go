package main

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A liveDevice is a program that stands in front of the proxy.
type liveDevice struct {
	name, program string
	arguments     []string // before the name of its file
	settings      string   // of the proxy; DEVICE is the address that the device connects from
	config        string   // of the device
	fields        string   // that callers send
}

// liveDevices are those that companies have.
var liveDevices = []liveDevice{
	{
		name: "HAProxy, send-proxy", program: "haproxy", arguments: []string{"-db", "-f"},
		settings: `listen.proxy_protocol_from = ["DEVICE"]`,
		config: haproxyGlobal + `
frontend callers
	mode tcp
	bind FRONT
	default_backend lqproxy
backend lqproxy
	mode tcp
	source DEVICE
	server one PROXY send-proxy check inter 100ms
`,
	},
	{
		name: "HAProxy, send-proxy-v2, HTTP mode", program: "haproxy", arguments: []string{"-db", "-f"},
		settings: `listen.proxy_protocol_from = ["DEVICE"]`,
		config: haproxyGlobal + `
frontend callers
	mode http
	bind FRONT
	default_backend lqproxy
backend lqproxy
	mode http
	retries 0
	source DEVICE
	server one PROXY send-proxy-v2 check inter 100ms
`,
	},
	{
		name: "nginx, X-Forwarded-For", program: "nginx", arguments: []string{"-c"},
		settings: `listen.forwarded_for_from = ["DEVICE"]`,
		fields:   "X-Forwarded-For: 10.99.99.99\r\n",
		config: `
daemon off; master_process off; pid DIR/nginx.pid; error_log DIR/nginx.log;
events {}
http {
	access_log off; client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; client_max_body_size 0;
	fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
	upstream lqproxy { server PROXY; keepalive 32; keepalive_timeout 4s; }
	server {
		listen FRONT;
		location / {
			proxy_pass http://lqproxy;
			proxy_bind DEVICE;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_next_upstream off;
		}
	}
}
`,
	},
}

const haproxyGlobal = `
global
	maxconn 1000
defaults
	timeout connect 10s
	timeout client 60s
	timeout server 60s
`

// story has callers come through the device, while the proxy is reloaded and
// upgraded: no exchange fails, and each line names the caller.
func (d liveDevice) story(r *liveRig) {
	program := deviceProgram(r.t, d.program)
	device := netip.AddrFrom4([4]byte{127, 200, byte(rand.N(256)), 1})
	callers := netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 201, byte(rand.N(256)), 0}), 24)
	front := r.address(80)
	fill := strings.NewReplacer("DEVICE", device.String(), "PROXY", r.settings.listen[0], "FRONT", front, "DIR", r.dir)
	r.settings.sources, r.settings.more = callers.String(), fill.Replace(d.settings)
	r.start()
	file := filepath.Join(r.dir, "device.conf")
	r.replace(file, []byte(fill.Replace(d.config)), 0o600)
	startDevice(r.t, program, append(slices.Clone(d.arguments), file), front)

	r.crowd.aim(front)
	r.crowd.fields = d.fields
	r.crowd.dialer = func() *net.Dialer { return &net.Dialer{LocalAddr: &net.TCPAddr{IP: someCaller(callers)}} }
	r.book.begin(liveEvent{name: "nothing"})
	r.crowd.come(liveKinds(liveSlow()))
	r.settle()
	r.during("reload", func() { r.reloads(10, r.reloadBySignal) })
	r.during("upgrade", func() { r.upgrade(r.programs.next, upgradeByCommand) })
	r.during("reload while a process drains", func() { r.reloads(5, r.reloadBySignal) })
	r.wantRefusedBehind(d.fields)
	r.end()
	r.wantSources(callers, device)
}

// someCaller returns an address of a prefix.
func someCaller(callers netip.Prefix) net.IP {
	a := callers.Addr().As4()
	a[3] = byte(1 + rand.N(254))
	return a[:]
}

// wantRefusedBehind has somebody come through the device whom the proxy does
// not admit.
func (r *liveRig) wantRefusedBehind(fields string) {
	r.t.Helper()
	const stranger = "stranger"
	r.book.begin(liveEvent{name: "somebody who is not admitted", excused: func(x liveExchange) bool { return x.kind == stranger }})
	crowd := &liveCrowd{book: r.book, name: stranger, fields: fields}
	crowd.aim(r.address(80))
	(&liveCaller{crowd: crowd, kind: liveKind{name: stranger, fresh: true}}).exchange(liveAsk{send: 300, receive: 300})
	r.settle()
	for _, x := range r.book.all() {
		if x.kind == stranger && (x.err == nil || x.status == http.StatusOK) {
			r.t.Errorf("a stranger behind the device was served: %v", x)
		}
	}
}

// wantSources holds each line of the access log to naming its caller, and the
// device as the peer, and to being of an exchange: health checks are none.
func (r *liveRig) wantSources(callers netip.Prefix, device netip.Addr) {
	r.t.Helper()
	lines := readLiveLog(false, r.folders...).lines
	for _, x := range r.book.all() {
		from, _, _ := strings.Cut(x.path, " > ")
		want, err := netip.ParseAddrPort(from)
		if x.err == nil && (err != nil || !callers.Contains(want.Addr())) {
			r.t.Errorf("the caller of %v was none of %s", x, callers)
		}
		for _, l := range lines[x.id] {
			if l.Source != want.Addr().String() || l.Peer != device.String() || l.Port != 0 && l.Port != int(want.Port()) {
				r.t.Errorf("the access log names source %s, port %d, peer %s, want %s behind %s: %s", l.Source, l.Port, l.Peer, from, device, l.text)
				return // the others will be alike
			}
		}
	}
}

// deviceProgram returns the path of a device. A machine without it may go on,
// the one that decides may not.
func deviceProgram(t *testing.T, name string) string {
	t.Helper()
	for _, place := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(place); err == nil {
			return found
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// startDevice runs a device until the end of the test.
func startDevice(t *testing.T, program string, args []string, front string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was told to end
		if t.Failed() {
			t.Logf("%s printed:\n%s", program, out.String())
		}
	})
	awaitLive(t, program+" listens", func() bool {
		c, err := net.DialTimeout("tcp", front, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}
