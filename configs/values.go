package configs

import (
	"crypto/tls"
	"fmt"
	"math"
	"net/mail"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/lqproxy/lqproxy/proxy/leqi"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// Sizes.
const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
	tib = 1 << 40
)

func same(s string) string { return s }

// oneOf is one of a few words.
func oneOf[T ~string](words ...T) codec[T] {
	return codec[T]{
		parse: func(s string) (T, *Mistake) {
			if slices.Contains(words, T(s)) {
				return T(s), nil
			}
			return "", notAmong(s, words)
		},
		format: func(t T) string { return string(t) },
	}
}

// notAmong returns the mistake of s when it is none of words.
func notAmong[T ~string](s string, words []T) *Mistake {
	m := &Mistake{Kind: UnknownValue}
	for _, w := range words {
		m.Allowed = append(m.Allowed, strconv.Quote(string(w)))
	}
	if near, ok := nearest(s, words); ok {
		m.Kind, m.Proposal = MisspeltValue, strconv.Quote(string(near))
	}
	return m
}

// duration is a time between least and most.
func duration(least, most time.Duration) codec[time.Duration] {
	return codec[time.Duration]{
		parse: func(s string) (time.Duration, *Mistake) {
			d, m := parseDuration(s)
			if m == nil && (d < least || d > most) {
				m = &Mistake{Kind: OutOfRange, Least: formatDuration(least), Most: formatDuration(most)}
			}
			return d, m
		},
		format: formatDuration,
		unit:   "s",
	}
}

// orZero is a duration as c reads it, or none: "0s".
func orZero(c codec[time.Duration]) codec[time.Duration] {
	bounded := c.parse
	c.parse = func(s string) (time.Duration, *Mistake) {
		if d, m := parseDuration(s); m == nil && d == 0 {
			return 0, nil
		}
		return bounded(s)
	}
	return c
}

func parseDuration(s string) (time.Duration, *Mistake) {
	if isDigits(s) {
		return 0, &Mistake{Kind: NoTimeUnit, Proposal: strconv.Quote(s + "s")}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, &Mistake{Kind: NotDuration, Proposal: `"30s", "5m", "24h"`}
	}
	return d, nil
}

// formatDuration writes d in the largest unit that it is whole in, as people
// do: 130s rather than 2m10s.
func formatDuration(d time.Duration) string {
	switch {
	case d != 0 && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d != 0 && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("%ds", d/time.Second)
	default:
		return d.String()
	}
}

// size is a number of bytes between least and most.
func size[T int | int64](least, most T) codec[T] {
	return codec[T]{
		parse: func(s string) (T, *Mistake) {
			n, m := parseSize(s)
			if m == nil && (n < int64(least) || n > int64(most)) {
				m = &Mistake{Kind: OutOfRange, Least: formatSize(least), Most: formatSize(most)}
			}
			return T(n), m
		},
		format: formatSize[T],
		unit:   "B",
	}
}

// sizes are the units of a size, the largest first.
var sizes = []struct {
	name  string
	bytes int64
}{{"TiB", tib}, {"GiB", gib}, {"MiB", mib}, {"KiB", kib}, {"B", 1}}

func parseSize(s string) (int64, *Mistake) {
	bad := &Mistake{Kind: NotSize, Proposal: `"32KiB", "8MiB", "1GiB"`}
	unit := strings.TrimLeft(s, "0123456789")
	digits := strings.TrimSuffix(s, unit)
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, bad
	}
	if unit == "" {
		return 0, &Mistake{Kind: NoSizeUnit, Proposal: strconv.Quote(formatSize(n))}
	}
	meant, bytes := sizeUnit(unit)
	switch {
	case bytes == 0 || n > math.MaxInt64/bytes:
		return 0, bad
	case meant != unit:
		return 0, &Mistake{Kind: OtherSizeUnit, Proposal: strconv.Quote(digits + meant)}
	}
	return n * bytes, nil
}

// sizeUnit returns the unit that s is, or was meant to be ("MB", "m", " MiB"),
// and how many bytes it has: 0 if it is none.
func sizeUnit(s string) (string, int64) {
	letters := strings.ToUpper(strings.TrimSpace(s))
	for _, u := range sizes {
		initial := u.name[:1]
		if letters == initial || letters == initial+"B" || letters == strings.ToUpper(u.name) {
			return u.name, u.bytes
		}
	}
	return "", 0
}

