package leqi

import "bytes"

// An Environment is the part of the platform that a path leads to.
type Environment uint8

// The environments. Control calls manage units instead of invoices; those of
// the sandbox are Control too, not Sandbox. Auth is the authorisation of units.
const (
	Other Environment = iota
	Production
	Sandbox
	Control
	Auth
)

// Environments are all of them, in order. It is never modified.
var Environments = []Environment{Other, Production, Sandbox, Control, Auth}

// String returns the environment as it stands in logs and metrics: production,
// sandbox, control, auth or other.
func (e Environment) String() string {
	switch e {
	case Production:
		return "production"
	case Sandbox:
		return "sandbox"
	case Control:
		return "control"
	case Auth:
		return "auth"
	default:
		return "other"
	}
}

// Unknown stands for an ability or a service that is in no table.
const Unknown = "other"

// A Call is what a path says. Ability and Service are codes of the known tables,
// [Unknown] for one that is not in them, and "" where the path has none.
type Call struct {
	Environment      Environment
	Ability, Service string
}

// addresses are the documented ones: what a path means that goes on with one
// segment (a service) or with two (ability and service). Other: not documented.
var addresses = []struct {
	prefix   string
	one, two Environment
}{
	{prefix: "/access/v2/invoke/", one: Control, two: Production},
	{prefix: "/access/newsandbox/v2/invoke/", two: Sandbox},
	{prefix: "/access/sandbox/v2/invoke/", two: Sandbox},
	{prefix: "/access/sandbox_kzfw/v1/", one: Control},
	{prefix: "/access/v1/", one: Auth},
}

// ParsePath classifies the path of a request, without its query. It compares
// bytes: an escaped or differently spelled path is another path, as it is to
// Leqi. One trailing slash is allowed. A path that is no documented address is
// the zero Call. The service is looked up without regard to the ability, since
// Leqi adds services to abilities. ParsePath does not allocate and keeps no
// reference to path.
func ParsePath(path []byte) Call {
	for _, a := range addresses {
		if len(path) < len(a.prefix) || string(path[:len(a.prefix)]) != a.prefix {
			continue
		}
		first, second, two := bytes.Cut(bytes.TrimSuffix(path[len(a.prefix):], []byte("/")), []byte("/"))
		switch {
		case !two:
			return callWithoutAbility(a.one, first)
		case a.two != Other && len(first) > 0 && isSegment(second):
			return Call{a.two, tables().ability(first), tables().service(second)}
		}
	}
	return Call{}
}

func callWithoutAbility(e Environment, service []byte) Call {
	switch {
	case e == Other || len(service) == 0:
		return Call{}
	case e == Auth:
		return Call{Environment: e, Service: authService(service)}
	default:
		return Call{Environment: e, Service: tables().service(service)}
	}
}

func isSegment(b []byte) bool { return len(b) > 0 && bytes.IndexByte(b, '/') < 0 }

// authService returns the service of an authorisation call. These have a table
// of their own, as no ability has them.
func authService(code []byte) string {
	switch string(code) {
	case "getQRCode":
		return "getQRCode"
	case "getAuthCode":
		return "getAuthCode"
	case "getToken":
		return "getToken"
	case "queryNlwdfbqk":
		return "queryNlwdfbqk"
	case "queryBbfbqk":
		return "queryBbfbqk"
	default:
		return Unknown
	}
}
