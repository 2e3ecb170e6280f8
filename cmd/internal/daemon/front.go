package daemon

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/certs"
)

// Keys of the configuration that name addresses to listen on.
const (
	keyListenAddresses = "listen.addresses"
	keyAdminAddresses  = "admin.addresses"
	keyACMEAddress     = "listen.acme.http_address"
)

// A place is an address to listen on, as the configuration has it.
type place struct{ key, address string }

// places returns all that c names.
func places(c configs.Config) []place {
	var all []place
	for _, address := range c.Listen.Addresses {
		all = append(all, place{keyListenAddresses, address})
	}
	for _, address := range c.Admin.Addresses {
		all = append(all, place{keyAdminAddresses, address})
	}
	if c.Listen.TLS == configs.TLSACME {
		all = append(all, place{keyACMEAddress, c.Listen.ACME.HTTPAddress})
	}
	return all
}

// A front is one socket that listens, and what serves it while it does. It ends
// in one of two ways: end ends the listening of the socket itself, so that
// whoever connects from then on is refused; leave leaves it to the process that
// has a copy.
type front struct {
	place
	ln    *net.TCPListener
	admin *admin.Server // of an admin address that is served

	served *stage // nil before it is served
	once   sync.Once
	left   chan struct{} // closed by leave
}

func newFront(p place, ln *net.TCPListener) *front {
	return &front{place: p, ln: ln, left: make(chan struct{})}
}

// isLeft reports whether another process has the socket.
func (f *front) isLeft() bool {
	select {
	case <-f.left:
		return true
	default:
		return false
	}
}

// leave closes this process's copy. Connections that it accepted go on.
func (f *front) leave() {
	f.once.Do(func() { close(f.left) })
	f.ln.Close() //nolint:errcheck // nothing was written to it
}

// end ends what serves f, waits for it and returns its error.
func (f *front) end() error {
	if f.served == nil {
		f.ln.Close() //nolint:errcheck // it was never served
		return nil
	}
	return f.served.end()
}

// accept is the task of a front for callers.
func (f *front) accept(s *proxy.Server) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		err := s.Serve(ctx, f.ln)
		if err == nil && f.isLeft() {
			<-ctx.Done()
		}
		return err
	}
}

// An httpDoor is a front as net/http serves it. One that was left accepts
// nobody any more, but does not fail: a server that failed would end its
// connections.
type httpDoor struct {
	*front
	once   sync.Once
	closed chan struct{}
}

func newHTTPDoor(f *front) *httpDoor { return &httpDoor{front: f, closed: make(chan struct{})} }

// Accept implements net.Listener.
func (a *httpDoor) Accept() (net.Conn, error) {
	c, err := a.ln.Accept()
	if err != nil && a.isLeft() {
		<-a.closed
	}
	return c, err
}

// Addr implements net.Listener.
func (a *httpDoor) Addr() net.Addr { return a.ln.Addr() }

// Close implements net.Listener.
func (a *httpDoor) Close() error {
	a.once.Do(func() { close(a.closed) })
	if !a.isLeft() {
		proxy.EndListening(a.ln)
	}
	return a.ln.Close()
}

// fronts are the sockets of one configuration. They are never modified; a
// reload publishes others.
type fronts []*front

// at returns the front with that key and address; nil if there is none.
func (fs fronts) at(key, address string) *front {
	for _, f := range fs {
		if f.key == key && f.address == address {
			return f
		}
	}
	return nil
}

// of returns those under key.
func (fs fronts) of(key string) fronts {
	return slices.DeleteFunc(slices.Clone(fs), func(f *front) bool { return f.key != key })
}

// but returns those under other keys.
func (fs fronts) but(key string) fronts {
	return slices.DeleteFunc(slices.Clone(fs), func(f *front) bool { return f.key == key })
}

// bound returns where they listen.
func (fs fronts) bound() []string {
	all := make([]string, len(fs))
	for i, f := range fs {
		all[i] = f.ln.Addr().String()
	}
	return all
}

// without returns those that are not among others.
func (fs fronts) without(others fronts) fronts {
	return slices.DeleteFunc(slices.Clone(fs), func(f *front) bool { return slices.Contains(others, f) })
}

// end ends all, also if one fails.
func (fs fronts) end() error {
	var errs []error
	for _, f := range fs {
		errs = append(errs, f.end())
	}
	return errors.Join(errs...)
}

// leave leaves all to another process.
func (fs fronts) leave() {
	for _, f := range fs {
		f.leave()
	}
}

// open returns the fronts that c names. Those of have stay, the others are
// taken over from the process before this one, or bound. Nothing is open that
// was not before if there is an error.
func (d *Daemon) open(have fronts, c configs.Config) (all fronts, err error) {
	var fresh fronts
	defer func() {
		if err != nil {
			fresh.leave()
		}
	}()
	for _, p := range places(c) {
		f := have.at(p.key, p.address)
		if f == nil {
			ln, err := d.listenOn(have, p)
			if err != nil {
				return nil, err
			}
			f = newFront(p, ln)
			fresh = append(fresh, f)
		}
		all = append(all, f)
	}
	return all, nil
}

// listenOn returns a listener that was inherited, or is new.
func (d *Daemon) listenOn(have fronts, p place) (*net.TCPListener, error) {
	ln, err := d.o.Succession.listener(p.address)
	if ln != nil || err != nil {
		return ln, err
	}
	ln, err = bind(p.key, p.address)
	if e, ok := errors.AsType[*ListenError](err); ok && e.Taken() {
		for _, f := range have {
			if _, port, _ := net.SplitHostPort(f.address); port == e.Port() { // configs has judged it
				e.Overlaps = f.address
			}
		}
	}
	return ln, err
}

// serve begins to serve f.
func (d *Daemon) serve(f *front) {
	t := task{"accepting on " + f.ln.Addr().String(), f.accept(d.server)}
	switch f.key {
	case keyAdminAddresses:
		f.admin = admin.New(http.HandlerFunc(d.answer), d.logs.Error.Named("admin"))
		f.admin.Admit(d.current.Load().config.Admin.Allow)
		t = task{"admin", func(ctx context.Context) error { return f.admin.Serve(ctx, newHTTPDoor(f)) }}
	case keyACMEAddress:
		t = task{"challenges", func(ctx context.Context) error {
			return certs.ServeChallenges(ctx, newHTTPDoor(f), http.HandlerFunc(d.serveChallenge), d.logs.Error.Named("certs"))
		}}
	}
	f.served = d.begin(t)
}
