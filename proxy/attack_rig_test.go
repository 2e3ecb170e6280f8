package proxy_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/allow"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Who is who on loopback.
const (
	attackCallerIP   = "127.0.0.1" // a source
	attackMonitorIP  = "127.0.0.7" // listen.health_from
	attackBalancerIP = "127.0.0.8" // listen.proxy_protocol_from
	attackDeviceIP   = "127.0.0.9" // listen.forwarded_for_from
)

// attackPatience is how long anything may take before a test is given up.
const attackPatience = 20 * time.Second

// attackBodyLimit is limits.body_size.
const attackBodyLimit = 1 << 20

// An attackRig is a Server with an upstream of its own, so that whatever
// arrives there is of one case.
type attackRig struct {
	up        *attackUpstream
	authority string
	address   string // of the listener
	tls       bool

	stop []func()
}

// The listeners that a rig may have.
const (
	attackPlain = "plain"
	attackTLS   = "tls"
	attackUnits = "units" // plain, with allow.units
)

func attackPrefix(ips ...string) allow.List {
	var all []netip.Prefix
	for _, ip := range ips {
		addr := netip.MustParseAddr(ip)
		all = append(all, netip.PrefixFrom(addr, addr.BitLen()))
	}
	return allow.NewList(all...)
}

func attackOptions(responseTimeout time.Duration) proxy.Options {
	return proxy.Options{
		Sources:   attackPrefix(attackCallerIP, "10.1.1.1", "2001:db8::1"),
		Balancers: attackPrefix(attackBalancerIP),
		Devices:   attackPrefix(attackDeviceIP),
		Monitors:  attackPrefix(attackMonitorIP),
		Paths:     []string{"/access/"},
		DropFields: []string{
			"X-Forwarded-For", "X-Real-IP", "Forwarded", "Via",
		},
		HeaderTimeout: attackPatience, BodyTimeout: attackPatience, IdleTimeout: 75 * time.Second,
		ResponseTimeout: responseTimeout,
		Limits: proxy.Limits{
			Connections: 4096, Exchanges: 1024, QueueTimeout: attackPatience,
			HeaderSize: 32 << 10, HeaderCount: 100, BodySize: attackBodyLimit,
		},
	}
}

func newAttackRig(t *testing.T, listener string, responseTimeout time.Duration) *attackRig {
	t.Helper()
	r := &attackRig{up: newAttackUpstream(t), tls: listener == attackTLS}
	um := upstream.NewMetrics(prometheus.NewRegistry())
	port := r.up.ln.Addr().(*net.TCPAddr).AddrPort().Port()
	up, err := upstream.New(upstream.Options{
		Host: "upstream.test", Port: port, FixedIPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
		DialTimeout: attackPatience, TLSTimeout: attackPatience, IdleTimeout: time.Minute, MaxAge: time.Hour,
		TLS: upstream.TLS{Verify: upstream.VerifyNone, MinVersion: tls.VersionTLS13, MaxVersion: tls.VersionTLS13},
	}, nil, um, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	r.authority = up.Authority()
	options := attackOptions(responseTimeout)
	if listener == attackUnits {
		options.AllowedUnits = []string{"91110000"}
	}
	r.serve(t, proxy.Config{Options: options, Upstream: up, Metrics: proxy.NewMetrics(prometheus.NewRegistry(), um)})
	r.stop = append(r.stop, up.Close, r.up.close)
	return r
}

func (r *attackRig) serve(t *testing.T, c proxy.Config) {
	t.Helper()
	c.Access, c.Log = zap.NewNop(), zap.NewNop()
	if r.tls {
		c.TLS = attackServerTLS(t)
	}
	s := proxy.New(c)
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	r.address = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(ctx, ln); err != nil {
			t.Errorf("Serve() = %v, want nil", err)
		}
	})
	r.stop = append(r.stop, func() {
		ln.Close()
		cancel()
		serving.Wait()
		drain, cancel := context.WithTimeout(context.Background(), attackPatience)
		defer cancel()
		if cut := s.Drain(drain); cut > 0 {
			t.Errorf("Drain() = %d, want no exchange cut", cut)
		}
	})
}

// close ends everything, so that nothing can arrive any more, and returns what
// the upstream has: whole requests, and what was left on its connections.
func (r *attackRig) close() (requests []attackArrival, rests []string) {
	for _, stop := range r.stop {
		stop()
	}
	return r.up.take(), r.up.rests
}

// An attackUpstream is a TLS server that reads with the strict reader alone.
type attackUpstream struct {
	ln net.Listener
	wg sync.WaitGroup

	mu     sync.Mutex // guards what follows
	conns  int
	open   []net.Conn
	got    []attackArrival
	rests  []string      // ends of connections that are no requests
	script *attackScript // for the next request, then none
}

