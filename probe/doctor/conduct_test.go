package doctor

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// call is a line of the access log.
func call(at string, rest string) string {
	return `{"time":"` + at + `","id":"1","source":"10.0.0.9",` + rest + "}\n"
}

const (
	succeeded   = `"status":200,"leqi_code":"200","delivered":"yes"`
	forbidden   = `"status":403,"leqi_code":"403","delivered":"yes"`
	limited     = `"status":200,"leqi_code":"flow_limited","delivered":"yes"`
	undialled   = `"status":502,"reason":"dial","delivered":"no"`
	notFiled    = `"status":200,"leqi_code":"4067","delivered":"yes"`
	callersGone = `"status":499,"reason":"client_gone","delivered":"no"`
)

func writeLog(t *testing.T, folder, name, text string) {
	t.Helper()
	path := filepath.Join(folder, name)
	if strings.HasSuffix(name, ".gz") {
		var b strings.Builder
		z := gzip.NewWriter(&b)
		_, err := io.WriteString(z, text)
		if err := errors.Join(err, z.Close()); err != nil {
			t.Fatal(err)
		}
		text = b.String()
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// now is after every log here; the files themselves are newer.
var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.FixedZone("", 8*3600))

func TestConduct(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	writeLog(t, folder, "access-2026-11-20.001.log.gz", call("2026-10-01T00:00:00.000+08:00", succeeded)+ // too old
		call("2026-11-20T09:00:00.000+08:00", succeeded)+call("2026-11-20T09:00:59.999+08:00", limited)+
		call("2026-11-20T09:01:00.000+08:00", succeeded)+call("2026-11-20T09:02:00.000+08:00", undialled))
	writeLog(t, folder, "access-2026-11-21.001.log", "torn line\n"+call("2026-11-21T10:00:00.000+08:00", succeeded)+
		strings.Repeat("x", longestLine+1)+"\n"+call("2026-11-21T11:00:00.000+08:00", callersGone)+"{}\n")
	writeLog(t, folder, "access.log", call("2026-11-22T08:00:00.000+08:00", forbidden)+call("2026-11-22T08:00:01.000+08:00", notFiled)+
		call("2026-11-22T08:00:02.000+08:00", undialled)+call("2026-11-22T13:00:00.000+08:00", succeeded)+ // in the future
		`{"time":"2026-11-22T08:00:03.000+08:00","status":`)
	refused := func(at, source string, suppressed int) string {
		return fmt.Sprintf(`{"level":"warn","time":%q,"msg":"connection refused","reason":"source_refused","source":%q,"suppressed":%d}`+"\n", at, source, suppressed)
	}
	writeLog(t, folder, "error-2026-11-21.001.log.gz", refused("2026-11-21T01:00:00.000+08:00", "198.51.100.1", 0)+refused("2026-11-21T02:00:00.000+08:00", "198.51.100.2", 90))
	writeLog(t, folder, "error.log", refused("2026-11-22T01:00:00.000+08:00", "198.51.100.2", 0)+
		`{"level":"warn","time":"2026-11-22T01:00:00.000+08:00","msg":"connection refused","reason":"connection_limit","source":"198.51.100.3","suppressed":5}`+"\n"+
		`{"level":"info","time":"2026-11-22T01:00:00.000+08:00","msg":"started","event":"started"}`+"\n"+
		`{"time":"2026-11-22T01:00:00.000+08:00","reason":"source_refused","source":"nobody"}`+"\n")

	got, err := ReadConduct(t.Context(), Logs{Access: filepath.Join(folder, "access.log"), Error: filepath.Join(folder, "error.log")}, now)
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	want := &Conduct{
		From: now.AddDate(0, 0, -ConductDays), To: now, AccessFiles: 3, ErrorFiles: 2, Broken: 5,
		First: at("2026-11-20T09:00:00+08:00"),
		Days: []Day{
			{Date: "2026-11-20", Calls: 3, Peak: 2, PeakAt: "09:00", Limited: 1},
			{Date: "2026-11-21", Calls: 1, Peak: 1, PeakAt: "10:00"},
			{Date: "2026-11-22", Calls: 2, Peak: 2, PeakAt: "08:00", Forbidden: 1},
		},
		Calls: 6, Unsent: 3, Forbidden: 1, Limited: 1,
		Worked: at("2026-11-21T10:00:00+08:00"), Failing: at("2026-11-22T08:00:00+08:00"), Cause: "403", Failed: 3,
		Foreign: []Stranger{
			{netip.MustParseAddr("198.51.100.2"), 2, at("2026-11-22T01:00:00+08:00")},
			{netip.MustParseAddr("198.51.100.1"), 1, at("2026-11-21T01:00:00+08:00")},
		},
		Refused: 93, Sources: 2,
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("ReadConduct (-want +got):\n%s", diff)
	}
}

func TestConductOfBadFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "access-2026-11-21.001.log.gz"), []byte("this is not gzip"), 0o644); err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(folder, "whole.gz")
	writeLog(t, folder, "whole.gz", strings.Repeat(call("2026-11-21T10:00:00.000+08:00", succeeded), 1000))
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "access-2026-11-21.002.log.gz"), text[:len(text)-9], 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := ReadConduct(t.Context(), Logs{Access: filepath.Join(folder, "access.log"), Error: filepath.Join(folder, "none", "error.log")}, now)
	if err != nil || got.Broken < 2 || got.Calls == 0 || len(got.Unread) != 1 {
		t.Errorf("ReadConduct = %+v, %v, want broken lines, the calls before them, and one folder that is not there", got, err)
	}
}

