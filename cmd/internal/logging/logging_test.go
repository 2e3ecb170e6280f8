package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// exchange is a line of the access log.
type exchange struct {
	ID      int
	Padding string
}

func (x *exchange) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddInt("id", x.ID)
	enc.AddString("source", "10.1.2.3")
	enc.AddInt("status", 200)
	enc.AddInt64("total_us", 1234)
	enc.AddString("padding", x.Padding)
	return nil
}

func logExchange(l *Logs, x *exchange) {
	if ce := l.Access.Check(zap.InfoLevel, ""); ce != nil {
		ce.Write(zap.Inline(x))
	}
}

// A screen stands in for stdout or stderr.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

func (s *screen) count(text string) int { return strings.Count(s.String(), text) }

// failures counts calls of Options.OnFailure.
type failures struct{ n atomic.Int64 }

func (f *failures) count(string) { f.n.Add(1) }

func open(t *testing.T, o Options) *Logs {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatalf("Open(%+v): %v", o, err)
	}
	return l
}

// start opens logs and runs them; stop ends and closes them.
func start(t *testing.T, o Options) (l *Logs, stop func()) {
	t.Helper()
	l = open(t, o)
	return l, run(t, l)
}

// run runs logs that are open.
func run(t *testing.T, l *Logs) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
		l.Close()
	}
}

// readLines returns the lines of a file, each of which must be JSON, and the last whole.
func readLines(t *testing.T, path string) []map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return parseLines(t, data)
}

func parseLines(t *testing.T, data []byte) []map[string]any {
	t.Helper()
	if len(data) > 0 && data[len(data)-1] != '\n' {
		t.Errorf("the last line is torn: %.200q", data[bytes.LastIndexByte(data, '\n')+1:])
	}
	var lines []map[string]any
	for line := range bytes.Lines(data) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("line %.200q: %v", line, err)
		}
		lines = append(lines, m)
	}
	return lines
}

// ids returns the ids of exchanges in the order of the lines.
func ids(lines []map[string]any) []int {
	var all []int
	for _, m := range lines {
		if id, ok := m["id"].(float64); ok {
			all = append(all, int(id))
		}
	}
	return all
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAccessLineIsTimeAndFields(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.log")
	l, stop := start(t, Options{AccessFile: path})
	logExchange(l, &exchange{ID: 7})
	stop()

	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)","id":7,"source":"10\.1\.2\.3","status":200,"total_us":1234,"padding":""\}\n$`)
	if !want.Match(data) {
		t.Errorf("line = %q, want a match of %v", data, want)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode&^fileMode != 0 || mode&0o600 != 0o600 {
		t.Errorf("mode = %v, want at most %v", mode, os.FileMode(fileMode))
	}
}

func TestErrorLinesReachTheirPlaces(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, level string
		file        bool
		wantFile    []string
		wantStderr  []string
	}{
		{"file and stderr", "info", true, []string{"info", "warn", "error"}, []string{"warn", "error"}},
		{"stderr alone", "", false, nil, []string{"info", "warn", "error"}},
		{"debug", "debug", true, []string{"debug", "info", "warn", "error"}, []string{"warn", "error"}},
		{"errors only", "error", true, []string{"error"}, []string{"error"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var stderr screen
			o := Options{Level: tt.level, AccessFile: off, Stderr: &stderr}
			if tt.file {
				o.ErrorFile = filepath.Join(t.TempDir(), "error.log")
			}
			l, stop := start(t, o)
			log := l.Error.Named("proxy").With(zap.Int("round", 1))
			log.Debug("said")
			log.Info("said")
			log.Warn("said")
			log.Error("said", zap.Error(errors.New("disk \"x\"\nis gone")))
			stop()

			var levels []string
			for _, m := range parseFile(t, o.ErrorFile) {
				levels = append(levels, m["level"].(string))
				if m["logger"] != "proxy" || m["msg"] != "said" || m["round"] != 1.0 {
					t.Errorf("line = %v, want logger, msg and round", m)
				}
			}
			if diff := cmp.Diff(tt.wantFile, levels); diff != "" {
				t.Errorf("levels of the file (-want +got):\n%s", diff)
			}
			var shown []string
			for line := range strings.Lines(stderr.String()) {
				shown = append(shown, strings.Fields(line)[1])
			}
			if diff := cmp.Diff(tt.wantStderr, shown); diff != "" {
				t.Errorf("levels on stderr (-want +got):\n%s", diff)
			}
		})
	}
}

