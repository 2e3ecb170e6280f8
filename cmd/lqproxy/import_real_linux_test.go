package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
)

// A movedCase is an nginx that is moved to lqproxy: what of the two differs,
// as the import says or as the reference documents.
type movedCase struct {
	name string
	host string // that callers ask for; "": the address

	// What nginx sends and lqproxy does not.
	added []string // fields that nginx adds
	http  string   // nginx's version; "": HTTP/1.0

	// What lqproxy sends and nginx does not.
	underscores bool // nginx passes them too
	hostField   string

	clean    bool // nginx cleans the path
	anyPath  bool // nginx forwards any path
	limit    int  // of a body
	tls      bool // callers speak TLS
	proxied  string
	behind   bool // callers come by a device with X-Forwarded-For
	dropped  []string
	sources  map[string]bool // addresses, and whether they are admitted
	narrower []string        // admitted by nginx to some paths, and by lqproxy to none
}

// movedAddresses are the addresses of the files, on loopback.
var movedAddresses = strings.NewReplacer(
	"203.0.113.10", "127.0.0.1", "203.0.113.11", "127.0.0.1", "203.0.113.12", "127.0.0.1", "203.0.113.13", "127.0.0.1",
	"49.4.83.185", "127.4.83.185", "121.36.53.241", "127.36.53.241", "52.82.125.155", "127.82.125.155",
	"82.157.180.203", "127.157.180.203", "10.1.2.", "127.1.2.", "10.9.0.", "127.9.0.",
	"allow 0.0.0.0/1;", "", "allow 10.0.0.0/8;", "deny all;", // what makes several open to the world
)

var movedCases = []movedCase{
	{
		name: "guide", added: []string{"X-Real-IP", "X-Forwarded-For"}, limit: 50 << 20,
		sources: map[string]bool{"127.4.83.185": true, "127.157.180.203": true, "127.1.2.9": true, "127.0.0.1": false, "127.1.3.9": false},
	}, {
		name: "keepalive", http: "HTTP/1.1", underscores: true, limit: 8 << 20, dropped: []string{"Accept-Encoding"},
		sources: map[string]bool{"127.1.2.1": true, "127.1.2.65": true, "127.1.2.66": false, "127.1.2.67": true, "127.1.2.255": true, "127.1.3.0": false, "127.0.0.1": false},
	}, {
		name: "tls", tls: true, clean: true,
		sources: map[string]bool{"127.4.83.185": true, "127.36.53.1": true, "127.36.54.1": false, "127.0.0.1": false},
	}, {
		name: "several", host: "lqpt.example.cn", added: []string{"X-Channel"}, hostField: "lqpt.example.cn", anyPath: true, limit: 1 << 20,
		sources: map[string]bool{"127.1.2.3": true, "127.1.2.4": false, "127.0.0.1": false},
	}, {
		name: "variables", limit: 1 << 20,
		sources: map[string]bool{"127.1.2.65": true, "127.1.2.66": false, "127.4.83.185": true, "127.0.0.1": false},
	}, {
		name: "balancer", added: []string{"X-Real-IP"}, limit: 1 << 20, proxied: "127.9.0.10",
		sources: map[string]bool{"127.4.83.185": true, "127.1.2.3": true, "127.1.3.3": false, "127.9.0.10": false},
	}, {
		name: "waf", added: []string{"X-Forwarded-For"}, limit: 1 << 20, behind: true,
		sources:  map[string]bool{"127.1.2.3": true, "127.1.3.3": false},
		narrower: []string{"127.4.83.185"},
	}, {
		name: "nested", limit: 2 << 20, narrower: []string{"127.4.83.185"},
		sources: map[string]bool{"127.1.2.3": true, "127.0.0.1": false, "127.1.3.3": false},
	},
}

// TestTheImportedProxyDoesAsNginxDid runs a real nginx with each file, and
// lqproxy with what is imported from it, before an upstream that records.
func TestTheImportedProxyDoesAsNginxDid(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("left out: it is not short")
	}
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx, err = exec.LookPath("/usr/sbin/nginx")
	}
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal("needs nginx")
	default:
		t.Skip("left out: needs nginx")
	}
	for _, mc := range movedCases {
		t.Run(mc.name, func(t *testing.T) {
			t.Parallel()
			r := newMovedRig(t, mc, nginx)
			r.admits()
			r.forwards()
			r.limits()
		})
	}
}

