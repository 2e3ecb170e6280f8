package h1

// A Names is an immutable set of field names, compared without case. The zero Names is empty. Safe for concurrent
// use.
type Names struct{ byLength [][]string }

// NewNames returns the set of names.
func NewNames(names ...string) Names {
	var n Names
	for _, name := range names {
		for len(n.byLength) <= len(name) {
			n.byLength = append(n.byLength, nil)
		}
		n.byLength[len(name)] = append(n.byLength[len(name)], name)
	}
	return n
}

// Contains reports whether name is in the set. It does not allocate.
func (n Names) Contains(name []byte) bool {
	if len(name) < len(n.byLength) {
		for _, candidate := range n.byLength[len(name)] {
			if equalFold(name, candidate) {
				return true
			}
		}
	}
	return false
}

// A Kind names the fields that h1 itself must understand; all others are Other.
type Kind uint8

// The kinds of fields. From Connection on they are not passed on.
const (
	Other Kind = iota
	Host
	ContentLength
	TransferEncoding
	Connection
	KeepAlive
	Expect
	Dropped // other hop-by-hop fields, what Connection names, X-Lqproxy-* and repeated lengths of answers
)

// kinds are the fields that are not Other, by the length of their names. RFC 9110 section 7.6.1 says which belong
// to one hop.
var kinds = [...][]struct {
	name string
	kind Kind
}{
	2:  {{"TE", Dropped}},
	4:  {{"Host", Host}},
	6:  {{"Expect", Expect}},
	7:  {{"Upgrade", Dropped}, {"Trailer", Dropped}},
	10: {{"Connection", Connection}, {"Keep-Alive", KeepAlive}},
	14: {{"Content-Length", ContentLength}},
	16: {{"Proxy-Connection", Dropped}},
	17: {{"Transfer-Encoding", TransferEncoding}},
	19: {{"Proxy-Authorization", Dropped}},
}

// kindOf returns the kind of the field called name.
func kindOf(name []byte) Kind {
	if len(name) < len(kinds) {
		for _, k := range kinds[len(name)] {
			if equalFold(name, k.name) {
				return k.kind
			}
		}
	}
	return Other
}

// The classes of bytes, as bits.
const (
	tokenByte  uint8 = 1 << iota // RFC 9110 section 5.6.2
	valueByte                    // of a field value, section 5.5
	targetByte                   // of a request target: anything visible but '#', and raw UTF-8
	hostByte                     // of a registered name, RFC 3986 section 3.2.2, less ',' and '%'
	digitByte
	hexByte
	letterByte
)

// classes is never modified after its initialisation.
var classes = classify()

func classify() (table [256]uint8) {
	add := func(class uint8, set string) {
		for _, c := range []byte(set) {
			table[c] |= class
		}
	}
	const digits, letters = "0123456789", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	add(tokenByte, digits+letters+"!#$%&'*+-.^_`|~")
	add(hostByte, digits+letters+"-._~!$&'()*+;=")
	add(digitByte, digits)
	add(letterByte, letters)
	add(hexByte, digits+"abcdefABCDEF")
	for c := range table {
		if c > ' ' && c != 0x7f && c != '#' {
			table[c] |= targetByte
		}
		if c >= ' ' && c != 0x7f || c == '\t' {
			table[c] |= valueByte
		}
	}
	return table
}

// leading returns how many of the first bytes of b are in class.
func leading(b []byte, class uint8) int {
	for i, c := range b {
		if classes[c]&class == 0 {
			return i
		}
	}
	return len(b)
}

// isAll reports whether b is one or more bytes of class.
func isAll(b []byte, class uint8) bool { return len(b) > 0 && leading(b, class) == len(b) }

// equalFold reports whether a and b are equal but for the case of ASCII letters. bytes.EqualFold would also take a
// Kelvin sign for a k.
func equalFold(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		// The cases of a letter differ in one bit.
		if differ := c ^ b[i]; differ != 0 && (differ != 'a'^'A' || classes[c]&letterByte == 0) {
			return false
		}
	}
	return true
}

// cutPrefixFold returns what follows prefix, whatever its case, in b.
func cutPrefixFold(b []byte, prefix string) (rest []byte, found bool) {
	if len(b) < len(prefix) || !equalFold(b[:len(prefix)], prefix) {
		return nil, false
	}
	return b[len(prefix):], true
}