func formatSize[T int | int64](n T) string {
	for _, u := range sizes {
		if n != 0 && int64(n)%u.bytes == 0 {
			return strconv.FormatInt(int64(n)/u.bytes, 10) + u.name
		}
	}
	return "0B"
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// filePath is a whole path, one of other, or nothing where that has a meaning.
func filePath(other ...string) codec[string] {
	return codec[string]{
		parse: func(s string) (string, *Mistake) {
			switch {
			case slices.Contains(other, s):
				return s, nil
			case s == "":
				return "", &Mistake{Kind: Empty}
			case !path.IsAbs(s) || strings.ContainsRune(s, 0):
				return "", &Mistake{Kind: NotAbsolute}
			}
			return path.Clean(s), nil
		},
		format: same,
	}
}

// listenAddress is an IP address or nothing, and a port.
func listenAddress() codec[string] {
	return codec[string]{
		parse: func(s string) (string, *Mistake) {
			bad := &Mistake{Kind: NotListen, Proposal: `":8864", "10.0.0.5:8864"`}
			host, port, ok := hostPort(s)
			if !ok {
				return "", bad
			}
			if host == "" {
				return joinHostPort("", port), nil
			}
			addr, err := netip.ParseAddr(host)
			if err != nil {
				return "", bad
			}
			return joinHostPort(addr.Unmap().String(), port), nil
		},
		format: same,
	}
}

// optional is a value as c reads it, or nothing, which is the zero T.
func optional[T comparable](c codec[T]) codec[T] {
	var none T
	return codec[T]{
		parse: func(s string) (T, *Mistake) {
			if s == "" {
				return none, nil
			}
			return c.parse(s)
		},
		format: func(t T) string {
			if t == none {
				return ""
			}
			return c.format(t)
		},
	}
}

// address is the IP address of one host.
func address() codec[netip.Addr] {
	return codec[netip.Addr]{
		parse: func(s string) (netip.Addr, *Mistake) {
			a, err := netip.ParseAddr(s)
			if err != nil || a.IsUnspecified() || a.IsMulticast() {
				return netip.Addr{}, &Mistake{Kind: NotAddress}
			}
			return a.Unmap(), nil
		},
		format: netip.Addr.String,
	}
}

// hostName is a DNS name or an IP address.
func hostName() codec[string] {
	return codec[string]{
		parse: func(s string) (string, *Mistake) {
			if !isHost(s) {
				return "", &Mistake{Kind: NotHost}
			}
			return s, nil
		},
		format: same,
	}
}

var dnsName = regexp.MustCompile(`^([0-9A-Za-z_]([0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?\.)*[0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?$`)

// isHost reports whether s is an IP address or a DNS name. Digits and dots
// alone are meant as an address.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return len(s) <= 253 && dnsName.MatchString(s) && strings.Trim(s, "0123456789.") != ""
}

// tlsVersions are the words of TLS versions.
var tlsVersions = []string{"1.0", "1.1", "1.2", "1.3"}

// tlsVersion is a version as crypto/tls numbers it.
func tlsVersion() codec[uint16] {
	return codec[uint16]{
		parse: func(s string) (uint16, *Mistake) {
			i := slices.Index(tlsVersions, s)
			if i < 0 {
				return 0, notAmong(s, tlsVersions)
			}
			return tls.VersionTLS10 + uint16(i), nil
		},
		format: func(v uint16) string { return tlsVersions[v-tls.VersionTLS10] },
	}
}

// pin is the hash of a public key.
func pin() codec[upstream.Pin] {
	return codec[upstream.Pin]{
		parse: func(s string) (upstream.Pin, *Mistake) {
			p, err := upstream.ParsePin(s)
			if err != nil {
				return p, &Mistake{Kind: NotPin, Proposal: `"sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="`}
			}
			return p, nil
		},
		format: upstream.Pin.String,
	}
}

// syslogAddress is udp, tcp or tls://host:port.
func syslogAddress() codec[string] {
	return codec[string]{
		parse: func(s string) (string, *Mistake) {
			bad := &Mistake{Kind: NotSyslog, Proposal: `"udp://10.0.0.9:514", "tls://log.example.cn:6514"`}
			u, err := url.Parse(s)
			if err != nil || !slices.Contains([]string{"udp", "tcp", "tls"}, u.Scheme) {
				return "", bad
			}
			host, port, ok := hostPort(u.Host)
			if whole := u.Scheme + "://" + joinHostPort(host, port); !ok || !isHost(host) || whole != s {
				return "", bad
			}
			return s, nil
		},
		format: same,
	}
}

