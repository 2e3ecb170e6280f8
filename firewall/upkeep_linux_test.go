package firewall

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestStreamSurvivesApplies has a caller connect without pause while the policy
// changes around it.
func TestStreamSurvivesAppliesOfIPTables(t *testing.T) {
	if inside(t, "iptables-nft") {
		p := newPeer(t)
		variant(t, "nft")
		testStream(t, p, IPTables)
	}
}

func TestStreamSurvivesAppliesOfFirewalld(t *testing.T) {
	if inside(t, "firewalld", "dbus-daemon", "nft") {
		p := newPeer(t)
		startFirewalld(t, "nftables")
		testStream(t, p, Firewalld)
	}
}

func testStream(t *testing.T, p *peer, k Kind) {
	t.Helper()
	serve(t, 8864)
	folders := tempFolders(t)
	policies := []Policy{
		policyOf("49.4.80.61"),
		policyOf("49.4.80.61", "10.0.0.0/16", "2001:db8::61"),
		policyOf("49.4.80.0/24"),
		policyOf("49.4.80.61", "124.70.28.68"),
	}
	apply(t, manager(t, k, folders, policies[0]), Consent{})
	var connections, lost, open atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			// The segment that asks is sent again after a second: one lost shows as a timeout.
			if conn, err := p.dial(kingdee, 8864, 900*time.Millisecond); err != nil {
				lost.Add(1)
			} else {
				conn.Close()
			}
			if conn, err := p.dial(stranger, 8864, 2*time.Millisecond); err == nil {
				conn.Close()
				open.Add(1)
			}
			connections.Add(1)
		}
	}()
	for i := range 50 {
		if _, err := manager(t, k, folders, policies[i%len(policies)]).Apply(t.Context(), Consent{}); err != nil {
			t.Errorf("Apply %d: %v", i, err)
		}
	}
	close(stop)
	<-done
	t.Logf("connections during 50 applies: %d", connections.Load())
	if lost.Load() > 0 || open.Load() > 0 || connections.Load() < 50 {
		t.Errorf("of %d connections %d were lost, and %d of a stranger came through; want none", connections.Load(), lost.Load(), open.Load())
	}
}

// TestFailureIsUndone has the IPv6 half of an apply fail after the IPv4 half.
func TestFailureIsUndone(t *testing.T) {
	if !inside(t, "iptables-nft", "ipset") {
		return
	}
	variant(t, "nft")
	shell(t, foreignIPTables)
	before := tables(t)
	m := manager(t, IPTables, tempFolders(t), policyOf("49.4.80.61"))
	command, _ := lookCommand("ip6tables-restore")
	if err := errors.Join(os.Remove(command), os.Symlink("/bin/false", command)); err != nil {
		t.Fatal(err)
	}
	_, err := m.Apply(t.Context(), Consent{})
	if _, undone := errors.AsType[*UndoneError](err); !undone || !strings.Contains(err.Error(), "load IPv6 chain LQPROXY") {
		t.Errorf("Apply = %v, want the failed step and that it was undone", err)
	}
	if diff := cmp.Diff(before, tables(t)); diff != "" {
		t.Errorf("tables (-before +after):\n%s", diff)
	}
	if _, managed, _ := Applied("", m.o.Folders); managed {
		t.Error("a failed first apply left a record")
	}
}

// midway calls interrupt once the first rules of an apply of many are there, and
// returns what became of it.
func midway(t *testing.T, m *Manager, interrupt func(end context.CancelCauseFunc)) error {
	t.Helper()
	many := slices.Clone(m.o.Policy.Admits[0].Sources)
	for i := range 250 {
		many = append(many, Source{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(i), 1}), 32)})
	}
	m.o.Policy = NewPolicy(Admit{8864, many})
	ctx, end := context.WithCancelCause(t.Context())
	defer end(nil)
	watcher := make(chan struct{})
	go func() {
		defer close(watcher)
		await(t, "the first rule", func() bool { return strings.Contains(shell(t, "nft list ruleset"), "49.4.80.61") })
		interrupt(end)
	}()
	_, err := m.Apply(ctx, Consent{})
	<-watcher
	return err
}

