package leqisim

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// An answer is what goes out, ready but for its framing.
type answer struct {
	head    string // with Interim before it and the blank line after it
	body    payload
	chunked bool
	last    bool // the connection ends after it
	status  int
	code    string
}

// compose decides what x is answered with.
func compose(x *Exchange, b Behaviour) answer {
	if b.Raw != "" {
		return composeRaw(b)
	}
	a := answer{status: cmp.Or(b.Status, http.StatusOK)}
	a.body, a.code = content(x, b)
	if b.Gzip {
		a.body = zipped(a.body)
	}
	a.chunked = b.Framing == Chunked
	a.last = b.Framing == Closing || a.status == http.StatusForbidden || b.Rotate || x.lists("Connection", "close")
	a.head = b.Interim + statusLine(a.status) + strings.Join(a.fields(b), "")
	if x.Method == http.MethodHead || a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		a.body, a.chunked = payload{}, false
	}
	return a
}

// composeRaw takes the status from Raw where it can be read, for the record.
func composeRaw(b Behaviour) answer {
	head, body, whole := strings.Cut(b.Raw, "\r\n\r\n")
	if whole {
		head += "\r\n\r\n"
	}
	a := answer{head: b.Interim + head, body: payload{before: []byte(body)}, last: b.Rotate}
	fmt.Sscanf(head, "HTTP/1.1 %3d", &a.status) //nolint:errcheck // 0 is for what cannot be read
	return a
}

// refusal is the answer to a request that is not HTTP/1.1 as this package reads it.
func refusal(why string) answer {
	return composeRaw(Behaviour{Raw: fmt.Sprintf("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"+
		"Content-Length: %d\r\nConnection: close\r\n\r\n%s", len(why), why)})
}

func statusLine(status int) string {
	return fmt.Sprintf("HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
}

// fields returns the lines of the head behind the first, with the blank one.
func (a answer) fields(b Behaviour) []string {
	contentType := "application/json;charset=UTF-8"
	if a.status == http.StatusForbidden {
		contentType = "text/plain;charset=UTF-8"
	}
	lines := []string{
		"Date: " + time.Now().UTC().Format(http.TimeFormat) + "\r\n",
		"Content-Type: " + contentType + "\r\n",
	}
	if b.Gzip {
		lines = append(lines, "Content-Encoding: gzip\r\n")
	}
	switch {
	case a.chunked:
		lines = append(lines, "Transfer-Encoding: chunked\r\n")
	case b.Framing == Sized && a.status != http.StatusNoContent:
		lines = append(lines, fmt.Sprintf("Content-Length: %d\r\n", a.body.size()))
	}
	if a.last {
		lines = append(lines, "Connection: close\r\n")
	}
	for _, f := range b.Fields {
		lines = append(lines, f+"\r\n")
	}
	return append(lines, "\r\n")
}

// zipped returns p compressed. The stretch of filling shrinks to a thousandth.
func zipped(p payload) payload {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := io.Copy(z, p.reader()); err != nil {
		panic("BUG: leqisim: compressing into memory: " + err.Error())
	}
	if err := z.Close(); err != nil {
		panic("BUG: leqisim: compressing into memory: " + err.Error())
	}
	return payload{before: out.Bytes()}
}

// write sends a. Midway is called between the halves of the body, with everything before it sent.
func (a answer) write(w io.Writer, midway func() error) error {
	out := bufio.NewWriterSize(w, 16<<10)
	out.WriteString(a.head) //nolint:errcheck // a bufio.Writer keeps its error
	body := a.body.reader()
	for _, n := range []int64{a.body.size() / 2, a.body.size() - a.body.size()/2} {
		if err := a.writePart(out, io.LimitReader(body, n)); err != nil {
			return err
		}
		if midway != nil {
			if err := out.Flush(); err != nil {
				return err
			}
			if err := midway(); err != nil {
				return err
			}
			midway = nil
		}
	}
	if a.chunked {
		out.WriteString("0\r\n\r\n") //nolint:errcheck // Flush returns it
	}
	return out.Flush()
}

// writePart sends what body has, in chunks if the answer is chunked.
func (a answer) writePart(out *bufio.Writer, body io.Reader) error {
	if !a.chunked {
		_, err := io.Copy(out, body)
		return err
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := io.ReadFull(body, buf)
		if n > 0 {
			if _, err := fmt.Fprintf(out, "%x\r\n%s\r\n", n, buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return nil // the end: memory has no other error
		}
	}
}

// An answerWriter is the way of an answer into the connection: in pieces, and to the place of a fault.
type answerWriter struct {
	w     io.Writer
	piece int   // bytes per write; 0: as they come
	stop  int64 // errFault when so many were written; negative: never
	sent  *tally
}

func (w *answerWriter) Write(p []byte) (done int, err error) {
	for {
		if w.stop >= 0 && w.sent.bytes >= w.stop {
			return done, errFault
		}
		if done == len(p) {
			return done, nil
		}
		next := p[done:]
		if w.piece > 0 {
			next = next[:min(len(next), w.piece)]
		}
		if w.stop >= 0 {
			next = next[:min(int64(len(next)), w.stop-w.sent.bytes)]
		}
		n, err := w.w.Write(next)
		w.sent.add(next[:n])
		done += n
		if err != nil {
			return done, err
		}
	}
}