// webURL is the URL of something that is asked by HTTP, without a name and a
// password: it is shown to people.
func webURL() codec[string] {
	return codec[string]{
		parse: func(s string) (string, *Mistake) {
			u, err := url.Parse(s)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" || !isHost(u.Hostname()) || u.User != nil {
				return "", &Mistake{Kind: NotURL, Proposal: `"https://ip.example.cn/"`}
			}
			return s, nil
		},
		format: same,
	}
}

// directory is the URL where an ACME authority says what it offers. It is
// asked with TLS alone: who answers decides what the listener shows.
func directory() codec[string] {
	return codec[string]{
		parse: func(s string) (string, *Mistake) {
			u, err := url.Parse(s)
			if err != nil || u.Scheme != "https" || !isHost(u.Hostname()) || u.User != nil || u.Fragment != "" {
				return "", &Mistake{Kind: NotDirectory, Proposal: `"https://ca.example.cn/acme/directory"`}
			}
			return s, nil
		},
		format: same,
	}
}

// mailbox is an email address and nothing around it.
func mailbox() codec[string] {
	return codec[string]{
		parse: func(s string) (string, *Mistake) {
			a, err := mail.ParseAddress(s)
			if err != nil || a.Address != s {
				return "", &Mistake{Kind: NotMailbox, Proposal: `"ops@example.cn"`}
			}
			return s, nil
		},
		format: same,
	}
}

// provable is a host for which an authority can ask for a proof by HTTP.
func provable() codec[string] {
	return codec[string]{
		parse: func(s string) (string, *Mistake) {
			switch {
			case strings.HasPrefix(s, "*."):
				return "", &Mistake{Kind: Wildcard}
			case !isHost(s):
				return "", &Mistake{Kind: NotHost}
			}
			if addr, err := netip.ParseAddr(s); err == nil {
				return addr.Unmap().WithZone("").String(), nil
			}
			return strings.ToLower(s), nil
		},
		format: same,
	}
}

var unitID = regexp.MustCompile(`^[0-9A-Za-z]{1,64}$`)

// unit is the id of an access unit. Leqi's have 20 characters; other lengths
// are not our business.
func unit() codec[string] {
	return codec[string]{
		parse: func(s string) (string, *Mistake) {
			if !unitID.MatchString(s) {
				return "", &Mistake{Kind: NotUnit}
			}
			return s, nil
		},
		format: same,
	}
}

// longestLabel bounds the name of a unit, in characters.
const longestLabel = 64

// label is the name of a unit in metrics and pages, or nothing.
func label() codec[string] {
	return codec[string]{
		parse: func(s string) (string, *Mistake) {
			notPrint := func(r rune) bool { return !unicode.IsPrint(r) }
			if len([]rune(s)) > longestLabel || strings.ContainsFunc(s, notPrint) {
				return "", &Mistake{Kind: NotName, Most: strconv.Itoa(longestLabel)}
			}
			return s, nil
		},
		format: same,
	}
}

// pathPrefix is what the paths of requests must begin with.
func pathPrefix() codec[string] {
	return codec[string]{
		parse: func(s string) (string, *Mistake) {
			odd := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`?#%\`, r) }
			dots := slices.ContainsFunc(strings.Split(s, "/"), func(seg string) bool { return seg == "." || seg == ".." })
			if !strings.HasPrefix(s, "/") || strings.ContainsFunc(s, odd) || dots {
				return "", &Mistake{Kind: NotPath}
			}
			return s, nil
		},
		format: same,
	}
}

var fieldName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$") // RFC 9110, section 5.6.2

// droppable is the name of a header field that Leqi can do without.
func droppable() codec[string] {
	needed := append([]string{"Host", "Content-Length", "Transfer-Encoding", "Content-Type", "Content-Encoding"}, leqi.Fields...)
	return codec[string]{
		parse: func(s string) (string, *Mistake) {
			if !fieldName.MatchString(s) {
				return "", &Mistake{Kind: NotField}
			}
			if slices.ContainsFunc(needed, func(n string) bool { return strings.EqualFold(n, s) }) {
				return "", &Mistake{Kind: NotDroppable}
			}
			return s, nil
		},
		format: same,
	}
}
