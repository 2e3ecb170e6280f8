package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"syscall"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
)

const (
	askTimeout = 5 * time.Second
	askSize    = 4 << 20 // bytes of a document
	tailSize   = 64 << 10
)

// An answer is what an instance says of itself.
type answer struct {
	document json.RawMessage // as it came: a newer instance may say more than we know
	status   admin.Status
}

// name is what an instance is called among others.
func (s *settings) name() string { return cmp.Or(s.instance, "lqproxy") }

// ask finds the instance that s names, and asks it. The error is a failure.
func ask(ctx context.Context, c *console, s settings) (answer, error) {
	cfg, mistakes := s.whereabouts(c)
	if mistakes != nil && !errors.Is(mistakes, errMistaken) {
		return answer{}, configFailure(c, s.path(), mistakes)
	}
	running, err := daemon.ReadInstance(cfg.StateDir)
	switch {
	case errors.Is(err, daemon.ErrNotRunning):
		return answer{}, notRunning(c, s, cfg, c.In(words.StatusNotRunning, cfg.StateDir), mistakes)
	case errors.Is(err, fs.ErrPermission):
		return answer{}, &failure{
			code: exitNotAllowed, text: c.In(words.StatusAsDenied, serviceUser, err),
			hints: []string{c.In(words.StatusJoin, serviceUser)},
		}
	case err != nil:
		return answer{}, err
	}
	addresses := askable(running.Admin)
	if len(addresses) == 0 {
		return answer{}, &failure{code: exitFailed, text: c.In(words.StatusNoAdmin, running.PID)}
	}
	a, err := askAny(ctx, addresses)
	if err != nil {
		return a, askFailure(c, s, cfg, running, addresses, err)
	}
	return a, nil
}

// errMistaken marks a configuration with mistakes. The instance that runs has
// an older one, and is to be found all the same.
var errMistaken = errors.New("the configuration has mistakes")

// stateDirLine finds state_dir in a file that cannot be read as a whole.
var stateDirLine = regexp.MustCompile(`(?m)^\s*state_dir\s*=\s*["']([^"'\r\n]+)["']`)

// whereabouts returns as much of the configuration as it takes to find the
// instance. The file may be missing, if it is not named. The error is
// errMistaken, or one of reading.
func (s *settings) whereabouts(c *console) (configs.Config, error) {
	cfg, err := configs.LoadInstance(s.path(), s.instance)
	if err == nil {
		c.configured(cfg.Language)
		return cfg, nil
	}
	cfg = configs.DefaultInstance(s.instance)
	text, unread := os.ReadFile(s.path())
	switch {
	case errors.Is(unread, fs.ErrNotExist) && s.file == "":
		return cfg, nil
	case unread != nil:
		return cfg, err
	}
	if found := stateDirLine.FindSubmatch(text); found != nil {
		cfg.StateDir = string(found[1])
	}
	return cfg, errMistaken
}

// askable returns where to ask, this machine's own addresses first. One that
// is bound to all is asked on loopback, which may always ask.
func askable(addresses []string) []string {
	var loopback, others []string
	for _, address := range addresses {
		a, err := netip.ParseAddrPort(address)
		switch {
		case err != nil:
			others = append(others, address)
		case a.Addr().IsUnspecified():
			for _, ip := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
				loopback = append(loopback, netip.AddrPortFrom(ip, a.Port()).String())
			}
		case a.Addr().IsLoopback():
			loopback = append(loopback, address)
		default:
			others = append(others, address)
		}
	}
	return append(loopback, others...)
}

// askAny asks addresses until one answers. The error is the first.
func askAny(ctx context.Context, addresses []string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var first error
	for _, address := range addresses {
		a, err := askOne(ctx, address)
		if err == nil {
			return a, nil
		}
		first = cmp.Or(first, err)
	}
	return answer{}, first
}

// asking uses no proxy, whatever the environment says, and follows nobody.
var asking = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func askOne(ctx context.Context, address string) (a answer, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/status", nil)
	if err != nil {
		return a, err
	}
	res, err := asking.Do(r)
	if err != nil {
		return a, err
	}
	defer res.Body.Close() //nolint:errcheck // all was read
	text, err := io.ReadAll(io.LimitReader(res.Body, askSize))
	if err != nil {
		return a, err
	}
	if res.StatusCode != http.StatusOK {
		return a, &foreignError{errors.New(res.Status)}
	}
	if err := json.Unmarshal(text, &a.status); err != nil || a.status.PID == 0 {
		return answer{}, &foreignError{cmp.Or(err, errNoStatus)}
	}
	a.document = bytes.TrimSpace(text)
	return a, nil
}

var errNoStatus = errors.New("it is no status")

// A foreignError is an answer that lqproxy does not give.
type foreignError struct{ err error }

func (e *foreignError) Error() string { return e.err.Error() }
func (e *foreignError) Unwrap() error { return e.err }

// askFailure says why the instance that should run did not answer.
func askFailure(c *console, s settings, cfg configs.Config, running daemon.Instance, asked []string, err error) error {
	if foreign, ok := errors.AsType[*foreignError](err); ok {
		return &failure{code: exitFailed, text: c.In(words.StatusForeign, asked[0], foreign)}
	}
	switch {
	case !alive(running.PID):
		return notRunning(c, s, cfg, c.In(words.StatusEnded, running.PID), nil)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &failure{code: exitNotAllowed, text: c.In(words.StatusDenied, asked[0]), hints: []string{c.In(words.StatusAllow)}}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // without the URL
	}
	return &failure{
		code: exitFailed, text: c.In(words.StatusSilent, running.PID, asked[0], err),
		hints: []string{c.In(words.StatusJournal, admin.Unit(s.instance))},
	}
}

// alive reports whether there is a process of that number.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return pid > 0 && (err == nil || errors.Is(err, syscall.EPERM))
}

// notRunning is the failure of an instance that does not run, with the places
// where the cause may stand.
func notRunning(c *console, s settings, cfg configs.Config, text string, mistakes error) error {
	unit := admin.Unit(s.instance)
	f := &failure{code: exitFailed, text: text}
	if mistakes != nil {
		f.hints = append(f.hints, c.In(words.StatusMistakes, s.command("check")))
	}
	f.hints = append(f.hints, c.In(words.StatusSystemd, unit), c.In(words.StatusJournal, unit))
	if line := lastError(cfg.Log.ErrorFile); line != "" {
		f.hints = append(f.hints, c.In(words.StatusErrorLog, cfg.Log.ErrorFile, line))
	}
	return f
}

// command is a command about the same configuration.
func (s *settings) command(name string) string {
	command := "lqproxy " + name
	if s.file != "" {
		command += " -c " + s.file
	}
	if s.instance != "" {
		command += " -i " + s.instance
	}
	return command
}

// lastError returns the last error of an error log in short; "" if there is
// none, or it cannot be read.
func lastError(file string) string {
	text, err := tail(file, tailSize)
	if err != nil {
		return ""
	}
	for _, line := range slices.Backward(bytes.Split(text, []byte("\n"))) {
		var e struct{ Time, Level, Msg, Error, Cause string }
		if json.Unmarshal(line, &e) != nil || e.Level != "error" {
			continue
		}
		last := e.Time + " " + e.Msg
		if more := cmp.Or(e.Error, e.Cause); more != "" {
			last += ": " + more
		}
		return last
	}
	return ""
}

// tail returns the last bytes of a file, at most size.
func tail(file string, size int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it is only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	text := make([]byte, min(info.Size(), size))
	n, err := f.ReadAt(text, info.Size()-int64(len(text)))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading the end of a log: %w", err)
	}
	return text[:n], nil
}
