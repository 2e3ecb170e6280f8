package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// A lab is the place of one run: a folder, two cores, the two upstreams.
type lab struct {
	options
	dir      string
	progress io.Writer
	proxyCPU int
	otherCPU int // of callers and upstreams
	files    uint64
	fast     *process // answers at once: nginx
	slow     *upstream
}

// newLab prepares everything that the stages share. The caller must close it.
func newLab(ctx context.Context, o options, progress io.Writer) (_ *lab, err error) {
	cpus, err := allowedCPUs()
	if err != nil {
		return nil, err
	}
	if len(cpus) < 2 {
		return nil, errors.New("two cores are needed: one for the proxies, one for callers and upstream")
	}
	files, err := openFiles()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "lqproxy-bench-")
	if err != nil {
		return nil, err
	}
	l := &lab{options: o, dir: dir, progress: progress, proxyCPU: cpus[0], otherCPU: cpus[1], files: files}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	// A descriptor for each idle connection is needed here, and in the proxy.
	l.idle = min(l.idle, int(files)-500)
	return l, l.prepare(ctx)
}

func (l *lab) prepare(ctx context.Context) error {
	// The workers of nginx are another user when root starts it.
	if err := os.Chmod(l.dir, 0o755); err != nil {
		return err
	}
	if err := l.build(ctx); err != nil {
		return err
	}
	if err := writeCertificate(l.certificate(), l.key()); err != nil {
		return fmt.Errorf("writing the upstream's certificate: %w", err)
	}
	if err := os.WriteFile(l.requestBody(), requestBody(), 0o644); err != nil {
		return err
	}
	if err := pinSelf(ctx, l.otherCPU); err != nil {
		return err
	}
	var err error
	if l.slow, err = startUpstream(l.certificate(), l.key(), l.bodySize); err != nil {
		return fmt.Errorf("starting the slow upstream: %w", err)
	}
	l.fast, err = l.start(ctx, fastUpstream, "", l.otherCPU)
	return err
}

// close ends what still runs and removes the folder.
func (l *lab) close() error {
	l.fast.stop()
	l.slow.stop()
	return os.RemoveAll(l.dir)
}

func (l *lab) certificate() string { return filepath.Join(l.dir, "certificate.pem") }
func (l *lab) key() string         { return filepath.Join(l.dir, "key.pem") }
func (l *lab) requestBody() string { return filepath.Join(l.dir, "request") }

// build makes the lqproxy of this tree, unless a binary was named.
func (l *lab) build(ctx context.Context) error {
	if l.binary != "" {
		return nil
	}
	l.binary = filepath.Join(l.dir, "lqproxy")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", l.binary, "./cmd/lqproxy")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building lqproxy: %w\n%s", err, out)
	}
	return nil
}

func (l *lab) say(format string, args ...any) {
	_, _ = fmt.Fprintf(l.progress, "bench: "+format+"\n", args...)
}

// openFiles returns how many descriptors a process may have.
func openFiles() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("reading the limit of open files: %w", err)
	}
	return limit.Max, nil
}

// pinSelf moves this process, and so what it starts, to one core.
func pinSelf(ctx context.Context, cpu int) error {
	pid := strconv.Itoa(os.Getpid())
	if out, err := exec.CommandContext(ctx, "taskset", "-a", "-c", "-p", strconv.Itoa(cpu), pid).CombinedOutput(); err != nil {
		return fmt.Errorf("pinning to core %d: %w\n%s", cpu, err, out)
	}
	return nil
}

// freeAddress returns an address of loopback that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// writeCertificate makes a certificate as the upstreams show it. Its key is on
// P-256, so that 1,000 handshakes at once cost the upstream's core little.
func writeCertificate(certificate, key string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "bench"},
		DNSNames:     []string{"localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600),
	)
}