func TestConductEndsWithItsContext(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	writeLog(t, folder, "access.log", call("2026-11-21T10:00:00.000+08:00", succeeded))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ReadConduct(ctx, Logs{Access: filepath.Join(folder, "access.log")}, now); !errors.Is(err, context.Canceled) {
		t.Errorf("ReadConduct = %v, want %v", err, context.Canceled)
	}
}

// TestConductInBoundedMemory reads many lines, of many minutes and strangers.
func TestConductInBoundedMemory(t *testing.T) {
	t.Parallel()
	const lines = 100_000
	s := newSummary(now)
	if err := eachLine(t.Context(), bufio.NewReader(minutes(lines)), func(b []byte) { s.access(b) }); err != nil {
		t.Fatal(err)
	}
	if err := eachLine(t.Context(), bufio.NewReader(strangers(lines)), func(b []byte) { s.refusal(b) }); err != nil {
		t.Fatal(err)
	}
	if most := ConductDays*24*60 + 1; len(s.minutes) > most || len(s.strangers) > maxStrangers {
		t.Errorf("%d minutes and %d strangers are kept, want at most %d and %d", len(s.minutes), len(s.strangers), most, maxStrangers)
	}
	c := s.conduct()
	if c.Calls != lines || c.Refused != lines || !c.Overflow || len(c.Foreign) != maxShown {
		t.Errorf("%d calls, %d refused, overflow %v, %d shown, want %d of both, more than kept, %d", c.Calls, c.Refused, c.Overflow, len(c.Foreign), lines, maxShown)
	}
}

// A source is a reader that writes its lines while they are read.
type source struct {
	left int
	line func(n int) string
	rest string
}

func (s *source) Read(p []byte) (int, error) {
	if s.rest == "" {
		if s.left == 0 {
			return 0, io.EOF
		}
		s.left--
		s.rest = s.line(s.left)
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func minutes(n int) io.Reader {
	return &source{left: n, line: func(i int) string {
		return call(now.Add(-time.Duration(i%40_000)*time.Minute).Format(time.RFC3339), succeeded)
	}}
}

func strangers(n int) io.Reader {
	return &source{left: n, line: func(i int) string {
		addr := netip.AddrFrom4([4]byte{198, byte(i >> 16), byte(i >> 8), byte(i)})
		return fmt.Sprintf(`{"time":%q,"reason":"source_refused","source":%q}`+"\n", now.Format(time.RFC3339), addr)
	}}
}

func FuzzLinesOfLogs(f *testing.F) {
	f.Add(call("2026-11-21T10:00:00.000+08:00", succeeded))
	f.Add(`{"time":"2026-11-22T01:00:00.000+08:00","reason":"source_refused","source":"198.51.100.1","suppressed":-1}`)
	f.Fuzz(func(t *testing.T, text string) {
		s := newSummary(now)
		s.access([]byte(text))
		s.refusal([]byte(text))
		c := s.conduct()
		if c.Calls < 0 || c.Refused < 0 || c.Forbidden+c.Limited > c.Calls {
			t.Errorf("conduct of %q = %+v, want sums that fit", text, c)
		}
	})
}

func BenchmarkAccessLine(b *testing.B) {
	s := newSummary(now)
	line := []byte(call("2026-11-21T10:00:00.000+08:00", `"source_port":40112,"method":"POST","path":"/access/v2/invoke/202007/QDFPSC","environment":"production",`+
		`"ability":"202007","service":"QDFPSC","unit":"12345678901234567890","using_unit":"12345678901234567890","client_tid":"0123456789abcdef0123456789abcdef",`+
		`"bytes_in":2210,"bytes_out":512,"local_addr":"10.0.0.5:40112","upstream_addr":"192.0.2.1:8443","queue_us":0,"connect_us":0,"tls_us":0,"wait_us":1200,"total_us":1500,"reused":true,`+succeeded))
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		s.access(line)
	}
}
