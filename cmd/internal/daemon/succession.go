package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/cloudflare/tableflip"
	"golang.org/x/sys/unix"
)

const (
	lineNetwork = "unix"
	lineName    = "succession" // of the line among what is handed over

	lineTimeout = 2 * time.Second        // for a word on the line to be taken
	lineDelay   = 200 * time.Millisecond // for a word that was said already

	// parentMark is by what tableflip tells a process that it has a parent.
	// Programs that we start are not of the succession.
	parentMark = "TABLEFLIP_HAS_PARENT_7DIU3"
)

// A Succession is the processes of one instance, one after the other: what this
// one takes over from the one before it, and hands to the next. A nil
// Succession is that of a process without neighbours. Safe for concurrent use.
type Succession struct {
	upgrader *tableflip.Upgrader
	before   *line  // nil: nobody was before us
	folder   string // where the process was started; the next one is, too
}

// Inherit takes over what the process before this one left, if there is one. A
// next one has patience to become ready. It succeeds once in a process; where
// it fails there are no upgrades.
func Inherit(patience time.Duration) (*Succession, error) {
	folder, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("finding the folder that this process was started in: %w", err)
	}
	upgrader, err := tableflip.New(tableflip.Options{UpgradeTimeout: patience})
	if err != nil {
		return nil, fmt.Errorf("taking over from the process before: %w", err)
	}
	s := &Succession{upgrader: upgrader, folder: folder}
	if err := os.Unsetenv(parentMark); err != nil {
		return nil, fmt.Errorf("clearing the environment: %w", err)
	}
	conn, err := upgrader.Conn(lineNetwork, lineName)
	if err != nil {
		return nil, fmt.Errorf("taking over the line to the process before: %w", err)
	}
	if conn != nil {
		s.before = newLine(conn)
	}
	return s, nil
}

// Fail tells the process before this one, at whose terminal somebody may wait,
// why this one does not come to life.
func (s *Succession) Fail(reason string) {
	if s != nil && s.before != nil {
		_ = s.before.say(word{Failure: reason}) // there is also the exit code
	}
}

// succeeds reports whether there was a process before this one.
func (s *Succession) succeeds() bool { return s != nil && s.upgrader.HasParent() }

// listener returns the inherited listener of that address; nil if there is
// none. One that the process before had ended is of no use.
func (s *Succession) listener(address string) (*net.TCPListener, error) {
	if s == nil {
		return nil, nil
	}
	ln, err := s.upgrader.Listener("tcp", address)
	if err != nil || ln == nil {
		return nil, err
	}
	tcp, ok := ln.(*net.TCPListener)
	if ok && listens(tcp) {
		return tcp, nil
	}
	return nil, ln.Close()
}

// listens reports whether ln's socket does.
func listens(ln *net.TCPListener) bool {
	raw, err := ln.SyscallConn()
	if err != nil {
		return false
	}
	var on int
	if e := raw.Control(func(fd uintptr) { on, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ACCEPTCONN) }); e != nil {
		return false
	}
	return err == nil && on != 0
}

// ended waits until the process before this one has ended, or ctx is done.
func (s *Succession) ended(ctx context.Context) error {
	if s == nil {
		return nil
	}
	if err := s.upgrader.WaitForParent(ctx); ctx.Err() != nil {
		return err
	}
	return nil // how it ended is nothing that we could mend
}

// start starts the next process, which gets the listeners of fs, and returns
// the line to it once it is ready. A failure is a *StartError.
func (s *Succession) start(fs fronts) (*line, word, error) {
	for _, f := range fs {
		if err := s.upgrader.AddListener("tcp", f.address, f.ln); err != nil {
			return nil, word{}, fmt.Errorf("handing over %s: %w", f.address, err)
		}
	}
	next, err := s.newLine()
	if err != nil {
		return nil, word{}, fmt.Errorf("handing over the line: %w", err)
	}
	err = s.upgrade()
	said, _ := next.hear(lineDelay) // what it has to say lies there by now
	if err != nil {
		next.close()
		return nil, word{}, &StartError{Reason: said.Failure, Err: err}
	}
	return next, said, nil
}

