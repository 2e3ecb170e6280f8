package logging

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// encodeLine returns what the encoder of the access log makes of fields, read
// back.
func encodeLine(t *testing.T, e zapcore.Encoder, fields ...zap.Field) map[string]any {
	t.Helper()
	buf, err := e.EncodeEntry(zapcore.Entry{Time: time.Unix(1, 0)}, fields)
	if err != nil {
		t.Fatalf("EncodeEntry: %v", err)
	}
	defer buf.Free()
	var got map[string]any
	if err := json.Unmarshal(buf.Bytes(), &got); err != nil {
		t.Fatalf("the line %q is no JSON: %v", buf.String(), err)
	}
	delete(got, "time")
	return got
}

func TestLineReadsBack(t *testing.T) {
	t.Parallel()
	got := encodeLine(t, accessEncoder(),
		zap.String("text", `a "quoted" \ value`+"\x00\n\x1f\x7f"),
		zap.String("chinese", "发票"),
		zap.ByteString("bytes", []byte("a\xff\xc3b\xe5\x8f")),
		zap.Int64("least", math.MinInt64/1024), zap.Int("int", -1), zap.Uint16("port", 65535),
		zap.Bool("yes", true), zap.Bool("no", false),
		zap.Float64("float", 1.5), zap.Strings("list", []string{"a", "b"}), zap.Duration("took", time.Second),
	)
	want := map[string]any{
		"text": `a "quoted" \ value` + "\x00\n\x1f\x7f", "chinese": "发票", "bytes": "a\ufffd\ufffdb\ufffd\ufffd",
		"least": float64(math.MinInt64 / 1024), "int": -1.0, "port": 65535.0, "yes": true, "no": false,
		"float": 1.5, "list": []any{"a", "b"}, "took": 1e6,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestAppendTime(t *testing.T) {
	t.Parallel()
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("", 8*3600), time.FixedZone("", -(3*3600 + 1800))} {
		for _, nanoseconds := range []int64{0, 1e6 - 1, 1e6, 12e6, 999_999_999} {
			when := time.Unix(1_790_000_000, nanoseconds).In(zone)
			if got, want := string(appendTime([]byte("x"), when)), "x"+when.Format(timeLayout); got != want {
				t.Errorf("appendTime(%v) = %s, want %s", when, got, want)
			}
		}
	}
}

// TestLinesDoNotShareFields: what one line collected is not in the next.
func TestLinesDoNotShareFields(t *testing.T) {
	t.Parallel()
	e := accessEncoder()
	for range 100 {
		encodeLine(t, e, zap.Float64("float", 1.5))
		if got := encodeLine(t, e, zap.Int("int", 1)); len(got) != 1 {
			t.Fatalf("line = %v, want one field", got)
		}
	}
}

// TestLineOfAnotherLogger: what With added is in the line, too.
func TestLineOfAnotherLogger(t *testing.T) {
	t.Parallel()
	e := accessEncoder().Clone()
	zap.String("with", "x").AddTo(e)
	want := map[string]any{"with": "x", "int": 1.0}
	if diff := cmp.Diff(want, encodeLine(t, e, zap.Int("int", 1))); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func FuzzAppendQuoted(f *testing.F) {
	for _, seed := range []string{"", "plain", `"\`, "\x00\x1f\x7f\x80\xff", "发票", "\xe5\x8f", "\ufffd\u2028"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted := appendQuoted(nil, s)
		if string(quoted) != string(appendQuoted(nil, []byte(s))) {
			t.Fatalf("appendQuoted(%q) differs between text and bytes", s)
		}
		var got string
		if err := json.Unmarshal(quoted, &got); err != nil {
			t.Fatalf("appendQuoted(%q) = %s, which is no JSON: %v", s, quoted, err)
		}
		if want := string([]rune(s)); got != want {
			t.Errorf("appendQuoted(%q) reads back as %q, want %q", s, got, want)
		}
	})
}
