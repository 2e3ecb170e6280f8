package words

import (
	"github.com/lqproxy/lqproxy/probe"
)

// Texts of probe: what it is and what it can be told.
var (
	ShortProbe = Text{"test the path to Leqi step by step, and say where it ends", "逐步测试到乐企的链路，指出断在哪一步"}

	FlagEnv       = Text{"`ENVIRONMENT`: sandbox, production or both", "环境 `ENVIRONMENT`：sandbox、production 或 both"}
	FlagUnit      = Text{"name or id of the `UNIT`, or all; else the first", "接入单位 `UNIT` 的名称或 id，或 all；默认第一个"}
	FlagUsingUnit = Text{"name or id of the using `UNIT`; else the same", "使用单位 `UNIT` 的名称或 id；默认同接入单位"}
	FlagAbility   = Text{"the `ABILITY` to call", "所调用的能力 `ABILITY`"}
	FlagAddress   = Text{"probe this `IP` of the upstream alone", "只测试上游的这个 `IP`"}
	FlagLocal     = Text{"connect from this `IP` of this machine", "从本机的这个 `IP` 发起连接"}
	FlagVia       = Text{"call through a running proxy: `URL` is http://HOST:PORT", "经由运行中的代理调用：`URL` 形如 http://主机:端口"}
	FlagAttempts  = Text{"at most `N` calls, while Leqi answers 403", "应答 403 时最多调用 `N` 次"}
	FlagWait      = Text{"`TIME` before the second call, then longer", "第二次调用前等待的时间 `TIME`，逐次延长"}
	FlagPin       = Text{"print the configuration's line with the pin", "输出固定证书指纹的配置行"}

	ProbeVerdicts = Text{"Verdicts, with their exit codes:", "结论与退出码："}
)

// Errors of the command line of probe.
var (
	ProbeEnv      = Text{"--env must be sandbox, production or both, not %q", "--env 只能是 sandbox、production 或 both，不能是 %q"}
	ProbeVia      = Text{"--via must be of the form http://HOST:PORT or https://HOST:PORT, not %q", "--via 须写成 http://主机:端口 或 https://主机:端口，不能是 %q"}
	ProbeViaHint  = Text{"for the proxy on this machine: --via http://127.0.0.1:8864", "测试本机的代理：--via http://127.0.0.1:8864"}
	ProbeViaUnit  = Text{"--via needs a unit to call as: name one with --unit ID", "--via 需要接入单位：请用 --unit ID 指定"}
	ProbeAddress  = Text{"%s must be an IP address, not %q", "%s 须为 IP 地址，不能是 %q"}
	ProbeFamily   = Text{"%s and %s are of different families", "%s 与 %s 不是同一种地址（IPv4、IPv6）"}
	ProbeAttempts = Text{"--attempts must be between 1 and %d, not %d", "--attempts 须在 1 到 %d 之间，不能是 %d"}
	ProbeWait     = Text{"--wait must be between 1s and %v, not %v", "--wait 须在 1s 到 %v 之间，不能是 %v"}
	ProbeUnit     = Text{"%s must be a name of [[units]] or an id of letters and digits, not %q", "%s 须为 [[units]] 中的名称，或由字母和数字组成的 id，不能是 %q"}
	ProbeNoUnits  = Text{"--unit all: the configuration has no units", "--unit all：配置中没有接入单位"}
	ProbeAbility  = Text{"--ability must be letters and digits, such as 202007, not %q", "--ability 须由字母和数字组成，例如 202007，不能是 %q"}
	ProbeNoConfig = Text{"there is no %s: the defaults are taken", "没有配置文件 %s，按默认配置执行"}
	ProbeNoUnit   = Text{"no unit is known, so nothing is called: name one with --unit ID", "未指定接入单位，不发起调用；可用 --unit ID 指定"}
	ProbeNoPin    = Text{"no certificate was seen", "没有见到证书"}
	ProbePinHint  = Text{"this line belongs to [upstream.tls], beside verify = \"pin\"", "把这一行写入 [upstream.tls]，并设 verify = \"pin\""}
	ProbeRemember = Text{"the 403 cannot be remembered for the next run: %v", "无法记下本次 403，下次运行不会提醒：%v"}
)