// upgrade starts the next process and waits until it is ready. That the process
// before this one has ended reaches tableflip a moment later than us.
func (s *Succession) upgrade() error {
	const attempts, pause = 20, 10 * time.Millisecond
	var err error
	for range attempts {
		if err = s.upgrader.Upgrade(); err == nil || err.Error() != "parent hasn't exited" {
			break
		}
		<-time.After(pause)
	}
	return err
}

// A StartError is a new process that did not become ready.
type StartError struct {
	Reason string // in its own words; "" if it said nothing
	Err    error  // how it ended
}

// Error has the most that is known.
func (e *StartError) Error() string {
	if e.Reason != "" {
		return "the new process did not start: " + e.Reason
	}
	return "the new process did not start: " + e.Err.Error()
}

// Unwrap returns how the process ended.
func (e *StartError) Unwrap() error { return e.Err }

// newLine returns our end of a new line, whose other end is handed over.
func (s *Succession) newLine() (*line, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		unix.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), lineName)
		conn, err := net.FileConn(f)
		f.Close() //nolint:errcheck // conn is a copy
		if err != nil {
			return nil, err
		}
		ends[i] = conn.(*net.UnixConn) // as it is a socket of that kind
	}
	defer ends[1].Close() //nolint:errcheck // the copy counts
	if err := s.upgrader.AddConn(lineNetwork, lineName, ends[1]); err != nil {
		ends[0].Close() //nolint:errcheck // it was not used
		return nil, err
	}
	return newLine(ends[0]), nil
}

// A word is what two processes tell each other while one takes over from the
// other. Members that a process does not know are ignored: the other one is of
// another version.
type word struct {
	Failure     string `json:"failure,omitempty"`     // of the new one's start
	Version     string `json:"version,omitempty"`     // of the new one, which is ready
	PID         int    `json:"pid,omitempty"`         // likewise
	Released    bool   `json:"released,omitempty"`    // the old one writes no file any more that is the new one's
	Taken       bool   `json:"taken,omitempty"`       // the new one takes orders
	Connections *int   `json:"connections,omitempty"` // that the old one still has
	Reload      bool   `json:"reload,omitempty"`      // the old one was asked for a reload while it handed over
	Stop        bool   `json:"stop,omitempty"`        // the new one stops, and the old one must not outlive it
}

// A line is a connection between a process and the one that follows it. It is
// heard by one goroutine; anyone may say something.
type line struct {
	conn net.Conn
	in   *bufio.Reader
	mu   sync.Mutex // held while something is said
}

func newLine(conn net.Conn) *line { return &line{conn: conn, in: bufio.NewReader(conn)} }

// say sends w. A process that does not listen is not waited for.
func (l *line) say(w word) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.conn.SetWriteDeadline(time.Now().Add(lineTimeout)); err != nil {
		return err
	}
	return json.NewEncoder(l.conn).Encode(w)
}

// hear returns the next word, which may take as long as limit; without limit if
// that is 0. The end of the other process is an error.
func (l *line) hear(limit time.Duration) (word, error) {
	var deadline time.Time
	if limit > 0 {
		deadline = time.Now().Add(limit)
	}
	var w word
	if err := l.conn.SetReadDeadline(deadline); err != nil {
		return w, err
	}
	text, err := l.in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(text, &w)
	}
	return w, err
}

// await waits until the other process says what is wanted.
func (l *line) await(limit time.Duration, wanted func(word) bool) error {
	for end := time.Now().Add(limit); ; {
		w, err := l.hear(max(time.Until(end), time.Millisecond))
		if err != nil || wanted(w) {
			return err
		}
	}
}

func (l *line) close() { l.conn.Close() } //nolint:errcheck // all was said
