package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// sessions is the number of TLS sessions kept; one host needs one.
const sessions = 8

// The suites of TLS 1.2 and before; those of TLS 1.3 cannot be chosen. The order
// of preference is crypto/tls's own.
var (
	forwardSecret = []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
		tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
	}
	rsaKeyExchange = []uint16{
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA256,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA,
		tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	}
)

// config returns what is offered to the host. All that may differ between
// releases of Go is said, because old gateways and middleboxes fail on either
// side of such a change.
//
// There is no ALPN: nginx as it stands in front of Leqi today sends none, so
// HTTP/1.1 without it is what is known to work, and a server that knows h2 alone
// would be of no use to us.
func (o TLS) config(verify func(tls.ConnectionState) error) *tls.Config {
	return &tls.Config{
		ServerName:       o.ServerName,
		MinVersion:       o.MinVersion,
		MaxVersion:       o.MaxVersion,
		CipherSuites:     o.suites(),
		CurvePreferences: o.curves(),

		// Names and chains are judged in VerifyConnection, which, unlike
		// crypto/tls's own check, is also asked when a session is resumed.
		InsecureSkipVerify: true,
		VerifyConnection:   verify,

		ClientSessionCache: tls.NewLRUClientSessionCache(sessions),

		// Small first records are for browsers that wait for a page. Here each
		// record more is a system call more on either side.
		DynamicRecordSizingDisabled: true,
	}
}

func (o TLS) suites() []uint16 {
	suites := append([]uint16(nil), forwardSecret...)
	if o.Legacy {
		suites = append(suites, rsaKeyExchange...)
	}
	return suites
}

func (o TLS) curves() []tls.CurveID {
	curves := []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
	if o.PostQuantum {
		curves = append([]tls.CurveID{tls.X25519MLKEM768}, curves...)
	}
	return curves
}

// handshake makes sock a TLS connection within limit. It closes sock on failure.
func handshake(ctx context.Context, sock *socket, config *tls.Config, limit time.Duration) (*tls.Conn, error) {
	limited, cancel := within(ctx, limit)
	defer cancel()

	c := tls.Client(sock, config)
	err := c.HandshakeContext(limited)
	if err == nil {
		return c, nil
	}
	_ = sock.Close()
	if ctx.Err() == nil && limited.Err() != nil {
		err = fmt.Errorf("no end of the handshake within %v: %w", limit, err)
	}
	return nil, err
}

// handshakeError returns err with the phase that it belongs to.
func handshakeError(to netip.AddrPort, err error) *Error {
	if refused, ok := errors.AsType[*identityError](err); ok {
		return &Error{PhaseIdentity, to, refused}
	}
	return &Error{PhaseTLS, to, err}
}
