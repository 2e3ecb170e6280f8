package words

import (
	"errors"
	"strconv"
	"strings"

	"github.com/lqproxy/lqproxy/firewall"
)

// Texts of firewall.
var (
	ShortFirewall       = Text{"bring the host's firewall in step with the configuration", "使本机防火墙与配置一致"}
	ShortFirewallPlan   = Text{"show what would change; nothing is changed", "显示将要做的改动，不执行"}
	ShortFirewallApply  = Text{"make the changes", "执行改动"}
	ShortFirewallStatus = Text{"say whether the firewall is in step", "检查防火墙是否与配置一致"}
	ShortFirewallRemove = Text{"take away what was added", "撤销本程序添加的规则"}
	ShortFirewallWatch  = Text{"show who knocks at the port, and whether he is admitted", "观察谁在连接端口、是否放行"}

	FlagYes       = Text{"do not ask", "不再询问"}
	FlagHeal      = Text{"bring back what was applied last, and nothing new", "只恢复上次执行的结果，不引入新改动"}
	FlagQuiet     = Text{"say nothing if nothing changes", "无改动时不输出"}
	FlagAdopt     = Text{"take over old accept rules for the port; those of others than the configured sources go", "接管该端口原有的放行规则，其中未配置的来源将被移除"}
	FlagClosePort = Text{"close the port where it is open to everyone", "关闭对所有人开放的该端口"}
	FlagRestore   = Text{"put back the rules that were taken over, but no opening to everyone", "恢复被接管的规则，但不恢复对所有人的开放"}
	FlagUnused    = Text{"only if nothing else listens on the port", "仅当没有其他程序监听该端口时"}
	FlagAll       = Text{"every instance", "所有实例"}
	FlagFor       = Text{"how `LONG` to watch; until Ctrl-C if not given", "观察时长 `LONG`；不指定则直到按 Ctrl-C"}

	FirewallBackend  = Text{"backend %s", "防火墙：%s"}
	FirewallInstance = Text{"instance %s:", "实例 %s："}
	FirewallAdd      = Text{"+ admit %s (%s)", "+ 放行 %s（%s）"}
	FirewallAddAgain = Text{"+ admit %s", "+ 放行 %s"}
	FirewallDrop     = Text{"- admit %s", "- 不再放行 %s"}
	FirewallInStep   = Text{"in step: exactly the configured sources are admitted", "一致：只放行已配置的来源"}
	FirewallNothing  = Text{"nothing to change", "无需改动"}
	FirewallOutOf    = Text{"out of step", "不一致"}
	FirewallUnsaid   = Text{"not managed: nothing was applied yet", "未管理：尚未执行过 lqproxy firewall apply"}
	FirewallApplied  = Text{"applied: exactly the configured sources are admitted", "已执行：只放行已配置的来源"}
	FirewallMostly   = Text{"applied, but others are still let in; see above", "已执行，但仍有其他放行途径，见上"}
	FirewallHealed   = Text{"brought back what was applied on %s", "已恢复 %s 执行的结果"}
	FirewallRemoved  = Text{"removed: the host's other rules decide about the port from now on", "已撤销：该端口今后由本机其他规则决定"}
	FirewallGone     = Text{"nothing to remove: nothing was applied", "无可撤销：尚未执行过"}
	FirewallKept     = Text{"not removed: something else listens on port %[1]d, which our rules keep closed; see \"ss -lntp\"", "未撤销：仍有其他程序监听端口 %[1]d，撤销后该端口可能对外开放；可用 ss -lntp 查看"}
	FirewallKeepsOut = Text{"[firewall] backend = \"none\": the administrator sees to the firewall", "[firewall] backend = \"none\"：防火墙由管理员自行维护"}
	FirewallLocal    = Text{"the listeners are reached from this machine only: there is nothing to admit", "仅监听本机回环地址，无需放行"}

	FirewallOpens      = Text{"lets in others than the configured sources:", "以下规则另行放行了其他来源："}
	FirewallBlocks     = Text{"may keep the configured sources out:", "以下情况可能拦住已配置的来源："}
	FirewallSidesBoth  = Text{"now and permanent", "当前与永久"}
	FirewallSideNow    = Text{"now", "当前"}
	FirewallSideLater  = Text{"permanent", "永久"}
	FirewallAskRest    = Text{"Remove these leftovers too? They are: %s", "是否同时清除这些遗留规则？%s"}
	FirewallAsk        = Text{"Apply?", "执行？"}
	FirewallAskRemove  = Text{"Remove our rules? The host's other rules then decide about the port.", "撤销本程序的规则？之后该端口由本机其他规则决定。"}
	FirewallNothingNow = Text{"nothing was changed", "未做任何改动"}

	FirewallNeedsYes  = Text{"this is no terminal: --yes says that the changes are wanted", "当前不是终端：加 --yes 表示确认执行"}
	FirewallOtherFlag = Text{"%s does not go with --heal", "%s 不能与 --heal 同用"}
	FirewallLeftovers = Text{"--adopt takes over old accept rules, --close-open-port closes the open port", "--adopt 接管原有放行规则，--close-open-port 关闭对所有人开放的端口"}

	FirewallRoot       = Text{"the firewall is root's: run this as root", "操作防火墙需要 root 权限"}
	FirewallNoBackend  = Text{"no firewall found: firewalld does not run and there is no iptables", "未找到防火墙：firewalld 未运行，也没有 iptables"}
	FirewallInstall    = Text{"start firewalld or install iptables; or set [firewall] backend = \"none\" and admit the sources by other means", "启动 firewalld 或安装 iptables；或设 [firewall] backend = \"none\" 并用其他方式放行"}
	FirewallStopped    = Text{"firewalld is installed but does not run; nothing was changed", "firewalld 已安装但未运行，未做任何改动"}
	FirewallWouldShut  = Text{"starting it would close these ports, at which programs listen: %s", "启动它将关闭以下正在监听的端口：%s"}
	FirewallStart      = Text{"either open what is needed and start it: firewall-offline-cmd --add-port=PORT/tcp; systemctl enable --now firewalld", "方法一：先放行所需端口再启动：firewall-offline-cmd --add-port=端口/tcp; systemctl enable --now firewalld"}
	FirewallUseTables  = Text{"or do without it: [firewall] backend = \"iptables\"", "方法二：不用它，设 [firewall] backend = \"iptables\""}
	FirewallNoBus      = Text{"firewalld cannot be asked: there is no D-Bus system bus (%v)", "无法访问 firewalld：没有 D-Bus 系统总线（%v）"}
	FirewallZone       = Text{"firewalld has no zone %q", "firewalld 没有区域 %q"}
	FirewallZones      = Text{"correct [firewall] zones; firewalld has: %s", "请修改 [firewall] zones；现有区域：%s"}
	FirewallUnknown    = Text{"there is no firewall backend %q", "没有防火墙后端 %q"}
	FirewallBackends   = Text{"[firewall] backend is auto, firewalld, iptables or none", "[firewall] backend 可为 auto、firewalld、iptables、none"}
	FirewallEmpty      = Text{"the policy admits nobody from outside this machine: applying it would close the port to all", "没有放行任何外部来源：执行将对所有人关闭端口"}
	FirewallEmptyHint  = Text{"name the callers in [allow]; \"lqproxy firewall remove\" takes the rules away", "请在 [allow] 中填写来源；要撤销规则请用 lqproxy firewall remove"}
	FirewallUndone     = Text{"%v; what was done is undone, the host is as before", "%v；已全部撤回，本机与之前一致"}
	FirewallHalfway    = Text{"%v; undoing it failed too: %v", "%v；撤回也失败：%v"}
	FirewallStepFailed = Text{"step %d/%d (%v) failed: %v", "第 %d/%d 步（%v）失败：%v"}
	FirewallMissing    = Text{"firewalld is not installed", "未安装 firewalld"}
	FirewallStands     = Text{"this stands: %s", "目前已生效：%s"}
	FirewallRetry      = Text{"\"lqproxy firewall plan\" shows what is missing; apply again", "用 lqproxy firewall plan 查看差异，再次执行 apply"}
	FirewallNotThere   = Text{"nothing was applied yet: lqproxy firewall apply", "尚未执行过：请先运行 lqproxy firewall apply"}

	ChallengeForward = Text{"the certificate's authority asks at port %d, from addresses that nobody names; to let it in, lead that port to %d for everyone:", "证书颁发机构从不固定的地址访问 %d 端口进行验证；如需放行，请将该端口对所有人转发到 %d："}

	WatchBegins   = Text{"watching ports %s; Ctrl-C ends it", "正在观察端口 %s；按 Ctrl-C 结束"}
	WatchAdmitted = Text{"admitted", "放行"}
	WatchDropped  = Text{"not admitted", "未放行"}
	WatchNobody   = Text{"nobody knocked", "期间无人连接"}
	WatchSource   = Text{"source", "来源"}
	WatchPort     = Text{"port", "端口"}
	WatchCount    = Text{"times", "次数"}
	WatchVerdict  = Text{"verdict", "结果"}
	WatchAddLine  = Text{"to admit one of them, add it to [allow] sources, then reload and apply:", "如需放行，请加入 [allow] sources，再执行 reload 和 firewall apply："}
)

