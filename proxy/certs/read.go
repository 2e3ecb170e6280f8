package certs

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// Types of PEM blocks.
const (
	blockCertificate = "CERTIFICATE"
	blockTrusted     = "TRUSTED CERTIFICATE" // of openssl x509 -trustout
	blockEncrypted   = "ENCRYPTED PRIVATE KEY"
	blockPKCS7       = "PKCS7"
	suffixRequest    = "CERTIFICATE REQUEST" // with or without "NEW "
	suffixPrivate    = "PRIVATE KEY"
	suffixPublic     = "PUBLIC KEY"
)

// Parse returns the certificate in cert, with its intermediates, and its key in
// key: the contents of certFile and keyFile. The dates are not judged. The
// error is a *[Problem] that says what the files are instead.
func Parse(certFile string, cert []byte, keyFile string, key []byte) (*tls.Certificate, error) {
	pair, p := parse(certFile, cert, keyFile, key)
	if p != nil {
		return nil, p
	}
	return pair, nil
}

func parse(certFile string, cert []byte, keyFile string, key []byte) (*tls.Certificate, *Problem) {
	chain, p := readChain(certFile, cert)
	if p != nil {
		return nil, p
	}
	signer, p := readKey(keyFile, key)
	if p != nil {
		return nil, p
	}
	if p := matches(chain, signer, certFile, keyFile); p != nil {
		return nil, p
	}
	pair := &tls.Certificate{PrivateKey: signer, Leaf: chain[0]}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return pair, nil
}

// readChain returns the certificates in data, one at least.
func readChain(file string, data []byte) ([]*x509.Certificate, *Problem) {
	blocks := blocksOf(data)
	var chain []*x509.Certificate
	for _, b := range blocks {
		if b.Type != blockCertificate {
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, damaged(file, b.Bytes, err)
		}
		chain = append(chain, c)
	}
	switch {
	case len(chain) > 0:
		return chain, nil
	case len(blocks) == 0:
		return nil, withoutPEM(file, data)
	case slices.ContainsFunc(blocks, isPrivate):
		return nil, &Problem{Kind: KeyInPlace, File: file}
	}
	return nil, otherBlock(file, blocks[0])
}

// readKey returns the private key in data.
func readKey(file string, data []byte) (crypto.Signer, *Problem) {
	blocks := blocksOf(data)
	if i := slices.IndexFunc(blocks, isPrivate); i >= 0 {
		return signerOf(file, blocks[i])
	}
	switch {
	case len(blocks) == 0:
		return nil, withoutPEM(file, data)
	case blocks[0].Type == blockCertificate:
		return nil, &Problem{Kind: CertInPlace, File: file}
	}
	return nil, otherBlock(file, blocks[0])
}

// signerOf returns the key in a block of whatever form.
func signerOf(file string, b *pem.Block) (crypto.Signer, *Problem) {
	if isEncrypted(b) {
		return nil, &Problem{Kind: EncryptedKey, File: file, Commands: decrypting(file)}
	}
	key, err := privateKey(b.Bytes)
	if err != nil {
		return nil, damaged(file, b.Bytes, err)
	}
	return key, nil
}

// privateKey reads a key of any of the three forms that are in use. The error
// is that of the one which names all algorithms.
func privateKey(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("a key that cannot sign")
	}
	return signer, nil
}

// matches returns why key is not that of the first of chain.
func matches(chain []*x509.Certificate, key crypto.Signer, certFile, keyFile string) *Problem {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	belongs := func(c *x509.Certificate) bool { return ok && public.Equal(c.PublicKey) }
	switch {
	case belongs(chain[0]):
		return nil
	case slices.ContainsFunc(chain, belongs):
		return &Problem{Kind: WrongOrder, File: certFile}
	}
	return &Problem{Kind: OtherKey, File: certFile, Other: keyFile}
}

// blocksOf returns the PEM blocks in data. A byte order mark, as editors of
// Windows leave it, would hide the first of them.
func blocksOf(data []byte) []*pem.Block {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var all []*pem.Block
	for {
		b, rest := pem.Decode(data)
		if b == nil {
			return all
		}
		if !strings.HasSuffix(b.Type, "PARAMETERS") { // openssl ecparam writes them before the key
			all = append(all, b)
		}
		data = rest
	}
}

func isPrivate(b *pem.Block) bool { return strings.HasSuffix(b.Type, suffixPrivate) }

// isEncrypted reports whether the key in b wants a password, in the form of
// today or that of old.
func isEncrypted(b *pem.Block) bool {
	return b.Type == blockEncrypted || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED")
}

// otherBlock says what a block is that is neither certificate nor key.
func otherBlock(file string, b *pem.Block) *Problem {
	switch {
	case strings.HasSuffix(b.Type, suffixRequest):
		return &Problem{Kind: Request, File: file}
	case strings.HasSuffix(b.Type, suffixPublic):
		return &Problem{Kind: PublicKey, File: file}
	case b.Type == blockPKCS7 || b.Type == "CMS":
		return &Problem{Kind: PKCS7, File: file, Commands: unpacking(file, "PEM")}
	case b.Type == blockTrusted:
		return &Problem{Kind: OtherBlock, File: file, Detail: b.Type + " (openssl x509 -trustout)"}
	}
	return &Problem{Kind: OtherBlock, File: file, Detail: b.Type}
}

// damaged says why the DER of a certificate or a key cannot be used.
func damaged(file string, der []byte, err error) *Problem {
	if bytes.Contains(der, oidSM2) {
		return &Problem{Kind: SM2, File: file, Err: err}
	}
	return &Problem{Kind: Damaged, File: file, Err: err}
}

// unreadable leaves out of the cause the name of the file, which is said.
func unreadable(file string, err error) *Problem {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return &Problem{Kind: Unreadable, File: file, Err: err}
}
