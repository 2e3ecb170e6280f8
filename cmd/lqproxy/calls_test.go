package main

import (
	"bytes"
	"errors"
	"io"
	"runtime/debug"
	"testing"
)

func TestCallPrinter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ lines, want string }{
		{
			`{"time":"2026-01-02T03:04:05.678+08:00","status":200,"method":"POST","path":"/access/a","total_us":1234,"leqi_code":"4057"}` + "\n" +
				`{"time":"2026-01-02T03:04:06.678+08:00","status":404,"method":"POST","path":"/b","total_us":50,"reason":"path_refused"}` + "\n",
			"03:04:05 200 POST /access/a  1.2 ms  4057\n03:04:06 404 POST /b  0.1 ms  path_refused\n",
		},
		{
			`{"time":"2026-01-02T03:04:05+08:00","status":400,"reason":"bad_request","detail":"a bare LF","total_us":0}` + "\n",
			"03:04:05 400   0.0 ms  bad_request  a bare LF\n",
		},
		{"no such line\n", "no such line\n"},
	} {
		var b bytes.Buffer
		n, err := (&callPrinter{w: &b}).Write([]byte(tt.lines))
		if b.String() != tt.want || n != len(tt.lines) || err != nil {
			t.Errorf("Write(%q) = %d, %v and %q, want %q", tt.lines, n, err, b.String(), tt.want)
		}
	}
}

func TestCallPrinterReportsThatNobodyReads(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	r.Close()
	if _, err := (&callPrinter{w: w}).Write([]byte("line\n")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write to a closed pipe = %v, want %v", err, io.ErrClosedPipe)
	}
}

func TestStamped(t *testing.T) {
	t.Parallel()
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123"}
	for _, tt := range []struct {
		settings []debug.BuildSetting
		want     string
	}{
		{nil, ""},
		{[]debug.BuildSetting{{Key: "vcs.modified", Value: "true"}}, ""},
		{[]debug.BuildSetting{revision, {Key: "vcs.modified", Value: "false"}}, "0123456789ab"},
		{[]debug.BuildSetting{revision, {Key: "vcs.modified", Value: "true"}}, "0123456789ab+"},
	} {
		if got := stamped(tt.settings); got != tt.want {
			t.Errorf("stamped(%v) = %q, want %q", tt.settings, got, tt.want)
		}
	}
}
