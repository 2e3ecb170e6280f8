package proxy

import (
	"bytes"
	"encoding/hex"
	"slices"
	"unicode"

	"github.com/lqproxy/lqproxy/proxy/h1"
	"github.com/lqproxy/lqproxy/proxy/leqi"
)

// maxEscapes is how many times over a path may be percent-encoded ("%252f" is
// twice); what is encoded deeper is refused unread.
const maxEscapes = 4

// gatePath reports whether path may pass: it begins with one of prefixes, and
// no reading of it, decoded or not, has a segment "." or ".." that could lead
// out again. Nothing is rewritten: what is not certain is refused.
func gatePath(path []byte, prefixes []string) bool {
	begins := slices.ContainsFunc(prefixes, func(p string) bool {
		return len(path) >= len(p) && string(path[:len(p)]) == p
	})
	return begins && !leadsAway(path)
}

// leadsAway reports whether path, or what it decodes to, has a dot segment or
// bytes that servers are known to disagree about.
func leadsAway(path []byte) bool {
	for range maxEscapes {
		if bytes.IndexByte(path, '.') >= 0 && hasDotSegment(path) || hasOverlong(path) {
			return true
		}
		if bytes.IndexByte(path, '%') < 0 {
			return false
		}
		decoded, ok := unescape(path)
		if !ok || bytes.ContainsFunc(decoded, unicode.IsControl) {
			return true // a broken escape, a cut at NUL, a line end in somebody's log
		}
		path = decoded
	}
	return true
}

// hasOverlong reports whether path has UTF-8 that spends more bytes on a
// character than it needs (RFC 3629 section 3): lenient decoders read dots and
// slashes from it.
func hasOverlong(path []byte) bool {
	for i, c := range path {
		if c < 0xC0 {
			continue
		}
		next := byte(0xFF)
		if i+1 < len(path) {
			next = path[i+1]
		}
		switch {
		case c == 0xC0, c == 0xC1,
			c == 0xE0 && next&0xE0 == 0x80,
			c == 0xF0 && next&0xF0 == 0x80,
			c == 0xF8 && next&0xF8 == 0x80,
			c == 0xFC && next&0xFC == 0x80:
			return true
		}
	}
	return false
}

// hasDotSegment reports whether a segment of path is "." or "..". A segment
// ends at "/", at "\", which some servers take for it, and at ";", which begins
// a parameter that others cut off.
func hasDotSegment(path []byte) bool {
	for len(path) > 0 {
		n := bytes.IndexAny(path, `/\;`)
		if n < 0 {
			n = len(path)
		}
		if s := string(path[:n]); s == "." || s == ".." {
			return true
		}
		path = path[min(n+1, len(path)):]
	}
	return false
}

// unescape decodes path once (RFC 3986 section 2.1), and reports whether all
// of its escapes are well formed.
func unescape(path []byte) ([]byte, bool) {
	out := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			out = append(out, path[i])
			continue
		}
		var c [1]byte
		if i+3 > len(path) {
			return nil, false
		}
		if _, err := hex.Decode(c[:], path[i+1:i+3]); err != nil {
			return nil, false
		}
		out = append(out, c[0])
		i += 2
	}
	return out, true
}

// gateUnit reports whether the request names exactly one access unit, and one
// of those allowed.
func gateUnit(q *h1.Request, allowed []string) bool {
	if len(allowed) == 0 {
		return true
	}
	unit, count := q.Value(leqi.FieldUnit)
	return count == 1 && slices.Contains(allowed, string(unit))
}
