package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       time.Duration
		wantErr    bool
	}{
		{
			name: "plain",
			text: "4711 (lqproxy) S 1 4711 4711 0 -1 4194560 2059 0 0 0 123 45 0 0 20 0 7 0 100 0 0\n",
			want: 1680 * time.Millisecond,
		},
		{
			name: "a name that looks like fields",
			text: "4711 (nginx: w (1) 9 9) S 1 4711 4711 0 -1 4194560 2059 0 0 0 1 2 0 0 20 0 7 0 100 0 0\n",
			want: 30 * time.Millisecond,
		},
		{name: "cut short", text: "4711 (lqproxy) S 1 4711\n", wantErr: true},
		{name: "no number", text: "4711 (lqproxy) S 1 4711 4711 0 -1 4194560 2059 0 0 0 x 45 0\n", wantErr: true},
		{name: "empty", wantErr: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseStat(test.text)
			if got != test.want || (err != nil) != test.wantErr {
				t.Errorf("parseStat(%q) = %v, %v, want %v, error %v", test.text, got, err, test.want, test.wantErr)
			}
		})
	}
}

func TestParseStatus(t *testing.T) {
	t.Parallel()
	const text = "Name:\tnginx\nVmHWM:\t   10240 kB\nVmRSS:\t    8192 kB\nThreads:\tmany\n"
	tests := []struct {
		key     string
		want    int64
		wantErr bool
	}{
		{key: "VmHWM", want: 10 << 20},
		{key: "VmRSS", want: 8 << 20},
		{key: "VmSwap", wantErr: true},
		{key: "Threads", wantErr: true},
	}
	for _, test := range tests {
		got, err := parseStatus(text, test.key)
		if got != test.want || (err != nil) != test.wantErr {
			t.Errorf("parseStatus(%s) = %v, %v, want %v, error %v", test.key, got, err, test.want, test.wantErr)
		}
	}
}

func TestParseCPUs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		list    string
		want    []int
		wantErr bool
	}{
		{list: "0", want: []int{0}},
		{list: "0-3,8", want: []int{0, 1, 2, 3, 8}},
		{list: "", wantErr: true},
		{list: "0-", wantErr: true},
	}
	for _, test := range tests {
		got, err := parseCPUs(test.list)
		if diff := cmp.Diff(test.want, got); diff != "" || (err != nil) != test.wantErr {
			t.Errorf("parseCPUs(%q), error %v, want error %v (-want +got):\n%s", test.list, err, test.wantErr, diff)
		}
	}
}

func TestParseLoad(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, requests, status string
		want                   load
		wantErr                bool
	}{
		{
			name:     "all answered",
			requests: "requests: 12032 total, 12032 started, 12032 done, 12032 succeeded, 0 failed, 0 errored, 0 timeout",
			status:   "status codes: 12032 2xx, 0 3xx, 0 4xx, 0 5xx",
			want:     load{answered: 12032, rate: 4010.67},
		},
		{
			name:     "some refused",
			requests: "requests: 100 total, 100 started, 100 done, 90 succeeded, 10 failed, 0 errored, 0 timeout",
			status:   "status codes: 90 2xx, 0 3xx, 4 4xx, 6 5xx",
			want:     load{answered: 90, failed: 10, rate: 4010.67},
		},
		{
			name:     "some cut off",
			requests: "requests: 100 total, 100 started, 90 done, 90 succeeded, 10 failed, 10 errored, 0 timeout",
			status:   "status codes: 90 2xx, 0 3xx, 0 4xx, 0 5xx",
			want:     load{answered: 90, failed: 10, rate: 4010.67},
		},
		{name: "no status line", requests: "requests: 1 total, 1 started, 1 done, 1 succeeded, 0 failed, 0 errored, 0 timeout", wantErr: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text := "starting benchmark...\n\nfinished in 3.00s, 4010.67 req/s, 595.33KB/s\n" + test.requests + "\n" + test.status + "\n"
			got, err := parseLoad(text)
			if got != test.want || (err != nil) != test.wantErr {
				t.Errorf("parseLoad(%q) = %+v, %v, want %+v, error %v", text, got, err, test.want, test.wantErr)
			}
		})
	}
}

