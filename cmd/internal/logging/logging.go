// Package logging writes the access log, the error log and syslog, and keeps their files.
//
// Observing never disturbs what is observed. A logger only copies its line into a bounded buffer; goroutines of
// [Logs.Run] write it. A disk that is full, a folder that is gone, a terminal or a collector that does not read cost
// lines, which are counted and spoken of once, and never an error or a delay to the caller. When the trouble is over,
// writing resumes by itself.
//
// A log file is only ever appended to, with one write(2) for a batch of whole lines, so that the two processes of an
// upgrade can share it. Before a batch the path is looked at (once a second at most): when it names another file by
// now, because the other process or logrotate moved ours away, that one is opened.
//
// Lines of the error log go to four places: to the error file as JSON (level and above), to stderr in a short form
// (warnings and above; everything when there is no error file), and to syslog (events, warnings and above).
package logging

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Options say what is logged where. Never modified after Open or Reconfigure.
type Options struct {
	Level      string // of the error log: debug, info, warn or error; "" is info
	AccessFile string // "" is Stdout, "off" is none
	ErrorFile  string // "" is Stderr alone
	Syslog     string // udp://, tcp:// or tls://, host:port; "" is none

	Rotate     string // "daily" at local midnight, or "off": logrotate and Reopen do it, and no file is ever touched
	RotateSize int64  // bytes, at which a file is rotated before its day is over; 0 is never
	RetainDays int    // rotated files older than this are deleted; 0 keeps them all
	Compress   bool   // rotated files become .gz
	MinFree    int64  // bytes that must stay free where the access log is, or it pauses; 0 is no limit

	Joining bool // another process has the files, and rotates them until Logs.Rotating says otherwise; for Open alone

	Stdout, Stderr io.Writer // each is called once at a time, but both may be at once; nil discards

	// OnFailure counts for lqproxy_log_write_failures_total: it is called with one of [Outputs] for every attempt to
	// write that failed and for every line that was dropped. It may be nil, and must be safe for concurrent use.
	OnFailure func(output string)
}

// The outputs, as they are called in events and as label values.
const (
	outputAccess = "access"
	outputError  = "error"
	outputStderr = "stderr"
	outputSyslog = "syslog"
)

// Outputs returns every value with which Options.OnFailure is called.
func Outputs() []string { return []string{outputAccess, outputError, outputStderr, outputSyslog} }

// Values of Options.
const (
	off         = "off"
	rotateDaily = "daily"
)

// Logs are the open logs. The loggers stay the same for their whole life, also over Reconfigure, and are safe for
// concurrent use, as are the methods; but Reconfigure is called once at a time, and Close is the last.
type Logs struct {
	// Access writes one JSON line per exchange: the time and the fields, without level and message. Its Check is nil
	// when the access log is off.
	Access *zap.Logger
	// Error writes the lines for operators.
	Error *zap.Logger

	current  atomic.Pointer[settings]
	rotating atomic.Bool
	access   *sink
	errors   *sink
	stderr   *sink
	syslog   *syslog
	keeper   *keeper
}

// settings are Options after parsing.
type settings struct {
	Options
	level  zapcore.Level
	syslog syslogTarget
}

// Open opens the logs. It fails on options that make no sense, and never because of a file that cannot be written: that
// is reported as event log_write_failed, and tried again. Lines are written at once until Run takes over. The caller
// must Close the result.
func Open(o Options) (*Logs, error) {
	s, err := parse(o)
	if err != nil {
		return nil, err
	}
	l := &Logs{}
	l.current.Store(s)
	l.rotating.Store(!o.Joining)
	count := o.OnFailure
	if count == nil {
		count = func(string) {}
	}
	l.access = newSink(outputAccess, accessLinger, &l.rotating, count)
	l.errors = newSink(outputError, 0, &l.rotating, count)
	l.stderr = newSink(outputStderr, 0, &l.rotating, count)
	l.syslog = newSyslog(count)
	l.connect()
	l.apply(s)
	return l, nil
}

func parse(o Options) (*settings, error) {
	s := &settings{Options: o}
	var err error
	if s.level, err = parseLevel(o.Level); err != nil {
		return nil, err
	}
	if s.syslog, err = parseSyslog(o.Syslog); err != nil {
		return nil, err
	}
	if o.Rotate != rotateDaily && o.Rotate != off && o.Rotate != "" {
		return nil, fmt.Errorf("reading rotation %q: neither daily nor off", o.Rotate)
	}
	if s.Stdout == nil {
		s.Stdout = io.Discard
	}
	if s.Stderr == nil {
		s.Stderr = io.Discard
	}
	return s, nil
}