// findingTexts say what opens a port, or may close it, by kind. The argument is
// what the host calls it.
var findingTexts = map[firewall.FindingKind]Text{
	firewall.OpenPort:      {"port %s, open to everyone", "端口 %s 对所有人开放"},
	firewall.OpenRange:     {"port range %s", "端口范围 %s"},
	firewall.OpenService:   {"service %s, which has the port", "服务 %s 包含该端口"},
	firewall.OpenProtocol:  {"protocol %s as a whole", "整个协议 %s"},
	firewall.OpenFromPort:  {"source port %s", "源端口 %s"},
	firewall.RichAccept:    {"%s", "%s"},
	firewall.Forward:       {"forwarded port: %s", "端口转发：%s"},
	firewall.TargetAccept:  {"accepts everything (%s)", "全部放行（%s）"},
	firewall.DirectAccept:  {"direct rule: %s", "直接规则：%s"},
	firewall.IPTableAccept: {"%s", "%s"},
	firewall.Redirect:      {"NAT: %s", "NAT：%s"},
	firewall.RulesLost:     {"the kernel has lost the rules of %s: they were flushed", "%s 的规则已被清空，内核中不存在"},
	firewall.NoIPv6Filter:  {"the host has IPv6 addresses, but no %s: over IPv6 the port is not filtered", "本机有 IPv6 地址但没有 %s：IPv6 未过滤"},
	firewall.ChainDrops:    {"native chain that drops (%s)", "原生链会丢弃（%s）"},
	firewall.FirewalldRuns: {"%s runs beside: what it does not admit stays closed", "%s 同时在运行：其未放行的仍不通"},
	firewall.Unreadable:    {"could not be read: %s", "无法读取：%s"},
}

