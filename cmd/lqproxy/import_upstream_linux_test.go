package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A movedUpstream answers every request with 200 and keeps what arrived.
type movedUpstream struct {
	ln      net.Listener
	records chan movedRecord
}

// A movedRecord is a request as it arrived. Fields are in order of their names,
// as nginx and lqproxy put those of their own in different places.
type movedRecord struct {
	Method, Target, Version string
	Fields                  []string // "Name: value"
	Body                    string
}

// field returns the first value of a field.
func (m movedRecord) field(name string) string {
	for _, f := range m.Fields {
		if n, value, _ := strings.Cut(f, ": "); strings.EqualFold(n, name) {
			return value
		}
	}
	return ""
}

// without returns m without some fields.
func (m movedRecord) without(names ...string) movedRecord {
	m.Fields = slices.DeleteFunc(slices.Clone(m.Fields), func(f string) bool {
		name, _, _ := strings.Cut(f, ": ")
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	})
	return m
}

func newMovedUpstream(t *testing.T, cert tls.Certificate) *movedUpstream {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	u := &movedUpstream{ln, make(chan movedRecord, 64)}
	t.Cleanup(func() { ln.Close() })
	go func() { // ends with the listener
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go u.serve(conn)
		}
	}()
	return u
}

func (u *movedUpstream) port() int { return u.ln.Addr().(*net.TCPAddr).Port }

// serve answers the requests of one connection.
func (u *movedUpstream) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 1<<16)
	for {
		m, err := readMoved(r)
		if err != nil {
			return
		}
		u.records <- m
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil || m.Version == "HTTP/1.0" {
			return
		}
	}
}

// readMoved reads a request whose body has a length.
func readMoved(r *bufio.Reader) (m movedRecord, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return m, err
	}
	words := strings.Fields(line)
	if len(words) != 3 {
		return m, errors.New("no request line: " + line)
	}
	m.Method, m.Target, m.Version = words[0], words[1], words[2]
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return m, err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		m.Fields = append(m.Fields, name+": "+strings.TrimSpace(value))
	}
	slices.SortStableFunc(m.Fields, func(a, b string) int {
		nameA, _, _ := strings.Cut(a, ":")
		nameB, _, _ := strings.Cut(b, ":")
		return strings.Compare(strings.ToLower(nameA), strings.ToLower(nameB))
	})
	n, _ := strconv.Atoi(m.field("Content-Length"))
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return m, err
	}
	m.Body = string(body)
	return m, nil
}

// next waits for a request.
func (u *movedUpstream) next(t *testing.T) movedRecord {
	t.Helper()
	select {
	case m := <-u.records:
		return m
	case <-time.After(patience):
		t.Fatal("nothing arrived at the upstream")
		return movedRecord{}
	}
}

// movedPort returns a port that is free on all addresses, as nginx takes it.
func movedPort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

func movedCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// writeMovedPair writes the certificate of the file "tls".
func writeMovedPair(t *testing.T, dir string, cert tls.Certificate) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(
		os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "leqi.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o644),
		os.WriteFile(filepath.Join(dir, "leqi.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
}
