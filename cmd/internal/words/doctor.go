package words

import (
	"strings"

	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/probe/doctor"
)

// Texts of doctor: what it is and what it can be told.
var (
	ShortDoctor = Text{"check the machine and the path to Leqi; write evidence", "体检：检查本机与到乐企的链路，生成情况说明"}

	DoctorLong = Text{"Root sees more: who has the port, what SELinux denied, the firewall.\nExit code: that of the verdict on the path; 3 for a bad configuration; 1 for\nanything else that must be repaired, or a report that could not be written.\n", "以 root 运行可看到更多：端口被谁占用、SELinux 拒绝记录、防火墙。\n退出码：链路结论的退出码；配置有误为 3；其他问题、情况说明无法写入为 1。\n"}

	FlagReport     = Text{"write evidence to `FILE`: .html, .md or .txt", "生成供税务机关查阅的情况说明 `FILE`：.html、.md 或 .txt"}
	FlagApplicant  = Text{"the `NAME` of the applicant, for the report", "情况说明中的单位名称 `NAME`"}
	FlagCreditCode = Text{"the applicant's unified social credit `CODE`", "统一社会信用代码 `CODE`"}
	FlagFiledIP    = Text{"a filed egress `IP`, for probe.filed_ips; repeatable", "已备案的出口 `IP`，代替 probe.filed_ips；可重复"}
	FlagEgressIP   = Text{"an egress `IP`, for the report; may be repeated", "已知的实际出口 `IP`，写入情况说明；可重复"}
)

// Errors and remarks of doctor.
var (
	DoctorFormat   = Text{"%q must end in .html, .md or .txt", "%q 须以 .html、.md 或 .txt 结尾"}
	DoctorCode     = Text{"a unified social credit code has 18 letters and digits, %q does not", "统一社会信用代码为 18 位字母和数字，%q 不是"}
	DoctorUnused   = Text{"%s goes with --report: it is for the report alone", "%s 须与 --report 同用：只写入情况说明"}
	DoctorWritten  = Text{"the report is in %s", "情况说明已写入 %s"}
	DoctorUnwrit   = Text{"the report cannot be written: %v; it is printed instead", "无法写入情况说明：%v；改为输出到屏幕"}
	DoctorSkipped  = Text{"interrupted: what was learnt so far is above", "已中断，以上是中断前的结果"}
	DoctorDefaults = Text{"the configuration cannot be used, so the path is tested with the defaults", "配置文件无法使用，按默认配置测试链路"}
	DoctorWell     = Text{"Nothing is wrong.", "没有发现问题。"}
	DoctorSummary  = Text{"To be repaired: %d; to be looked at: %d", "需要处理 %d 项，需要留意 %d 项"}
)

// Headings and labels.
var (
	DoctorOK   = Text{"ok", "正常"}
	DoctorWarn = Text{"warn", "留意"}
	DoctorFail = Text{"FAIL", "异常"}

	DoctorMachine = Text{"Machine", "本机"}
	DoctorService = Text{"lqproxy", "lqproxy 服务"}
	DoctorPath    = Text{"Path to Leqi", "到乐企的链路"}
)

// Progress of doctor, on a terminal.
var (
	progressMachine = Text{"looking at the machine ...", "正在检查本机 ……"}
	progressService = Text{"looking at the service ...", "正在检查服务 ……"}
	progressClock   = Text{"comparing the clocks ...", "正在核对时钟 ……"}
	progressRoute   = Text{"tracing the route ...", "正在跟踪路由 ……"}
	progressEgress  = Text{"looking for the egress address ...", "正在查询出口地址 ……"}
	progressLogs    = Text{"reading the logs ...", "正在统计日志 ……"}
)

// DoctorProgress says which check comes next; "" for one that takes no time.
func DoctorProgress(l Lang, c doctor.Check) string {
	switch c {
	case doctor.System:
		return progressMachine.In(l)
	case doctor.Service:
		return progressService.In(l)
	case doctor.Clock:
		return progressClock.In(l)
	case doctor.Route:
		return progressRoute.In(l)
	case doctor.Egress:
		return progressEgress.In(l)
	case doctor.Sources:
		return progressLogs.In(l)
	}
	return ""
}