// stepTexts say what a step does beside admitting sources, by its verb. The
// arguments are the family of addresses, the chain and what the host calls it.
var stepTexts = map[firewall.Verb]Text{
	firewall.AddPort:     {"open %[3]s", "开放 %[3]s"},
	firewall.RemovePort:  {"close %[3]s, open to everyone until now", "关闭对所有人开放的 %[3]s"},
	firewall.UpdateZone:  {"permanently close %[3]s, open to everyone until now", "永久关闭对所有人开放的 %[3]s"},
	firewall.LoadChain:   {"load chain %[2]s (%[1]s) anew", "重新载入链 %[2]s（%[1]s）"},
	firewall.PlaceJump:   {"make the jump to %[2]s (%[1]s) the first rule of INPUT: %[3]s", "将跳转到 %[2]s（%[1]s）的规则置于 INPUT 首位：%[3]s"},
	firewall.RemoveJumps: {"remove the jump to %[2]s (%[1]s)", "移除跳转到 %[2]s（%[1]s）的规则"},
	firewall.RemoveChain: {"remove chain %[2]s (%[1]s)", "移除链 %[2]s（%[1]s）"},
}

// PortList is ports, separated by commas.
func PortList(ports []uint16) string {
	texts := make([]string, len(ports))
	for i, p := range ports {
		texts[i] = strconv.Itoa(int(p))
	}
	return strings.Join(texts, ", ")
}