func parseLevel(name string) (zapcore.Level, error) {
	switch name {
	case "":
		return zapcore.InfoLevel, nil
	case "debug", "info", "warn", "error":
		return zapcore.ParseLevel(name)
	}
	return 0, fmt.Errorf("reading level %q: none of debug, info, warn, error", name)
}

// connect builds the loggers over the sinks, and lets the sinks report through them.
func (l *Logs) connect() {
	l.Access = zap.New(zapcore.NewCore(accessEncoder(), l.access, l.enabler(accessEnabled)), zap.ErrorOutput(l.stderr))
	files := zapcore.NewTee(
		zapcore.NewCore(errorEncoder(), l.errors, l.enabler(fileEnabled)),
		zapcore.NewCore(consoleEncoder(), l.stderr, l.enabler(stderrEnabled)),
	)
	l.Error = zap.New(zapcore.NewTee(
		files,
		&eventCore{LevelEnabler: l.enabler(syslogEnabled), encoder: errorEncoder(), out: l.syslog},
	), zap.ErrorOutput(l.stderr))

	log := l.Error.Named("log")
	for _, s := range l.sinks() {
		s.log = log
	}
	l.keeper = &keeper{logs: l, log: log}
	// What syslog has to say of itself would keep it busy with itself.
	l.syslog.log = zap.New(files, zap.ErrorOutput(l.stderr)).Named("log")
}

func (l *Logs) sinks() []*sink { return []*sink{l.access, l.errors, l.stderr} }

// enabler is a level that follows the settings in force.
func (l *Logs) enabler(enabled func(*settings, zapcore.Level) bool) zapcore.LevelEnabler {
	return zap.LevelEnablerFunc(func(level zapcore.Level) bool { return enabled(l.current.Load(), level) })
}

func accessEnabled(s *settings, _ zapcore.Level) bool { return s.AccessFile != off }

func fileEnabled(s *settings, level zapcore.Level) bool {
	return s.ErrorFile != "" && level >= s.level
}

func stderrEnabled(s *settings, level zapcore.Level) bool {
	return level >= s.level && (s.ErrorFile == "" || level >= zapcore.WarnLevel)
}

// syslogEnabled does not look at the level of the error log: what a collector wants to know are events.
func syslogEnabled(s *settings, level zapcore.Level) bool {
	return s.Syslog != "" && level >= zapcore.InfoLevel
}

// Run writes the lines, rotates, compresses and deletes files, watches the free space, and feeds syslog, until ctx is
// done; it then writes what waits and returns nil. As lines are written by the goroutine that logs them when Run does
// not run, ctx should end after everything that logs on behalf of exchanges.
func (l *Logs) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, s := range l.sinks() {
		wg.Go(func() { s.run(ctx) })
	}
	wg.Go(func() { l.syslog.run(ctx) })
	wg.Go(func() { l.keeper.run(ctx) })
	wg.Wait()
	return nil
}

// Reopen opens the files anew, as logrotate asks with SIGUSR1.
func (l *Logs) Reopen() {
	for _, s := range l.sinks() {
		s.reopen()
	}
}

// Rotating says whether this process is the one that renames, compresses and deletes files. It is until told otherwise,
// unless it joined another; of the two processes of an upgrade only one may be. Told that it is not, it has renamed its
// last file when Rotating returns, and stops compressing.
func (l *Logs) Rotating(on bool) {
	l.rotating.Store(on)
	if on {
		return
	}
	l.keeper.leave()
	for _, s := range l.sinks() {
		s.finish()
	}
}

// Reconfigure puts o in force. If o makes no sense it changes nothing and says why. The writers of Open stay when those
// of o are nil; OnFailure stays in any case.
func (l *Logs) Reconfigure(o Options) error {
	old := l.current.Load()
	if o.Stdout == nil {
		o.Stdout = old.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = old.Stderr
	}
	s, err := parse(o)
	if err != nil {
		return err
	}
	l.apply(s)
	return nil
}

func (l *Logs) apply(s *settings) {
	l.current.Store(s)
	rotation := rotation{daily: s.Rotate == rotateDaily, size: s.RotateSize}
	l.syslog.target.Store(&s.syslog)
	l.stderr.direct(output{w: s.Stderr})
	if s.ErrorFile != "" {
		l.errors.direct(output{path: s.ErrorFile, rotation: rotation})
	} else {
		l.errors.direct(output{w: io.Discard})
	}
	switch s.AccessFile {
	case off:
		l.access.direct(output{w: io.Discard})
	case "":
		l.access.direct(output{w: s.Stdout})
	default:
		l.access.direct(output{path: s.AccessFile, rotation: rotation})
	}
}

// Close writes what waits and closes the files. The loggers must not be used any more. Run must have returned.
func (l *Logs) Close() {
	for _, s := range l.sinks() { // stderr last: the others may report their losses there
		s.close()
	}
}

// sleep waits for d, and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