// checkNames are short, as they stand in a column.
var checkNames = map[doctor.Check]Text{
	doctor.System:        {"system", "操作系统"},
	doctor.Kernel:        {"kernel", "内核"},
	doctor.Architecture:  {"architecture", "架构"},
	doctor.Resources:     {"resources", "资源"},
	doctor.Disk:          {"disk", "磁盘"},
	doctor.Descriptors:   {"open files", "打开文件"},
	doctor.Mounts:        {"mounts", "挂载"},
	doctor.SELinux:       {"SELinux", "SELinux"},
	doctor.FIPS:          {"FIPS mode", "FIPS 模式"},
	doctor.Configuration: {"configuration", "配置"},
	doctor.Service:       {"service", "服务"},
	doctor.Port:          {"port", "端口"},
	doctor.Sources:       {"sources", "来源地址"},
	doctor.Firewall:      {"firewall", "防火墙"},
	doctor.DNS:           {"DNS", "域名解析"},
	doctor.Connect:       {"TCP", "TCP 连接"},
	doctor.TLS:           {"TLS", "TLS 握手"},
	doctor.Platform:      {"platform", "平台调用"},
	doctor.Clock:         {"clock", "时钟"},
	doctor.Route:         {"route", "路由"},
	doctor.Egress:        {"egress", "出口地址"},
}

// CheckName names c in language l.
func CheckName(l Lang, c doctor.Check) string { return checkNames[c].In(l) }

// A saying is what is said of a finding: what is so, and what to do, if something
// is to be done. Both have the arguments of the finding.
type saying struct{ fact, remedy Text }

// DoctorFinding puts f into words of language l: what is so, and what to do ("" for
// nothing). What the probe has seen makes the remedy for a verdict more precise.
func DoctorFinding(l Lang, f doctor.Finding, seen probe.Report) (fact, remedy string) {
	s := findings[f.Code]
	args := make([]any, len(f.Args))
	for i, arg := range f.Args {
		args[i] = argument(l, arg)
		if v, ok := arg.(probe.Verdict); ok {
			seen.Verdict = v
			remedy = ProbeRemedy(l, &seen)
		}
	}
	if s.remedy != (Text{}) {
		remedy = said(l, s.remedy, args)
	}
	return said(l, s.fact, args), remedy
}

// said puts t into words; not every text names every argument.
func said(l Lang, t Text, args []any) string {
	if !strings.Contains(strings.ReplaceAll(t.EN, "%%", ""), "%") {
		return t.In(l)
	}
	return t.In(l, args...)
}

// argument puts an argument of a finding into words, if that depends on the
// language.
func argument(l Lang, arg any) any {
	switch v := arg.(type) {
	case probe.Verdict:
		return VerdictMeaning(l, v)
	case doctor.Outcome:
		return outcomeNames[v].In(l)
	case probe.Source:
		return sourceNames[v].In(l)
	case probe.Environment:
		return EnvironmentName(l, v)
	}
	return arg
}

var outcomeNames = map[doctor.Outcome]Text{
	doctor.Outcome(probe.TimedOut):       {"no answer", "无应答"},
	doctor.Outcome(probe.ConnectRefused): {"refused", "被拒绝"},
	doctor.Outcome(probe.Reset):          {"reset", "被重置"},
	doctor.Outcome(probe.Unreachable):    {"unreachable", "不可达"},
}

var sourceNames = map[probe.Source]Text{
	probe.SourceDNS:    {"DNS", "DNS"},
	probe.SourceHosts:  {"the hosts file", "hosts 文件"},
	probe.SourceFixed:  {"upstream.fixed_ips", "upstream.fixed_ips"},
	probe.SourceHost:   {"upstream.address", "upstream.address"},
	probe.SourceChosen: {"the command line", "命令行"},
}

var environmentNames = map[probe.Environment]Text{
	probe.Sandbox:    {"sandbox", "沙箱"},
	probe.Production: {"production", "生产"},
}
