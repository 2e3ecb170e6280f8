package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// livePatience bounds an exchange, and every wait: what takes longer does not happen.
const livePatience = 30 * time.Second

// A liveKind is callers who behave alike.
type liveKind struct {
	name    string
	callers int
	think   time.Duration // between two exchanges, on average
	fresh   bool          // a connection for each exchange
	ask     func() liveAsk
}

// liveKinds are callers of all kinds, who make several hundred exchanges a
// second together. slow is how long slow exchanges take at least.
func liveKinds(slow time.Duration) []liveKind {
	small := func() liveAsk { return liveAsk{send: 300, receive: 300} }
	return []liveKind{
		{name: "kept", callers: 12, think: 40 * time.Millisecond, ask: small},
		{name: "fresh", callers: 6, think: 60 * time.Millisecond, fresh: true, ask: small},
		{name: "rare", callers: 4, think: slow, ask: small},
		{name: "slow", callers: 4, think: 100 * time.Millisecond, ask: func() liveAsk {
			return liveAsk{send: 300, receive: 300, delay: slow + rand.N(slow/2)}
		}},
		{name: "large", callers: 2, think: 300 * time.Millisecond, ask: func() liveAsk {
			return liveAsk{send: 1<<20 + rand.N(3<<20), receive: 1<<20 + rand.N(3<<20), chunked: rand.N(2) == 0}
		}},
	}
}

// A liveExchange is what a caller knows of one.
type liveExchange struct {
	id, kind     string
	began, ended time.Time
	from, to     int    // the events in force then
	path         string // both ends of the connection
	reused       bool
	status       int
	reason       string // X-Lqproxy-Reason
	delivered    string // as the answer says, if lqproxy wrote it
	err          error  // no whole answer came, or another than the upstream's
}

// String says all that helps to find out.
func (x liveExchange) String() string {
	const clock = "15:04:05.000"
	return fmt.Sprintf("%s (%s, %s to %s, connection %s, reused %t): status %d, reason %q, delivered %q: %v",
		x.id, x.kind, x.began.Format(clock), x.ended.Format(clock), x.path, x.reused, x.status, x.reason, x.delivered, x.err)
}

// A liveCrowd is callers under way.
type liveCrowd struct {
	book    *liveBook
	name    string             // with which all ids begin
	tls     *tls.Config        // nil: they speak plain HTTP
	dialer  func() *net.Dialer // nil: from 127.0.0.1
	fields  string             // header lines of their own
	targets atomic.Pointer[[]string]
	ending  atomic.Pointer[string] // the target that may refuse to be connected to
	number  atomic.Int64
	over    chan struct{} // nil: there are no callers
	wg      sync.WaitGroup
}

// come starts the callers.
func (d *liveCrowd) come(kinds []liveKind) {
	over := make(chan struct{})
	d.over = over
	for _, kind := range kinds {
		for range kind.callers {
			d.wg.Go(func() {
				c := &liveCaller{crowd: d, kind: kind}
				defer c.close()
				for pauseLive(kind.think/2+rand.N(kind.think), over) {
					c.exchange(kind.ask())
				}
			})
		}
	}
}

// pauseLive is the time between two exchanges of a caller. It reports whether
// there is to be another one.
func pauseLive(think time.Duration, over <-chan struct{}) bool {
	select {
	case <-over:
		return false
	case <-time.After(think):
		return true
	}
}

// leave lets each caller finish its exchange, and waits for them.
func (d *liveCrowd) leave() {
	close(d.over)
	d.wg.Wait()
	d.over = nil
}

// aim sets the addresses that are called. One that is left out may refuse
// connections from now on; nothing else may become of what is sent to it.
func (d *liveCrowd) aim(targets ...string) { d.targets.Store(&targets) }

// A liveCaller is one caller, who connects when it has to and never sends
// anything twice.
type liveCaller struct {
	crowd *liveCrowd
	kind  liveKind
	conn  net.Conn
	tcp   *net.TCPConn // beneath conn
	r     *bufio.Reader
	until time.Time // the server may close then: Keep-Alive: timeout=
	used  bool
}

// exchange makes one exchange and enters it into the book.
func (c *liveCaller) exchange(a liveAsk) {
	x := liveExchange{
		id:    fmt.Sprintf("%s-%s-%d", c.crowd.name, c.kind.name, c.crowd.number.Add(1)),
		kind:  c.kind.name,
		began: time.Now(),
	}
	x.from = c.crowd.book.now()
	if err := c.connect(); errors.Is(err, errLiveGone) {
		return // nothing was sent, to an address that was given up
	} else if err != nil {
		x.err = err
	} else {
		c.converse(&x, a)
	}
	if x.err != nil || c.kind.fresh {
		c.close()
	}
	x.ended, x.to = time.Now(), c.crowd.book.now()
	c.crowd.book.add(x)
}

// errLiveGone says that a target which was given up refuses to be connected to.
var errLiveGone = errors.New("not a target any more")

