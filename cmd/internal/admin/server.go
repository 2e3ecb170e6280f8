package admin

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/lqproxy/lqproxy/proxy/allow"
	"go.uber.org/zap"
)

// Limits on whoever asks; the answers are small and local.
const (
	headerTimeout = 5 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = time.Minute
	headerSize    = 16 << 10
	closeTimeout  = 2 * time.Second // for what is being answered at the end
)

// A Server answers on the admin addresses. Safe for concurrent use.
type Server struct {
	http  *http.Server
	allow atomic.Pointer[allow.List]
	log   *zap.Logger
}

// New returns a server of h that admits loopback and nobody else until Admit
// says more. It starts nothing; Serve does.
func New(h http.Handler, log *zap.Logger) *Server {
	s := &Server{log: log}
	s.Admit(allow.List{})
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	s.http = &http.Server{
		Handler:           s.admitted(h),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       headerTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerSize,
		Protocols:         protocols,
		ErrorLog:          stdLog(log),
	}
	return s
}

// stdLog lets net/http, which knows no levels, write warnings.
func stdLog(log *zap.Logger) *stdlog.Logger {
	std, err := zap.NewStdLogAt(log, zap.WarnLevel)
	if err != nil {
		panic("BUG: admin: " + err.Error()) // only for a level that zap does not know
	}
	return std
}

// Admit replaces the set of who may ask. Loopback always may.
func (s *Server) Admit(sources allow.List) { s.allow.Store(&sources) }

func (s *Server) admits(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return false
	}
	return s.admitsAddr(tcp.AddrPort().Addr())
}

func (s *Server) admitsAddr(a netip.Addr) bool {
	return a.Unmap().IsLoopback() || s.allow.Load().Contains(a)
}

// admitted judges each request again: a connection may be older than the set.
func (s *Server) admitted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !s.admitsAddr(from.Addr()) {
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(w, r)
	})
}

// Serve answers on all listeners until ctx is done, and then lets what is
// being answered end. It closes the listeners. Its error is that of a listener
// which failed.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	failed := make(chan error, len(listeners))
	for _, ln := range listeners {
		go func() { failed <- s.http.Serve(&gate{Listener: ln, server: s}) }() // each is received below
	}
	var errs []error
	select {
	case <-ctx.Done():
	case err := <-failed:
		errs = append(errs, fmt.Errorf("serving admin listener: %w", err))
		failed <- http.ErrServerClosed // stands for the one received
	}
	s.end(ctx)
	for range listeners {
		if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, fmt.Errorf("serving admin listener: %w", err))
		}
	}
	return errors.Join(errs...)
}

// end closes the listeners and, a little later at most, the connections.
func (s *Server) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close() //nolint:errcheck // the listeners are closed already
	}
}

// A gate is a listener that disconnects who may not ask.
type gate struct {
	net.Listener
	server *Server
}

// Accept implements net.Listener.
func (g *gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil || g.server.admits(c.RemoteAddr()) {
			return c, err
		}
		g.server.log.Debug("admin connection refused", zap.Stringer(keySource, c.RemoteAddr()))
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0) //nolint:errcheck // a reset, or else an ordinary end
		}
		c.Close() //nolint:errcheck // it was not used
	}
}

const keySource = "source"
