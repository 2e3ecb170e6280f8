package configs

import "testing"

func TestNearest(t *testing.T) {
	t.Parallel()
	words := []string{"sources", "presets", "units", "paths", "header_timeout", "header_size"}
	tests := []struct {
		s, want string
	}{
		{"soruces", "sources"},
		{"source", "sources"},
		{"Sources", "sources"},
		{"path", "paths"},
		{"pahts", "paths"},
		{"headertimeout", "header_timeout"},
		{"header_timeouts", "header_timeout"},
		{"header_tmot", "header_timeout"},
		{"xy", ""},
		{"", ""},
		{"colour", ""},
		{"acme", ""},
	}
	for _, tt := range tests {
		if got, _ := nearest(tt.s, words); got != tt.want {
			t.Errorf("nearest(%q) = %q, want %q", tt.s, got, tt.want)
		}
	}
}

func TestSlips(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"abc", "abc", 0},
		{"abc", "", 3},
		{"", "abc", 3},
		{"abc", "acb", 1},
		{"abc", "abd", 1},
		{"abc", "abcd", 1},
		{"abc", "ac", 1},
		{"tsl", "tls", 1},
		{"kitten", "sitting", 3},
	}
	for _, tt := range tests {
		if got := slips(tt.a, tt.b); got != tt.want {
			t.Errorf("slips(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