func TestParseLatencies(t *testing.T) {
	t.Parallel()
	const log = "1000000\t200\t900\n" + // while settling
		"1600000\t200\t300\n" +
		"1600100\t-1\t7\n" +
		"1600200\t502\t8\n" +
		"1700000\t200\t100\n"
	got, err := parseLatencies(strings.NewReader(log))
	if diff := cmp.Diff([]time.Duration{100 * time.Microsecond, 300 * time.Microsecond}, got); diff != "" || err != nil {
		t.Errorf("parseLatencies, error %v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{"1000000\t200\n", "x\t200\t1\n", "\n"} {
		if got, err := parseLatencies(strings.NewReader(bad)); err == nil {
			t.Errorf("parseLatencies(%q) = %v, want an error", bad, got)
		}
	}
}

func TestMedianAndQuantile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{7}, 7},
		{[]float64{3, 1, 2}, 2},
		{[]float64{4, 1, 3, 2}, 2.5},
	} {
		if got := median(test.values); got != test.want {
			t.Errorf("median(%v) = %v, want %v", test.values, got, test.want)
		}
	}
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i)
	}
	if got := quantile(hundred, 0.99); got != 99 {
		t.Errorf("quantile(0..99, 0.99) = %d, want 99", got)
	}
	if got := quantile(nil, 0.99); got != 0 {
		t.Errorf("quantile(nil, 0.99) = %d, want 0", got)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	tab := table{head: []string{"medians", "lqproxy", "nginx"}, rows: [][]string{{"CPU, us", "31.2", "41.0"}, {"a|b", "-", "1"}}}
	tests := []struct {
		name  string
		print func(table, io.Writer) error
		want  string
	}{
		{"text", table.text, "" +
			"medians  lqproxy  nginx\n" +
			"-----------------------\n" +
			"CPU, us     31.2   41.0\n" +
			"a|b            -      1\n"},
		{"markdown", table.markdown, "" +
			"| medians | lqproxy | nginx |\n" +
			"|---|---:|---:|\n" +
			"| CPU, us | 31.2 | 41.0 |\n" +
			"| a\\|b | - | 1 |\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			if err := test.print(tab, &out); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

// allMeasured is a run in which every figure is large.
func allMeasured() results {
	r := results{records: map[string]record{}, offered: 12345, spread: 12345}
	for _, p := range programs {
		r.records[p.name] = record{}
		for _, f := range figureRows(options{plan: fullPlan()}, r) {
			r.records[p.name].add(f.metric, 9999*f.unit)
		}
	}
	return r
}

func TestReportFitsEightyColumns(t *testing.T) {
	t.Parallel()
	m := describeMachine(t.Context())
	for _, r := range []results{allMeasured(), {}} {
		var out strings.Builder
		if err := report(&out, m, options{plan: fullPlan()}, r); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if len(line) > 81 && !strings.HasPrefix(line, "machine") { // a processor's name may be long
				t.Errorf("a line of the report has %d columns: %s", len(line)-1, line)
			}
		}
	}
}

func TestComparisonJudgesByTheTarget(t *testing.T) {
	t.Parallel()
	r := results{records: map[string]record{
		lqproxy.name:    {cpuPerExchange: {30, 45, 31, 99}, idleMemory: {5 * kib}},
		tunedNginx.name: {cpuPerExchange: {40, 40, 62}},
	}}
	got := comparison(options{plan: fullPlan()}, r)
	want := map[string][]string{
		"CPU per exchange / nginx tuned": {"0.75", "<= 0.9 then 0.75", "met"},
		"CPU per exchange / HAProxy":     {"-", "<= 0.85 then 0.75", ""},
		"idle connection, KiB":           {"5.00", "<= 4", "missed"},
	}
	for _, row := range got.rows {
		if cells, ok := want[row[0]]; ok {
			if diff := cmp.Diff(cells, row[1:]); diff != "" {
				t.Errorf("row %q (-want +got):\n%s", row[0], diff)
			}
			delete(want, row[0])
		}
	}
	if len(want) > 0 {
		t.Errorf("rows are missing: %v", want)
	}
}

func TestConfigurationsAreFilled(t *testing.T) {
	t.Parallel()
	for _, p := range append([]program{fastUpstream}, programs...) {
		s := setting{Dir: t.TempDir(), Address: "127.0.0.1:1", Admin: "127.0.0.1:2", Upstream: "127.0.0.1:3", Connections: 4, Envelope: "five"}
		path, err := p.write(s)
		if err != nil {
			t.Errorf("write(%s): %v", p.name, err)
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Dir(path) != s.Dir || !bytes.Contains(text, []byte(s.Address)) || bytes.Contains(text, []byte("{{")) {
			t.Errorf("write(%s) wrote %s:\n%s", p.name, path, text)
		}
	}
}

func TestBodiesHaveTheirSize(t *testing.T) {
	t.Parallel()
	if got := len(envelope()); got != answerSize {
		t.Errorf("len(envelope()) = %d, want %d", got, answerSize)
	}
	const size = 1<<20 + 7
	if n, err := io.Copy(io.Discard, io.LimitReader(repeated(envelope()), size)); n != size || err != nil {
		t.Errorf("reading repeated = %d, %v, want %d", n, err, size)
	}
}
