package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Fields by which both ends of an exchange compare what they got. The id is the
// only field of them that the proxy knows: it stands in the access log.
const (
	liveID   = "clientTid" // unique for each request, and echoed in the answer
	liveSum  = "X-Live-Sum"
	livePath = "/access/v2/invoke/202007/CXKYSL"
)

// A liveUpstream stands for Leqi. It is written with net/http, so that nothing
// of what it judges judges itself, and notes every request that arrives.
type liveUpstream struct {
	addr        netip.AddrPort
	certificate tls.Certificate

	mu      sync.Mutex // guards all below
	arrived map[string]int
	damaged []string // what is wrong with requests
	server  *http.Server
	done    chan struct{} // closed when server has ended
	held    chan struct{} // closed when requests that are held are answered; nil: none was
}

// liveHeld is the delay of a request that is answered at release.
const liveHeld = -time.Second

// release answers requests that are held.
func (u *liveUpstream) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	close(u.holding())
	u.held = nil
}

// holding requires u.mu.
func (u *liveUpstream) holding() chan struct{} {
	if u.held == nil {
		u.held = make(chan struct{})
	}
	return u.held
}

// wait takes the time that an answer takes. It reports whether the caller is
// still there.
func (u *liveUpstream) wait(r *http.Request, delay time.Duration) bool {
	var held chan struct{}
	var after <-chan time.Time
	if delay == liveHeld {
		u.mu.Lock()
		held = u.holding()
		u.mu.Unlock()
	} else {
		after = time.After(delay)
	}
	select {
	case <-held:
	case <-after:
	case <-r.Context().Done():
		return false
	}
	return true
}

// startLiveUpstream starts an upstream on a port of its own, and ends it with
// the test.
func startLiveUpstream(t testing.TB, addr netip.AddrPort) *liveUpstream {
	t.Helper()
	u := &liveUpstream{addr: addr, certificate: newLiveCertificate(t, 1, time.Now().Add(time.Hour)).pair, arrived: map[string]int{}}
	if err := u.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.stop)
	return u
}

// start listens; also again, at the same address, after stop.
func (u *liveUpstream) start() error {
	ln, err := net.Listen("tcp", u.addr.String())
	if err != nil {
		return fmt.Errorf("starting the upstream: %w", err)
	}
	server := &http.Server{
		Handler:      u,
		ErrorLog:     log.New(io.Discard, "", 0),
		TLSConfig:    &tls.Config{Certificates: []tls.Certificate{u.certificate}},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1, as Leqi
		IdleTimeout:  time.Minute,
	}
	done := make(chan struct{})
	u.mu.Lock()
	u.server, u.done = server, done
	u.mu.Unlock()
	go func() {
		defer close(done)
		_ = server.ServeTLS(ln, "", "") // ends with stop
	}()
	return nil
}

// stop ends it at once, with all connections and whatever is on them.
func (u *liveUpstream) stop() {
	u.mu.Lock()
	server, done := u.server, u.done
	u.mu.Unlock()
	_ = server.Close() // of a second stop: closed already
	<-done
}

// ServeHTTP implements http.Handler. The query says how to answer.
func (u *liveUpstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := u.note(r)
	sum := crc32.NewIEEE()
	if _, err := io.Copy(sum, r.Body); err != nil {
		return // the caller left, and there is nobody to answer
	}
	if got, want := liveSumText(sum.Sum32()), r.Header.Get(liveSum); got != want {
		u.complain("request %s arrived with the sum %s, was sent with %s", id, got, want)
	}
	ask, err := parseLiveAsk(r.URL.Query().Get)
	if err != nil {
		u.complain("request %s: %v", id, err)
	}
	if !u.wait(r, ask.delay) {
		return
	}
	body := liveBody(id, ask.receive)
	w.Header().Set(liveID, id)
	w.Header().Set(liveSum, liveSumText(crc32.ChecksumIEEE(body)))
	if !ask.chunked {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	} else if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	_, _ = w.Write(body) // to whoever is still there
}

// note counts the request and holds its head to what must arrive.
func (u *liveUpstream) note(r *http.Request) string {
	ids := r.Header.Values(liveID)
	switch {
	case len(ids) != 1:
		u.complain("a request arrived with the ids %q", ids)
	case r.Host != u.addr.String():
		u.complain("request %s arrived for the host %q, want %q", ids[0], r.Host, u.addr)
	case r.Header.Get("X-Forwarded-For") != "":
		u.complain("request %s arrived with X-Forwarded-For: %s", ids[0], r.Header.Get("X-Forwarded-For"))
	}
	id := strings.Join(ids, "+")
	u.mu.Lock()
	defer u.mu.Unlock()
	u.arrived[id]++
	return id
}

func (u *liveUpstream) complain(format string, args ...any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.damaged = append(u.damaged, fmt.Sprintf(format, args...))
}

// A liveAsk is a request as it is sent, and the answer that is wanted.
type liveAsk struct {
	delay         time.Duration
	send, receive int  // bytes of the bodies
	chunked       bool // both of them
}

// query is understood by parseLiveAsk.
func (a liveAsk) query() string {
	return fmt.Sprintf("delay=%s&size=%d&chunked=%t", a.delay, a.receive, a.chunked)
}

func parseLiveAsk(get func(key string) string) (a liveAsk, err error) {
	var errs [3]error
	a.delay, errs[0] = time.ParseDuration(get("delay"))
	a.receive, errs[1] = strconv.Atoi(get("size"))
	a.chunked, errs[2] = strconv.ParseBool(get("chunked"))
	return a, errors.Join(errs[:]...)
}

// liveBody returns so many bytes that belong to id.
func liveBody(id string, size int) []byte {
	return bytes.Repeat([]byte(id+" "), size/(len(id)+1)+1)[:size]
}

func liveSumText(sum uint32) string { return fmt.Sprintf("%08x", sum) }
