package proxy_test

import (
	"bufio"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lqproxy/lqproxy/probe/leqisim"
	"github.com/lqproxy/lqproxy/proxy/leqi"
)

// A faultOpenSSL is an s_server: it shows what it receives, and sends what it is
// told to. A line that begins with k or K is a key update, K with the request
// for one in return.
type faultOpenSSL struct {
	t     *testing.T
	addr  netip.AddrPort
	stdin io.Writer
	lines *bufio.Scanner

	received map[string]int // requests, by clientTid
}

// startOpenSSL starts an s_server, and ends it with the test.
func startOpenSSL(t *testing.T) *faultOpenSSL {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("openssl is not installed")
	}
	cert, key := faultPair(t)
	cmd := exec.CommandContext(t.Context(), "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-key", key, "-tls1_3")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	s := &faultOpenSSL{t: t, stdin: stdin, lines: bufio.NewScanner(r), received: map[string]int{}}
	s.addr = netip.MustParseAddrPort(strings.TrimPrefix(s.wait("ACCEPT 127.0.0.1:"), "ACCEPT "))
	return s
}

// faultPair writes the certificate of these tests and its key into files.
func faultPair(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	pair, err := attackCertificate()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write("cert.pem", "CERTIFICATE", pair.Certificate[0]), write("key.pem", "PRIVATE KEY", der)
}

// wait returns the next line that holds text, and counts the requests on the way.
func (s *faultOpenSSL) wait(text string) string {
	s.t.Helper()
	for s.lines.Scan() {
		line := s.lines.Text()
		if tid, ok := strings.CutPrefix(line, leqi.FieldClientTID+": "); ok {
			s.received[strings.TrimSpace(tid)]++
		}
		if strings.Contains(line, text) {
			return line
		}
	}
	s.t.Fatalf("s_server ended without %q: %v", text, s.lines.Err())
	return ""
}

// say has it send text, or do what a command says.
func (s *faultOpenSSL) say(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.stdin, text); err != nil {
		s.t.Errorf("telling s_server: %v", err)
	}
	// It reads its orders as they come: two of them at once would be one.
	faultPause(20 * time.Millisecond)
}

// The parts of an answer between which keys are updated.
var openSSLAnswer = []string{
	"HTTP/1.1 200 OK\r\nContent-Type: appli", "cation/json\r\nContent-Length: 12\r\n\r\n", "123456", "7890\r\n",
}

// TestFaultKeyUpdates has the upstream change its keys between exchanges and at
// every place of one. The connection goes on.
func TestFaultKeyUpdates(t *testing.T) {
	takesSeconds(t)
	table := newFaultTable()
	for _, command := range []string{"k\n", "K\n"} {
		s := startOpenSSL(t)
		g := startFault(t, s.addr, faultParts{})
		c := &faultCaller{t: t, addr: g.addr}
		defer c.close()
		for _, update := range []struct {
			event  string
			before int   // updates before the request
			at     []int // parts of the answer before which there is one
		}{
			{"none", 0, nil},
			{"while idle", 1, nil},
			{"three while idle", 3, nil},
			{"before the answer", 0, []int{0}},
			{"in its head", 0, []int{1}},
			{"before its body", 0, []int{2}},
			{"in its body", 0, []int{3}},
			{"everywhere", 2, []int{0, 1, 2, 3}},
			{"none again", 0, nil},
		} {
			tid := strings.TrimSpace(command) + " " + update.event
			for range update.before {
				s.say(command)
			}
			a := s.exchange(c, tid, command, update.at)
			line := g.log.line(t, tid)
			wantOutcome(t, tid, a, line, faultLine{status: 200, delivered: "yes"})
			if want := update.event != "none"; line.reused != want {
				t.Errorf("%s: on a reused connection: %t, want %t", tid, line.reused, want)
			}
			if n := s.received[tid]; n != 1 {
				t.Errorf("%s: reached the upstream %d times, want once", tid, n)
			}
			table.add(fmt.Sprintf("key update %.1s %s", command, update.event), line)
		}
	}
	table.judge(t)
}

// exchange has c send a request and s answer it, with a command before some parts.
func (s *faultOpenSSL) exchange(c *faultCaller, tid, command string, at []int) (a faultAnswer) {
	s.t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() { a = c.post("x", tid, append(faultBody, '\n')) }) // s_server shows whole lines
	s.wait(string(faultBody))
	for i, part := range openSSLAnswer {
		for _, place := range at {
			if place == i {
				s.say(command)
			}
		}
		s.say(part)
	}
	wg.Wait()
	return a
}

// TestFaultManyKeyUpdatesOnAnIdleConnection: so many that crypto/tls gives the
// connection up. That happens before it is lent, and so fails nothing.
func TestFaultManyKeyUpdatesOnAnIdleConnection(t *testing.T) {
	takesSeconds(t)
	s := startOpenSSL(t)
	g := startFault(t, s.addr, faultParts{})
	c := &faultCaller{t: t, addr: g.addr}
	defer c.close()
	for round := range 2 {
		tid := fmt.Sprintf("round %d", round)
		a := s.exchange(c, tid, "", nil)
		wantOutcome(t, tid, a, g.log.line(t, tid), faultLine{status: 200, delivered: "yes"})
		for range 40 {
			s.say("k\n")
		}
	}
}

// recordHead is the length of the head of a TLS record, recordData the type of
// those that are encrypted (RFC 8446 section 5.1).
const (
	recordHead = 5
	recordData = 23
)