func TestSignalIsAFailure(t *testing.T) {
	if !inside(t, "firewalld", "dbus-daemon", "nft") {
		return
	}
	startFirewalld(t, "nftables")
	before := shell(t, "nft -s list ruleset")
	m := manager(t, Firewalld, tempFolders(t), policyOf("49.4.80.61"))
	err := midway(t, m, func(end context.CancelCauseFunc) { end(errors.New("interrupt")) })
	if _, undone := errors.AsType[*UndoneError](err); !undone || !strings.Contains(err.Error(), "interrupt") {
		t.Errorf("Apply = %v, want it undone after the interrupt", err)
	}
	if diff := cmp.Diff(before, shell(t, "nft -s list ruleset")); diff != "" {
		t.Errorf("rules (-before +after):\n%s", diff)
	}
}

// TestWhatStandsIsSaid ends firewalld amid an apply: nothing can be undone.
func TestWhatStandsIsSaid(t *testing.T) {
	if !inside(t, "firewalld", "dbus-daemon", "nft") {
		return
	}
	process := startFirewalld(t, "nftables")
	m := manager(t, Firewalld, tempFolders(t), policyOf("49.4.80.61"))
	err := midway(t, m, func(context.CancelCauseFunc) { process.Kill() })
	if halfway, ok := errors.AsType[*HalfwayError](err); !ok || halfway.Undo == nil || !strings.Contains(err.Error(), "the host could not be read again") {
		t.Errorf("Apply = %v, want a HalfwayError", err)
	}
	_, err = Heal(t.Context(), "", m.o.Folders)
	if _, stopped := errors.AsType[*StoppedError](err); !stopped {
		t.Errorf("Heal = %v, want that firewalld does not run", err)
	}
}

// TestFlushUnderFirewalld has somebody flush what firewalld does not notice.
func TestFlushUnderFirewalld(t *testing.T) {
	if !inside(t, "firewalld", "dbus-daemon", "nft") {
		return
	}
	p := newPeer(t)
	serve(t, 8864)
	process := startFirewalld(t, "nftables")
	m := manager(t, Firewalld, tempFolders(t), policyOf("49.4.80.61"))
	apply(t, m, Consent{})
	shell(t, "nft flush ruleset")
	p.expect(t, 8864, []netip.Addr{stranger})
	report, err := Heal(t.Context(), "", m.o.Folders)
	if got, want := kindsOf(report.Findings), []FindingKind{RulesLost}; err != nil || !slices.Equal(got, want) {
		t.Fatalf("Heal finds %v, %v, want %v", got, err, want)
	}
	if s, err := ReadState(m.o.Folders.State("")); err != nil || s.InSync {
		t.Errorf("ReadState = %+v, %v, want it out of step", s, err)
	}
	process.Kill()
	b, err := connectBus()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	await(t, "the end of firewalld", func() bool { return !b.running(t.Context()) })
	start(t, process.argv...)
	awaitFirewalld(t)
	p.expect(t, 8864, []netip.Addr{kingdee}, stranger)
	if report, err := Heal(t.Context(), "", m.o.Folders); err != nil || !report.InSync() {
		t.Errorf("Heal = %+v, %v, want it in sync", report, err)
	}
}

