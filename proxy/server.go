package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lqproxy/lqproxy/proxy/h1"
	"github.com/lqproxy/lqproxy/proxy/leqi"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"go.uber.org/zap"
)

// idleAtDrain is how long connections that carry nothing stay open after a
// drain began: a request that is on its way still arrives.
const idleAtDrain = 2 * time.Second

// A Config is what a Server is made of; all but Options may be shared.
type Config struct {
	Options  Options
	Upstream *upstream.Upstream
	TLS      *tls.Config // nil: the listener is plain
	Access   *zap.Logger // one line for each exchange
	Log      *zap.Logger
	Metrics  *Metrics
}

// A Server accepts callers and forwards their requests. Its methods are safe
// for concurrent use.
type Server struct {
	access, log *zap.Logger
	metrics     *Metrics
	notices     *notices
	slots       slots
	ids         *ids

	live  atomic.Pointer[live]
	state atomic.Int32 // serving, stopping, draining

	hard    context.Context // done when drain_timeout has passed
	cutAll  context.CancelFunc
	conns   sync.WaitGroup
	mu      sync.Mutex // guards callers, and the admission of each until it is settled
	callers map[*caller]struct{}
}

// The states of a Server, in the order in which it passes them.
const (
	serving  int32 = iota
	stopping       // /readyz says no, all is served
	draining       // nothing new is accepted, answers end their connections
)

// live is what a reload may change. It is built whole, published by one store
// and never modified afterwards; an exchange takes it once and keeps it.
type live struct {
	Options
	upstream  *upstream.Upstream
	authority string
	tls       *tls.Config
	request   h1.Rules
	answer    h1.Rules
	drop      h1.Names
	unitNames map[string]string // by id

	expectsPublic bool // a source is a public address
}

func newLive(o Options, up *upstream.Upstream, t *tls.Config) *live {
	l := &live{
		Options:   o,
		upstream:  up,
		authority: up.Authority(),
		tls:       t,
		request: h1.Rules{
			HeadSize:   o.Limits.HeaderSize,
			FieldCount: o.Limits.HeaderCount,
			BodySize:   o.Limits.BodySize,
			Protected:  h1.NewNames(leqi.Fields...),
		},
		// An answer has been paid for with an invoice: the caller's limits do
		// not apply to it, only bounds against a mad upstream.
		answer:    h1.Rules{HeadSize: answerHeadSize, FieldCount: answerFieldCount},
		drop:      h1.NewNames(o.DropFields...),
		unitNames: make(map[string]string, len(o.Units)),

		expectsPublic: o.Sources.PublicIPv4() > 0, // presets are IPv4
	}
	for _, u := range o.Units {
		if u.Name != "" {
			l.unitNames[u.ID] = u.Name
		}
	}
	return l
}

const (
	answerHeadSize   = 64 << 10
	answerFieldCount = 1000
)

// New returns a server that serves nothing yet.
func New(c Config) *Server {
	s := &Server{
		access:  c.Access,
		log:     c.Log,
		metrics: c.Metrics,
		notices: newNotices(c.Log),
		ids:     newIDs(),
		callers: make(map[*caller]struct{}),
	}
	s.hard, s.cutAll = context.WithCancel(context.Background())
	s.publish(newLive(c.Options, c.Upstream, c.TLS))
	s.metrics.server.Store(s)
	return s
}

func (s *Server) publish(l *live) {
	s.live.Store(l)
	s.slots.resize(l.Limits.Exchanges)
	s.metrics.setLimits(l.Limits)
}

// Reload replaces what the server was told. Exchanges that run keep what they
// began with. The connections of sources that are no longer admitted end: idle
// ones at once, a request that is not wholly received is cut, and an exchange
// that was sent is answered first.
func (s *Server) Reload(o Options, up *upstream.Upstream, t *tls.Config) {
	s.publish(newLive(o, up, t))
	l := s.live.Load()
	s.each(func(c *caller) {
		if !l.stillAdmits(c.admission) {
			c.sock.end(endReading)
		}
	})
}

// each calls f for each open connection.
func (s *Server) each(f func(*caller)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.callers {
		f(c)
	}
}

// Serve accepts connections from ln until ctx is done or ln fails for good,
// and closes ln. Connections outlive it; Drain waits for them. What is in the
// listener's queue when ctx ends is still accepted.
func (s *Server) Serve(ctx context.Context, ln *net.TCPListener) error {
	// The deadline is a little ahead, because one that has passed would leave
	// the queue unread.
	const queueTime = 50 * time.Millisecond
	stop := context.AfterFunc(ctx, func() { ln.SetDeadline(time.Now().Add(queueTime)) }) //nolint:errcheck // a closed listener has ended
	defer stop()
	defer ln.Close() //nolint:errcheck // accepting has ended

	var backoff time.Duration
	for {
		tcp, err := ln.AcceptTCP()
		switch {
		case err == nil:
			backoff = 0
			s.open(tcp)
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return nil
		default: // out of descriptors, or the caller left already: both pass
			backoff = min(max(2*backoff, 5*time.Millisecond), time.Second)
			s.notices.acceptFailed(err, backoff)
			wait(ctx, backoff)
		}
	}
}

// wait waits for d or the end of ctx.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// open starts the connection's own goroutine, which conns waits for.
func (s *Server) open(tcp *net.TCPConn) {
	s.conns.Go(func() {
		sock, err := newSocket(tcp)
		if err != nil {
			tcp.Close() //nolint:errcheck // the caller has gone
			return
		}
		(&caller{srv: s, sock: sock}).serve()
	})
}

// register makes c known, and reports whether there is room for it. What is in
// force is looked up under the lock, here and in settle: a Reload that comes
// later finds c, and judges it again.
func (s *Server) register(c *caller) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.live.Load()
	if len(s.callers) >= l.Limits.Connections {
		return false
	}
	c.balanced = l.Balancers.Contains(c.peer.Addr())
	s.callers[c] = struct{}{}
	return true
}

// connections returns how many are open.
func (s *Server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.callers)
}

// settle makes known who c is, and judges it by what it returns.
func (s *Server) settle(c *caller, source netip.AddrPort) *live {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.live.Load()
	c.source, c.role = source, l.judge(source.Addr())
	return l
}

func (s *Server) unregister(c *caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.callers, c)
}

// Ready reports whether exchanges are accepted: from Stop on they are not
// wanted any more. It does not depend on the upstream.
func (s *Server) Ready() bool { return s.state.Load() == serving }

// Stop makes Ready false; everything is still served.
func (s *Server) Stop() { s.state.CompareAndSwap(serving, stopping) }

// Drain ends all connections, once Serve has ended: those that carry nothing
// after two seconds, others behind the answer of their exchange, and all when
// ctx is done, which is drain_timeout. It returns when the last has ended, and
// then reports how many exchanges had to be cut.
func (s *Server) Drain(ctx context.Context) (cut int) {
	s.state.Store(draining)
	gone := make(chan struct{})
	go func() { // ends with the last connection, which the code below waits for
		s.conns.Wait()
		close(gone)
	}()

	idle := time.NewTimer(idleAtDrain)
	defer idle.Stop()
	for {
		select {
		case <-gone:
			return cut
		case <-idle.C:
			s.each(func(c *caller) { c.sock.end(endIdle) })
		case <-ctx.Done():
			s.cutAll()
			s.each(func(c *caller) {
				if c.cut() {
					cut++
				}
			})
			<-gone
			return cut
		}
	}
}
