package daemon

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/cmd/internal/logging"
	"github.com/lqproxy/lqproxy/firewall"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

const (
	firewallInterval = 15 * time.Second // between two looks at the state file
	firewallPatience = time.Hour        // after which nobody seems to check any more
)

// A firewallView is what root's commands and timer last said of the host's
// firewall; the daemon itself may not look at that. No exchange depends on it.
// It is safe for concurrent use.
type firewallView struct {
	file     string // "": there is none
	instance string
	inSync   *prometheus.GaugeVec
	log      *zap.Logger

	mu      sync.Mutex     // guards what follows
	state   *firewall.Sync // nil: not known
	out     bool           // of step, as far as was known last
	trouble string         // with the file, that was told
}

// run looks at the file until ctx is done.
func (v *firewallView) run(ctx context.Context) error {
	ticker := time.NewTicker(firewallInterval)
	defer ticker.Stop()
	for {
		v.look()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// look reads the file, and returns what is known now; nil if nothing is.
func (v *firewallView) look() *firewall.Sync {
	if v.file == "" {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	state, err := readFirewall(v.file)
	switch {
	case errors.Is(err, fs.ErrNotExist): // nothing was applied, or it was removed
		v.complain("")
		v.forget()
		v.out = false
		return nil
	case err != nil:
		v.complain("the state of the firewall cannot be read", zap.Error(err))
		v.forget()
		return nil
	case time.Since(state.Checked) > firewallPatience:
		v.complain("the firewall was not checked for long", zap.Time(keyChecked, state.Checked),
			zap.String(keyHint, "systemctl status "+admin.FirewallTimer(v.instance)))
	default:
		v.complain("")
	}
	v.know(state)
	return v.state
}

func readFirewall(file string) (firewall.Sync, error) {
	state, err := firewall.ReadState(file)
	if err == nil && state.Backend != firewall.Firewalld && state.Backend != firewall.IPTables {
		err = &firewall.UnknownBackendError{Name: state.Backend} // it becomes a label
	}
	return state, err
}

// complain tells what is wrong with the file, once; "" is nothing.
func (v *firewallView) complain(trouble string, fields ...zap.Field) {
	if trouble != "" && trouble != v.trouble {
		v.log.Warn(trouble, append(fields, zap.String(keyFile, v.file))...)
	}
	v.trouble = trouble
}

// know keeps state, and tells when the host leaves the policy or returns to it.
func (v *firewallView) know(state firewall.Sync) {
	if v.state != nil && v.state.Backend != state.Backend {
		v.forget()
	}
	v.state = &state
	backend := string(state.Backend)
	if state.InSync {
		v.inSync.WithLabelValues(backend).Set(1)
	} else {
		v.inSync.WithLabelValues(backend).Set(0)
	}
	switch {
	case !state.InSync && !v.out:
		v.log.Warn("the firewall is out of step", zap.String(logging.KeyEvent, eventFirewallOut), zap.String(keyBackend, backend),
			zap.Strings(keyProblems, state.Problems), zap.String(keyHint, firewallCommand("apply", v.instance)))
	case state.InSync && v.out:
		v.log.Info("the firewall is in step again", zap.String(keyBackend, backend))
	}
	v.out = !state.InSync
}

// forget says that nothing is known.
func (v *firewallView) forget() {
	v.state = nil
	v.inSync.Reset()
}

// known returns what the last look found; nil if nothing is known. It must not
// be modified.
func (v *firewallView) known() *firewall.Sync {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state
}

// pending returns what an apply would change after state, as "+52.83.1.1".
func (g *generation) pending(state *firewall.Sync) string {
	if state == nil || g.config.Firewall.Backend == firewall.None {
		return ""
	}
	return firewall.Pending(state.Policy, g.config.FirewallPolicy())
}

// warnIfPending says what of the configuration in force the firewall does not
// have yet: whoever changed it is at the keyboard now. A host that was never
// managed is not waited for.
func (d *Daemon) warnIfPending() {
	g := d.current.Load()
	pending := g.pending(d.firewall.look())
	if pending == "" {
		return
	}
	verb := "apply"
	if len(g.config.FirewallPolicy().Admits) == 0 { // which apply leaves alone
		verb = "remove"
	}
	d.log.Warn("the firewall is not yet in step", zap.String(keyPending, pending),
		zap.String(keyHint, firewallCommand(verb, d.o.Instance)))
}

// firewallCommand is the command that brings the host in step.
func firewallCommand(verb, instance string) string {
	command := "lqproxy firewall " + verb
	if instance != "" {
		command += " -i " + instance
	}
	return command
}

// firewallStatus is what the status says of the firewall; nil if nothing is known.
func (d *Daemon) firewallStatus(g *generation) *admin.Firewall {
	state := d.firewall.known()
	if state == nil {
		return nil
	}
	return &admin.Firewall{
		Backend: string(state.Backend), InSync: state.InSync, Checked: state.Checked,
		Problems: append([]string{}, state.Problems...), Pending: g.pending(state),
	}
}

// The event and keys of the firewall.
const (
	eventFirewallOut = "firewall_out_of_step"

	keyBackend  = "backend"
	keyProblems = "problems"
	keyPending  = "pending"
	keyChecked  = "checked"
	keyHint     = "hint"
)
