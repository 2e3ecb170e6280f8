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
	state atomic.Int32 // serving, retiring, stopping, draining

	hard    context.Context // done when drain_timeout has passed
	cutAll  context.CancelFunc
	conns   sync.WaitGroup
	mu      sync.Mutex // guards callers, and the admission of each until it is settled
	callers map[*caller]struct{}
}

// The states of a Server, in the order in which it passes them; retiring and
// stopping are two ways on from serving.
const (
	serving  int32 = iota
	retiring       // another process accepts, answers end their connections; Ready goes on
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

// A door is a listener that is served, as its callers know it.
type door struct {
	closing atomic.Bool // nobody new is accepted, answers end their connections
}

// Serve accepts connections from ln until ctx is done, ln is closed, or ln
// fails for good. At the end of ctx it takes what is in the queue of ln, then
// ends the listening of the socket itself, which reaches copies of it in other
// hands, and closes ln: whoever comes later is refused by the system, and
// answers on the connections that came through ln end them. Who closes ln
// instead leaves the queue and the socket to the copies. Connections outlive
// Serve; Drain and Retire wait for them.
func (s *Server) Serve(ctx context.Context, ln *net.TCPListener) error {
	d := new(door)
	stop := context.AfterFunc(ctx, func() { ln.SetDeadline(past) }) //nolint:errcheck // a closed listener has ended
	defer stop()
	defer ln.Close() //nolint:errcheck // accepting has ended

	var backoff time.Duration
	for {
		tcp, err := ln.AcceptTCP()
		switch {
		case err == nil:
			backoff = 0
			s.open(tcp, d)
		case errors.Is(err, net.ErrClosed):
			return nil
		case ctx.Err() != nil:
			d.closing.Store(true)
			s.takeQueue(ln, d)
			return nil
		default: // out of descriptors, or the caller left already: both pass
			backoff = min(max(2*backoff, 5*time.Millisecond), time.Second)
			s.notices.acceptFailed(err, backoff)
			wait(ctx, backoff)
		}
	}
}

// takeQueue accepts what waits at ln, and who is within a handshake, and then
// ends the listening of its socket. Who keeps coming must not keep it open.
func (s *Server) takeQueue(ln *net.TCPListener, d *door) {
	const handshakes, rounds = 100 * time.Millisecond, 10
	ignoreNewcomers(ln)
	for range rounds {
		s.acceptFor(handshakes, ln, d)
		if endIfNobodyWaits(ln) {
			return
		}
	}
	EndListening(ln)
}

// acceptFor accepts connections for that time.
func (s *Server) acceptFor(limit time.Duration, ln *net.TCPListener, d *door) {
	if ln.SetDeadline(time.Now().Add(limit)) != nil {
		return // closed
	}
	for {
		tcp, err := ln.AcceptTCP()
		if err != nil {
			return // it is over, or out of descriptors
		}
		s.open(tcp, d)
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

// open starts the own goroutine of a connection that came through d; conns
// waits for it.
func (s *Server) open(tcp *net.TCPConn, d *door) {
	s.conns.Go(func() {
		sock, err := newSocket(tcp)
		if err != nil {
			tcp.Close() //nolint:errcheck // the caller has gone
			return
		}
		(&caller{srv: s, sock: sock, door: d}).serve()
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

// Connections returns how many are open.
func (s *Server) Connections() int {
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
// wanted any more. It does not depend on the upstream. Retiring does not touch
// it, as another process accepts at the same address by then.
func (s *Server) Ready() bool { return s.state.Load() <= retiring }

// Stop makes Ready false; everything is still served. A server that retires
// goes on with that: Drain is its end.
func (s *Server) Stop() { s.state.CompareAndSwap(serving, stopping) }

// staysWith reports whether connections that came through d may carry another
// exchange.
func (s *Server) staysWith(d *door) bool {
	state := s.state.Load()
	return (state == serving || state == stopping) && !d.closing.Load()
}

// Retire lets the connections end by themselves, once another process has the
// listeners and Serve has ended: each behind its next answer, or after its idle
// time. It returns when the last has ended, or when ctx is done, and then
// reports how many are left: Drain ends them.
func (s *Server) Retire(ctx context.Context) (left int) {
	s.state.CompareAndSwap(serving, retiring)
	select {
	case <-s.gone():
		return 0
	case <-ctx.Done():
		return s.Connections()
	}
}

// gone returns a channel that is closed behind the last connection.
func (s *Server) gone() <-chan struct{} {
	gone := make(chan struct{})
	go func() { // ends with the last connection, which Drain waits for
		s.conns.Wait()
		close(gone)
	}()
	return gone
}

// Drain ends all connections, once Serve has ended: those that carry nothing
// after two seconds, others behind the answer of their exchange, and all when
// ctx is done, which is drain_timeout. It returns when the last has ended, and
// then reports how many exchanges had to be cut.
func (s *Server) Drain(ctx context.Context) (cut int) {
	s.state.Store(draining)
	gone := s.gone()
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
