package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/big"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/proxy/allow"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test: what takes longer does not happen.
const patience = 10 * time.Second

// testCertificate is one for all listeners and upstreams of the tests.
var testCertificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"lqpt.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

func serverTLS() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{testCertificate()}}
}

// A journal is a log that a test can read back, entry by entry.
type journal struct {
	mu      sync.Mutex // guards all below
	entries []map[string]any
	read    int
	more    chan struct{} // closed when an entry is added
}

func newJournal() *journal { return &journal{more: make(chan struct{})} }

func (j *journal) logger() *zap.Logger {
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "msg", LevelKey: "level", EncodeLevel: zapcore.LowercaseLevelEncoder}), j, zapcore.DebugLevel))
}

// Write implements zapcore.WriteSyncer; each call is one entry.
func (j *journal) Write(line []byte) (int, error) {
	var entry map[string]any
	if err := json.Unmarshal(line, &entry); err != nil {
		panic("a log line is no JSON: " + string(line))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry)
	close(j.more)
	j.more = make(chan struct{})
	return len(line), nil
}

func (j *journal) Sync() error { return nil }

// take returns the next entry, if it is there, and what to wait for if not.
func (j *journal) take() (map[string]any, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.read == len(j.entries) {
		return nil, j.more
	}
	j.read++
	return j.entries[j.read-1], nil
}

// next waits for the next entry.
func (j *journal) next(t testing.TB) map[string]any {
	t.Helper()
	timeout := time.After(patience)
	for {
		entry, more := j.take()
		if entry != nil {
			return entry
		}
		select {
		case <-more:
		case <-timeout:
			t.Fatal("no log entry came")
		}
	}
}

// find waits for an entry, from the next on, in which key is value.
func (j *journal) find(t testing.TB, key string, value any) map[string]any {
	t.Helper()
	for {
		if entry := j.next(t); entry[key] == value {
			return entry
		}
	}
}

// rest returns the entries that are there and were not read.
func (j *journal) rest() []map[string]any {
	j.mu.Lock()
	defer j.mu.Unlock()
	rest := j.entries[j.read:]
	j.read = len(j.entries)
	return rest
}

// wantEntry checks some keys of a log entry; a nil value means that the key is
// not there.
func wantEntry(t testing.TB, entry, want map[string]any) {
	t.Helper()
	got := make(map[string]any)
	for key := range want {
		got[key] = entry[key]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log entry (-want +got):\n%s", diff)
	}
}

// A rig is a proxy between raw callers and an upstream.
type rig struct {
	*Server
	t           testing.TB
	addr        netip.AddrPort
	access, log *journal
	registry    *prometheus.Registry
	upstream    *upstream.Upstream
	tls         *tls.Config
	stopServing context.CancelFunc
	serving     sync.WaitGroup
}

// A parts says what a rig is made of, where it is not as usual.
type parts struct {
	options  func(*Options)
	upstream func(*upstream.Options)
	tls      *tls.Config
}

// testOptions admit this machine and have nothing that ends soon.
func testOptions() Options {
	return Options{
		Sources: sources("127.0.0.0/8"), Paths: []string{"/access/"},
		DropFields:    []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"},
		HeaderTimeout: patience, BodyTimeout: patience, IdleTimeout: 75 * time.Second, ResponseTimeout: 2 * patience,
		Limits: Limits{
			Connections: 1000, Exchanges: 1000, QueueTimeout: patience,
			HeaderSize: 32 << 10, HeaderCount: 100, BodySize: 256 << 20,
		},
	}
}

func sources(prefixes ...string) allow.List {
	var list []netip.Prefix
	for _, p := range prefixes {
		list = append(list, netip.MustParsePrefix(p))
	}
	return allow.NewList(list...)
}