// FirewallError says what went wrong, in one line. What the host itself said
// stays as it is.
func FirewallError(l Lang, err error) string {
	if e, ok := errors.AsType[*firewall.StoppedError](err); ok {
		if len(e.Closes) == 0 {
			return FirewallStopped.In(l)
		}
		return FirewallStopped.In(l) + "; " + FirewallWouldShut.In(l, PortList(e.Closes))
	}
	if e, ok := errors.AsType[*firewall.HalfwayError](err); ok {
		return FirewallHalfway.In(l, FirewallError(l, e.Err), FirewallError(l, e.Undo))
	}
	if e, ok := errors.AsType[*firewall.UndoneError](err); ok {
		return FirewallUndone.In(l, FirewallError(l, e.Err))
	}
	if e, ok := errors.AsType[*firewall.StepError](err); ok {
		text := FirewallStepFailed.In(l, e.Number, e.Of, e.Step, e.Err)
		return strings.Replace(err.Error(), e.Error(), text, 1) // why it was interrupted stays
	}
	if e, ok := errors.AsType[*firewall.ZoneError](err); ok {
		return FirewallZone.In(l, e.Zone)
	}
	if e, ok := errors.AsType[*firewall.UnknownBackendError](err); ok {
		return FirewallUnknown.In(l, string(e.Name))
	}
	if errors.Is(err, firewall.ErrNoBus) {
		return FirewallNoBus.In(l, strings.TrimPrefix(err.Error(), firewall.ErrNoBus.Error()+": "))
	}
	for _, s := range firewallErrors {
		if errors.Is(err, s.err) {
			return s.text.In(l)
		}
	}
	return err.Error()
}

// firewallErrors are the errors without parameters.
var firewallErrors = []struct {
	err  error
	text Text
}{
	{firewall.ErrNotRoot, FirewallRoot},
	{firewall.ErrNoBackend, FirewallNoBackend},
	{firewall.ErrNoFirewalld, FirewallMissing},
	{firewall.ErrDisabled, FirewallKeepsOut},
	{firewall.ErrEmptyPolicy, FirewallEmpty},
	{firewall.ErrNotManaged, FirewallNotThere},
}

// FirewallStep says what s does beside admitting sources.
func FirewallStep(l Lang, s firewall.Step) string {
	what := s.Text
	if s.Verb == firewall.UpdateZone {
		what = strings.Join(append(s.AddPorts, s.RemovePorts...), ", ")
	}
	if s.Zone != "" {
		what += " (" + s.Zone + ")"
	}
	return stepTexts[s.Verb].In(l, s.Family, s.Chain, what)
}

// FirewallFinding says what f is, in one line.
func FirewallFinding(l Lang, f firewall.Finding) string {
	text := findingTexts[f.Kind].In(l, f.What)
	if f.Where != "" {
		text = f.Where + ": " + text
	}
	switch f.When {
	case "":
		return text
	case "runtime":
		return text + " (" + FirewallSideNow.In(l) + ")"
	case "permanent":
		return text + " (" + FirewallSideLater.In(l) + ")"
	}
	return text + " (" + FirewallSidesBoth.In(l) + ")"
}
