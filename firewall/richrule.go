package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A richRule is a rich rule of firewalld, part by part in its order:
// rule family="ipv4" source address="1.2.3.4" port port="8864" protocol="tcp" accept.
type richRule []richPart

// A richPart is a word of a rich rule with its attributes.
type richPart struct {
	word       string
	inverted   bool // NOT, invert="True"
	attributes map[string]string
}

// formatRich returns the rule of the deployment guide, as firewalld writes it.
func formatRich(a Admission) string {
	return fmt.Sprintf("rule family=%q source address=%q port port=%q protocol=\"tcp\" accept",
		strings.ToLower(familyOf(a.Source).String()), sourceText(a.Source), portText(a.Port))
}

// parseRich reads a rule. What it does not understand makes a part of its own.
func parseRich(text string) richRule {
	var r richRule
	for _, token := range richTokens(text) {
		key, value, isAttribute := strings.Cut(token, "=")
		switch {
		case !isAttribute && token == "NOT" && len(r) > 0:
			r[len(r)-1].inverted = true
		case !isAttribute || len(r) == 0:
			r = append(r, richPart{word: token, attributes: map[string]string{}})
		case key == "invert":
			r[len(r)-1].inverted = !slices.Contains([]string{"no", "false"}, strings.ToLower(value))
		default:
			r[len(r)-1].attributes[key] = value
		}
	}
	return r
}

// richTokens splits text at blanks outside quotes, and drops the quotes.
func richTokens(text string) []string {
	var tokens []string
	var token strings.Builder
	quote := rune(0)
	end := func() {
		if token.Len() > 0 {
			tokens = append(tokens, token.String())
			token.Reset()
		}
	}
	for _, c := range text {
		switch {
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote && quote != 0:
			quote = 0
		case quote == 0 && c == ' ':
			end()
		default:
			token.WriteRune(c)
		}
	}
	end()
	return tokens
}

// part returns the part of that word.
func (r richRule) part(word string) (p richPart, ok bool) {
	i := slices.IndexFunc(r, func(p richPart) bool { return p.word == word })
	if i < 0 {
		return p, false
	}
	return r[i], true
}

func (r richRule) has(word string) bool {
	_, ok := r.part(word)
	return ok
}

// admission returns what r admits, if it is of exactly our shape: a source, a
// TCP port, accept, and nothing more.
func (r richRule) admission() (a Admission, ok bool) {
	if len(r) != 4 || r[0].word != "rule" || r[1].word != "source" || r[2].word != "port" || r[3].word != "accept" {
		return a, false
	}
	for i, keys := range []int{1, 1, 2, 0} {
		if r[i].inverted || len(r[i].attributes) != keys {
			return a, false
		}
	}
	source, ok := r.source()
	port, err := strconv.ParseUint(r[2].attributes["port"], 10, 16)
	family := strings.ToLower(familyOf(source).String())
	if !ok || err != nil || r[2].attributes["protocol"] != "tcp" || r[0].attributes["family"] != family {
		return a, false
	}
	return Admission{source, uint16(port)}, true
}

// source returns the prefix that r is for; not ok if that is everyone, or not
// known by its address.
func (r richRule) source() (p netip.Prefix, ok bool) {
	part, _ := r.part("source")
	if part.inverted {
		return p, false
	}
	return parsePrefix(part.attributes["address"])
}

// parsePrefix reads an address, a prefix, or an IPv4 address with a mask.
func parsePrefix(text string) (p netip.Prefix, ok bool) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	address, mask, _ := strings.Cut(text, "/")
	if m, err := netip.ParseAddr(mask); err == nil && m.Is4() {
		text = address + "/" + strconv.Itoa(maskBits(m))
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err == nil
}

func maskBits(mask netip.Addr) int {
	n := 0
	for _, b := range mask.As4() {
		for ; b&0x80 != 0; b <<= 1 {
			n++
		}
	}
	return n
}

// accepts reports whether r lets packets in, if it matches them.
func (r richRule) accepts() bool { return r.has("accept") }
