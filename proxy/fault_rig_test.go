package proxy_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe/leqisim"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/leqi"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// soak gives the fault tests that go on for a while another time than a short one.
var soak = flag.Duration("soak", 0, "how long each of the endless fault tests goes on; 0: for seconds")

// faultDuration is how long an endless test goes on.
func faultDuration(short time.Duration) time.Duration {
	if *soak > 0 {
		return *soak
	}
	return short
}

// takesSeconds leaves a test out where there is no time for it.
func takesSeconds(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds")
	}
}

// faultPatience bounds every wait: what takes longer does not happen.
const faultPatience = 20 * time.Second

// faultPath is where the exchanges of these tests go. Rules look at the query.
const faultPath = "/access/v2/invoke/202007/CXKYSL"

// faultBody is an ordinary request's.
var faultBody = []byte(`{"zipCode":"0","encryptCode":"0"}`)

// A faultRig is a proxy as it serves, with a log that can be asked for exchanges.
type faultRig struct {
	*proxy.Server
	t        testing.TB
	addr     string
	log      *faultLog
	registry *prometheus.Registry
	upstream *upstream.Upstream
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// faultParts say what of a rig is not as usual.
type faultParts struct {
	options  func(*proxy.Options)
	upstream func(*upstream.Options)
	run      bool // upstream.Run, which connects at the start and ends idle connections
}

// startSim starts a simulated Leqi that counts exchanges, and ends it with the test.
func startSim(t testing.TB, o leqisim.Options) *leqisim.Server {
	t.Helper()
	o.CountBy = leqi.FieldClientTID
	sim, err := leqisim.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Errorf("closing the upstream: %v", err)
		}
	})
	return sim
}

// startFault starts a proxy in front of the address to.
func startFault(t testing.TB, to netip.AddrPort, p faultParts) *faultRig {
	t.Helper()
	g := &faultRig{t: t, log: newFaultLog(), registry: prometheus.NewRegistry()}
	um := upstream.NewMetrics(g.registry)
	uo := upstream.Options{
		Host: "lqpt.test", Port: to.Port(), FixedIPs: []netip.Addr{to.Addr()},
		DialTimeout: 5 * time.Second, TLSTimeout: 10 * time.Second,
		IdleTimeout: 15 * time.Second, MaxAge: 10 * time.Minute,
		TLS: upstream.TLS{Verify: upstream.VerifyNone, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13},
	}
	if p.upstream != nil {
		p.upstream(&uo)
	}
	o := faultOptions()
	if p.options != nil {
		p.options(&o)
	}
	var err error
	if g.upstream, err = upstream.New(uo, nil, um, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	g.Server = proxy.New(proxy.Config{
		Options: o, Upstream: g.upstream, Access: zap.New(g.log), Log: zap.NewNop(),
		Metrics: proxy.NewMetrics(g.registry, um),
	})
	g.serve(p.run)
	return g
}

// faultOptions are the defaults of design 4, for callers on this machine.
func faultOptions() proxy.Options {
	return proxy.Options{
		Sources: attackPrefix("127.0.0.1"), Paths: []string{"/access/"},
		DropFields:    []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"},
		HeaderTimeout: 10 * time.Second, BodyTimeout: 30 * time.Second, IdleTimeout: 75 * time.Second,
		ResponseTimeout: faultPatience,
		Limits: proxy.Limits{
			Connections: 4096, Exchanges: 1024, QueueTimeout: 10 * time.Second,
			HeaderSize: 32 << 10, HeaderCount: 100, BodySize: 256 << 20,
		},
	}
}

func (g *faultRig) serve(run bool) {
	g.t.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		g.t.Fatal(err)
	}
	g.addr = ln.Addr().String()
	var ctx context.Context
	ctx, g.stop = context.WithCancel(context.Background())
	g.running.Go(func() {
		if err := g.Serve(ctx, ln); err != nil {
			g.t.Errorf("Serve() = %v, want nil", err)
		}
	})
	if run {
		g.running.Go(func() {
			if err := g.upstream.Run(ctx); err != nil {
				g.t.Errorf("Run() = %v, want nil", err)
			}
		})
	}
	g.t.Cleanup(g.end)
}

// end stops the proxy. Callers have ended by then, so nothing may have to be cut.
func (g *faultRig) end() {
	g.stop()
	g.running.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), faultPatience)
	defer cancel()
	if cut := g.Drain(ctx); cut > 0 {
		g.t.Errorf("Drain() = %d exchanges cut, want 0", cut)
	}
	g.upstream.Close()
}

