package main

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Paths of the upstreams. The fast one answers the same on every path.
const (
	quickPath    = "/access/v2/invoke/202007/CXKYSL"
	slowPath     = "/access/v2/invoke/202007/QDFPSC"
	uploadPath   = "/access/v2/invoke/202007/FPSCJG"
	downloadPath = "/access/v2/invoke/202007/CXFPXX"
)

// slowness is how long the slow path takes: an invoice at Leqi takes 1 to 2 s.
const slowness = time.Second

// answerSize is what most answers of Leqi stay below.
const answerSize = 2 << 10

// envelope returns an answer as Leqi sends it, of answerSize bytes.
func envelope() string {
	const head = `{"body":"{\"Response\":{\"RequestId\":\"6f1d2c3b4a59687706f1d2c3b4a59687\",\"Data\":\"`
	const tail = `\"}}","httpStatusCode":"200"}`
	return head + ciphertext(answerSize-len(head)-len(tail)) + tail
}

// requestBody returns what the callers post: base64, as Leqi wants it.
func requestBody() []byte { return []byte(ciphertext(2 << 10)) }

// ciphertext returns n characters of base64 without a pattern that a search or
// a compressor would like.
func ciphertext(n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	text := make([]byte, n)
	state := uint32(1)
	for i := range text {
		state = state*1664525 + 1013904223 // Numerical Recipes' generator: the same text in every run
		text[i] = alphabet[state>>26]
	}
	return string(text)
}

// An upstream is the slow one: it takes its time, and takes and gives big
// bodies. It is a part of this process.
type upstream struct {
	address string
	server  *http.Server
	ended   chan struct{} // closed after Serve
}

func startUpstream(certificate, key string, bodySize int64) (*upstream, error) {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		return nil, err
	}
	u := &upstream{address: ln.Addr().String(), ended: make(chan struct{})}
	u.server = &http.Server{
		Handler:           upstreamHandler(bodySize),
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // the probing connections of a start end without a handshake
	}
	go func() {
		defer close(u.ended)
		if err := u.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			log.Printf("bench: the slow upstream ended: %v", err)
		}
	}()
	return u, nil
}

func (u *upstream) stop() {
	if u == nil {
		return
	}
	_ = u.server.Close()
	<-u.ended
}

// upstreamHandler serves bodySize bytes on the download path.
func upstreamHandler(bodySize int64) http.Handler {
	answer := envelope()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		writeAnswer(w, answer)
	})
	mux.HandleFunc(slowPath, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-time.After(slowness):
			writeAnswer(w, answer)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc(downloadPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.FormatInt(bodySize, 10))
		_, _ = io.CopyN(w, repeated(answer), bodySize) // the caller counts what arrived
	})
	return mux
}

func writeAnswer(w http.ResponseWriter, answer string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, answer) // whoever left does not want it
}

// repeated returns an endless reader of text.
func repeated(text string) io.Reader {
	const block = 64 << 10
	return &endless{block: strings.Repeat(text, block/len(text)+1)}
}

type endless struct {
	block string
	at    int
}

// Read implements io.Reader.
func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.block[e.at:])
	e.at = (e.at + n) % len(e.block)
	return n, nil
}