// start starts a proxy in front of to, and ends it with the test.
func start(t testing.TB, to netip.AddrPort, p parts) *rig {
	t.Helper()
	g := &rig{t: t, access: newJournal(), log: newJournal(), registry: prometheus.NewPedanticRegistry(), tls: p.tls}
	um := upstream.NewMetrics(g.registry)
	uo := upstream.Options{
		Host: "lqpt.test", Port: to.Port(), FixedIPs: []netip.Addr{to.Addr()},
		DialTimeout: patience, TLSTimeout: patience, IdleTimeout: time.Minute,
		TLS: upstream.TLS{Verify: upstream.VerifyNone, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13},
	}
	if p.upstream != nil {
		p.upstream(&uo)
	}
	o := testOptions()
	if p.options != nil {
		p.options(&o)
	}
	var err error
	if g.upstream, err = upstream.New(uo, nil, um, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	g.Server = New(Config{
		Options: o, Upstream: g.upstream, TLS: p.tls,
		Access: g.access.logger(), Log: g.log.logger(), Metrics: NewMetrics(g.registry, um),
	})
	g.serve()
	return g
}

// serve has the server accept callers, until the test ends.
func (g *rig) serve() {
	g.t.Helper()
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // as the daemon listens
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		g.t.Fatal(err)
	}
	g.addr = ln.Addr().(*net.TCPAddr).AddrPort()
	ctx, cancel := context.WithCancel(context.Background())
	g.stopServing = cancel
	g.serving.Go(func() {
		if err := g.Serve(ctx, ln.(*net.TCPListener)); err != nil {
			g.t.Errorf("Serve() = %v, want nil", err)
		}
	})
	g.t.Cleanup(g.end)
}

// end stops the server; what still runs is cut.
func (g *rig) end() {
	g.stopServing()
	g.serving.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	g.Drain(ctx)
	g.upstream.Close()
}

// reload changes the options.
func (g *rig) reload(change func(*Options)) {
	o := g.live.Load().Options
	change(&o)
	g.Reload(o, g.upstream, g.tls)
}

// A raw is one end of a connection, of which a test has every byte in hand.
// Reads and writes fail the test rather than wait for long.
type raw struct {
	net.Conn
	t   testing.TB
	tcp *net.TCPConn
	r   *bufio.Reader
}

func newRaw(t testing.TB, c net.Conn, tcp *net.TCPConn) *raw {
	t.Helper()
	c.SetDeadline(time.Now().Add(3 * patience)) //nolint:errcheck // a closed connection says so later
	return &raw{Conn: c, t: t, tcp: tcp, r: bufio.NewReader(c)}
}

// dial connects a caller, on a TLS listener with TLS.
func (g *rig) dial() *raw {
	g.t.Helper()
	c := g.dialFrom("127.0.0.1")
	if g.tls == nil {
		return c
	}
	secure := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a test's own certificate
	return newRaw(g.t, secure, c.tcp)
}

// dialFrom connects a caller from an address of this machine, without TLS.
func (g *rig) dialFrom(source string) *raw {
	g.t.Helper()
	c, err := g.connect(source)
	if err != nil {
		g.t.Fatal(err)
	}
	return c
}

func (g *rig) connect(source string) (*raw, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}, Timeout: patience}
	c, err := d.DialContext(context.Background(), "tcp", g.addr.String())
	if err != nil {
		return nil, err
	}
	g.t.Cleanup(func() { c.Close() }) //nolint:errcheck // may be closed already
	return newRaw(g.t, c, c.(*net.TCPConn)), nil
}

// wantResetFor checks that a caller from source is reset, which may happen
// before it knows that it was connected.
func (g *rig) wantResetFor(source string) {
	g.t.Helper()
	c, err := g.connect(source)
	switch {
	case err == nil:
		c.wantReset()
	case !errors.Is(err, syscall.ECONNRESET):
		g.t.Errorf("connecting from %s: %v, want a reset", source, err)
	}
}

// send writes texts.
func (c *raw) send(texts ...string) {
	c.t.Helper()
	if _, err := io.WriteString(c, strings.Join(texts, "")); err != nil {
		c.t.Errorf("writing: %v", err)
	}
}

// head reads to the end of a head.
func (c *raw) head() string {
	c.t.Helper()
	head, err := readHead(c.r)
	if err != nil {
		c.t.Errorf("reading a head: %v behind %q", err, head)
	}
	return head
}

