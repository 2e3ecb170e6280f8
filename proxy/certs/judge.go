package certs

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Worse returns why next, of file, may not take the place of current: callers
// would refuse it now, and not current. nil: it may. The error is a *[Problem].
func Worse(current, next *x509.Certificate, file string) error {
	if p := worse(current, next, file, time.Now()); p != nil {
		return p
	}
	return nil
}

func worse(current, next *x509.Certificate, file string, now time.Time) *Problem {
	if outOfDate(current, "", now) != nil {
		return nil
	}
	return outOfDate(next, file, now)
}

// outOfDate returns what is wrong with c at now, by its dates.
func outOfDate(c *x509.Certificate, file string, now time.Time) *Problem {
	switch {
	case now.After(c.NotAfter):
		return &Problem{Kind: Expired, File: file, Date: c.NotAfter}
	case now.Before(c.NotBefore):
		return &Problem{Kind: NotYetValid, File: file, Date: c.NotBefore}
	}
	return nil
}

// Warnings returns what callers may dislike in pair, which was read from file:
// a chain that leads nowhere, a weak key or signature, and names other than
// wanted, those in the URLs of callers.
func Warnings(pair *tls.Certificate, file string, wanted []string) []*Problem {
	var all []*Problem
	for _, p := range []*Problem{chainProblem(pair, file), keyProblem(pair.Leaf, file), signatureProblem(pair.Leaf, file), nameProblem(pair.Leaf, file, wanted)} {
		if p != nil {
			all = append(all, p)
		}
	}
	return all
}

// chainProblem returns that an issuer is missing, if the certificates of pair
// lead neither to one that issued itself nor to one that this machine knows.
func chainProblem(pair *tls.Certificate, file string) *Problem {
	chain := parsed(pair)
	last := followed(chain)
	if selfIssued(last) || known(chain) {
		return nil
	}
	p := &Problem{Kind: IssuerUnknown, File: file, Detail: last.Issuer.String()}
	if len(last.IssuingCertificateURL) > 0 {
		p.Kind, p.URL = IssuerPublished, last.IssuingCertificateURL[0]
	}
	return p
}

// parsed returns the certificates of pair, without those that are damaged:
// callers get to see them, but nobody can follow them.
func parsed(pair *tls.Certificate) []*x509.Certificate {
	all := []*x509.Certificate{pair.Leaf}
	for _, der := range pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			all = append(all, c)
		}
	}
	return all
}

// followed returns the last of chain that can be reached from its first, each
// being the issuer of the one before.
func followed(chain []*x509.Certificate) *x509.Certificate {
	last := chain[0]
	for range chain {
		i := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return isIssuer(c, last) })
		if i < 0 || chain[i] == last {
			break
		}
		last = chain[i]
	}
	return last
}

// isIssuer reports whether issuer is who c names as its issuer. Signatures are not
// looked at: those of old algorithms cannot be checked here.
func isIssuer(issuer, c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, issuer.RawSubject) &&
		(len(c.AuthorityKeyId) == 0 || len(issuer.SubjectKeyId) == 0 || bytes.Equal(c.AuthorityKeyId, issuer.SubjectKeyId))
}

func selfIssued(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject)
}

// known reports whether an authority that this machine knows stands behind
// chain, whatever the date.
func known(chain []*x509.Certificate) bool {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Intermediates: between,
		CurrentTime:   chain[0].NotBefore.Add(time.Second),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err == nil
}

// leastRSA is how many bits an RSA key needs.
const leastRSA = 2048

func keyProblem(c *x509.Certificate, file string) *Problem {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() >= leastRSA {
		return nil
	}
	return &Problem{Kind: WeakKey, File: file, Detail: fmt.Sprintf("RSA %d", key.N.BitLen())}
}

func signatureProblem(c *x509.Certificate, file string) *Problem {
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		if !selfIssued(c) { // nobody judges the signature of a root
			return &Problem{Kind: WeakSignature, File: file, Detail: c.SignatureAlgorithm.String()}
		}
	}
	return nil
}

// nameProblem returns that callers use other names than those of c.
func nameProblem(c *x509.Certificate, file string, wanted []string) *Problem {
	missing := notCovered(c, wanted)
	if len(missing) == 0 {
		return nil
	}
	names := namesOf(c)
	if len(names) == 0 {
		names = []string{c.Subject.String()} // a common name alone counts for nothing
	}
	return &Problem{Kind: OtherNames, File: file, Names: names, Wanted: missing}
}

// notCovered returns those of names that c is not for.
func notCovered(c *x509.Certificate, names []string) []string {
	var missing []string
	for _, name := range names {
		host := name
		if addr, err := netip.ParseAddr(name); err == nil && addr.Is6() {
			host = "[" + name + "]" // as VerifyHostname wants it
		}
		if c.VerifyHostname(host) != nil {
			missing = append(missing, name)
		}
	}
	return missing
}
