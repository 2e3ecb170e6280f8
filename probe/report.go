package probe

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// A Report is what a Run has seen, as far as it came. Its lists are never nil.
type Report struct {
	Upstream string      `json:"upstream"` // host:port
	Via      string      `json:"via,omitempty"`
	Began    time.Time   `json:"began"`
	Took     Took        `json:"took_us"`
	Resolve  *Resolve    `json:"resolve"`
	Connect  []Connect   `json:"connect"`
	TLS      []Handshake `json:"tls"`
	Calls    []Call      `json:"calls"`
	Warnings []Warning   `json:"warnings"`
	Verdict  Verdict     `json:"verdict"` // null: interrupted
}

// Took is a duration that is whole microseconds in JSON, as in the access log.
type Took time.Duration

func (t Took) seconds() float64 { return time.Duration(t).Seconds() }

// MarshalJSON implements json.Marshaler.
func (t Took) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, time.Duration(t).Microseconds(), 10), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Took) UnmarshalJSON(text []byte) error {
	us, err := strconv.ParseInt(string(text), 10, 64)
	*t = Took(time.Duration(us) * time.Microsecond)
	return err
}

// A Resolve is what stage 1 has found.
type Resolve struct {
	Source    Source       `json:"source"`
	Addresses []netip.Addr `json:"addresses"`
	Took      Took         `json:"took_us"`
	Error     string       `json:"error,omitempty"`
}

// Source is where addresses come from.
type Source string

// The sources of addresses.
const (
	SourceDNS    Source = "dns"
	SourceHosts  Source = "hosts"     // the hosts file
	SourceFixed  Source = "fixed_ips" // upstream.fixed_ips
	SourceHost   Source = "host"      // the host is itself an address
	SourceChosen Source = "chosen"    // Options.Address
)

// A Connect is how one address answered in stage 2. Its verdict is PathOpen, or
// why there was no connection.
type Connect struct {
	Address netip.AddrPort `json:"address"`
	Local   netip.AddrPort `json:"local,omitzero"` // our side of the connection
	Took    Took           `json:"took_us"`
	Verdict Verdict        `json:"verdict"`
	Error   string         `json:"error,omitempty"`
}

// A Handshake is how one address answered in stage 3. Its verdict is PathOpen,
// or why the handshake failed; what was agreed on before it failed is there.
type Handshake struct {
	Address     netip.AddrPort  `json:"address"`
	Took        Took            `json:"took_us"`
	Version     string          `json:"version,omitempty"`
	Suite       string          `json:"suite,omitempty"`
	Curve       string          `json:"curve,omitempty"` // none with RSA key exchange
	Certificate *Certificate    `json:"certificate,omitempty"`
	Verify      upstream.Verify `json:"verify"`              // the mode in force
	Key         KeyState        `json:"key_state,omitempty"` // under first-use
	Verdict     Verdict         `json:"verdict"`
	Error       string          `json:"error,omitempty"`
	Remedy      []Setting       `json:"remedy,omitempty"` // settings with which a handshake succeeds
}

// A Certificate is what the host showed, and which modes of verify would accept
// it today.
type Certificate struct {
	Subject  string       `json:"subject"`
	Issuer   string       `json:"issuer"`
	Names    []string     `json:"names"`
	NotAfter time.Time    `json:"not_after"`
	Pin      upstream.Pin `json:"pin"`

	Full  string `json:"full,omitempty"` // why it would not pass; "": it would
	Chain string `json:"chain,omitempty"`
	Pins  string `json:"pins,omitempty"` // for verify = "pin"
}

// KeyState is what the record of keys says of the key that was shown.
type KeyState string

// The states of a key.
const (
	KeyFirst   KeyState = "first"   // the record is empty: the key is recorded when the proxy connects
	KeyKnown   KeyState = "known"   // recorded and accepted
	KeyWaiting KeyState = "waiting" // recorded, and not yet accepted
	KeyNew     KeyState = "new"     // not in the record, which has others
	KeyUnread  KeyState = "unread"  // the record could not be read
)

// expected reports whether nothing is wrong about a key in this state.
func (s KeyState) expected() bool { return s == KeyFirst || s == KeyKnown }

// A Setting is a key of the configuration with a value for it.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"` // as TOML
}

// String returns s as a line of the file.
func (s Setting) String() string { return s.Key + " = " + s.Value }

// A Call is stage 4 for one target.
type Call struct {
	Environment Environment `json:"environment"`
	Unit        string      `json:"unit"`
	UsingUnit   string      `json:"using_unit"`
	Name        string      `json:"unit_name,omitempty"`
	Path        string      `json:"path"`
	Attempts    []Attempt   `json:"attempts"`
	Direct      []Attempt   `json:"direct,omitempty"` // without the proxy, where that failed
	Verdict     Verdict     `json:"verdict"`          // null: interrupted
}

// An Attempt is one exchange with the platform, or the failure to have one.
type Attempt struct {
	Peer    string  `json:"peer"`                // whom the connection was to: host:port
	Waited  Took    `json:"waited_us,omitempty"` // before it
	Took    Took    `json:"took_us"`             // with connecting
	Status  int     `json:"status,omitempty"`    // of HTTP; 0: no answer
	Code    string  `json:"leqi_code,omitempty"` // one of leqi.Codes
	Limit   int     `json:"limit,omitempty"`     // calls at once that the platform allows
	Reason  string  `json:"reason,omitempty"`    // of lqproxy, when it answered itself
	Text    string  `json:"text,omitempty"`      // how an answer begins that proves nothing
	Error   string  `json:"error,omitempty"`
	Cut     bool    `json:"cut,omitempty"` // the proxy reset the connection without an answer
	Verdict Verdict `json:"verdict"`
}

// A Warning is something to look at that does not decide the verdict.
type Warning struct {
	Kind  WarningKind `json:"warning"`
	Value string      `json:"value"`
}

// WarningKind is what a warning is about.
type WarningKind string

// The kinds of warnings, with what their value is.
const (
	WarnUnitLength WarningKind = "unit_length"         // an id that is not UnitLength characters
	WarnForbidden  WarningKind = "recently_forbidden"  // when the last 403 was, RFC 3339
	WarnKeyChanged WarningKind = "key_changed"         // the pin of a key that is not accepted
	WarnKeyUnread  WarningKind = "key_unread"          // the pin of a key that cannot be compared
	WarnExpires    WarningKind = "certificate_expires" // the day on which the certificate ends or ended
)
