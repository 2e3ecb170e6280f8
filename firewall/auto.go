package firewall

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Reasons for which there is no backend. Nothing was changed.
var (
	ErrNoBackend = errors.New("no firewall found: neither firewalld runs nor is there iptables")
	ErrDisabled  = errors.New("the configuration says that lqproxy keeps out of the firewall")
	ErrNotRoot   = errors.New("the firewall is root's")

	ErrNoFirewalld = errors.New("firewalld is not installed")
)

// A StoppedError says that firewalld is installed and does not run. To start it
// is a decision: it would close ports.
type StoppedError struct {
	Closes []uint16 // that somebody listens on and firewalld's default zone does not open
}

// Error implements error.
func (e *StoppedError) Error() string {
	ports := make([]string, len(e.Closes))
	for i, p := range e.Closes {
		ports[i] = portText(p)
	}
	return "firewalld is installed and does not run; starting it would close the ports " + strings.Join(ports, ", ")
}

// An UnknownBackendError is a backend of that name.
type UnknownBackendError struct{ Name Kind }

// Error implements error.
func (e *UnknownBackendError) Error() string {
	return fmt.Sprintf("unknown firewall backend %q; it is auto, firewalld, iptables or none", string(e.Name))
}

// open returns the backend of that kind for scope, and which it is: for Auto,
// firewalld where it runs, else iptables where the host has it. The caller must
// close it.
func open(ctx context.Context, k Kind, scope Scope) (Kind, Backend, error) {
	if os.Geteuid() != 0 && k != None {
		return k, nil, ErrNotRoot
	}
	switch k {
	case Auto:
		return openAuto(ctx, scope)
	case Firewalld:
		b, err := openFirewalld(ctx, scope)
		return k, b, err
	case IPTables:
		b, err := openIPTables(scope)
		return k, b, err
	case None:
		return k, nil, ErrDisabled
	default:
		return k, nil, &UnknownBackendError{k}
	}
}

func openAuto(ctx context.Context, scope Scope) (Kind, Backend, error) {
	b, err := openFirewalld(ctx, scope)
	if err == nil {
		return Firewalld, b, nil
	}
	if _, stopped := errors.AsType[*StoppedError](err); stopped {
		return Firewalld, nil, err
	}
	b, err = openIPTables(scope)
	return IPTables, b, err
}

// openFirewalld fails with [StoppedError] where firewalld is installed.
func openFirewalld(ctx context.Context, scope Scope) (Backend, error) {
	b, err := connectBus()
	if err == nil {
		if b.running(ctx) {
			return newFirewalld(b, scope), nil
		}
		err = errors.Join(ErrNoFirewalld, b.close())
	}
	if _, installed := lookCommand("firewalld"); installed {
		return nil, &StoppedError{closedByStart()}
	}
	return nil, err
}

func openIPTables(scope Scope) (Backend, error) {
	if _, ok := iptablesCommand(IPv4); !ok {
		return nil, ErrNoBackend
	}
	return newIPTables(scope)
}

// closedByStart returns the ports at which somebody listens for others than
// this host, and that firewalld's default zone would close.
func closedByStart() []uint16 {
	open := defaultZoneOf(firewalldFolders)
	return slices.DeleteFunc(listeningPorts(), func(port uint16) bool {
		return slices.ContainsFunc(open, func(p portProtocol) bool { return p.has(port) })
	})
}
