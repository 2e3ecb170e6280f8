package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/firewall"
	"github.com/spf13/cobra"
)

// rootConsole is that of somebody who became root.
func rootConsole(l words.Lang) *console {
	var out bytes.Buffer
	c := newTestConsole(l, &out, &out)
	c.getenv = func(name string) string { return map[string]string{"USER": "root", "SUDO_USER": "wang"}[name] }
	return c
}

// A daemon that runs has the report; nobody else gets it.
func TestFirewallIsReportedToTheDaemon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ln, err := net.Listen("unix", filepath.Join(dir, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	orders := make(chan daemon.Order, 1)
	go func() {
		defer close(orders)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var o daemon.Order
		if json.NewDecoder(conn).Decode(&o) == nil {
			conn.Write([]byte("{}\n")) //nolint:errcheck // the test ends
			orders <- o
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // by a signal that came too late
	order := daemon.Order{Action: daemon.FirewallApply, Changed: "+ admit 49.4.80.61 → 8864/tcp"}
	reportAction(ctx, rootConsole(words.English), dir, syslogAddress{"unixgram", filepath.Join(dir, "none")}, order)
	got := <-orders
	if got.Action != order.Action || got.Changed != order.Changed || got.Caller.Login != "root" || got.Caller.SudoUser != "wang" {
		t.Errorf("the daemon was told %+v, want %+v of root, who is wang", got, order)
	}
}

// Without a daemon, or before one that does not know such reports, the syslog has it.
func TestFirewallIsReportedToTheSyslog(t *testing.T) {
	t.Parallel()
	for name, outcome := range map[string]string{"no daemon": "", "another version": `{"problem":"unknown_action","error":"x"}` + "\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if outcome != "" {
				newControl(t, dir, outcome)
			}
			to := syslogAddress{"unixgram", filepath.Join(dir, "log")}
			conn, err := net.ListenUnixgram(to.network, &net.UnixAddr{Name: to.address, Net: to.network})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			c := rootConsole(words.English)
			reportAction(t.Context(), c, dir, to, daemon.Order{Action: daemon.FirewallApply}) // nothing changed
			reportAction(t.Context(), c, dir, to, daemon.Order{Action: daemon.FirewallRemove, Changed: "- admit 10.0.0.0/8 → 8864/tcp"})
			b := make([]byte, 4096)
			n, err := conn.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			got := string(b[:n])
			const priority = "<85>" // authpriv.notice
			for _, want := range []string{
				" lqproxy[", `admin action {"event":"admin_action","action":"firewall_remove","login":"root","sudo_user":"wang"`,
				`"uid":0,"changed":"- admit 10.0.0.0/8 → 8864/tcp"}`,
			} {
				if !strings.HasPrefix(got, priority) || !strings.Contains(got, want) {
					t.Errorf("syslog got %q, want %s and %q", got, priority, want)
				}
			}
		})
	}
}

func TestChangesInAReport(t *testing.T) {
	t.Parallel()
	var many []firewall.Source
	for i := range 300 {
		many = append(many, firewall.Source{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 32)})
	}
	few := firewall.NewPolicy(firewall.Admit{Port: 8864, Sources: many[:2]})
	if got, want := admissionsOf(few), "- admit 10.0.0.0 → 8864/tcp; - admit 10.0.1.0 → 8864/tcp"; got != want {
		t.Errorf("admissionsOf(%v) = %q, want %q", few, got, want)
	}
	got := admissionsOf(firewall.NewPolicy(firewall.Admit{Port: 8864, Sources: many}))
	if strings.Count(got, "; ") != reportedChanges || !strings.HasSuffix(got, "; ...") {
		t.Errorf("admissionsOf(300 sources) = %q, want %d and an ellipsis", got, reportedChanges)
	}
	r := firewall.Report{Changes: []firewall.Change{
		{Add: true, Source: many[0].Prefix, Port: 8864, From: "allow.sources"},
		{Add: true, Repair: "close port 8864/tcp in zone public"},
	}}
	if got, want := changesMade(r), "+ admit 10.0.0.0 → 8864/tcp; ~ close port 8864/tcp in zone public"; got != want {
		t.Errorf("changesMade() = %q, want %q", got, want)
	}
	if got := changesMade(firewall.Report{}); got != "" {
		t.Errorf("changesMade(nothing) = %q, want nothing", got)
	}
}