// An attackArrival is a request that the upstream received, and on which of its
// connections.
type attackArrival struct {
	attackMessage
	conn int
}

// An attackScript is an answer that is no answer.
type attackScript struct {
	pieces [][]byte
	then   string // what becomes of the connection: "" it stays, close (with close_notify), cut (without), reset
	early  bool   // as soon as the head has come

	done chan struct{} // closed behind the last piece

	// If not nil: once release is closed the connection is closed in good order,
	// and released says so.
	release, released chan struct{}
}

// attackCertificate is one for all: a key costs more than a case.
var attackCertificate = sync.OnceValues(func() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
})

func attackServerTLS(t *testing.T) *tls.Config {
	t.Helper()
	cert, err := attackCertificate()
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

func newAttackUpstream(t *testing.T) *attackUpstream {
	t.Helper()
	config := attackServerTLS(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &attackUpstream{ln: ln}
	u.wg.Go(func() {
		for {
			raw, err := ln.Accept()
			if err != nil {
				return
			}
			u.mu.Lock()
			u.conns++
			n := u.conns
			u.open = append(u.open, raw)
			u.mu.Unlock()
			u.wg.Go(func() {
				defer raw.Close()
				u.serve(n, raw.(*net.TCPConn), tls.Server(raw, config))
			})
		}
	})
	return u
}

// close ends the upstream after its connections were closed by the other side.
func (u *attackUpstream) close() {
	u.ln.Close()
	u.mu.Lock()
	for _, c := range u.open {
		c.SetReadDeadline(time.Now().Add(time.Second)) // all have been closed at the other end
	}
	u.mu.Unlock()
	u.wg.Wait()
}

// take returns what has arrived since the last call.
func (u *attackUpstream) take() []attackArrival {
	u.mu.Lock()
	defer u.mu.Unlock()
	got := u.got
	u.got = nil
	return got
}

func (u *attackUpstream) play(s *attackScript) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.script = s
}

func (u *attackUpstream) takeScript(early bool) *attackScript {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.script
	if s == nil || s.early != early {
		return nil
	}
	u.script = nil
	return s
}

// serve reads the requests of one connection and answers each with what it was.
func (u *attackUpstream) serve(conn int, raw *net.TCPConn, c *tls.Conn) {
	defer c.Close()
	over := make(chan struct{})
	defer close(over)
	var have []byte
	piece := make([]byte, 64<<10)
	for {
		m, rest, err := readAttackRequest(have)
		switch {
		case err == nil:
			u.mu.Lock()
			u.got = append(u.got, attackArrival{m, conn})
			u.mu.Unlock()
			have = rest
			if s := u.takeScript(false); s != nil {
				if s.release != nil {
					u.wg.Go(func() { s.await(raw, c, over) })
				}
				if s.perform(raw, c) {
					continue
				}
				return
			}
			answer := attackEcho(&m)
			if m.method == "HEAD" {
				answer, _, _ = bytes.Cut(answer, []byte("\r\n\r\n"))
				answer = append(answer, "\r\n\r\n"...)
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
			continue
		case !errors.Is(err, errAttackMore):
			u.leave(fmt.Sprintf("%v in %.300q", err, have))
			io.Copy(io.Discard, c)
			return
		}
		if bytes.Contains(have, []byte("\r\n\r\n")) {
			if s := u.takeScript(true); s != nil && !s.perform(raw, c) {
				return
			}
		}
		n, err := c.Read(piece)
		have = append(have, piece[:n]...)
		if err != nil {
			if len(have) > 0 {
				u.leave(fmt.Sprintf("incomplete: %.300q", have))
			}
			return
		}
	}
}

func (u *attackUpstream) leave(rest string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.rests = append(u.rests, rest)
}

// attackEcho is the answer to m that nobody can take for that to another.
func attackEcho(m *attackMessage) []byte {
	body := attackEchoBody(m)
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func attackEchoBody(m *attackMessage) string {
	return fmt.Sprintf("%s %s with %d bytes", m.method, m.target, len(m.body))
}

// perform plays s, and reports whether the connection goes on.
func (s *attackScript) perform(raw *net.TCPConn, c *tls.Conn) bool {
	defer close(s.done)
	for _, p := range s.pieces {
		if _, err := c.Write(p); err != nil {
			break
		}
	}
	switch s.then {
	case "close":
		c.CloseWrite()
		raw.CloseWrite()
	case "cut":
		raw.CloseWrite()
	case "reset":
		raw.SetLinger(0)
		raw.Close()
	default:
		return true
	}
	return false
}

// await closes c when it is to be released, and ends with over.
func (s *attackScript) await(raw *net.TCPConn, c *tls.Conn, over <-chan struct{}) {
	select {
	case <-over:
		<-s.done // nothing is left to be closed
	case <-s.release:
		<-s.done
		c.CloseWrite()
		raw.CloseWrite()
	}
	close(s.released)
}

// An attackConn is a *net.TCPConn or a *tls.Conn.
type attackConn interface {
	net.Conn
	CloseWrite() error
}

// An attackCaller is one connection to the proxy, read by the strict reader.
type attackCaller struct {
	attackConn
	have   []byte
	ended  bool // in good order
	broken bool // by a reset

	onQuiet func() // called once, when a deadline for reading has passed
}

func (r *attackRig) dial(t *testing.T, from string) *attackCaller {
	t.Helper()
	d := net.Dialer{Timeout: attackPatience}
	if from != attackCallerIP { // which is the default: binding costs a search among all ports
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := d.DialContext(t.Context(), "tcp", r.address)
	if isAttackReset(err) {
		return &attackCaller{broken: true} // before connect returned
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(attackPatience)); err != nil {
		t.Fatal(err)
	}
	if r.tls {
		return &attackCaller{attackConn: tls.Client(c, &tls.Config{InsecureSkipVerify: true})}
	}
	return &attackCaller{attackConn: c.(*net.TCPConn)}
}

func isAttackReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// read reads once more, and reports whether more may come.
func (c *attackCaller) read(t *testing.T) bool {
	t.Helper()
	var piece [16 << 10]byte
	n, err := c.Read(piece[:])
	c.have = append(c.have, piece[:n]...)
	switch {
	case err == nil:
		return true
	case errors.Is(err, io.EOF):
		c.ended = true
	case isAttackReset(err):
		c.broken = true
	case errors.Is(err, os.ErrDeadlineExceeded) && c.onQuiet != nil:
		c.onQuiet()
		c.onQuiet = nil
		return true
	default:
		t.Fatalf("reading from the proxy: %v, having %q", err, c.have)
	}
	return false
}

// exchange sends all of pieces and the end, and reads all that comes back.
func (c *attackCaller) exchange(t *testing.T, pieces [][]byte) {
	t.Helper()
	if c.attackConn == nil {
		return
	}
	for _, p := range pieces {
		if _, err := c.Write(p); err != nil {
			c.broken = isAttackReset(err) // the system tells of it only once
			break
		}
	}
	c.CloseWrite()
	for c.read(t) {
	}
	c.Close()
}

// answers cuts what came into the final answers to requests with these
// methods; a method that is not known has "" and an answer with a body.
func (c *attackCaller) answers(methods []string) (all []attackMessage, err error) {
	for have := c.have; len(have) > 0; {
		method := ""
		if len(all) < len(methods) {
			method = methods[len(all)]
		}
		m, rest, err := readAttackAnswer(have, method, c.ended && len(methods) > 0)
		if err != nil {
			return all, fmt.Errorf("%w in %.300q", err, have)
		}
		if have = rest; m.status >= 200 {
			all = append(all, m)
		} else if m.status != 100 {
			return all, fmt.Errorf("an interim answer %d", m.status)
		}
	}
	return all, nil
}

// reason returns the reason that an answer of lqproxy's own gives.
func (m *attackMessage) reason() string { return strings.Join(m.values("X-Lqproxy-Reason"), "+") }

// attackFollow is the harmless request behind each attack.
func attackFollow(id int) []byte {
	return fmt.Appendf(nil, "GET /access/follow?%08x HTTP/1.1\r\nHost: x\r\n\r\n", id)
}

// methodsOf returns the methods of requests.
func attackMethods(requests []attackMessage) []string {
	var all []string
	for i := range requests {
		all = append(all, requests[i].method)
	}
	return all
}

// attackReading returns the requests that stream contains, read strictly: what
// else reaches the upstream was smuggled.
func attackReading(stream []byte) (all []attackMessage, err error) {
	for len(stream) > 0 {
		m, rest, err := readAttackRequest(stream)
		if err != nil {
			return all, err
		}
		all, stream = append(all, m), rest
		if !m.stays() {
			return all, nil
		}
	}
	return all, nil
}

// strayAttack returns the first of arrived that is not, in this order, one of
// the requests that may be forwarded.
func strayAttack(arrived []attackArrival, requests []attackMessage, authority string) []byte {
	for _, a := range arrived {
		i := slices.IndexFunc(requests, func(m attackMessage) bool { return bytes.Equal(a.raw, m.forwarded(authority)) })
		if i < 0 {
			return a.raw
		}
		requests = requests[i+1:]
	}
	return nil
}