func parseFile(t *testing.T, path string) []map[string]any {
	t.Helper()
	if path == "" {
		return nil
	}
	return readLines(t, path)
}

func TestAccessLogMayBeOffOrOnStdout(t *testing.T) {
	t.Parallel()
	var stdout screen
	l, stop := start(t, Options{AccessFile: "", Stdout: &stdout})
	logExchange(l, &exchange{ID: 1})
	if err := l.Reconfigure(Options{AccessFile: off}); err != nil {
		t.Errorf("Reconfigure(off) = %v, want nil", err)
	}
	if l.Access.Check(zap.InfoLevel, "") != nil {
		t.Error("Check() of an access log that is off is not nil")
	}
	if err := l.Reconfigure(Options{}); err != nil {
		t.Errorf("Reconfigure(on) = %v, want nil", err)
	}
	logExchange(l, &exchange{ID: 2})
	stop()
	if diff := cmp.Diff([]int{1, 2}, ids(parseLines(t, []byte(stdout.String())))); diff != "" {
		t.Errorf("ids on stdout (-want +got):\n%s", diff)
	}
}

func TestOpenRefusesOptionsWithoutSense(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{Level: "loud"}, `reading level "loud": none of debug, info, warn, error`},
		{Options{Level: "fatal"}, `reading level "fatal": none of debug, info, warn, error`},
		{Options{Rotate: "hourly"}, `reading rotation "hourly": neither daily nor off`},
		{Options{Syslog: "10.0.0.1:514"}, `syslog`},
		{Options{Syslog: "udp://10.0.0.1"}, `reading syslog target "udp://10.0.0.1": not udp://, tcp:// or tls:// with host:port`},
		{Options{Syslog: "http://10.0.0.1:514"}, `not udp://, tcp:// or tls://`},
		{Options{Syslog: "tcp://10.0.0.1:514/x"}, `not udp://, tcp:// or tls://`},
	} {
		l, err := Open(tt.o)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Open(%+v) = %v, want an error with %q", tt.o, err, tt.want)
		}
		if l != nil {
			l.Close()
		}
	}
}

func TestReconfigureKeepsLoggersAndLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := filepath.Join(dir, "a.log"), filepath.Join(dir, "b.log")
	l, stop := start(t, Options{Level: "error", AccessFile: first})
	log := l.Error.Named("kept")
	logExchange(l, &exchange{ID: 0})
	if err := l.Reconfigure(Options{Level: "loud", AccessFile: second}); err == nil {
		t.Error("Reconfigure() of a level that does not exist = nil, want an error")
	}
	logExchange(l, &exchange{ID: 1})
	if err := l.Reconfigure(Options{Level: "info", AccessFile: second, ErrorFile: filepath.Join(dir, "e.log")}); err != nil {
		t.Errorf("Reconfigure() = %v, want nil", err)
	}
	logExchange(l, &exchange{ID: 2})
	log.Info("through the old logger")
	stop()

	if diff := cmp.Diff([]int{0, 1}, ids(readLines(t, first))); diff != "" {
		t.Errorf("first file (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{2}, ids(readLines(t, second))); diff != "" {
		t.Errorf("second file (-want +got):\n%s", diff)
	}
	if got := readLines(t, filepath.Join(dir, "e.log")); len(got) != 1 {
		t.Errorf("error file has %d lines, want 1", len(got))
	}
}

func TestLinesAreWrittenWithoutRunToo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.log")
	l := open(t, Options{AccessFile: path})
	defer l.Close()
	logExchange(l, &exchange{ID: 0})
	if diff := cmp.Diff([]int{0}, ids(readLines(t, path))); diff != "" {
		t.Errorf("ids before Close (-want +got):\n%s", diff)
	}
}

func TestLinesWaitForOthersButNotLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "access.log")
		l, stop := start(t, Options{AccessFile: path})
		defer stop()
		synctest.Wait()
		logExchange(l, &exchange{ID: 0})
		synctest.Wait()
		if got := readLines(t, path); len(got) != 0 {
			t.Errorf("%d lines at once, want 0", len(got))
		}
		time.Sleep(accessLinger)
		synctest.Wait()
		if got := readLines(t, path); len(got) != 1 {
			t.Errorf("%d lines after %v, want 1", len(got), accessLinger)
		}
		for i := range 200 {
			logExchange(l, &exchange{ID: i, Padding: strings.Repeat("x", 400)})
		}
		synctest.Wait()
		if got := readLines(t, path); len(got) < 100 {
			t.Errorf("%d lines after a whole batch, want 100 or more at once", len(got))
		}
	})
}

// A stuck writer does not take anything until it is released.
type stuck struct{ release chan struct{} }

func (s *stuck) Write(p []byte) (int, error) {
	<-s.release
	return len(p), nil
}

func TestWriterThatDoesNotReadCostsLinesAndNoTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stderr screen
		var failed failures
		stdout := &stuck{make(chan struct{})}
		l, stop := start(t, Options{Stdout: stdout, Stderr: &stderr, OnFailure: failed.count})
		synctest.Wait()
		begin, line := time.Now(), exchange{Padding: strings.Repeat("x", 4000)}
		for range 1000 {
			logExchange(l, &line)
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("logging took %v, want no time", d)
		}
		close(stdout.release)
		stop()
		if got := stderr.count(eventWriteFailed); got != 1 {
			t.Errorf("%s was said %d times, want 1; stderr:\n%s", eventWriteFailed, got, stderr.String())
		}
		if failed.n.Load() < 400 {
			t.Errorf("OnFailure was called %d times, want some 500", failed.n.Load())
		}
	})
}

func TestTwoProcessesAppendToOneFile(t *testing.T) {
	t.Parallel()
	const loggers, each = 4, 2000
	dir := t.TempDir()
	o := Options{AccessFile: filepath.Join(dir, "access.log"), Rotate: rotateDaily, RotateSize: 300 << 10}
	a, stopA := start(t, o)
	b, stopB := start(t, o)
	b.Rotating(false)

	var wg sync.WaitGroup
	for i := range loggers {
		l := []*Logs{a, b}[i%2]
		wg.Go(func() {
			for n := range each {
				logExchange(l, &exchange{ID: i*each + n, Padding: strings.Repeat("y", n%300)})
			}
		})
	}
	wg.Wait()
	stopA()
	stopB()

	var got []int
	files := names(t, dir)
	for _, name := range files {
		got = append(got, ids(readLines(t, filepath.Join(dir, name)))...)
	}
	slices.Sort(got)
	if diff := cmp.Diff(upTo(loggers*each), got); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	if len(files) < 2 {
		t.Errorf("files = %v, want several, by size", files)
	}
}

func TestFileRenamedByOthersIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path, moved := filepath.Join(dir, "access.log"), filepath.Join(dir, "access.log.1")
		l, stop := start(t, Options{AccessFile: path, Rotate: off})
		logExchange(l, &exchange{ID: 0})
		time.Sleep(2 * time.Second)
		if err := os.Rename(path, moved); err != nil {
			t.Fatal(err)
		}
		logExchange(l, &exchange{ID: 1})
		time.Sleep(2 * time.Second)
		if err := os.Rename(path, moved+".2"); err != nil {
			t.Fatal(err)
		}
		l.Reopen()
		logExchange(l, &exchange{ID: 2})
		stop()
		for i, name := range []string{moved, moved + ".2", path} {
			if diff := cmp.Diff([]int{i}, ids(readLines(t, name))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", filepath.Base(name), diff)
			}
		}
	})
}