// What package firewall answers is said in the language of the reader, by doctor
// in one line and by the commands with hints.
func TestFirewallFailuresAreInTheLanguage(t *testing.T) {
	t.Parallel()
	cmd := &cobra.Command{Use: "apply"}
	step := &firewall.StepError{Step: firewall.Step{Verb: firewall.RemoveJumps, Family: firewall.IPv4, Chain: "LQPROXY"}, Number: 1, Of: 2, Err: errors.New("exit 4")}
	for _, tt := range []struct {
		err   error
		line  string // of doctor
		lines []string
		hints int
	}{
		{
			&firewall.StoppedError{Closes: []uint16{22, 2024}}, "firewalld 已安装但未运行，未做任何改动; 启动它将关闭以下正在监听的端口：22, 2024",
			[]string{"firewalld 已安装但未运行，未做任何改动", "启动它将关闭以下正在监听的端口：22, 2024"},
			2,
		},
		{&firewall.StoppedError{}, "firewalld 已安装但未运行，未做任何改动", nil, 2},
		{firewall.ErrNoBackend, "未找到防火墙：firewalld 未运行，也没有 iptables", nil, 1},
		{firewall.ErrNoFirewalld, "未安装 firewalld", nil, 1},
		{firewall.ErrDisabled, `[firewall] backend = "none"：防火墙由管理员自行维护`, nil, 0},
		{firewall.ErrNotRoot, "操作防火墙需要 root 权限", nil, 1},
		{fmt.Errorf("%w: %w", firewall.ErrNoBus, errors.New("refused")), "无法访问 firewalld：没有 D-Bus 系统总线（refused）", nil, 2},
		{firewall.ErrEmptyPolicy, "没有放行任何外部来源：执行将对所有人关闭端口", nil, 1},
		{firewall.ErrNotManaged, "尚未执行过：请先运行 lqproxy firewall apply", nil, 0},
		{&firewall.ZoneError{Zone: "dmz", Known: []string{"public"}}, `firewalld 没有区域 "dmz"`, nil, 1},
		{&firewall.UnknownBackendError{Name: "pf"}, `没有防火墙后端 "pf"`, nil, 1},
		{
			errors.Join(&firewall.UndoneError{Err: fmt.Errorf("%w (interrupt)", step)}),
			"第 1/2 步（remove IPv4 jumps to LQPROXY）失败：exit 4 (interrupt)；已全部撤回，本机与之前一致", nil, 1,
		},
		{
			&firewall.HalfwayError{Err: step, Undo: firewall.ErrNoBackend},
			"第 1/2 步（remove IPv4 jumps to LQPROXY）失败：exit 4；撤回也失败：未找到防火墙：firewalld 未运行，也没有 iptables", nil, 1,
		},
		{errors.New("of the host"), "of the host", nil, 1},
	} {
		if got := (firewallView{err: tt.err}).say(words.Chinese); got != tt.line {
			t.Errorf("doctor says %q of %v, want %q", got, tt.err, tt.line)
		}
		f, ok := errors.AsType[*failure](firewallFailure(rootConsole(words.Chinese), cmd, tt.err))
		if !ok {
			t.Fatalf("firewallFailure(%v) is no failure", tt.err)
		}
		if tt.lines == nil {
			tt.lines = []string{tt.line}
		}
		if diff := cmp.Diff(tt.lines, append([]string{f.text}, f.details...)); diff != "" || len(f.hints) != tt.hints {
			t.Errorf("firewallFailure(%v) has %d hints, want %d; text (-want +got):\n%s", tt.err, len(f.hints), tt.hints, diff)
		}
	}
}
