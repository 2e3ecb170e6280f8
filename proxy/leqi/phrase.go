package leqi

import (
	"bytes"
	"unicode/utf8"
)

// A phrase is a text that Leqi answers with, in the encodings it may come in.
type phrase struct{ utf8, gbk string }

var (
	busyPhrase    = phrase{"当前访问请求较多", "\xb5\xb1\xc7\xb0\xb7\xc3\xce\xca\xc7\xeb\xc7\xf3\xbd\xcf\xb6\xe0"}
	withinPhrase  = phrase{"控制在", "\xbf\xd8\xd6\xc6\xd4\xda"} // and then the number
	badJSONPhrase = phrase{"json数据格式不正确", "json\xca\xfd\xbe\xdd\xb8\xf1\xca\xbd\xb2\xbb\xd5\xfd\xc8\xb7"}
)

// cut returns what follows p in text, whose escapes are decoded.
func (p phrase) cut(text []byte) (rest []byte, ok bool) {
	if _, rest, ok = bytes.Cut(text, []byte(p.utf8)); ok {
		return rest, true
	}
	_, rest, ok = bytes.Cut(text, []byte(p.gbk))
	return rest, ok
}

// in reports whether p is in text, an end of an answer.
func (p phrase) in(text []byte) bool {
	var scratch [2 * endSize]byte
	_, ok := p.cut(unescape(scratch[:0], text))
	return ok
}

// phraseCode returns the code that a phrase in text stands for, or "".
func phraseCode(text []byte) string {
	switch {
	case busyPhrase.in(text):
		return CodeFlowLimited
	case badJSONPhrase.in(text):
		return CodeBadJSON
	case bytes.Contains(text, []byte(CodeResourceNotFound)):
		return CodeResourceNotFound
	case bytes.HasPrefix(bytes.TrimSpace(text), []byte("403:Forbidden")):
		return CodeForbidden
	default:
		return ""
	}
}

// FlowLimit reads the number out of "当前访问请求较多，请5分钟后重试，将访问并发控制在x以内":
// how many calls of the ability Leqi allows at once. The text is UTF-8, GBK, or
// JSON with escapes; ok is false if it does not say so, or names no number above 0.
// A whole answer is better asked through [Sample.FlowLimit].
func FlowLimit(text []byte) (concurrency int, ok bool) {
	text = unescape(make([]byte, 0, len(text)), text)
	if text, ok = busyPhrase.cut(text); !ok {
		return 0, false
	}
	if text, ok = withinPhrase.cut(text); !ok {
		return 0, false
	}
	return leadingNumber(text)
}

// leadingNumber reads the digits that text begins with, full-width ones too.
func leadingNumber(text []byte) (n int, ok bool) {
	const most = 1_000_000 // beyond it, it is no concurrency
	for text = bytes.TrimLeft(text, " "); ; {
		r, size := utf8.DecodeRune(text)
		if '０' <= r && r <= '９' {
			r += '0' - '０'
		}
		if r < '0' || '9' < r || n > most {
			return n, 0 < n && n <= most
		}
		n, text = n*10+int(r-'0'), text[size:]
	}
}

// unescape appends text to dst, with every \uXXXX in it, whatever the number of
// its backslashes, as UTF-8. The result is never longer than text.
func unescape(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return append(dst, text...)
		}
		dst, text = append(dst, text[:i]...), text[i:]
		n := 1
		for n < len(text) && text[n] == '\\' {
			n++
		}
		if r, ok := codePoint(text[n:]); ok {
			dst, text = utf8.AppendRune(dst, r), text[n+5:]
		} else {
			dst, text = append(dst, text[:n]...), text[n:]
		}
	}
}

// codePoint reads uXXXX.
func codePoint(text []byte) (r rune, ok bool) {
	if len(text) < 5 || text[0] != 'u' {
		return 0, false
	}
	for _, c := range text[1:5] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
