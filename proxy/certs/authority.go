package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"

	"github.com/mholt/acmez/v3/acme"
)

// failure says why the authority gave no certificate.
func (m *ACME) failure(err error) *Problem {
	p := &Problem{Kind: AuthorityFailed, File: m.o.Directory, Names: m.o.Names, Err: err}
	if problem, ok := errors.AsType[acme.Problem](err); ok {
		p.Kind, p.Err = kindOf(problem), problem
		return p
	}
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		p.Kind, p.Err = AuthorityUntrusted, bad.Err
		return p
	}
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		p.Kind, p.Err = AuthorityUnreachable, failed
		return p
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, context.DeadlineExceeded) {
		p.Kind = AuthorityUnreachable
	}
	return p
}

// kindOf tells what the authority itself reports (RFC 8555, section 6.7).
func kindOf(p acme.Problem) Kind {
	switch p.Type {
	case acme.ProblemTypeRateLimited:
		return AuthorityLimits
	case acme.ProblemTypeConnection, acme.ProblemTypeDNS, acme.ProblemTypeUnauthorized, acme.ProblemTypeIncorrectResponse:
		return ChallengeFailed
	case acme.ProblemTypeServerInternal:
		return AuthorityFailed
	}
	if p.Status >= http.StatusInternalServerError {
		return AuthorityFailed
	}
	return AuthorityRefused
}