func readHead(r *bufio.Reader) (string, error) {
	var head []byte
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		line, err := r.ReadSlice('\n')
		if head = append(head, line...); err != nil {
			return string(head), err
		}
	}
	return string(head), nil
}

// bytes reads n bytes.
func (c *raw) bytes(n int) string {
	c.t.Helper()
	b := make([]byte, n)
	if got, err := io.ReadFull(c.r, b); err != nil {
		c.t.Errorf("reading %d bytes: %v behind %q", n, err, b[:got])
	}
	return string(b)
}

// message reads a whole message, with the framing of its body, by a reader that
// shares nothing with package h1. It returns what there was when there is no
// whole one.
func (c *raw) message() (string, error) {
	head, err := readHead(c.r)
	if err != nil {
		return head, err
	}
	if v, ok := field(head, "Content-Length"); ok {
		n, err := strconv.Atoi(v)
		if err != nil {
			return head, err
		}
		b := make([]byte, n)
		n, err = io.ReadFull(c.r, b)
		return head + string(b[:n]), err
	}
	if _, ok := field(head, "Transfer-Encoding"); ok {
		body, err := readChunks(c.r)
		return head + body, err
	}
	return head, nil
}

// readChunks reads a chunked body, with its framing, to its end.
func readChunks(r *bufio.Reader) (string, error) {
	var all strings.Builder
	for {
		line, err := r.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			return all.String(), err
		}
		size, err := strconv.ParseUint(strings.TrimSuffix(line, "\r\n"), 16, 31)
		if err != nil {
			return all.String(), err
		}
		_, err = io.CopyN(&all, r, int64(size)+2)
		if err != nil || size == 0 {
			return all.String(), err
		}
	}
}

// field returns the value of the first field of that name, and whether there is
// one.
func field(head, name string) (string, bool) {
	for line := range strings.SplitSeq(head, "\r\n") {
		if n, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}

// answer reads a whole answer.
func (c *raw) answer() string {
	c.t.Helper()
	m, err := c.message()
	if err != nil {
		c.t.Errorf("reading an answer: %v behind %q", err, m)
	}
	return m
}

// rest reads all that comes, and returns the error if the end is not an orderly
// one.
func (c *raw) rest() (string, error) {
	b, err := io.ReadAll(c.r)
	return string(b), err
}

// wantEnd checks that nothing more comes but an orderly end.
func (c *raw) wantEnd() {
	c.t.Helper()
	if b, err := c.rest(); b != "" || err != nil {
		c.t.Errorf("behind the end of the connection %q, %v, want nothing", b, err)
	}
}

// wantReset checks that nothing comes but a reset.
func (c *raw) wantReset() {
	c.t.Helper()
	if b, err := c.rest(); b != "" || !errors.Is(err, syscall.ECONNRESET) {
		c.t.Errorf("read %q, %v, want a reset alone", b, err)
	}
}

// halfClose ends what c sends, and nothing else.
func (c *raw) halfClose() {
	c.t.Helper()
	if err := c.tcp.CloseWrite(); err != nil {
		c.t.Errorf("half-closing: %v", err)
	}
}

// reset ends the connection with a reset.
func (c *raw) reset() {
	c.t.Helper()
	if err := errors.Join(c.tcp.SetLinger(0), c.tcp.Close()); err != nil {
		c.t.Errorf("resetting: %v", err)
	}
}

// drop ends the connection without a close_notify.
func (c *raw) drop() {
	c.t.Helper()
	if err := c.tcp.Close(); err != nil {
		c.t.Errorf("dropping: %v", err)
	}
}

// A peer is a raw TLS upstream under the control of the test.
type peer struct {
	t           testing.TB
	ln          net.Listener
	addr        netip.AddrPort
	connections atomic.Int32  // whose handshake ended well
	over        chan struct{} // closed at the end of the test
	wg          sync.WaitGroup
	received    chan string // whole requests, byte for byte

	mu   sync.Mutex // guards what follows
	open []net.Conn
}

// newPeer starts an upstream that treats each connection as script says, and
// closes it then.
func newPeer(t testing.TB, script func(*peer, *raw)) *peer {
	t.Helper()
	return newPeerTLS(t, serverTLS(), script)
}

func newPeerTLS(t testing.TB, config *tls.Config, script func(*peer, *raw)) *peer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // loopback
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{
		t: t, ln: ln, addr: ln.Addr().(*net.TCPAddr).AddrPort(),
		over: make(chan struct{}), received: make(chan string, 1000),
	}
	p.wg.Go(func() { p.accept(config, script) })
	t.Cleanup(p.stop)
	return p
}

