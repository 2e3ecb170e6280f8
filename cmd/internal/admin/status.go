package admin

import (
	"time"

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
	Traffic  Traffic         `json:"traffic"`
	Reload   Reload          `json:"reload"`
	Firewall *Firewall       `json:"firewall,omitempty"` // nil: nothing was applied, or it is not known
}

// Listen says where callers connect.
type Listen struct {
	Addresses []string   `json:"addresses"`           // as they are bound
	TLS       string     `json:"tls"`                 // as listen.tls
	NotAfter  *time.Time `json:"not_after,omitempty"` // of the certificate
}

// Sources says who may connect. The addresses themselves are in the file.
type Sources struct {
	Prefixes int      `json:"prefixes"` // in the merged set
	Presets  []string `json:"presets"`  // names of those in force
}

// Traffic is counted since the start; it is also in /metrics, in detail.
type Traffic struct {
	Connections int64            `json:"connections"` // admitted
	Refused     int64            `json:"refused"`     // connections
	Exchanges   int64            `json:"exchanges"`
	Failures    map[string]int64 `json:"failures"`  // exchanges by reason; none are left out
	Forbidden   int64            `json:"forbidden"` // answers 403 of Leqi
	Limits      []Limit          `json:"limits"`
}

// A Limit is how much of a limited thing is in use.
type Limit struct {
	Name     string `json:"name"` // connections, exchanges or queue
	Current  int64  `json:"current"`
	Capacity int64  `json:"capacity"`
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