// gauge returns the value of a time series with that value of its one label.
func (g *faultRig) gauge(name, label string) float64 {
	g.t.Helper()
	families, err := g.registry.Gather()
	if err != nil {
		g.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == label {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	g.t.Fatalf("no metric %s of %s", name, label)
	return 0
}

// wantFree waits until no exchange holds a slot or a connection upstream.
func (g *faultRig) wantFree() {
	g.t.Helper()
	waitUntil(g.t, "slots and upstream connections are free", func() bool {
		return g.gauge("lqproxy_limit_current", "exchanges") == 0 &&
			g.gauge("lqproxy_upstream_connections", "busy") == 0
	})
}

// waitUntil looks again and again until f is true.
func waitUntil(t testing.TB, what string, f func() bool) {
	t.Helper()
	for limit := time.Now().Add(faultPatience); !f(); faultPause(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("it does not come about that %s", what)
		}
	}
}

// faultPause is the time that a caller or an upstream takes over something. It
// never stands for waiting until something has happened.
func faultPause(d time.Duration) { <-time.After(d) }

// A faultLine is what the access log says of an exchange.
type faultLine struct {
	tid, reason, delivered, remote string
	status                         int
	reused                         bool
}

// A faultLog is an access log that can be asked for the line of an exchange.
type faultLog struct {
	zapcore.LevelEnabler

	mu      sync.Mutex // guards all below
	byTID   map[string]faultLine
	unnamed []faultLine // of heads that were never read
	more    chan struct{}
	reasons map[string]int
	brief   bool // no line is kept, only how many there are of each reason
}

func newFaultLog() *faultLog {
	return &faultLog{LevelEnabler: zapcore.InfoLevel, byTID: map[string]faultLine{}, reasons: map[string]int{}, more: make(chan struct{})}
}

// With implements zapcore.Core.
func (l *faultLog) With([]zapcore.Field) zapcore.Core { return l }

// Check implements zapcore.Core.
func (l *faultLog) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return ce.AddCore(e, l)
}

// Sync implements zapcore.Core.
func (l *faultLog) Sync() error { return nil }

// Write implements zapcore.Core.
func (l *faultLog) Write(_ zapcore.Entry, fields []zapcore.Field) error {
	e := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(e)
	}
	text := func(key string) string { s, _ := e.Fields[key].(string); return s }
	line := faultLine{tid: text("client_tid"), reason: text("reason"), delivered: text("delivered"), remote: text("upstream_addr")}
	line.status, _ = e.Fields["status"].(int)
	line.reused, _ = e.Fields["reused"].(bool)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.reasons[cmp.Or(line.reason, "none")]++
	switch {
	case l.brief:
	case line.tid == "":
		l.unnamed = append(l.unnamed, line)
	default:
		l.byTID[line.tid] = line
	}
	close(l.more)
	l.more = make(chan struct{})
	return nil
}

// line waits for the line of an exchange; of one without clientTid it takes the
// oldest.
func (l *faultLog) line(t testing.TB, tid string) faultLine {
	t.Helper()
	timeout := time.After(faultPatience)
	for {
		line, ok, more := l.find(tid)
		if ok {
			return line
		}
		select {
		case <-more:
		case <-timeout:
			t.Fatalf("no log line of exchange %q", tid)
		}
	}
}

func (l *faultLog) find(tid string) (line faultLine, ok bool, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if tid != "" {
		line, ok = l.byTID[tid]
	} else if ok = len(l.unnamed) > 0; ok {
		line, l.unnamed = l.unnamed[0], l.unnamed[1:]
	}
	return line, ok, l.more
}

// outcomes says how many lines there are of each reason.
func (l *faultLog) outcomes() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return faultOutcomes(l.reasons)
}

// A faultCaller is one caller, who connects when it has to and never sends
// anything twice.
type faultCaller struct {
	t    testing.TB
	addr string
	tcp  *net.TCPConn
	r    *bufio.Reader
}

// A faultAnswer is what a caller got.
type faultAnswer struct {
	status       int
	reason       string // X-Lqproxy-Reason
	body         []byte
	err          error // no whole answer came
	began, ended time.Time
}

func (a faultAnswer) took() time.Duration { return a.ended.Sub(a.began) }

func (a faultAnswer) whole() bool { return a.err == nil }

func (c *faultCaller) dial() {
	c.t.Helper()
	d := net.Dialer{Timeout: faultPatience}
	conn, err := d.DialContext(context.Background(), "tcp", c.addr)
	if err != nil {
		c.t.Fatalf("connecting to the proxy: %v", err)
	}
	c.tcp = conn.(*net.TCPConn)
	c.r = bufio.NewReader(conn)
}

// close ends the connection, if there is one.
func (c *faultCaller) close() {
	if c.tcp != nil {
		c.tcp.Close()
		c.tcp = nil
	}
}

// reset ends it with a reset.
func (c *faultCaller) reset() {
	c.tcp.SetLinger(0)
	c.close()
}

