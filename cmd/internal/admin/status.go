package admin

import (
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/logging"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/certs"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// A Build says which program runs.
type Build struct {
	Version   string `json:"version"`
	Revision  string `json:"revision"` // of the source; "" when it is not known
	GoVersion string `json:"go_version"`
	Platform  string `json:"platform"` // system/architecture
}

// A State is what a daemon is doing.
type State string

// The states of a daemon, in the order in which it passes them.
const (
	StateReady    State = "ready"    // exchanges are accepted
	StateStopping State = "stopping" // still so, but /readyz says no
	StateDraining State = "draining" // no connection is accepted any more
)

// A Status is the document that /status returns: what is known of the running
// instance at one moment. Members may be added, none changes its meaning.
type Status struct {
	Build
	Time     time.Time       `json:"time"` // of this document
	State    State           `json:"state"`
	PID      int             `json:"pid"`
	Started  time.Time       `json:"started"`
	Instance string          `json:"instance,omitempty"` // "" is the one without a name
	File     string          `json:"file,omitempty"`     // of the configuration; "" there is none
	Listen   Listen          `json:"listen"`
	Admin    []string        `json:"admin"` // addresses
	Sources  Sources         `json:"sources"`
	Target   string          `json:"target"` // host and port that exchanges are forwarded to
	Upstream upstream.Status `json:"upstream"`
	Identity Identity        `json:"identity"`
	Probes   []probe.Outcome `json:"probes"` // in the background, the last of each environment
	Traffic  Traffic         `json:"traffic"`
	Reload   Reload          `json:"reload"`
	Firewall *Firewall       `json:"firewall,omitempty"` // nil: nothing was applied, or it is not known
	Log      logging.Status  `json:"log"`
}

// Listen says where callers connect.
type Listen struct {
	Addresses   []string     `json:"addresses"`           // as they are bound
	TLS         string       `json:"tls"`                 // as listen.tls
	NotAfter    *time.Time   `json:"not_after,omitempty"` // of the certificate
	Certificate *Certificate `json:"certificate,omitempty"`
}

// A Certificate is the one that callers are shown.
type Certificate struct {
	Source   certs.Source         `json:"source"`
	File     string               `json:"file"` // that it was read from, or the authority's directory
	Names    []string             `json:"names"`
	Subject  string               `json:"subject"`
	Issuer   string               `json:"issuer"`
	Warnings []CertificateProblem `json:"warnings"` // what callers may dislike in it

	// Problem is why a newer one could not take its place; nil: nothing did.
	Problem *CertificateProblem `json:"problem,omitempty"`
	Since   time.Time           `json:"problem_since,omitzero"`

	Renewal time.Time `json:"renewal,omitzero"` // when a newer one should take its place; none if it is signed by nobody

	Tried time.Time `json:"tried,omitzero"` // when the authority was asked last
	Next  time.Time `json:"next,omitzero"`  // when it is asked next
}

// A CertificateProblem is something that is wrong with a certificate.
type CertificateProblem struct {
	Kind     certs.Kind `json:"kind"`
	Message  string     `json:"message"`
	Chinese  string     `json:"message_zh"`
	Commands []string   `json:"commands"` // that put it right, in this order
}

// NewCertificate returns the part of a document that s becomes.
func NewCertificate(s certs.State) *Certificate {
	c := &Certificate{
		Source: s.Source, File: s.File, Names: append([]string{}, s.Names...), Subject: s.Subject, Issuer: s.Issuer,
		Warnings: []CertificateProblem{}, Since: s.Since, Renewal: s.Renewal(), Tried: s.Tried, Next: s.Next,
	}
	for _, w := range s.Warnings {
		c.Warnings = append(c.Warnings, newCertificateProblem(w))
	}
	if s.Problem != nil {
		c.Problem = new(newCertificateProblem(s.Problem))
	}
	return c
}

func newCertificateProblem(p *certs.Problem) CertificateProblem {
	return CertificateProblem{p.Kind, p.Error(), p.Chinese(), append([]string{}, p.Commands...)}
}

// in is the message in a language.
func (p CertificateProblem) in(l words.Lang) string {
	if l == words.Chinese {
		return p.Chinese
	}
	return p.Message
}

// Sources says who may connect. The addresses themselves are in the file.
type Sources struct {
	Prefixes int      `json:"prefixes"` // in the merged set
	Presets  []string `json:"presets"`  // names of those in force

	// Refused are those refused most often since the start, and at most ten.
	Refused []proxy.RefusedSource `json:"refused"`
}

// Identity says how the upstream is known for what it is.
type Identity struct {
	Verify   upstream.Verify   `json:"verify"`    // as upstream.tls.verify
	OnChange upstream.OnChange `json:"on_change"` // as upstream.tls.on_change; it matters to first-use alone
	Key      KeyState          `json:"key"`
}

// A KeyState is what is held of the key that the upstream showed last.
type KeyState string

// The states of a key.
const (
	KeyUnjudged KeyState = ""        // none was shown yet, or keys do not matter
	KeyKnown    KeyState = "known"   // an accepted one of the record
	KeyNew      KeyState = "new"     // it, or one shown before it, waits to be accepted
	KeyPinned   KeyState = "pinned"  // one of upstream.tls.pins
	KeyForeign  KeyState = "foreign" // none of the pins, and refused
)

// Traffic is counted since the start; it is also in /metrics, in detail.
type Traffic struct {
	Connections int64            `json:"connections"` // admitted
	Refused     int64            `json:"refused"`     // connections
	Exchanges   int64            `json:"exchanges"`
	Failures    map[string]int64 `json:"failures"`  // exchanges by reason; none are left out
	Forbidden   int64            `json:"forbidden"` // answers 403 of Leqi
	Limits      []Limit          `json:"limits"`

	Failed     map[proxy.Reason]time.Time `json:"failures_last"` // when each of Failures happened last
	Leqi       Leqi                       `json:"leqi"`
	LastMinute proxy.Minute               `json:"last_minute"`
}

// Leqi is what answers said of the enterprise's standing.
type Leqi struct {
	Forbidden   proxy.Occurrences `json:"forbidden"`    // HTTP status 403
	IPNotFiled  proxy.Occurrences `json:"ip_not_filed"` // code 4067
	FlowLimited proxy.Occurrences `json:"flow_limited"` // fewer calls at once are asked for
}

// A Limit is how much of a limited thing is in use.
type Limit struct {
	Name     string `json:"name"` // connections, exchanges or queue
	Current  int64  `json:"current"`
	Capacity int64  `json:"capacity"`

	Reached     int64     `json:"reached"`               // how often somebody was refused, or had to wait, for it
	LastReached time.Time `json:"last_reached,omitzero"` // zero: never
}

// A Firewall says whether the host's firewall is as it was applied last.
type Firewall struct {
	Backend  string    `json:"backend"` // firewalld or iptables
	InSync   bool      `json:"in_sync"`
	Checked  time.Time `json:"checked"`
	Problems []string  `json:"problems"`          // in English
	Pending  string    `json:"pending,omitempty"` // what an apply would change: "+52.83.1.1 -10.0.0.0/8"
}

// Reload says how the last change of the configuration went; the start counts.
type Reload struct {
	Successful bool      `json:"successful"`
	At         time.Time `json:"at"`              // of the last that was successful
	Error      string    `json:"error,omitempty"` // of the last, if it was not
}
