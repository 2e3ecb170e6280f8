package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A saboteur stands in the place of the proxy, and does to one exchange in ten
// what it should not.
type saboteur struct {
	upstream *liveUpstream
	wrong    func(s *saboteur, w http.ResponseWriter, r *http.Request, body []byte)
	client   *http.Client

	mu  sync.Mutex // guards all below
	n   int
	log bytes.Buffer
}

// ServeHTTP implements http.Handler.
func (s *saboteur) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	s.n++
	due := s.n%10 == 0
	s.mu.Unlock()
	if due {
		s.wrong(s, w, r, body)
		return
	}
	s.write(w, s.forward(r, body))
	s.note(r, http.StatusOK)
}

// A sabotagedAnswer is what the upstream answered.
type sabotagedAnswer struct {
	head http.Header
	body []byte
}

func (s *saboteur) forward(r *http.Request, body []byte) sabotagedAnswer {
	on, err := http.NewRequestWithContext(r.Context(), r.Method, "https://"+s.upstream.addr.String()+r.URL.String(), bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	on.GetBody = nil // nothing is repeated unasked
	on.Header = r.Header.Clone()
	answer, err := s.client.Do(on)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return sabotagedAnswer{answer.Header, text}
}

func (s *saboteur) write(w http.ResponseWriter, a sabotagedAnswer) {
	for _, name := range []string{liveID, liveSum} {
		w.Header().Set(name, a.head.Get(name))
	}
	_, _ = w.Write(a.body)
}

// note writes a line of the access log.
func (s *saboteur) note(r *http.Request, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(&s.log, "{\"client_tid\":%q,\"status\":%d}\n", r.Header.Get(liveID), status)
}

// sabotages are things that no exchange may suffer, and what must be said of them.
var sabotages = []struct {
	name, want string
	wrong      func(s *saboteur, w http.ResponseWriter, r *http.Request, body []byte)
}{
	{"an answer is dropped", "an exchange failed", func(s *saboteur, _ http.ResponseWriter, r *http.Request, body []byte) {
		s.forward(r, body)
		s.note(r, http.StatusOK)
		panic(http.ErrAbortHandler)
	}},
	{"a request is sent twice", "reached the upstream 2 times", func(s *saboteur, w http.ResponseWriter, r *http.Request, body []byte) {
		s.forward(r, body)
		s.write(w, s.forward(r, body))
		s.note(r, http.StatusOK)
	}},
	{"an answer is another's", "the answer is that of", func(s *saboteur, w http.ResponseWriter, r *http.Request, body []byte) {
		a := s.forward(r, body)
		a.head.Set(liveID, "another")
		s.write(w, a)
		s.note(r, http.StatusOK)
	}},
	{"an answer is damaged", "the answer has the sum", func(s *saboteur, w http.ResponseWriter, r *http.Request, body []byte) {
		a := s.forward(r, body)
		a.body[len(a.body)/2]++
		s.write(w, a)
		s.note(r, http.StatusOK)
	}},
	{"an answer is cut", "the answer has 200 bytes", func(s *saboteur, w http.ResponseWriter, r *http.Request, body []byte) {
		a := s.forward(r, body)
		a.body = a.body[:200]
		s.write(w, a)
		s.note(r, http.StatusOK)
	}},
	{"a request is damaged", "arrived with the sum", func(s *saboteur, w http.ResponseWriter, r *http.Request, body []byte) {
		s.write(w, s.forward(r, append(body, '!')))
		s.note(r, http.StatusOK)
	}},
	{"an answer is made up", "never reached the upstream", func(s *saboteur, w http.ResponseWriter, r *http.Request, _ []byte) {
		text := liveBody(r.Header.Get(liveID), 300)
		sum := liveSumText(crc32.ChecksumIEEE(text))
		s.write(w, sabotagedAnswer{http.Header{http.CanonicalHeaderKey(liveID): {r.Header.Get(liveID)}, liveSum: {sum}}, text})
		s.note(r, http.StatusOK)
	}},
	{"a refusal is a lie", "said not to be delivered", func(s *saboteur, w http.ResponseWriter, r *http.Request, body []byte) {
		s.forward(r, body)
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, `{"error":{"delivered":"no"}}`)
		s.note(r, http.StatusBadGateway)
	}},
	{"a line of the log is lost", "has 0 lines", func(s *saboteur, w http.ResponseWriter, r *http.Request, body []byte) {
		s.write(w, s.forward(r, body))
	}},
	{"a line of the log is written twice", "has 2 lines", func(s *saboteur, w http.ResponseWriter, r *http.Request, body []byte) {
		s.write(w, s.forward(r, body))
		s.note(r, http.StatusOK)
		s.note(r, http.StatusOK)
	}},
	{"a line of the log is wrong", "another status", func(s *saboteur, w http.ResponseWriter, r *http.Request, body []byte) {
		s.write(w, s.forward(r, body))
		s.note(r, http.StatusBadGateway)
	}},
	{"lines of the log are mixed", "/access.log: line ", func(s *saboteur, w http.ResponseWriter, r *http.Request, body []byte) {
		s.write(w, s.forward(r, body))
		s.note(r, http.StatusOK)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.log.WriteString(`{"client_tid":"x",{"client_tid":"y"}` + "\n")
	}},
	{"a line of the log is of nobody", "which no caller made", func(s *saboteur, w http.ResponseWriter, r *http.Request, body []byte) {
		s.write(w, s.forward(r, body))
		s.note(r, http.StatusOK)
		r.Header.Set(liveID, "nobody")
		s.note(r, http.StatusOK)
	}},
}

// TestLiveJudgesNotice holds the judges of the live tests to what they are for.
func TestLiveJudgesNotice(t *testing.T) {
	t.Parallel()
	for i, tt := range sabotages {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := sabotage(t, netip.AddrFrom4([4]byte{127, 60, byte(i), 1}), tt.wrong)
			if !slices.ContainsFunc(got, func(problem string) bool { return strings.Contains(problem, tt.want) }) {
				t.Errorf("the judges say %.1000q, want %q among it", got, tt.want)
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		t.Parallel()
		got := sabotage(t, netip.AddrFrom4([4]byte{127, 60, 255, 1}), func(s *saboteur, w http.ResponseWriter, r *http.Request, body []byte) {
			s.write(w, s.forward(r, body))
			s.note(r, http.StatusOK)
		})
		if len(got) > 0 {
			t.Errorf("the judges say %q, want nothing", got)
		}
	})
}

// sabotage sends callers to a saboteur, and returns what the judges say.
func sabotage(t *testing.T, ip netip.Addr, wrong func(*saboteur, http.ResponseWriter, *http.Request, []byte)) []string {
	t.Helper()
	s := &saboteur{upstream: startLiveUpstream(t, netip.AddrPortFrom(ip, 8443)), wrong: wrong}
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	t.Cleanup(s.client.CloseIdleConnections)
	ln, err := net.Listen("tcp", netip.AddrPortFrom(ip, 8864).String())
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: s}
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })

	book := &liveBook{}
	book.begin(liveEvent{name: "sabotage"})
	crowd := &liveCrowd{book: book, name: "s"}
	crowd.aim(ln.Addr().String())
	crowd.come([]liveKind{{name: "kept", callers: 3, think: time.Millisecond, ask: func() liveAsk {
		return liveAsk{send: 300, receive: 300}
	}}})
	awaitLive(t, "there are exchanges", func() bool { n, _ := book.size(); return n >= 50 })
	crowd.leave()

	s.mu.Lock()
	defer s.mu.Unlock()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "access.log"), s.log.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return book.judge(s.upstream, readLiveLog(false, dir)).problems
}
