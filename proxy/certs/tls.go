package certs

import "crypto/tls"

// suites are those of TLS 1.2 that have forward secrecy and authenticated
// encryption; those of 1.3 all do, and are no matter of choice.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// TLS returns how the listener speaks TLS: 1.2 and 1.3 with forward secrecy
// and authenticated encryption alone, and HTTP/1.1. A caller that offers other
// protocols and not that one is refused; one that names none is taken at his
// word. Each handshake shows the certificate of its moment. The keys of session
// tickets are changed daily by crypto/tls. The caller may not modify the result.
func (c *current) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:       tls.VersionTLS12,
		MaxVersion:       tls.VersionTLS13,
		CipherSuites:     suites,
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384},
		NextProtos:       []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.pair.Load(), nil
		},
	}
}
