package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe/leqisim"
	"github.com/lqproxy/lqproxy/proxy/allow"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// lines is a log that a test can read back.
type lines struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) Sync() error { return nil }

// entries returns what was logged so far.
func (l *lines) entries(t *testing.T) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []map[string]any
	for d := json.NewDecoder(bytes.NewReader(l.buf.Bytes())); ; {
		var entry map[string]any
		if err := d.Decode(&entry); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatalf("a log line is no JSON: %v", err)
		}
		all = append(all, entry)
	}
}

func (l *lines) logger() *zap.Logger {
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{}), l, zapcore.DebugLevel))
}

func TestSmoke(t *testing.T) {
	sim, err := leqisim.Start(leqisim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	reg := prometheus.NewPedanticRegistry()
	um := upstream.NewMetrics(reg)
	known, err := upstream.OpenKnownKeys(t.TempDir() + "/keys.json")
	if err != nil {
		t.Log(err)
	}
	up, err := upstream.New(upstream.Options{Host: "127.0.0.1", Port: sim.Address().Port(), DialTimeout: time.Second, TLSTimeout: time.Second,
		IdleTimeout: 15 * time.Second, MaxAge: time.Minute, TLS: upstream.TLS{Verify: upstream.VerifyNone, MinVersion: 0x303, MaxVersion: 0x304}}, known, um, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { up.Run(ctx) })
	var access, errs lines
	s := New(Config{Options: Options{
		Sources: allow.NewList(netip.MustParsePrefix("127.0.0.0/8")), Paths: []string{"/access/"},
		DropFields:    []string{"X-Forwarded-For"},
		HeaderTimeout: 10 * time.Second, BodyTimeout: 30 * time.Second, IdleTimeout: 75 * time.Second, ResponseTimeout: 120 * time.Second,
		Limits: Limits{Connections: 4096, Exchanges: 1024, QueueTimeout: 10 * time.Second, HeaderSize: 32 << 10, HeaderCount: 100, BodySize: 256 << 20},
	}, Upstream: up, Access: access.logger(), Log: errs.logger(), Metrics: NewMetrics(reg, um)})
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	wg.Go(func() { s.Serve(ctx, ln) })
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		io.WriteString(conn, "POST /access/v2/invoke/202007/CXKYSL HTTP/1.1\r\nhost: x\r\njrdwptbh: 12345678901234567890\r\nsydwptbh: 12345678901234567890\r\nContent-Type: application/json\r\nX_y:\r\nContent-Length: 0\r\n\r\n")
		b := make([]byte, 4096)
		conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		n, err := conn.Read(b)
		t.Logf("%v\n%s", err, b[:n])
	}
	io.WriteString(conn, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	b, err := io.ReadAll(conn)
	t.Logf("%v\n%s", err, b)
	cancel()
	dctx, c2 := context.WithTimeout(context.Background(), 5*time.Second)
	defer c2()
	t.Log(s.Drain(dctx))
	wg.Wait()
	t.Logf("%s\n%s", access.buf.String(), errs.buf.String())
	if mf, err := reg.Gather(); err != nil {
		t.Error(err, mf)
	}
}
