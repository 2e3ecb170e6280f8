package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

const (
	storedName = "listener.pem"
	storedFrom = "directory: " // begins the first line, before the PEM
	blockPKCS8 = "PRIVATE KEY"

	folderMode = 0o700
	fileMode   = 0o600
)

// file is where the certificate is stored, its key behind it: whole or not at all.
func (m *ACME) file() string { return filepath.Join(m.o.Folder, storedName) }

// load returns the certificate that was stored last and the directory that it
// is from; nil if there is none, or if it is damaged, which is a problem.
func (m *ACME) load() (*tls.Certificate, string, *Problem) {
	data, err := os.ReadFile(m.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", unreadable(m.file(), err)
	}
	pair, p := parse(m.file(), data, m.file(), data)
	if p != nil {
		return nil, "", p
	}
	first, _, _ := bytes.Cut(data, []byte("\n"))
	return pair, strings.TrimPrefix(string(first), storedFrom), nil
}

// store writes the certificate for the next start.
func (m *ACME) store(chain, key []byte) *Problem {
	text := bytes.Join([][]byte{[]byte(storedFrom + m.o.Directory), bytes.TrimSpace(chain), key}, []byte("\n"))
	if err := renameio.WriteFile(m.file(), text, fileMode, renameio.WithStaticPermissions(fileMode)); err != nil {
		return &Problem{Kind: NotStored, File: m.file(), Err: pathless(err)}
	}
	return nil
}

// writable returns why the folder cannot be written to.
func (m *ACME) writable() *Problem {
	err := os.MkdirAll(m.o.Folder, folderMode)
	if err == nil {
		err = tryWrite(m.o.Folder)
	}
	if err != nil {
		return &Problem{Kind: NotStored, File: m.o.Folder, Err: pathless(err)}
	}
	return nil
}

// tryWrite makes a file in folder and removes it.
func tryWrite(folder string) error {
	f, err := os.CreateTemp(folder, ".try-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, os.Getpagesize())) // a full disk lets files be made, but not be filled
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// pathless leaves out of err the name of the file.
func pathless(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// selfSignedFor is how long a certificate that is signed by nobody is valid.
// It is short, so that the alarm on the certificate's end goes off.
const selfSignedFor = day

// selfSign shows a certificate that is signed by nobody: callers that check it
// refuse, but they learn that something listens, and those that do not are served.
func (m *ACME) selfSign(now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "lqproxy, not yet certified"},
		NotBefore:    now.Add(-time.Hour), // clocks of callers may be slow
		NotAfter:     now.Add(selfSignedFor),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	template.DNSNames, template.IPAddresses = split(m.o.Names)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("signing a certificate for %v: %w", m.o.Names, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("signing a certificate for %v: %w", m.o.Names, err)
	}
	m.use(&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, SelfSigned, m.o.Directory)
	return nil
}

func encoded(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