// connect makes sure that there is a connection on which a caller who honours
// HTTP would send.
func (c *liveCaller) connect() error {
	if c.conn != nil && (time.Now().After(c.until) || !c.quiet()) {
		c.close()
	}
	if c.conn != nil {
		return nil
	}
	targets := *c.crowd.targets.Load()
	before := c.crowd.ending.Load()
	if before != nil {
		targets = append(slices.Clone(targets), *before)
	}
	target := targets[rand.N(len(targets))]
	err := c.dial(target)
	for _, ending := range []*string{before, c.crowd.ending.Load()} { // connecting takes its time
		if ending != nil && target == *ending && errors.Is(err, syscall.ECONNREFUSED) {
			return errLiveGone
		}
	}
	return err
}

func (c *liveCaller) dial(target string) error {
	dialer := &net.Dialer{}
	if c.crowd.dialer != nil {
		dialer = c.crowd.dialer()
	}
	ctx, cancel := context.WithTimeout(context.Background(), livePatience)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", target)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	c.tcp, c.conn = conn.(*net.TCPConn), conn
	if c.crowd.tls != nil {
		secure := tls.Client(conn, c.crowd.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			return fmt.Errorf("shaking hands: %w", err)
		}
		c.conn = secure
	}
	c.r = bufio.NewReader(c.conn)
	c.until, c.used = time.Now().Add(time.Hour), false
	return nil
}

// quiet reports whether the connection lies idle: neither closed nor with
// something on it that nobody asked for.
func (c *liveCaller) quiet() bool {
	raw, err := c.tcp.SyscallConn()
	if err != nil {
		return false
	}
	idle := false
	_ = raw.Control(func(fd uintptr) {
		_, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		idle = errors.Is(err, unix.EAGAIN)
	})
	return idle && c.r.Buffered() == 0
}

func (c *liveCaller) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// converse sends the request and reads the answer.
func (c *liveCaller) converse(x *liveExchange, a liveAsk) {
	x.path = c.conn.LocalAddr().String() + " > " + c.conn.RemoteAddr().String()
	x.reused, c.used = c.used, true
	c.conn.SetDeadline(time.Now().Add(a.delay + livePatience))
	_, writeErr := c.conn.Write(liveRequest(x.id, a, c.kind.fresh, c.crowd.fields))
	if x.err = c.answer(x, a); x.err != nil && writeErr != nil && x.status == 0 {
		x.err = fmt.Errorf("sending: %w, %w", writeErr, x.err)
	}
}

// liveRequest returns a whole request.
func liveRequest(id string, a liveAsk, fresh bool, fields string) []byte {
	body := liveBody(id, a.send)
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s?%s HTTP/1.1\r\nHost: proxy:8864\r\nContent-Type: application/json\r\n"+
		"jrdwptbh: 91110000000000000X01\r\nsydwptbh: 91110000000000000X02\r\n%s: %s\r\n%s: %s\r\n%s", livePath, a.query(), liveID, id, liveSum, liveSumText(crc32.ChecksumIEEE(body)), fields)
	if fresh {
		b.WriteString("Connection: close\r\n")
	}
	if !a.chunked {
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
		return []byte(b.String())
	}
	b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	for chunk := range slices.Chunk(body, 100_000) {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(chunk), chunk)
	}
	b.WriteString("0\r\n\r\n")
	return []byte(b.String())
}

// answer reads an answer and compares it with what was asked for.
func (c *liveCaller) answer(x *liveExchange, a liveAsk) error {
	res, err := http.ReadResponse(c.r, &http.Request{Method: http.MethodPost})
	if err != nil {
		return fmt.Errorf("reading the head of an answer: %w", err)
	}
	defer res.Body.Close()
	x.status, x.reason = res.StatusCode, res.Header.Get("X-Lqproxy-Reason")
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("reading the body of an answer, of which %d bytes came: %w", len(body), err)
	}
	if res.Close {
		c.close()
	}
	if seconds, err := strconv.Atoi(strings.TrimPrefix(res.Header.Get("Keep-Alive"), "timeout=")); err == nil {
		c.until = time.Now().Add(time.Duration(seconds) * time.Second)
	}
	if res.StatusCode != http.StatusOK {
		x.delivered = liveDelivered(body)
		return fmt.Errorf("answered %s: %.300s", res.Status, body)
	}
	switch got, sum := res.Header.Get(liveID), liveSumText(crc32.ChecksumIEEE(body)); {
	case got != x.id:
		return fmt.Errorf("the answer is that of %q", got)
	case len(body) != a.receive:
		return fmt.Errorf("the answer has %d bytes, want %d", len(body), a.receive)
	case sum != res.Header.Get(liveSum):
		return fmt.Errorf("the answer has the sum %s, want %s", sum, res.Header.Get(liveSum))
	}
	return nil
}

// liveDelivered returns what an answer of lqproxy says of the request.
func liveDelivered(body []byte) string {
	var document struct {
		Error struct{ Delivered string }
	}
	if json.Unmarshal(body, &document) != nil {
		return ""
	}
	return document.Error.Delivered
}

// awaitLive looks again and again until f is true.
func awaitLive(t testing.TB, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(livePatience); !f(); <-tick.C {
		if time.Now().After(limit) {
			t.Fatalf("it does not come about that %s", what)
		}
	}
}
