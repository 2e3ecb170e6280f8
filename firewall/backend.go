package firewall

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
)

// A Backend makes a host agree with a [Policy]. It is not safe for concurrent
// use.
type Backend interface {
	// Observe returns the rules lqproxy owns here, and the places in which it
	// should own some. It ignores all others, and reports places without
	// rules, not an error, on a host we never touched.
	Observe(ctx context.Context) (State, error)

	// Foreign returns what is not ours and opens the ports, or may close them
	// to the sources of the policy.
	Foreign(ctx context.Context) ([]Finding, error)

	// Concerning returns what there is about the ports, ours or not, as the
	// host writes it: a copy to keep before a first apply.
	Concerning(ctx context.Context) ([]string, error)

	// Apply carries out steps, atomically if the backend can, and otherwise in
	// an order in which stopping early never leaves the port open to a source
	// outside the policy. It stops at the first that fails, and when ctx is
	// done. Applying no steps does nothing.
	Apply(ctx context.Context, steps []Step) error

	// Close lets go of the connection to the host's services.
	Close() error
}

// A Kind names a backend: in the configuration, the record and the metric.
type Kind string

// The backends.
const (
	Auto      Kind = "auto"      // whichever the host has
	Firewalld Kind = "firewalld" //
	IPTables  Kind = "iptables"  //
	None      Kind = "none"      // the administrator does it
)

// A Scope says which part of a host a backend looks at.
type Scope struct {
	Policy Policy
	Chain  string           // iptables: our chain's name
	Zones  []string         // firewalld: instead of those that serve Listen
	Listen []netip.AddrPort // where the listeners are; an unspecified address is all of them

	Owned  []Owned // what was recorded
	Adopt  bool    // rules of our shape for our ports are ours, whoever added them
	Closes bool    // a port of ours that is open to everyone shall be closed
}

// Owned is a rich rule of firewalld that we added or adopted.
type Owned struct {
	Zone      string `json:"zone"`
	Permanent bool   `json:"permanent"`
	Rule      string `json:"rule"`
	Adopted   bool   `json:"adopted,omitempty"`
}

// owned returns the record of a rule, if there is one.
func (s Scope) owned(zone string, permanent bool, rule string) (Owned, bool) {
	for _, o := range s.Owned {
		if o.Zone == zone && o.Permanent == permanent && o.Rule == rule {
			return o, true
		}
	}
	return Owned{}, false
}

// mostChainName is the longest name that all versions of iptables take.
const mostChainName = 28

// ChainOf returns the name of the chain of an instance: LQPROXY-NAME, shortened
// where iptables would not take it.
func ChainOf(instance string) string {
	if instance == "" {
		return "LQPROXY"
	}
	name := "LQPROXY-" + instance
	if len(name) > mostChainName {
		sum := sha256.Sum256([]byte(instance))
		name = fmt.Sprintf("%s-%x", name[:mostChainName-7], sum[:3])
	}
	return name
}

// A StepError is a step that failed.
type StepError struct {
	Step       Step
	Number, Of int
	Err        error
}

// Error implements error.
func (e *StepError) Error() string {
	return fmt.Sprintf("applying step %d/%d (%v): %v", e.Number, e.Of, e.Step, e.Err)
}

// Unwrap returns what made the step fail.
func (e *StepError) Unwrap() error { return e.Err }