// A movedRig is both proxies before their upstreams.
type movedRig struct {
	movedCase
	t              *testing.T
	nginx, lqproxy movedProxy
}

// A movedProxy is one of the two.
type movedProxy struct {
	name     string
	address  string
	upstream *movedUpstream
	refused  func(error, string) bool // what a refused source gets
}

func newMovedRig(t *testing.T, mc movedCase, nginx string) *movedRig {
	t.Helper()
	r := &movedRig{movedCase: mc, t: t}
	cert := movedCertificate(t)
	forNginx := r.files(cert, func(dir string, port int, upstream *movedUpstream) {
		r.nginx = movedProxy{"nginx", "127.0.0.1:" + strconv.Itoa(port), upstream, func(err error, status string) bool {
			return err == nil && status == "403"
		}}
	})
	r.startNginx(nginx, forNginx)
	forUs := r.files(cert, func(_ string, port int, upstream *movedUpstream) {
		r.lqproxy = movedProxy{"lqproxy", "127.0.0.1:" + strconv.Itoa(port), upstream, func(err error, status string) bool {
			return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || r.behind && status == "400"
		}}
	})
	r.startUs(forUs)
	return r
}

// files writes the case's files for a free port and an upstream of its own.
func (r *movedRig) files(cert tls.Certificate, tell func(dir string, port int, u *movedUpstream)) string {
	r.t.Helper()
	dir := r.t.TempDir()
	u := newMovedUpstream(r.t, cert)
	port := movedPort(r.t)
	ports := strings.NewReplacer(
		"lqpt.chinatax.gov.cn", "127.0.0.1", "8443", strconv.Itoa(u.port()),
		"8864", strconv.Itoa(port), "8081", strconv.Itoa(movedPort(r.t)), "resolver 10.0.0.53", "resolver 127.0.0.1", "/etc/nginx", dir,
	)
	from := filepath.Join(nginxFiles, r.name)
	err := filepath.WalkDir(from, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, file)
		to := filepath.Join(dir, rel)
		return errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, []byte(movedAddresses.Replace(ports.Replace(string(text)))), 0o644))
	})
	if err != nil {
		r.t.Fatal(err)
	}
	writeMovedPair(r.t, filepath.Join(dir, "cert"), cert)
	tell(dir, port, u)
	return dir
}

// movedHTTP gives nginx folders of its own.
const movedHTTP = `http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
`

func (r *movedRig) startNginx(program, dir string) {
	r.t.Helper()
	main := filepath.Join(dir, "nginx.conf")
	text, err := os.ReadFile(main)
	if err != nil {
		r.t.Fatal(err)
	}
	own := strings.Replace(string(text), "http {", fmt.Sprintf(movedHTTP, dir), 1)
	own = regexp.MustCompile(`(?m)^user .*$`).ReplaceAllString(own, "")
	for _, f := range []struct{ name, text string }{
		{"nginx.conf", own}, {"mime.types", "types { text/plain txt; }"}, {"logs/none", ""},
	} {
		path := filepath.Join(dir, f.name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(f.text), 0o644)); err != nil {
			r.t.Fatal(err)
		}
	}
	var errs bytes.Buffer
	cmd := exec.Command(program, "-p", dir, "-c", main, "-e", filepath.Join(dir, "error.log"), "-g", "daemon off; user root; pid "+dir+"/pid;")
	if os.Geteuid() != 0 {
		cmd.Args[len(cmd.Args)-1] = "daemon off; pid " + dir + "/pid;"
	}
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGQUIT)
		cmd.Wait()
		if r.t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			r.t.Logf("nginx said:\n%s%s", errs.Bytes(), log)
		}
	})
	r.await(r.nginx.address)
}

