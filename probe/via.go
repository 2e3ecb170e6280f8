package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"
)

// A Via is a running proxy in front of Leqi, which need not be lqproxy.
type Via struct {
	TLS  bool
	Host string
	Port uint16
}

// ErrVia is a URL that does not name a proxy in the form that String returns.
var ErrVia = errors.New("not of the form http://HOST:PORT or https://HOST:PORT")

// ParseVia reads http://HOST:PORT or https://HOST:PORT. Its error is ErrVia.
func ParseVia(s string) (*Via, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, ErrVia
	}
	if u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, ErrVia
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port == 0 {
		return nil, ErrVia
	}
	return &Via{TLS: u.Scheme == "https", Host: u.Hostname(), Port: uint16(port)}, nil
}

// String returns v as ParseVia reads it.
func (v *Via) String() string {
	if v.TLS {
		return "https://" + v.authority()
	}
	return "http://" + v.authority()
}

func (v *Via) authority() string { return net.JoinHostPort(v.Host, strconv.Itoa(int(v.Port))) }

// via makes one attempt through the proxy.
func (p *prober) via(ctx context.Context, request func(host string) []byte) (a Attempt) {
	start := time.Now()
	defer func() { a.Took = Took(time.Since(start)) }()

	v := p.o.Via
	a.Peer = v.authority()
	conn, err := v.dial(ctx, p.o.Upstream.DialTimeout)
	if err != nil {
		return a.cut(err)
	}
	defer conn.Close() //nolint:errcheck // all was read
	err = a.exchange(ctx, conn, request(v.authority()), p.o.AnswerTimeout)
	if a.Verdict = judgeVia(a); err != nil && a.Verdict == ProxyFailed {
		return a.cut(err)
	}
	return a.clean()
}

// cut returns a with the error of an attempt that the proxy failed. lqproxy ends
// the connections of those whom it does not admit with a reset.
func (a Attempt) cut(err error) Attempt {
	a.Cut = a.Status == 0 && isReset(err)
	return a.failed(ProxyFailed, err)
}

// dial connects to the proxy. Its certificate is mostly one that only the
// enterprise knows, and the call has no secrets: it is not judged, as by the
// guide's curl -k.
func (v *Via) dial(ctx context.Context, limit time.Duration) (net.Conn, error) {
	dialer := net.Dialer{Timeout: limit}
	if !v.TLS {
		return dialer.DialContext(ctx, "tcp", v.authority())
	}
	secure := tls.Dialer{NetDialer: &dialer, Config: &tls.Config{ServerName: v.Host, InsecureSkipVerify: true}}
	conn, err := secure.DialContext(ctx, "tcp", v.authority())
	if err != nil {
		return nil, fmt.Errorf("connecting with TLS: %w", err)
	}
	return conn, nil
}
