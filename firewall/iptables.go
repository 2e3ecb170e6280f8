package firewall

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coreos/go-iptables/iptables"
)

const (
	filterTable = "filter"
	inputChain  = "INPUT"
	// lockWait is how many seconds a command waits for the lock of xtables.
	lockWait = 60
	// mostPorts is how many ports one rule of the multiport match can name.
	mostPorts = 15
)

// An iptablesBackend keeps our chain, to which the first rule of INPUT leads
// what is for our ports. It works with both variants of iptables, and takes the
// one that the command iptables is.
type iptablesBackend struct {
	tables []familyTable
	scope  Scope
	run    runner
}

// A familyTable is the filter table of one family.
type familyTable struct {
	family  Family
	ipt     *iptables.IPTables
	restore string // path of the command that loads rules
}

// newIPTables returns the backend. On a host without IPv6 it is about IPv4
// alone.
func newIPTables(scope Scope) (*iptablesBackend, error) {
	if len(scope.Policy.Ports()) > mostPorts {
		return nil, fmt.Errorf("the policy has %d ports; a rule of iptables takes %d at most", len(scope.Policy.Ports()), mostPorts)
	}
	b := &iptablesBackend{scope: scope, run: runHost}
	for _, f := range []Family{IPv4, IPv6} {
		ipt, command, err := openTables(f)
		if err != nil {
			return nil, err
		}
		if ipt == nil {
			continue
		}
		restore := filepath.Join(filepath.Dir(command), filepath.Base(command)+"-restore")
		b.tables = append(b.tables, familyTable{f, ipt, restore})
	}
	return b, nil
}

// openTables opens the tables of a family with the command that it returns too.
// They are nil on a host that does not have the family.
func openTables(f Family) (ipt *iptables.IPTables, command string, err error) {
	command, ok := iptablesCommand(f)
	if !ok || f == IPv6 && !hasIPv6() {
		return nil, "", nil
	}
	ipt, err = iptables.New(iptables.IPFamily(protocolOf(f)), iptables.Path(command), iptables.Timeout(lockWait))
	if err != nil {
		return nil, "", fmt.Errorf("opening %s: %w", command, err)
	}
	return ipt, command, nil
}

func protocolOf(f Family) iptables.Protocol {
	if f == IPv6 {
		return iptables.ProtocolIPv6
	}
	return iptables.ProtocolIPv4
}

// iptablesCommand returns the path of the command of a family.
func iptablesCommand(f Family) (path string, ok bool) {
	if f == IPv6 {
		return lookCommand("ip6tables")
	}
	return lookCommand("iptables")
}

// hasIPv6 reports whether the kernel speaks IPv6.
func hasIPv6() bool {
	_, err := os.Stat("/proc/net/if_inet6")
	return err == nil
}

// Close implements Backend.
func (b *iptablesBackend) Close() error { return nil }

// Observe implements Backend.
func (b *iptablesBackend) Observe(ctx context.Context) (State, error) {
	var s State
	for _, t := range b.tables {
		if err := ctx.Err(); err != nil {
			return State{}, err
		}
		c, err := t.observe(b.scope.Chain)
		if err != nil {
			return State{}, fmt.Errorf("reading %s rules: %w", t.family, err)
		}
		s.Chains = append(s.Chains, c)
	}
	return s, nil
}

func (t familyTable) observe(name string) (Chain, error) {
	c := Chain{Family: t.family, Name: name}
	input, err := t.rules(inputChain)
	if err != nil {
		return c, err
	}
	first := true
	for _, rule := range input {
		if leadsToChain(rule, name) {
			c.Jumps = append(c.Jumps, rule)
			c.First = c.First || first
		}
		first = first && isInstanceJump(rule)
	}
	// An error of "the chain is not there" cannot be told from others in all
	// versions, so it is looked for in the list first.
	chains, err := t.ipt.ListChains(filterTable)
	if err != nil || !slices.Contains(chains, name) {
		return c, err
	}
	c.Exists = true
	c.Rules, err = t.rules(name)
	return c, err
}

// rules returns the rules of a chain, as "iptables -S" writes them.
func (t familyTable) rules(chain string) ([]string, error) {
	lines, err := t.ipt.List(filterTable, chain)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(lines, func(line string) bool { return !strings.HasPrefix(line, "-A ") }), nil
}

// isInstanceJump reports whether rule leads to the chain of some instance: it
// takes away only what is for that one's ports, so that ours may come after it.
func isInstanceJump(rule string) bool {
	target := parseIPT(strings.Fields(rule)).target
	return target == ChainOf("") || strings.HasPrefix(target, ChainOf("")+"-")
}

// leadsToChain reports whether rule jumps to the chain of that name.
func leadsToChain(rule, name string) bool {
	words := strings.Fields(rule)
	return len(words) > 2 && (words[len(words)-2] == "-j" || words[len(words)-2] == "-g") && words[len(words)-1] == name
}

// Apply implements Backend.
func (b *iptablesBackend) Apply(ctx context.Context, steps []Step) error {
	for i, s := range steps {
		err := ctx.Err()
		if err == nil {
			err = b.apply(ctx, s)
		}
		if err != nil {
			return &StepError{Step: s, Number: i + 1, Of: len(steps), Err: err}
		}
	}
	return nil
}

func (b *iptablesBackend) apply(ctx context.Context, s Step) error {
	i := slices.IndexFunc(b.tables, func(t familyTable) bool { return t.family == s.Family })
	if i < 0 {
		return errors.New("the host has no " + s.Family.String())
	}
	t := b.tables[i]
	switch s.Verb {
	case LoadChain:
		_, err := b.run(ctx, chainText(s), t.restore, "--noflush", "-w")
		return err
	case PlaceJump:
		return t.placeJump(s)
	case RemoveJumps:
		return t.removeJumps(s.Chain, 0)
	case RemoveChain:
		return t.ipt.ClearAndDeleteChain(filterTable, s.Chain)
	default:
		panic(fmt.Sprintf("BUG: firewall: iptables cannot %v", s))
	}
}

// chainText is the input of iptables-restore that replaces the rules of our
// chain at once, whether it is there or not, and touches no other.
func chainText(s Step) string {
	return "*" + filterTable + "\n:" + s.Chain + " - [0:0]\n" + strings.Join(s.Rules, "\n") + "\nCOMMIT\n"
}

// placeJump makes the jump the first rule of INPUT. The new one is there before
// an old one goes.
func (t familyTable) placeJump(s Step) error {
	rules, err := t.rules(inputChain)
	if err != nil {
		return err
	}
	if len(rules) == 0 || rules[0] != s.Text {
		if err := t.ipt.Insert(filterTable, inputChain, 1, strings.Fields(s.Text)[2:]...); err != nil {
			return err
		}
	}
	return t.removeJumps(s.Chain, 1)
}

// removeJumps removes the jumps to chain after the first keep rules of INPUT,
// the last one first: the numbers of the others stay what they are.
func (t familyTable) removeJumps(chain string, keep int) error {
	rules, err := t.rules(inputChain)
	if err != nil {
		return err
	}
	for i := len(rules) - 1; i >= keep; i-- {
		if leadsToChain(rules[i], chain) {
			if err := t.ipt.DeleteById(filterTable, inputChain, i+1); err != nil {
				return err
			}
		}
	}
	return nil
}
