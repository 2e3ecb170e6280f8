package configs

import (
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	t.Parallel()
	tests := []struct {
		s        string
		want     int64
		kind     Kind
		proposal string
	}{
		{"0B", 0, "", ""},
		{"512B", 512, "", ""},
		{"32KiB", 32 << 10, "", ""},
		{"8MiB", 8 << 20, "", ""},
		{"1GiB", 1 << 30, "", ""},
		{"2TiB", 2 << 40, "", ""},
		{"8MB", 0, OtherSizeUnit, `"8MiB"`},
		{"8mib", 0, OtherSizeUnit, `"8MiB"`},
		{"8M", 0, OtherSizeUnit, `"8MiB"`},
		{"8 MiB", 0, OtherSizeUnit, `"8MiB"`},
		{"1k", 0, OtherSizeUnit, `"1KiB"`},
		{"8", 0, NoSizeUnit, `"8B"`},
		{"32768", 0, NoSizeUnit, `"32KiB"`},
		{"", 0, NotSize, ""},
		{"MiB", 0, NotSize, ""},
		{"-1MiB", 0, NotSize, ""},
		{"1.5MiB", 0, NotSize, ""},
		{"1MiBs", 0, NotSize, ""},
		{"9223372036854775807B", 1<<63 - 1, "", ""},
		{"9223372036854775808B", 0, NotSize, ""},
		{"8388608TiB", 0, NotSize, ""},
	}
	for _, tt := range tests {
		got, m := parseSize(tt.s)
		if m == nil {
			m = &Mistake{}
		}
		if got != tt.want || m.Kind != tt.kind || tt.proposal != "" && m.Proposal != tt.proposal {
			t.Errorf("parseSize(%q) = %d, %q %s, want %d, %q %s", tt.s, got, m.Kind, m.Proposal, tt.want, tt.kind, tt.proposal)
		}
	}
}

func TestFormatSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0B", 1: "1B", 1023: "1023B", 1 << 10: "1KiB", 1536: "1536B", 256 << 20: "256MiB", 1 << 50: "1024TiB",
	} {
		if got := formatSize(n); got != want {
			t.Errorf("formatSize(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                       "0s",
		130 * time.Second:       "130s",
		120 * time.Second:       "2m",
		24 * time.Hour:          "24h",
		90 * time.Minute:        "90m",
		1500 * time.Millisecond: "1.5s",
		100 * time.Millisecond:  "100ms",
	} {
		got := formatDuration(d)
		if again, err := time.ParseDuration(got); got != want || err != nil || again != d {
			t.Errorf("formatDuration(%v) = %q, which is %v again (%v); want %q", d, got, again, err, want)
		}
	}
}

func TestIsHost(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"lqpt.chinatax.gov.cn": true,
		"localhost":            true,
		"10.0.0.9":             true,
		"2001:db8::9":          true,
		"my_host.example":      true,
		"":                     false,
		"10.0.0":               false,
		"10.0.0.300":           false,
		"-a.example":           false,
		"a..example":           false,
		"a.example.":           false,
		"a b":                  false,
		"税务.example":           false,
	} {
		if got := isHost(s); got != want {
			t.Errorf("isHost(%q) = %v, want %v", s, got, want)
		}
	}
}

func TestOverlap(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want bool
	}{
		{":8864", ":8864", true},
		{":8864", "127.0.0.1:8864", true},
		{"127.0.0.1:8864", "0.0.0.0:8864", true},
		{"[::]:8864", "10.0.0.5:8864", true},
		{"10.0.0.5:8864", "10.0.0.5:8864", true},
		{"10.0.0.5:8864", "10.0.0.6:8864", false},
		{":8864", ":9864", false},
		{"[::1]:8864", "127.0.0.1:8864", false},
	}
	for _, tt := range tests {
		if got := overlap(tt.a, tt.b); got != tt.want {
			t.Errorf("overlap(%q, %q) = %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}