// startUs imports the files and runs what comes of them.
func (r *movedRig) startUs(dir string) {
	r.t.Helper()
	_, port, _ := net.SplitHostPort(r.lqproxy.address)
	args := []string{"nginx", dir, "--listen", port}
	if r.host != "" {
		args = append(args, "--server", r.host)
	}
	code, text, errs := importIn(r.t, words.English, args...)
	if code != exitOK {
		r.t.Fatalf("import = %d: %s", code, errs)
	}
	cfg, err := configs.Parse([]byte(text))
	if err != nil {
		r.t.Fatalf("%v in\n%s", err, text)
	}
	cfg.StateDir, cfg.Admin.Addresses = "", []string{"127.0.0.1:0"}
	cfg.Log = configs.Log{Level: "warn", AccessFile: configs.LogOff, Rotate: configs.RotateOff}
	cfg.Proxy.DrainTimeout = time.Second
	var said bytes.Buffer
	d, err := daemon.New(daemon.Options{Config: cfg, Build: build(), Stdout: io.Discard, Stderr: &said})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	r.t.Cleanup(func() {
		stop()
		<-done
		if r.t.Failed() {
			r.t.Logf("imported:\n%s\nlqproxy said:\n%s", text, said.Bytes())
		}
	})
	r.await(r.lqproxy.address)
}

// await waits until something accepts at address.
func (r *movedRig) await(address string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.t.Fatalf("nothing listens at %s: %v", address, err)
		}
	}
}

// A movedAnswer is what a caller gets.
type movedAnswer struct {
	status string
	err    error
}

// movedRequest is a request without its Host, which is the caller's business.
type movedRequest struct {
	line, fields, body string
}

// call sends a request from source to p, as the case has its callers do it.
func (r *movedRig) call(p movedProxy, source string, q movedRequest) (a movedAnswer) {
	r.t.Helper()
	peer := source
	preface, forwarded := "", ""
	switch {
	case r.proxied != "":
		peer, preface = r.proxied, "PROXY TCP4 "+source+" 127.0.0.1 4000 8864\r\n"
	case r.behind:
		peer, forwarded = "127.9.0.10", "X-Forwarded-For: 198.51.100.9, "+source+"\r\n"
	}
	d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(peer)}}
	conn, err := d.DialContext(r.t.Context(), "tcp", p.address)
	if err != nil {
		return movedAnswer{err: err}
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, preface); err != nil {
		return movedAnswer{err: err}
	}
	if r.tls {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a certificate of the test
	}
	host := r.host
	if host == "" {
		host = "127.0.0.1"
	}
	text := fmt.Sprintf("%s HTTP/1.1\r\nHost: %s\r\n%s%sContent-Length: %d\r\n\r\n%s", q.line, host, forwarded, q.fields, len(q.body), q.body)
	_, wrote := io.WriteString(conn, text) // an answer may come before all of it is read
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return movedAnswer{err: errors.Join(err, wrote)}
	}
	return movedAnswer{status: strings.Fields(line + " ? ?")[1]}
}

const movedCall = "POST /access/v2/invoke/202007/CXKYSL"

// admits compares who may call.
func (r *movedRig) admits() {
	r.t.Helper()
	q := movedRequest{line: movedCall, fields: "jrdwptbh: 12345678901234567890\r\n", body: "{}"}
	for source, admitted := range r.sources {
		for _, p := range []movedProxy{r.nginx, r.lqproxy} {
			a := r.call(p, source, q)
			switch {
			case admitted && (a.err != nil || a.status != "200"):
				r.t.Errorf("%s: a call of %s got %s %v, want 200", p.name, source, a.status, a.err)
			case !admitted && !p.refused(a.err, a.status):
				r.t.Errorf("%s: a call of %s got %s %v, want it refused", p.name, source, a.status, a.err)
			case admitted:
				p.upstream.next(r.t)
			}
		}
	}
	for _, source := range r.narrower {
		if a := r.call(r.nginx, source, q); a.status != "200" {
			r.t.Errorf("nginx: a call of %s got %s %v, want 200", source, a.status, a.err)
		}
		r.nginx.upstream.next(r.t)
		if a := r.call(r.lqproxy, source, q); !r.lqproxy.refused(a.err, a.status) {
			r.t.Errorf("lqproxy: a call of %s got %s %v, want it refused", source, a.status, a.err)
		}
	}
}

// anAdmitted is a source that both admit.
func (r *movedRig) anAdmitted() string {
	for _, source := range slices.Sorted(func(yield func(string) bool) {
		for s, admitted := range r.sources {
			if admitted && !yield(s) {
				return
			}
		}
	}) {
		return source
	}
	panic("no source is admitted")
}