func TestFolderThatIsMovedAwayTakesLinesUntilThereIsAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root := t.TempDir()
		dir, moved := filepath.Join(root, "log"), filepath.Join(root, "moved")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		var stderr screen
		l, stop := start(t, Options{AccessFile: filepath.Join(dir, "access.log"), Stderr: &stderr})
		logExchange(l, &exchange{ID: 0})
		time.Sleep(2 * time.Second)
		if err := os.Rename(dir, moved); err != nil {
			t.Fatal(err)
		}
		for i := 1; i <= 5; i++ {
			logExchange(l, &exchange{ID: i})
			time.Sleep(400 * time.Millisecond)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		logExchange(l, &exchange{ID: 6})
		stop()

		if diff := cmp.Diff(upTo(6), ids(readLines(t, filepath.Join(moved, "access.log")))); diff != "" {
			t.Errorf("moved file (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int{6}, ids(readLines(t, filepath.Join(dir, "access.log")))); diff != "" {
			t.Errorf("new file (-want +got):\n%s", diff)
		}
		if said, again := stderr.count(eventWriteFailed), stderr.count("log is written again"); said != 1 || again != 1 {
			t.Errorf("failure said %d times, recovery %d times, want 1 and 1; stderr:\n%s", said, again, stderr.String())
		}
	})
}

func TestMissingFolderLosesWhatDoesNotFitAndRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "later")
		var stderr screen
		var failed failures
		l, stop := start(t, Options{AccessFile: filepath.Join(dir, "access.log"), Stderr: &stderr, OnFailure: failed.count})
		const total = 4000
		for i := range total {
			logExchange(l, &exchange{ID: i, Padding: strings.Repeat("z", 700)})
		}
		time.Sleep(time.Minute)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		stop()
		checkEpisode(t, filepath.Join(dir, "access.log"), total, stderr.String())
		if failed.n.Load() == 0 {
			t.Error("OnFailure was not called")
		}
	})
}

// checkEpisode expects one episode of loss on stderr, and that the lines of the file and the lost ones are all.
func checkEpisode(t *testing.T, path string, total int, stderr string) {
	t.Helper()
	if got := strings.Count(stderr, eventWriteFailed); got != 1 {
		t.Errorf("%s was said %d times, want 1; stderr:\n%s", eventWriteFailed, got, stderr)
	}
	found := regexp.MustCompile(`log is written again .*"lost": ?(\d+)`).FindAllStringSubmatch(stderr, -1)
	if len(found) != 1 {
		t.Fatalf("recovery was said %d times, want 1; stderr:\n%s", len(found), stderr)
	}
	var lost int
	if err := json.Unmarshal([]byte(found[0][1]), &lost); err != nil {
		t.Fatal(err)
	}
	kept := len(ids(readLines(t, path)))
	if lost == 0 || kept == 0 || kept+lost != total {
		t.Errorf("%d lines kept + %d lost = %d, want %d and some of both", kept, lost, kept+lost, total)
	}
}

func TestCloseTellsWhatWasLost(t *testing.T) {
	t.Parallel()
	var stderr screen
	l := open(t, Options{AccessFile: filepath.Join(t.TempDir(), "missing", "access.log"), Stderr: &stderr})
	logExchange(l, &exchange{})
	logExchange(l, &exchange{})
	l.Close()
	if !strings.Contains(stderr.String(), `log closed with lines unwritten {"file": "access", "lost": 2}`) {
		t.Errorf("stderr = %q, want the loss of 2 lines", stderr.String())
	}
}

func TestErrorFileThatCannotBeWrittenIsSaidOnStderr(t *testing.T) {
	t.Parallel()
	var stderr screen
	l := open(t, Options{AccessFile: off, ErrorFile: filepath.Join(t.TempDir(), "missing", "error.log"), Stderr: &stderr})
	l.Error.Error("said")
	l.Close()
	if said, failed := stderr.count(" said"), stderr.count(eventWriteFailed); said != 1 || failed != 1 {
		t.Errorf("line on stderr %d times, %s %d times, want 1 and 1:\n%s", said, eventWriteFailed, failed, stderr.String())
	}
}