func (p *peer) accept(config *tls.Config, script func(*peer, *raw)) {
	for {
		tcp, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.open = append(p.open, tcp)
		p.mu.Unlock()
		p.wg.Go(func() {
			c := tls.Server(tcp, config)
			defer c.Close() //nolint:errcheck // the script may have closed it
			if c.HandshakeContext(context.Background()) == nil {
				p.connections.Add(1)
				script(p, newRaw(p.t, c, tcp.(*net.TCPConn)))
			}
		})
	}
}

func (p *peer) stop() {
	close(p.over)
	p.ln.Close() //nolint:errcheck // nothing is left to be lost
	p.mu.Lock()
	for _, c := range p.open {
		c.Close() //nolint:errcheck // likewise
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// request waits for the next whole request that the upstream received, as it
// came, but with HOST for the value of Host.
func (p *peer) request() string {
	p.t.Helper()
	select {
	case q := <-p.received:
		return strings.Replace(q, "lqpt.test:"+strconv.Itoa(int(p.addr.Port())), "HOST", 1)
	case <-time.After(patience):
		p.t.Error("the upstream received no request")
		return ""
	}
}

// wantNothing checks that the upstream received no request beyond those that
// were asked for. It is to be called when the exchange is logged.
func (p *peer) wantNothing() {
	p.t.Helper()
	select {
	case q := <-p.received:
		p.t.Errorf("the upstream received %q, want nothing", q)
	default:
	}
}

// take reads a whole request, makes it known to request, and reports whether
// there was one.
func (p *peer) take(c *raw) bool {
	q, err := c.message()
	if err != nil {
		return false
	}
	p.received <- q
	return true
}

// stall does nothing until the test ends.
func (p *peer) stall() { <-p.over }

// answering is a script: each whole request of a connection gets the next
// answer, and the last of them all that follow.
func answering(answers ...string) func(*peer, *raw) {
	return func(p *peer, c *raw) {
		for i := 0; p.take(c); i++ {
			c.send(answers[min(i, len(answers)-1)])
		}
	}
}

// okAnswer is an ordinary answer.
const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// okPassed is what becomes of it for a caller that stays.
const okPassed = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=70\r\n\r\nok"

// call is an ordinary request.
const call = "POST /access/v2/invoke/202007/CXKYSL HTTP/1.1\r\nHost: proxy:8864\r\nContent-Length: 2\r\n\r\n{}"

// callPassed is what the upstream gets of it.
const callPassed = "POST /access/v2/invoke/202007/CXKYSL HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\n{}"

// wantText compares what came with what should have.
func wantText(t testing.TB, what, got, want string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// wantStatus checks the status of an answer.
func wantStatus(t testing.TB, answer string, want int) {
	t.Helper()
	if !strings.HasPrefix(answer, "HTTP/1.1 "+strconv.Itoa(want)+" ") {
		t.Errorf("answer %q, want status %d", answer, want)
	}
}

// metric returns the value of a time series, of a histogram the count; labels
// are names and values in turn. What does not exist is 0.
func (g *rig) metric(name string, labels ...string) float64 {
	g.t.Helper()
	want := make(map[string]string)
	for i := 0; i < len(labels); i += 2 {
		want[labels[i]] = labels[i+1]
	}
	families, err := g.registry.Gather()
	if err != nil {
		g.t.Fatalf("Gather() failed: %v", err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			have := make(map[string]string)
			for _, l := range m.GetLabel() {
				have[l.GetName()] = l.GetValue()
			}
			if maps.Equal(have, want) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return 0
}