var movedRequests = []movedRequest{
	{movedCall, "Content-Type: application/json\r\njrdwptbh: 12345678901234567890\r\nsydwptbh: 12345678901234567890\r\nsxcsbz: 1\r\n", `{"a":"b"}`},
	{movedCall + "/", "CONTENT-type: application/json\r\nX-b: 2\r\nx-A: 1\r\nX-b: 3\r\nUser-Agent: kingdee\r\nAccept: */*\r\n", strings.Repeat("0123456789abcdef", 5000)},
	{movedCall, "access_signature: \r\naccess_token: t\r\nclientTid: 1\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n", "x"},
	{"GET /access/v2/q?a=%zz&b=/../&c=?&&=d;%00", "Accept: */*\r\n", ""},
	{"POST /access/v2//a/%2F/b;c=d/%e4%b8%ad/~", "Content-Type: text/plain\r\n", "y"},
}

// forwards compares what arrives.
func (r *movedRig) forwards() {
	r.t.Helper()
	source := r.anAdmitted()
	for _, q := range movedRequests {
		var got []movedRecord
		for _, p := range []movedProxy{r.nginx, r.lqproxy} {
			if a := r.call(p, source, q); a.err != nil || a.status != "200" {
				r.t.Errorf("%s: %s got %s %v, want 200", p.name, q.line, a.status, a.err)
				return
			}
			got = append(got, p.upstream.next(r.t))
		}
		want, have := r.ofNginx(got[0]), r.ofUs(got[1])
		if r.clean {
			want.Target, have.Target = "", ""
		}
		if diff := cmp.Diff(want, have); diff != "" {
			r.t.Errorf("%s (-nginx +lqproxy):\n%s", q.line, diff)
		}
	}
}

// ofNginx takes away what nginx alone does, as documented.
func (r *movedRig) ofNginx(m movedRecord) movedRecord {
	version := r.http
	if version == "" {
		version = "HTTP/1.0"
	}
	if m.Version != version {
		r.t.Errorf("nginx speaks %s, want %s: the case is not what it says", m.Version, version)
	}
	m.Version = ""
	if r.hostField != "" {
		if m.field("Host") != r.hostField {
			r.t.Errorf("nginx sends Host %q, want %q: the case is not what it says", m.field("Host"), r.hostField)
		}
		m = m.without("Host")
	} else if m.field("Host") == "127.0.0.1:"+strconv.Itoa(r.nginx.upstream.port()) {
		m = m.without("Host")
	}
	for _, name := range r.added {
		if m.field(name) == "" {
			r.t.Errorf("nginx sends no %s: the case is not what it says", name)
		}
	}
	return m.without(append(r.added, "Connection", "X-Forwarded-For")...)
}

// ofUs takes away what lqproxy alone passes on, as documented.
func (r *movedRig) ofUs(m movedRecord) movedRecord {
	if m.Version != "HTTP/1.1" || m.field("Connection") != "" || m.field("X-Forwarded-For") != "" {
		r.t.Errorf("lqproxy sends %+v, want HTTP/1.1 without Connection and X-Forwarded-For", m)
	}
	m.Version = ""
	if want := "127.0.0.1:" + strconv.Itoa(r.lqproxy.upstream.port()); m.field("Host") == want {
		m = m.without("Host")
	}
	if !r.underscores {
		m = m.without("access_signature", "access_token")
	}
	return m
}

// limits compares how large a body may be, and which paths there are.
func (r *movedRig) limits() {
	r.t.Helper()
	source := r.anAdmitted()
	if r.limit > 1<<20 { // nginx's default is not imported
		for _, p := range []movedProxy{r.nginx, r.lqproxy} {
			for _, tt := range []struct {
				size   int
				status string
			}{{r.limit, "200"}, {r.limit + 1, "413"}} {
				a := r.call(p, source, movedRequest{movedCall, "", strings.Repeat("x", tt.size)})
				if a.status != tt.status {
					r.t.Errorf("%s: a body of %d bytes got %s %v, want %s", p.name, tt.size, a.status, a.err, tt.status)
				}
				if a.status == "200" {
					p.upstream.next(r.t)
				}
			}
		}
	}
	for _, p := range []movedProxy{r.nginx, r.lqproxy} {
		a := r.call(p, source, movedRequest{line: "POST /other/"})
		passes := a.status == "200"
		if want := r.anyPath && p.name == "nginx"; passes != want {
			r.t.Errorf("%s: a call to /other/ got %s %v, want it to pass: %v", p.name, a.status, a.err, want)
		}
		if passes {
			p.upstream.next(r.t)
		}
	}
}
