package logging

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	syslogQueue   = 1024                  // messages that may wait
	syslogTimeout = 5 * time.Second       // for a dial, a handshake, a write
	syslogBackoff = time.Second           // after the first failure, then twice as long each time
	syslogPatient = 60 * time.Second      // at most
	syslogFresh   = 10 * time.Millisecond // after a message the connection is taken to be alive
	syslogGoodbye = 2 * time.Second       // for what waits when the program ends
)

// A syslogTarget is where messages go. The zero target takes none.
type syslogTarget struct{ network, address string }

func parseSyslog(text string) (syslogTarget, error) {
	if text == "" {
		return syslogTarget{}, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return syslogTarget{}, fmt.Errorf("reading syslog target: %w", err)
	}
	known := u.Scheme == "udp" || u.Scheme == "tcp" || u.Scheme == "tls"
	if !known || u.Hostname() == "" || u.Port() == "" || text != u.Scheme+"://"+u.Host {
		return syslogTarget{}, fmt.Errorf("reading syslog target %q: not udp://, tcp:// or tls:// with host:port", text)
	}
	return syslogTarget{u.Scheme, u.Host}, nil
}

// A syslog sends messages to a collector, from one goroutine. Messages that wait too long for it are dropped.
type syslog struct {
	target atomic.Pointer[syslogTarget]
	queue  chan []byte
	lost   atomic.Int64 // messages dropped since the last report
	count  func(name string)
	log    *zap.Logger
	host   string
	roots  *x509.CertPool // nil: the system's

	// Of the goroutine.
	conn    net.Conn
	to      syslogTarget // of conn
	sent    time.Time    // of the last message
	failing bool
}

func newSyslog(count func(string)) *syslog {
	return &syslog{queue: make(chan []byte, syslogQueue), count: count, host: hostName()}
}

// send queues a message, or drops it.
func (s *syslog) send(message []byte) {
	select {
	case s.queue <- message:
	default:
		s.lost.Add(1)
		s.count(outputSyslog)
	}
}

// run sends until ctx is done, then tries for a moment to send what waits.
func (s *syslog) run(ctx context.Context) {
	defer s.hangUp()
	for {
		select {
		case <-ctx.Done():
			s.sayGoodbye()
			return
		case message := <-s.queue:
			if !s.deliver(ctx, message) {
				s.sayGoodbye(message)
				return
			}
		}
	}
}

// deliver sends message, however long that takes, and reports whether it did before ctx was done.
func (s *syslog) deliver(ctx context.Context, message []byte) bool {
	for pause := syslogBackoff; ; pause = min(2*pause, syslogPatient) {
		err := s.attempt(ctx, message)
		if err == nil {
			return true
		}
		if ctx.Err() != nil || !sleep(ctx, pause) {
			return false
		}
	}
}

// attempt sends message once, and tells of the first failure and of the end of failing. Datagrams have no end of
// failing: the one after a refusal always seems to arrive.
func (s *syslog) attempt(ctx context.Context, message []byte) error {
	err := s.transmit(ctx, message)
	switch {
	case err != nil && ctx.Err() == nil:
		s.count(outputSyslog)
		if !s.failing {
			s.failing = true
			s.log.Error("syslog cannot be sent", zap.String(KeyEvent, eventWriteFailed), zap.String(keyFile, outputSyslog), zap.Error(err))
		}
	case err == nil && s.to.network != "udp" && (s.failing || s.lost.Load() > 0):
		s.failing = false
		s.log.Warn("syslog is sent again", zap.String(keyFile, outputSyslog), zap.Int64(keyLost, s.lost.Swap(0)))
	}
	return err
}

// sayGoodbye gives messages, and what else waits, a last chance, and tells how many did not get through.
func (s *syslog) sayGoodbye(messages ...[]byte) {
	for {
		select {
		case m := <-s.queue:
			messages = append(messages, m)
			continue
		default:
		}
		break
	}
	ctx, cancel := context.WithTimeout(context.Background(), syslogGoodbye)
	defer cancel()
	for i, m := range messages {
		if err := s.transmit(ctx, m); err != nil {
			s.log.Error("syslog closed with messages unsent", zap.String(keyFile, outputSyslog),
				zap.Int64(keyLost, s.lost.Load()+int64(len(messages)-i)), zap.Error(err))
			return
		}
	}
}

// transmit writes message to the connection, which it makes if need be. Without a target it does nothing.
func (s *syslog) transmit(ctx context.Context, message []byte) error {
	target := *s.target.Load()
	if s.conn != nil && (target != s.to || !s.alive()) {
		s.hangUp()
	}
	if target == (syslogTarget{}) {
		return nil
	}
	if s.conn == nil {
		conn, err := s.dial(ctx, target)
		if err != nil {
			return fmt.Errorf("dialing syslog: %w", err)
		}
		s.conn, s.to = conn, target
	}
	if err := s.write(ctx, frame(target.network, message)); err != nil {
		s.hangUp()
		return fmt.Errorf("sending to syslog: %w", err)
	}
	return nil
}

// write ends when ctx does. A deadline cannot be set on a closed connection alone, and then the write fails.
func (s *syslog) write(ctx context.Context, frame []byte) error {
	conn := s.conn
	_ = conn.SetWriteDeadline(time.Now().Add(syslogTimeout))
	stop := context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Now()) })
	defer stop()
	_, err := conn.Write(frame)
	s.sent = time.Now()
	return err
}

// alive reports whether the collector has not closed the connection since we last wrote: a write to one that it closed
// would seem to succeed. What a collector sends means nothing.
func (s *syslog) alive() bool {
	if s.to.network == "udp" || time.Since(s.sent) < syslogFresh {
		return true
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	var b [64]byte
	_, err := s.conn.Read(b[:])
	return err == nil || errors.Is(err, os.ErrDeadlineExceeded)
}

func (s *syslog) dial(ctx context.Context, t syslogTarget) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, syslogTimeout)
	defer cancel()
	if t.network == "tls" {
		d := tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.roots}}
		return d.DialContext(ctx, "tcp", t.address)
	}
	var d net.Dialer
	return d.DialContext(ctx, t.network, t.address)
}

func (s *syslog) hangUp() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}