// faultHead is the head of a request. The query tells rules what to do.
func faultHead(query, tid string, length int) string {
	return fmt.Sprintf("POST %s?%s HTTP/1.1\r\nHost: proxy:8864\r\nContent-Type: application/json\r\n"+
		"jrdwptbh: 91110000000000000X01\r\nsydwptbh: 91110000000000000X02\r\n%s: %s\r\nContent-Length: %d\r\n\r\n",
		faultPath, query, leqi.FieldClientTID, tid, length)
}

// post sends a request and reads its answer.
func (c *faultCaller) post(query, tid string, body []byte) (a faultAnswer) {
	c.t.Helper()
	if c.tcp == nil {
		c.dial()
	}
	a.began = time.Now()
	defer func() {
		a.ended = time.Now()
		if a.err != nil {
			c.close()
		}
	}()
	c.tcp.SetDeadline(a.began.Add(faultPatience))
	message := append([]byte(faultHead(query, tid, len(body))), body...)
	if _, err := c.tcp.Write(message); err != nil && len(body) < 64<<10 {
		a.err = err // of a long body not all may be wanted
		return a
	}
	c.answer(&a)
	return a
}

// answer reads an answer.
func (c *faultCaller) answer(a *faultAnswer) {
	res, err := http.ReadResponse(c.r, &http.Request{Method: http.MethodPost})
	if err != nil {
		a.err = fmt.Errorf("reading the head of an answer: %w", err)
		return
	}
	defer res.Body.Close()
	a.status, a.reason = res.StatusCode, res.Header.Get("X-Lqproxy-Reason")
	a.body, a.err = io.ReadAll(res.Body)
	if res.Close {
		c.close()
	}
}

// A faultTable is what became of exchanges: event by exchanges, failed, doubled, reason.
type faultTable struct {
	mu   sync.Mutex // guards all below
	list []string   // events, in the order of their first exchange
	rows map[string]*faultRow
}

type faultRow struct {
	tids     []string
	unsent   []string // of them: said not to be delivered
	failed   int
	reused   int
	outcomes map[string]int
}

func newFaultTable() *faultTable { return &faultTable{rows: map[string]*faultRow{}} }

// add counts an exchange.
func (b *faultTable) add(event string, l faultLine) {
	b.mu.Lock()
	defer b.mu.Unlock()
	row := b.rows[event]
	if row == nil {
		row = &faultRow{outcomes: map[string]int{}}
		b.rows[event] = row
		b.list = append(b.list, event)
	}
	row.tids = append(row.tids, l.tid)
	if l.reused {
		row.reused++
	}
	if l.delivered == "no" {
		row.unsent = append(row.unsent, l.tid)
	}
	if l.reason != "" {
		row.failed++
		row.outcomes[fmt.Sprintf("%d %s, delivered %s", l.status, l.reason, l.delivered)]++
	}
}

// failed returns how many exchanges of event failed.
func (b *faultTable) failed(event string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if row := b.rows[event]; row != nil {
		return row.failed
	}
	return 0
}

// judge prints the table and fails the test if an exchange reached the
// upstreams twice, or one at all that is said not to be delivered.
func (b *faultTable) judge(t testing.TB, upstreams ...*leqisim.Server) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var out strings.Builder
	fmt.Fprintf(&out, "%-44s %9s %7s %7s %7s %7s  %s\n", "event", "exchanges", "reused", "failed", "share", "doubled", "failures by status and reason")
	for _, event := range b.list {
		row := b.rows[event]
		doubled := 0
		for _, tid := range row.tids {
			if n := timesReceived(tid, upstreams); n > 1 {
				doubled++
				t.Errorf("%s: exchange %s reached the upstream %d times, want at most once", event, tid, n)
			}
		}
		for _, tid := range row.unsent {
			if n := timesReceived(tid, upstreams); n > 0 {
				t.Errorf("%s: exchange %s reached the upstream, and is said not to be delivered", event, tid)
			}
		}
		fmt.Fprintf(&out, "%-44s %9d %7d %7d %6.2f%% %7d  %s\n", event, len(row.tids), row.reused, row.failed,
			100*float64(row.failed)/float64(len(row.tids)), doubled, faultOutcomes(row.outcomes))
	}
	t.Log("\n" + out.String())
}

// timesReceived returns how often an exchange reached one of the upstreams.
func timesReceived(tid string, upstreams []*leqisim.Server) (n int) {
	if tid == "" {
		return 0 // a head that was never read
	}
	for _, u := range upstreams {
		n += u.Received(tid)
	}
	return n
}

func faultOutcomes(outcomes map[string]int) string {
	var all []string
	for _, outcome := range slices.Sorted(maps.Keys(outcomes)) {
		all = append(all, fmt.Sprintf("%d × %s", outcomes[outcome], outcome))
	}
	return strings.Join(all, "; ")
}