func TestBusyLockIsWaitedFor(t *testing.T) {
	if !inside(t, "iptables-legacy") {
		return
	}
	variant(t, "legacy")
	lock, err := os.OpenFile("/run/xtables.lock", os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	released := time.AfterFunc(1500*time.Millisecond, func() { lock.Close() })
	defer released.Stop()
	began := time.Now()
	apply(t, manager(t, IPTables, tempFolders(t), policyOf("49.4.80.61")), Consent{})
	if waited := time.Since(began); waited < time.Second {
		t.Errorf("Apply took %v with the lock held, want it to wait", waited)
	}
}

func TestHostWithoutIPv6(t *testing.T) {
	if !inside(t, "iptables-nft") {
		return
	}
	variant(t, "nft")
	p := newPeer(t)
	serve(t, 8864)
	shell(t, "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
	hide(t, "ip6tables", "ip6tables-restore", "ip6tables-save")
	m := manager(t, IPTables, tempFolders(t), policyOf("49.4.80.61", "2001:db8::61"))
	report := apply(t, m, Consent{})
	if len(report.Findings) > 0 {
		t.Errorf("Apply finds %v, want nothing", report.Findings)
	}
	p.expect(t, 8864, []netip.Addr{kingdee}, stranger)
	if err := m.Remove(t.Context(), false); err != nil {
		t.Fatal(err)
	}
}

func TestUnfilteredIPv6IsFound(t *testing.T) {
	if !inside(t, "iptables-nft", "nft") {
		return
	}
	variant(t, "nft")
	p := newPeer(t)
	serve(t, 8864)
	hide(t, "ip6tables", "ip6tables-restore", "ip6tables-save")
	m := manager(t, IPTables, tempFolders(t), policyOf("49.4.80.61"))
	report := apply(t, m, Consent{})
	if got, want := kindsOf(report.Findings), []FindingKind{NoIPv6Filter}; !cmp.Equal(got, want) {
		t.Errorf("Apply finds %v, want %v", got, want)
	}
	p.expect(t, 8864, []netip.Addr{kingdee, strangerV6}, stranger)
	shell(t, `nft add table inet mine; nft add chain inet mine input '{ type filter hook input priority 10; policy accept; }'
		nft add rule inet mine input tcp dport '{ 22, 8864 }' drop`)
	found, err := m.Inspect(t.Context())
	if got, want := kindsOf(found.Findings), []FindingKind{ChainDrops, NoIPv6Filter}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("Inspect finds %v, %v, want %v", got, err, want)
	}
	p.expect(t, 8864, nil, kingdee)
}

// hide makes the host one that has no such commands.
func hide(t *testing.T, commands ...string) {
	t.Helper()
	shell(t, "folder=$(mktemp -d -p /run); cp -a /usr/sbin/. $folder; mount --bind $folder /usr/sbin")
	for dir := range strings.SplitSeq(os.Getenv("PATH"), ":") {
		for _, c := range commands {
			if file := filepath.Join(dir, c); strings.HasPrefix(dir, os.TempDir()) || dir == "/usr/sbin" {
				os.Remove(file)
			}
		}
	}
	for _, c := range commands {
		if path, ok := lookCommand(c); ok {
			t.Fatalf("%s is still at %s", c, path)
		}
	}
}

func TestAuto(t *testing.T) {
	if !inside(t, "firewalld", "dbus-daemon", "iptables-nft") {
		return
	}
	serve(t, 8864)
	serve(t, 9022)
	serve(t, 22)
	m := manager(t, Auto, tempFolders(t), policyOf("49.4.80.61"))
	_, err := m.Inspect(t.Context())
	stopped, ok := errors.AsType[*StoppedError](err)
	if !ok || !cmp.Equal(stopped.Closes, []uint16{8864, 9022}) {
		t.Errorf("Inspect with a stopped firewalld = %v, want the ports that it would close", err)
	}
	if _, err := m.Apply(t.Context(), Consent{}); err == nil {
		t.Error("Apply with a stopped firewalld succeeds")
	}
	variant(t, "nft")
	hide(t, "firewalld")
	if report, err := m.Inspect(t.Context()); err != nil || report.Backend != IPTables {
		t.Errorf("Inspect without firewalld = %v, %v, want iptables", report.Backend, err)
	}
	hide(t, "firewalld", "iptables", "ip6tables")
	if _, err := m.Inspect(t.Context()); !errors.Is(err, ErrNoBackend) {
		t.Errorf("Inspect without a firewall = %v, want %v", err, ErrNoBackend)
	}
}

func TestBackendChanges(t *testing.T) {
	if !inside(t, "firewalld", "dbus-daemon", "iptables-nft") {
		return
	}
	variant(t, "nft")
	folders := tempFolders(t)
	apply(t, manager(t, IPTables, folders, policyOf("49.4.80.61")), Consent{})
	startFirewalld(t, "nftables")
	apply(t, manager(t, Auto, folders, policyOf("49.4.80.61")), Consent{})
	if got := tables(t); strings.Contains(got, "LQPROXY") {
		t.Errorf("tables after the change to firewalld:\n%s\nwant nothing of ours", got)
	}
	found := apply(t, manager(t, IPTables, folders, policyOf("49.4.80.61")), Consent{}).Findings
	if got, want := kindsOf(found), []FindingKind{FirewalldRuns}; !slices.Equal(got, want) {
		t.Errorf("Apply of iptables beside firewalld finds %v, want %v", got, want)
	}
	if got := shell(t, "firewall-cmd --list-rich-rules; firewall-cmd --permanent --list-rich-rules"); strings.TrimSpace(got) != "" {
		t.Errorf("rich rules after the change to iptables = %s, want none", got)
	}
}

func TestUnknownZone(t *testing.T) {
	if !inside(t, "firewalld", "dbus-daemon") {
		return
	}
	startFirewalld(t, "nftables")
	m := manager(t, Firewalld, tempFolders(t), policyOf("49.4.80.61"))
	m.o.Zones = []string{"dmz", "nowhere"}
	_, err := m.Apply(t.Context(), Consent{})
	if e, ok := errors.AsType[*ZoneError](err); !ok || e.Zone != "nowhere" || len(e.Known) == 0 {
		t.Errorf("Apply = %v, want the zone that there is not", err)
	}
	m.o.Zones = []string{"dmz"}
	apply(t, m, Consent{})
	if got := do(t, "firewall-cmd", "--zone=dmz", "--list-rich-rules"); !strings.Contains(got, "49.4.80.61") {
		t.Errorf("rich rules of dmz = %q, want ours", got)
	}
}

func TestInstancesKeepApart(t *testing.T) {
	if !inside(t, "iptables-nft") {
		return
	}
	variant(t, "nft")
	p := newPeer(t)
	serve(t, 8864)
	serve(t, 8865)
	folders := tempFolders(t)
	first := manager(t, IPTables, folders, policyOf("49.4.80.61"))
	second := NewManager(Options{
		Instance: "declaration", Backend: IPTables, Folders: folders,
		Policy: NewPolicy(Admit{8865, []Source{{netip.MustParsePrefix("124.70.28.68/32"), "allow.sources"}}}),
	})
	apply(t, first, Consent{})
	apply(t, second, Consent{})
	p.expect(t, 8864, []netip.Addr{kingdee}, kingdeeToo)
	p.expect(t, 8865, []netip.Addr{kingdeeToo}, kingdee)
	if got, err := folders.Instances(); err != nil || !cmp.Equal(got, []string{"", "declaration"}) {
		t.Errorf("Instances() = %q, %v", got, err)
	}
	// Both want the first place.
	for _, m := range []*Manager{first, second} {
		if report, err := m.Inspect(t.Context()); err != nil || len(report.Changes) > 0 {
			t.Errorf("Inspect of %q = %v, %v, want it in step", m.o.Instance, report.Changes, err)
		}
	}
	if err := first.Remove(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	p.expect(t, 8865, []netip.Addr{kingdeeToo}, kingdee)
}

func TestWatch(t *testing.T) {
	if !inside(t, "iptables-nft") {
		return
	}
	variant(t, "nft")
	p := newPeer(t)
	serve(t, 8864)
	m := manager(t, IPTables, tempFolders(t), policyOf("49.4.80.61"))
	apply(t, m, Consent{})
	ctx, end := context.WithTimeout(t.Context(), 20*time.Second)
	defer end()
	seen := make(chan Knock, 10)
	result := make(chan []Knock)
	go func() {
		knocks, err := Watch(ctx, m.o.Policy, func(k Knock) { seen <- k })
		if err != nil {
			t.Errorf("Watch: %v", err)
		}
		result <- knocks
	}()
	await(t, "the first knock", func() bool { p.reaches(kingdee, 8864, time.Second); return len(seen) > 0 })
	p.reaches(stranger, 8864, 50*time.Millisecond)
	p.reaches(strangerV6, 8864, 50*time.Millisecond)
	p.reaches(stranger, 22, 50*time.Millisecond)
	await(t, "all knocks", func() bool { return len(seen) >= 3 })
	end()
	admitted := map[netip.Addr]bool{}
	for _, k := range <-result {
		admitted[k.Source] = k.Admitted
	}
	if want := map[netip.Addr]bool{kingdee: true, stranger: false, strangerV6: false}; !cmp.Equal(admitted, want, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })) {
		t.Errorf("Watch = %v, want %v", admitted, want)
	}
}

// TestChallengeCommands types them, and has a stranger ask at the public port.
func TestChallengeCommands(t *testing.T) {
	if !inside(t, "firewalld", "dbus-daemon", "iptables-nft", "nft") {
		return
	}
	p := newPeer(t)
	serve(t, 8880)
	variant(t, "nft")
	shell(t, "iptables -P INPUT DROP")
	p.expect(t, 80, nil, stranger)
	shell(t, strings.Join(ChallengeCommands(IPTables, "", 80, 8880), "\n"))
	p.expect(t, 80, []netip.Addr{stranger})
	shell(t, "iptables -P INPUT ACCEPT; iptables -F; iptables -t nat -F")
	startFirewalld(t, "nftables")
	p.expect(t, 80, nil, stranger)
	shell(t, strings.Join(ChallengeCommands(Firewalld, "public", 80, 8880), "\n"))
	p.expect(t, 80, []netip.Addr{stranger})
}