// A lateTicket says when a relay passes on the session ticket of the upstream,
// which is the last record of its part of the handshake.
type lateTicket struct {
	event string
	early int           // bytes of it that are passed on at once
	until ticketRelease // when the rest comes
	piece int           // bytes at a time; 0: all
}

// A ticketRelease is when the rest of a ticket comes.
type ticketRelease int

const (
	soon       ticketRelease = iota // while the connection is idle
	withAsking                      // when the next request has come
	withAnswer                      // together with the answer
)

// retired reports whether the connection must not be used: nobody can know what
// half a record is the half of.
func (late lateTicket) retired() bool { return late.early > 0 && late.until != soon }

// TestFaultLateTickets holds back the session ticket of a connection that was
// made before it is needed, as the one that the proxy makes at its start, and
// lets it come at odd times. Half a ticket when the connection is to be used is
// no reason to fail, nor is a whole one behind the request.
func TestFaultLateTickets(t *testing.T) {
	takesSeconds(t)
	table := newFaultTable()
	sim := startSim(t, leqisim.Options{Keep: -1})
	for _, late := range []lateTicket{
		{event: "while idle", until: soon},
		{event: "while idle, in pieces of 1 byte", until: soon, piece: 1},
		{event: "with the first request", until: withAsking},
		{event: "with the first request, in pieces of 7", until: withAsking, piece: 7},
		{event: "with its answer", until: withAnswer},
		{event: "1 byte, the rest with the answer", early: 1, until: withAnswer},
		{event: "a head, the rest with the answer", early: recordHead, until: withAnswer},
		{event: "half, the rest behind the request", early: 60, until: withAsking},
		{event: "half, the rest with the answer", early: 60, until: withAnswer},
		{event: "half, the rest while idle", early: 60, until: soon},
	} {
		relay := startRelay(t, sim.Address(), late.join)
		for run := range 5 {
			late.try(t, relay, table, run)
		}
	}
	table.judge(t, sim)
}

// try starts a proxy, waits until it has its first connection, and has three
// exchanges, some while the ticket is on its way.
func (late lateTicket) try(t *testing.T, relay *faultRelay, table *faultTable, run int) {
	t.Helper()
	g := startFault(t, relay.address(), faultParts{run: true})
	defer g.stop()
	waitUntil(t, "the proxy has its first connection", func() bool {
		return g.gauge("lqproxy_upstream_connections", "idle") == 1
	})
	faultPause(time.Duration(run) * 8 * time.Millisecond)
	c := &faultCaller{t: t, addr: g.addr}
	defer c.close()
	for i := range 3 {
		tid := fmt.Sprintf("%s/%d/%d", late.event, run, i)
		a, line := c.post("x", tid, faultBody), g.log.line(t, tid)
		wantOutcome(t, tid, a, line, faultLine{status: 200, delivered: "yes"})
		if i == 0 && late.until != soon && line.reused == late.retired() {
			t.Errorf("%s: on the connection of the start: %t, want %t", tid, line.reused, !late.retired())
		}
		table.add("ticket "+late.event, line)
	}
}

// join passes everything on but the ticket, which comes as late says.
func (late lateTicket) join(proxy, upstream *net.TCPConn) {
	asked := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		encrypted := 0
		passRecords(upstream, proxy, func(record []byte) {
			if record[0] == recordData {
				if encrypted++; encrypted == 2 { // the first is Finished
					close(asked)
				}
			}
		})
		if encrypted < 2 {
			close(asked)
		}
	})
	late.passBack(proxy, upstream, asked)
	proxy.Close() // ends the other direction, if it has not ended
	wg.Wait()
}

// passBack passes on what the upstream sends.
func (late lateTicket) passBack(proxy, upstream *net.TCPConn, asked <-chan struct{}) {
	r := bufio.NewReaderSize(upstream, 64<<10)
	ticket := late.passHandshake(proxy, r)
	rest := ticket[min(late.early, len(ticket)):]
	switch late.until {
	case soon:
		faultPause(20 * time.Millisecond)
	case withAsking:
		<-asked
	case withAnswer:
		answer, err := readRecord(r)
		if err != nil {
			return
		}
		rest = append(rest, answer...)
	}
	late.write(proxy, rest)
	io.Copy(proxy, r)
}

// passHandshake passes on the records of the handshake, the last but for its
// early bytes, and returns that. They all come in one write.
func (late lateTicket) passHandshake(proxy *net.TCPConn, r *bufio.Reader) (last []byte) {
	for {
		record, err := readRecord(r)
		if err != nil {
			return nil
		}
		if record[0] == recordData && r.Buffered() == 0 {
			proxy.Write(record[:min(late.early, len(record))])
			return record
		}
		proxy.Write(record)
	}
}

// write writes b in pieces.
func (late lateTicket) write(proxy *net.TCPConn, b []byte) {
	size := late.piece
	if size == 0 {
		size = max(len(b), 1)
	}
	for len(b) > 0 {
		n := min(size, len(b))
		proxy.Write(b[:n])
		b = b[n:]
	}
}

// passRecords passes records on until one side ends, having shown each to look.
func passRecords(to, from *net.TCPConn, look func(record []byte)) {
	defer to.CloseWrite()
	r := bufio.NewReader(from)
	for {
		record, err := readRecord(r)
		if err != nil {
			return
		}
		look(record)
		if _, err := to.Write(record); err != nil {
			return
		}
	}
}

// readRecord reads a TLS record with its head.
func readRecord(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(recordHead)
	if err != nil {
		return nil, err
	}
	record := make([]byte, recordHead+(int(head[3])<<8|int(head[4])))
	_, err = io.ReadFull(r, record)
	return record, err
}