// What is shown of the stages.
var (
	ProbeTitle  = Text{"Probing %s with %s", "测试 %s，配置 %s"}
	ProbeNoFile = Text{"the defaults", "默认值"}

	ProbeResolve  = Text{"1 resolve", "1 域名解析"}
	ProbeConnect  = Text{"2 connect", "2 TCP 连接"}
	ProbeTLS      = Text{"3 TLS", "3 TLS 握手"}
	ProbePlatform = Text{"4 platform", "4 平台应答"}

	ProbeDNS    = Text{"%d from DNS, %s", "DNS 解析出 %d 个地址，%s"}
	ProbeHosts  = Text{"%d from the hosts file, %s", "hosts 文件中有 %d 个地址，%s"}
	ProbeFixed  = Text{"%d from upstream.fixed_ips", "取自 upstream.fixed_ips，%d 个地址"}
	ProbeHost   = Text{"the upstream is an address", "上游地址就是 IP"}
	ProbeChosen = Text{"as told by --address", "由 --address 指定"}
	ProbeFailed = Text{"failed: %s, %s", "失败：%s，%s"}

	ProbeConnected   = Text{"connected, %s", "已连接，%s"}
	ProbeTimedOut    = Text{"no answer, %s", "无应答，%s"}
	ProbeRefused     = Text{"refused, %s", "被拒绝，%s"}
	ProbeReset       = Text{"reset, %s", "被重置，%s"}
	ProbeUnreachable = Text{"unreachable (%s)", "不可达（%s）"}

	ProbeCertificate = Text{"certificate: %s", "证书：%s"}
	ProbeIssuer      = Text{"issuer: %s", "签发者：%s"}
	ProbeNames       = Text{"names: %s", "域名：%s"}
	ProbeNoNames     = Text{"none", "无"}
	ProbeUntil       = Text{"valid until: %s", "有效期至：%s"}
	ProbeKey         = Text{"pin: %s", "指纹：%s"}
	ProbePassing     = Text{"verify = %q would pass", "verify = %q 可通过"}
	ProbeNotPassing  = Text{"verify = %q would not pass: %s", "verify = %q 不能通过：%s"}
	ProbeNotPinned   = Text{"the key is not in upstream.tls.pins", "公钥不在 upstream.tls.pins 中"}
	ProbeRecordFirst = Text{"record: empty; the key is recorded when the proxy connects", "记录：尚无，代理首次连接时记录"}
	ProbeRecordKnown = Text{"record: the key is known", "记录：公钥已记录"}
	ProbeRecordNew   = Text{"record: the key is not in it", "记录：没有此公钥"}
	ProbeRecordWaits = Text{"record: the key waits to be accepted", "记录：此公钥待确认"}
	ProbeRecordNone  = Text{"record: cannot be read by this user", "记录：当前用户无法读取"}
	ProbeHelps       = Text{"succeeds with %s", "改用 %s 后握手成功"}

	ProbeSandbox    = Text{"sandbox, unit %s", "沙箱，接入单位 %s"}
	ProbeProduction = Text{"production, unit %s", "生产，接入单位 %s"}
	ProbeUsing      = Text{", using unit %s", "，使用单位 %s"}
	ProbeThrough    = Text{", through %s", "，经由 %s"}
	ProbeDirectly   = Text{"directly, without the proxy:", "不经代理，直接调用："}
	ProbeAttempt    = Text{"attempt %d: %s, %s", "第 %d 次：%s，%s"}
	ProbeAgain      = Text{"attempt %d, after %s: %s, %s", "等待 %[2]s，第 %[1]d 次：%[3]s，%[4]s"}
	ProbeIsCalled   = Text{"not called: the path ends before", "未调用：前面的步骤没有通过"}

	ProbeProof     = Text{"HTTP %d, %s: the proof", "HTTP %d，%s：链路已通"}
	ProbeCode      = Text{"HTTP %d, Leqi code %s (%s)", "HTTP %d，乐企返回码 %s（%s）"}
	ProbeOtherCode = Text{"HTTP %d, a Leqi code that is not known", "HTTP %d，未收录的乐企返回码"}
	ProbeOwn       = Text{"HTTP %d of lqproxy itself, reason %s", "lqproxy 自身的应答 HTTP %d，原因 %s"}
	ProbeStatus    = Text{"HTTP %d", "HTTP 状态码 %d"}
	ProbeText      = Text{"HTTP %d, \"%s\"", "HTTP %d，内容为“%s”"}
	ProbeNothing   = Text{"no answer (%s)", "没有应答（%s）"}
)

// Progress on a terminal.
var (
	ProgressResolve = Text{"resolving %s ...", "正在解析 %s ……"}
	ProgressConnect = Text{"connecting to %s ...", "正在连接 %s ……"}
	ProgressTLS     = Text{"shaking hands with %s ...", "正在与 %s 握手 ……"}
	ProgressTrial   = Text{"shaking hands with %s and %s ...", "正在与 %s 握手，改用 %s ……"}
	ProgressCall    = Text{"%s: attempt %d of %d ...", "%s：第 %d 次调用，最多 %d 次 ……"}
	ProgressWait    = Text{"%s: 403; attempt %d of %d follows in %s ...", "%s：返回 403，%[4]s 后第 %[2]d 次调用，最多 %[3]d 次 ……"}
)

// Warnings of a probe.
var (
	warnLabel      = Text{"warning: %s", "警告：%s"}
	warnUnitLength = Text{"the id %s does not have 20 characters", "id %s 不是 20 位，请核对"}
	warnForbidden  = Text{"Leqi answered 403 less than 30 minutes ago (%s): one attempt only", "乐企在 30 分钟内返回过 403（%s），本次只尝试一次"}
	warnKeyChanged = Text{"the upstream shows a key that is not accepted: %s; if it is to be trusted: lqproxy trust accept", "上游出示了未确认的公钥：%s；确认可信后运行 lqproxy trust accept"}
	warnKeyUnread  = Text{"the record of keys cannot be read, so the key is not compared: run as root or as user lqproxy", "无法读取公钥记录，未作比对：请以 root 或 lqproxy 用户运行"}
	warnExpires    = Text{"the upstream's certificate ends on %s", "上游证书有效期到 %s"}
)

// ProbeWarning puts w into words of language l.
func ProbeWarning(l Lang, w probe.Warning) string {
	texts := map[probe.WarningKind]Text{
		probe.WarnUnitLength: warnUnitLength,
		probe.WarnForbidden:  warnForbidden,
		probe.WarnKeyChanged: warnKeyChanged,
		probe.WarnExpires:    warnExpires,
	}
	text, ok := texts[w.Kind]
	if !ok { // its value says nothing to people
		return warnLabel.In(l, warnKeyUnread.In(l))
	}
	return warnLabel.In(l, text.In(l, w.Value))
}
