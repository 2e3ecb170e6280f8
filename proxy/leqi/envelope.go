package leqi

import (
	"bytes"
	"strings"
)

// An answer is {"body":"…","httpStatusCode":"200"}, where the body is JSON again,
// in a string: its quotes are escaped, once for each level that it lies deep.
// Reading does not need the whole of it. A quote with as many backslashes before
// it as the one that ends the word, and a colon after that, is a key on its
// level; a quote within a string has more backslashes than the string itself.

// An envelope is what was found in the ends of an answer.
type envelope struct {
	code   string
	weight weight
	depth  int  // backslashes before the quotes of the key that code was under
	data   bool // there is a Data: an answer to the point, whose text is not ours to search
}

// scan takes up what it finds in text, an end of an answer.
func (e *envelope) scan(text []byte) {
	const none = -1
	errorDepth := none // of an Error whose Code has not come yet
	for i := 0; ; i++ {
		next := bytes.IndexByte(text[i:], '"')
		if next < 0 {
			return
		}
		i += next
		depth := backslashes(text[:i])
		key, value, ok := member(text[i+1:], depth)
		if !ok {
			continue
		}
		switch string(key) {
		case "httpStatusCode":
			e.take(value, depth)
		case "Error":
			if len(value) > 0 && value[0] == '{' {
				errorDepth = depth
			}
		case "Code":
			if depth == errorDepth {
				e.take(value, depth)
				errorDepth = none
			}
		case "Data":
			e.data = true
		}
	}
}

// take keeps the code that value begins with if it tells more than the one
// before, or as much and stands further out.
func (e *envelope) take(value []byte, depth int) {
	text, ok := scalar(value, depth)
	if !ok {
		return
	}
	code, w := classify(text)
	if w > e.weight || w == e.weight && depth < e.depth {
		e.code, e.weight, e.depth = code, w, depth
	}
}

// maxKey is the length of the longest key that is looked for. Behind a quote
// that ends a key there may be kilobytes of base64.
const maxKey = len("httpStatusCode")

// member splits text, which follows a quote with depth backslashes, into a key
// and what follows its colon. It reports false if it is no key.
func member(text []byte, depth int) (key, value []byte, ok bool) {
	n := 0
	for n < min(len(text), maxKey) && isLetter(text[n]) {
		n++
	}
	value, ok = cutQuote(text[n:], depth)
	if !ok {
		return nil, nil, false
	}
	value, ok = bytes.CutPrefix(skipSpace(value), []byte(":"))
	return text[:n], skipSpace(value), ok
}

// scalar returns the string or number that value begins with. It reports false
// for anything else, for an empty string, and for one that is cut off.
func scalar(value []byte, depth int) (_ []byte, ok bool) {
	text, quoted := cutQuote(value, depth)
	if quoted {
		end := bytes.IndexAny(text, `\"`)
		text = bytes.TrimSpace(text[:max(end, 0)])
		return text, len(text) > 0
	}
	n := 0
	for n < len(value) && (value[n] == '-' || '0' <= value[n] && value[n] <= '9') {
		n++
	}
	return value[:n], n > 0 && n < len(value) && strings.IndexByte(", \t\r\n}]\\", value[n]) >= 0
}

// cutQuote removes a quote with exactly depth backslashes from the front of text.
func cutQuote(text []byte, depth int) (rest []byte, ok bool) {
	for n := range depth {
		if n >= len(text) || text[n] != '\\' {
			return nil, false
		}
	}
	if len(text) <= depth || text[depth] != '"' {
		return nil, false
	}
	return text[depth+1:], true
}

// skipSpace removes white space from the front of text, also where it was
// escaped with the string that it stands in.
func skipSpace(text []byte) []byte {
	for len(text) > 0 {
		n := 0
		for n < len(text) && text[n] == '\\' {
			n++
		}
		switch {
		case n == 0 && strings.IndexByte(" \t\r\n", text[0]) >= 0:
			text = text[1:]
		case n > 0 && n < len(text) && strings.IndexByte("trn", text[n]) >= 0:
			text = text[n+1:]
		default:
			return text
		}
	}
	return text
}

// backslashes counts those at the end of text.
func backslashes(text []byte) int {
	n := 0
	for n < len(text) && text[len(text)-1-n] == '\\' {
		n++
	}
	return n
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
