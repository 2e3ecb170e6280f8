package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// httpsPort is the one that Host does not name (RFC 9110 section 4.2.2).
const httpsPort = 443

// Upstream is the one host, and a pool of connections to it. Safe for concurrent
// use. At a reload a new one takes its place, with the same KnownKeys and
// Metrics; exchanges that hold the old one may still Get from it, and their
// connections are closed when they are Put.
type Upstream struct {
	o      Options
	tls    *tls.Config
	keys   *KnownKeys
	m      *Metrics
	gauges gauges
	log    *zap.Logger
	dial   dialFunc

	addrs    *addresses
	resolver *resolver
	pool     *pool
	busy     atomic.Int64
	leaf     atomic.Pointer[x509.Certificate] // shown last
	wentDown chan struct{}                    // tells keepConnected that a connect failed

	mu    sync.Mutex // guards what follows
	state state
}

// A state is how the last connect ended.
type state struct {
	known bool // there was one
	up    bool
	since time.Time
}

// New returns the upstream of o. It starts nothing; Run does. Without Run it
// resolves and connects when asked to; the caller must Close it then. known may
// be nil for a record in memory, m for time series that nobody sees, log for no
// log.
func New(o Options, known *KnownKeys, m *Metrics, log *zap.Logger) (*Upstream, error) {
	o.TLS.ServerName = cmp.Or(o.TLS.ServerName, o.Host)
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("judging the options of the upstream: %w", err)
	}
	if known == nil {
		known, _ = OpenKnownKeys("")
	}
	if m == nil {
		m = NewMetrics(prometheus.NewRegistry())
	}
	if log == nil {
		log = zap.NewNop()
	}
	u := &Upstream{
		o: o, keys: known, m: m, log: log,
		dial:     dialFrom(o.LocalAddress),
		addrs:    &addresses{},
		pool:     newPool(&m.idle),
		wentDown: make(chan struct{}, 1),
	}
	u.gauges = gauges{m, u}
	u.tls = o.TLS.config(u.verify)
	u.resolver = newResolver(o, u.addrs, u.gauges, log)
	return u, nil
}

// Authority returns the value of Host towards the upstream: the port is left out when it is 443.
func (u *Upstream) Authority() string {
	if u.o.Port != httpsPort {
		return net.JoinHostPort(u.o.Host, strconv.Itoa(int(u.o.Port)))
	}
	if addr, err := netip.ParseAddr(u.o.Host); err == nil && addr.Is6() {
		return "[" + u.o.Host + "]"
	}
	return u.o.Host
}

// Get lends a connection: a live idle one, newest first, else a new one. Its errors are *Error, or ctx's.
// The caller must Put, Close or Abort the connection.
func (u *Upstream) Get(ctx context.Context) (*Conn, error) {
	for c := u.pool.take(); c != nil; c = u.pool.take() {
		if !c.overdue(time.Now()) && c.alive() {
			c.reused = true
			c.lend()
			return c, nil
		}
		c.shut()
	}
	if err := u.addrs.blocked(time.Now()); err != nil {
		return nil, err
	}
	return u.connect(ctx)
}

// Close closes the idle connections; others are closed when they are Put. Run
// does it at its end. It may be called more than once.
func (u *Upstream) Close() {
	for _, c := range u.pool.close() {
		c.shut()
	}
}

func (u *Upstream) countBusy(n int64) {
	u.busy.Add(n)
	u.m.busy.Add(n)
}
