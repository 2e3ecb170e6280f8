// Package leqisim is a Leqi that can be made to fail: a TLS server on this machine, for the tests
// of the proxy and of the probe, and for the commands demo and simulate.
//
// Undisturbed, it answers the documented addresses with the documented envelope. Rules change
// that. A connection meets them at three moments, and the first rule that applies wins at each:
//
//  1. opening: the connection was accepted. Faults of [PhaseAccept] and [PhaseHandshake].
//  2. reading: the first byte of a request has come. Faults of [PhaseRequest] of rules that ask
//     nothing of the request, which has not been read yet.
//  3. answering: the head of the request was read and judged. Everything else.
//
// What was received is kept byte for byte, within bounds, as an [Exchange]. Requests are read by
// a reader of this package that is stricter than HTTP: it is the judge of what the proxy sends, so
// it shares no code with it.
package leqisim

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Options say how a Server is started. The zero Options give the platform at its best on a free
// port of 127.0.0.1.
type Options struct {
	Address string // host:port to listen on; default "127.0.0.1:0"
	Leaf    Leaf   // the certificate
	TLS     TLS
	Rules   []Rule
	Banned  bool // starts as after Ban

	Keep      int    // exchanges that Exchanges returns, the latest; default 256, negative: none
	KeepBytes int    // bytes kept of each body and each answer; default 64 KiB, negative: none
	CountBy   string // field whose values Received and Repeated count, without bound; default: none

	// OnExchange, if set, is called after each exchange, from the goroutine of its connection: by
	// several at once. It must not call Close, which waits for it.
	OnExchange func(Exchange)
	Log        *zap.Logger // default: none
}

// A Server is a running simulated Leqi. Its methods are safe for concurrent use.
type Server struct {
	options  Options
	log      *zap.Logger
	listener *net.TCPListener
	address  netip.AddrPort
	issuer   *issuer
	identity atomic.Pointer[identity]
	rules    rules
	record   *recorder
	ban      ban

	ctx        context.Context // done when Close begins
	cancel     context.CancelFunc
	goroutines sync.WaitGroup

	// mu guards connections and closed.
	mu          sync.Mutex
	connections map[*connection]struct{}
	closed      bool
}

// Start makes a certificate, listens and serves until Close.
func Start(o Options) (*Server, error) {
	o.Address = cmp.Or(o.Address, "127.0.0.1:0")
	o.Keep = cmp.Or(o.Keep, 256)
	o.KeepBytes = cmp.Or(o.KeepBytes, 64<<10)
	s := &Server{options: o, log: o.Log, record: newRecorder(o), connections: map[*connection]struct{}{}}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if err := s.certify(); err != nil {
		return nil, err
	}
	s.rules.set(o.Rules)
	if err := s.listen(); err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.goroutines.Go(s.accept)
	if o.Banned {
		if err := s.Ban(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// certify makes the issuer and the first certificate.
func (s *Server) certify() (err error) {
	if s.issuer, err = newIssuer(); err != nil {
		return err
	}
	return s.Rotate(s.options.Leaf)
}

func (s *Server) listen() error {
	var config net.ListenConfig
	config.SetMultipathTCP(false) // a ban looks at the queue of a TCP socket
	l, err := config.Listen(context.Background(), "tcp", s.options.Address)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", s.options.Address, err)
	}
	s.listener = l.(*net.TCPListener)
	s.address = addrPort(l.Addr())
	return nil
}

// Address returns where the server listens.
func (s *Server) Address() netip.AddrPort { return s.address }

// SetRules replaces all rules and begins counting anew. Exchanges that met their rule go on with it.
func (s *Server) SetRules(r ...Rule) { s.rules.set(r) }

// Add appends a rule: it applies where no earlier one does.
func (s *Server) Add(r Rule) { s.rules.add(r) }

// Exchanges returns the latest exchanges, oldest first; see Options.Keep. An exchange is there from
// the moment at which the head of its request was read, or reading it failed.
func (s *Server) Exchanges() []Exchange { return s.record.exchanges() }

// Received returns how many requests carried id in the field Options.CountBy.
func (s *Server) Received(id string) int { return s.record.received(id) }

// Repeated returns, sorted, the values of the field Options.CountBy that came more than once.
func (s *Server) Repeated() []string { return s.record.repeated() }

// Stats returns what was counted since the start.
func (s *Server) Stats() Stats { return s.record.current() }

// Wait returns once until reports true of the counters, or with the error of ctx.
func (s *Server) Wait(ctx context.Context, until func(Stats) bool) error {
	return s.record.wait(ctx, until)
}

// Certificate returns the certificate in use.
func (s *Server) Certificate() *x509.Certificate { return s.identity.Load().leaf }

// CloseIdle ends the connections that wait for a request in the given way: End, Drop or Reset.
func (s *Server) CloseIdle(way Kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.connections {
		c.endIdle(way)
	}
}

// Run serves until ctx is done, then closes the server. It returns nil unless closing fails.
func (s *Server) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	return s.Close()
}

// Close ends all connections at once and waits for all goroutines. A second Close does nothing.
func (s *Server) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	var err error
	if first {
		s.cancel()
		err = s.listener.Close()
		s.mu.Lock()
		for c := range s.connections {
			c.tcp.Close() //nolint:errcheck // its goroutine sees the error
		}
		s.mu.Unlock()
	}
	s.goroutines.Wait()
	s.ban.release()
	if err != nil {
		return fmt.Errorf("closing listener %s: %w", s.address, err)
	}
	return nil
}

// accept takes connections until the server is closed. During a ban it takes none.
func (s *Server) accept() {
	for s.ctx.Err() == nil {
		tcp, err := s.listener.AcceptTCP()
		switch {
		case err == nil:
			s.welcome(tcp)
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.ban.park(s.ctx)
		case s.ctx.Err() == nil:
			s.log.Warn("accepting failed", zap.Error(err))
			s.pause(50 * time.Millisecond) // out of descriptors: they come back
		}
	}
}

// welcome starts the goroutine of a connection, unless it is the ban's own or the server closes.
func (s *Server) welcome(tcp *net.TCPConn) {
	if s.ban.owns(addrPort(tcp.RemoteAddr())) {
		tcp.Close() //nolint:errcheck // it was not used
		return
	}
	c := newConnection(s, tcp)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		tcp.Close() //nolint:errcheck // it was not used
		return
	}
	s.connections[c] = struct{}{}
	c.number = s.record.count(func(t *Stats) *int { return &t.Connections })
	s.record.add(func(t *Stats) { t.Open++ })
	s.goroutines.Go(c.serve)
}

// forget is called by a connection that has ended.
func (s *Server) forget(c *connection) {
	s.mu.Lock()
	delete(s.connections, c)
	s.mu.Unlock()
	s.record.add(func(t *Stats) { t.Open-- })
}

// pause waits for d and reports whether the server still runs.
func (s *Server) pause(d time.Duration) bool {
	if d <= 0 {
		return s.ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	p := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}
