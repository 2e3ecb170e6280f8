package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// requestFields are what invoicing software sends beside Host and framing.
var requestFields = []struct{ name, value string }{
	{"Content-Type", "application/json"},
	{"jrdwptbh", "91000000000000000001"},
	{"sydwptbh", "91000000000000000001"},
	{"nlbm", "202007"},
	{"fwbm", "CXKYSL"},
	{"access_signature", ""},
	{"clientTid", "0123456789abcdef0123456789abcdef"},
}

var (
	quickRequest = smallRequest(quickPath)
	slowRequest  = smallRequest(slowPath)
)

func smallRequest(path string) []byte {
	body := requestBody()
	return append(requestHead(path, int64(len(body))), body...)
}

func requestHead(path string, size int64) []byte {
	var head strings.Builder
	fmt.Fprintf(&head, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", path)
	for _, f := range requestFields {
		fmt.Fprintf(&head, "%s: %s\r\n", f.name, f.value)
	}
	fmt.Fprintf(&head, "Content-Length: %d\r\n\r\n", size)
	return []byte(head.String())
}

// A caller is one connection of invoicing software. Not safe for concurrent use.
type caller struct {
	conn net.Conn
	r    *bufio.Reader
}

// exchangeTimeout bounds one exchange, so that a run ends whatever a program does.
const exchangeTimeout = 30 * time.Second

// copySize is the piece in which big bodies are written and read.
const copySize = 64 << 10

func dial(ctx context.Context, address string) (*caller, error) {
	d := net.Dialer{Timeout: exchangeTimeout}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &caller{conn: conn, r: bufio.NewReaderSize(conn, 4<<10)}, nil
}

func (c *caller) close() {
	if c != nil {
		_ = c.conn.Close()
	}
}

// exchange sends a whole request and reads the answer to its end.
func (c *caller) exchange(request []byte) error {
	if err := c.conn.SetDeadline(time.Now().Add(exchangeTimeout)); err != nil {
		return err
	}
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	return c.answer(answerSize)
}

// upload sends a body of size bytes and reads the small answer.
func (c *caller) upload(size int64) error {
	if err := c.conn.SetDeadline(time.Now().Add(2 * exchangeTimeout)); err != nil {
		return err
	}
	if _, err := c.conn.Write(requestHead(uploadPath, size)); err != nil {
		return err
	}
	if _, err := io.CopyBuffer(onlyWriter{c.conn}, io.LimitReader(repeated(envelope()), size), make([]byte, copySize)); err != nil {
		return err
	}
	return c.answer(answerSize)
}

// onlyWriter hides ReadFrom, which would choose a buffer of its own.
type onlyWriter struct{ io.Writer }

// download asks for a body of size bytes and reads it.
func (c *caller) download(size int64) error {
	if err := c.conn.SetDeadline(time.Now().Add(2 * exchangeTimeout)); err != nil {
		return err
	}
	if _, err := c.conn.Write(requestHead(downloadPath, 0)); err != nil {
		return err
	}
	return c.answer(size)
}

// answer reads an answer, which must be 200 and have size bytes.
func (c *caller) answer(size int64) error {
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	n, err := io.CopyBuffer(onlyWriter{io.Discard}, resp.Body, make([]byte, min(size, copySize)))
	if err == nil && (resp.StatusCode != http.StatusOK || n != size) {
		err = fmt.Errorf("answer %s with %d bytes in place of 200 with %d", resp.Status, n, size)
	}
	return err
}

// A crowd is a number of callers, some of which may not have got through.
type crowd []*caller

// close ends all connections.
func (cr crowd) close() {
	for _, c := range cr {
		c.close()
	}
}

// burst lets everybody do the same at once. It returns how long the last one
// took and how many failed.
func (cr crowd) burst(do func(i int) error) (time.Duration, int) {
	var failed atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for i := range cr {
		wg.Go(func() {
			if do(i) != nil {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	return time.Since(start), int(failed.Load())
}

var errNotConnected = errors.New("not connected")

// arrive connects everybody and sends their first request, all at once.
func (cr crowd) arrive(ctx context.Context, address string, request []byte) (time.Duration, int) {
	return cr.burst(func(i int) error {
		c, err := dial(ctx, address)
		if err != nil {
			return err
		}
		cr[i] = c
		return c.exchange(request)
	})
}

// again sends another request on every connection, all at once.
func (cr crowd) again(request []byte) (time.Duration, int) {
	return cr.burst(func(i int) error {
		if cr[i] == nil {
			return errNotConnected
		}
		return cr[i].exchange(request)
	})
}
