package certs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Limits of the listener for challenges, to which anyone may connect: an
// authority asks for some bytes, once, from a few places.
const (
	challengeTime        = 5 * time.Second // for a whole connection
	challengeHead        = 4 << 10
	challengeConnections = 64
)

// ServeHTTP answers challenges of the authority that were set to m, and
// everything else with 404 and not a byte more.
func (m *ACME) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !m.issuer.HandleHTTPChallenge(w, r) {
		w.WriteHeader(http.StatusNotFound)
	}
}

// ServeChallenges serves h on ln within narrow limits until ctx is done, and
// closes ln. The error is nil unless ln failed. log may be nil.
func ServeChallenges(ctx context.Context, ln net.Listener, h http.Handler, log *zap.Logger) error {
	if log == nil {
		log = zap.NewNop()
	}
	faults, err := zap.NewStdLogAt(log, zap.DebugLevel) // of strangers: any scanner may speak rubbish
	if err != nil {
		return fmt.Errorf("logging challenges: %w", err)
	}
	server := &http.Server{
		Handler:                      h,
		ReadTimeout:                  challengeTime,
		WriteTimeout:                 challengeTime,
		MaxHeaderBytes:               challengeHead,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     faults,
	}
	server.SetKeepAlivesEnabled(false)
	defer context.AfterFunc(ctx, func() { server.Close() })() //nolint:errcheck // there is nobody to tell
	err = server.Serve(&fewer{Listener: ln, free: make(chan struct{}, challengeConnections)})
	server.Close() //nolint:errcheck // likewise
	if ctx.Err() != nil || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("accepting challenges on %s: %w", ln.Addr(), err)
}

// A fewer accepts as many connections at once as free has room for.
type fewer struct {
	net.Listener
	free chan struct{}
}

// Accept implements net.Listener.
func (f *fewer) Accept() (net.Conn, error) {
	f.free <- struct{}{} // waits for 5 s at most, when a connection ends
	conn, err := f.Listener.Accept()
	if err != nil {
		<-f.free
		return nil, err
	}
	return &counted{Conn: conn, end: sync.OnceFunc(func() { <-f.free })}, nil
}

// A counted connection makes room for another when it is closed.
type counted struct {
	net.Conn
	end func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	defer c.end()
	return c.Conn.Close()
}
