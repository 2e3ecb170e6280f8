package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy/leqi"
)

// way is the connectivity test, each step in the form of the command that people
// know.
func (e *Evidence) way() []block {
	p := e.Report.Probe
	verdict := "测试中断，没有结论"
	if p.Verdict != "" {
		verdict = e.Verdict(p.Verdict)
	}
	blocks := []block{
		{Facts: []fact{{"目标", p.Upstream, ""}, {"结论", verdict, measured}}},
		{Note: "以下各步由本程序自行完成，按常用命令的格式列出；在本机运行所示命令可得到相同的结果。"},
	}
	blocks = append(blocks, resolveBlocks(p)...)
	blocks = append(blocks, connectBlocks(p)...)
	for _, t := range e.Report.Traces {
		blocks = append(blocks, block{Note: "路由跟踪（TCP）："}, block{Console: traceLines(t)})
	}
	blocks = append(blocks, tlsBlocks(p)...)
	return append(blocks, e.callBlocks(p)...)
}

var resolveSources = map[probe.Source]string{
	probe.SourceDNS:    "DNS",
	probe.SourceHosts:  "hosts 文件",
	probe.SourceFixed:  "配置项 fixed_ips",
	probe.SourceHost:   "上游地址本身",
	probe.SourceChosen: "命令行指定",
}

func resolveBlocks(p *probe.Report) []block {
	r := p.Resolve
	if r == nil {
		return nil
	}
	host, _, _ := net.SplitHostPort(p.Upstream)
	if len(r.Addresses) == 0 {
		return []block{{Note: "域名解析：失败。"}, {Console: []string{"$ getent ahosts " + host, r.Error}}}
	}
	note := fmt.Sprintf("域名解析（来源：%s，用时 %s）：", resolveSources[r.Source], millis(time.Duration(r.Took)))
	lines := []string{"$ getent ahosts " + host}
	for _, a := range r.Addresses {
		lines = append(lines, a.String())
	}
	return []block{{Note: note}, {Console: lines}}
}

// telnetErrors are what telnet says when it cannot connect.
var telnetErrors = map[probe.Verdict]string{
	probe.TimedOut:       "Connection timed out",
	probe.ConnectRefused: "Connection refused",
	probe.Reset:          "Connection reset by peer",
}

func connectBlocks(p *probe.Report) []block {
	if len(p.Connect) == 0 {
		return nil
	}
	var lines []string
	for _, c := range p.Connect {
		host, port := c.Address.Addr().String(), strconv.Itoa(int(c.Address.Port()))
		lines = append(lines, "$ telnet "+host+" "+port, "Trying "+host+"...")
		if c.Verdict == probe.PathOpen {
			lines = append(lines, fmt.Sprintf("Connected to %s.    (%s, from %v)", host, millis(time.Duration(c.Took)), c.Local))
			continue
		}
		said, ok := telnetErrors[c.Verdict]
		if !ok {
			said = c.Error
		}
		lines = append(lines, fmt.Sprintf("telnet: Unable to connect to remote host: %s    (%s)", said, millis(time.Duration(c.Took))))
	}
	return []block{{Note: "端口连通（TCP）："}, {Console: lines}}
}

// traceLines are t as traceroute prints it.
func traceLines(t Trace) []string {
	target := t.Target.Addr()
	lines := []string{
		fmt.Sprintf("$ traceroute -T -n -q 1 -p %d %v", t.Target.Port(), target),
		fmt.Sprintf("traceroute to %v (%v), %d hops max", target, target, maxHops),
	}
	for i, h := range t.Hops {
		lines = append(lines, fmt.Sprintf("%2d  %s", i+1, hopText(h)))
	}
	if t.Error != "" {
		return append(lines, t.Error)
	}
	switch at, last := lastAnswer(t.Hops); {
	case at == 0:
		return append(lines, "# 途中没有任何应答")
	case last.Kind == HopTarget:
		return append(lines, fmt.Sprintf("# 第 %d 跳到达目标", at))
	case last.Kind == HopRefused:
		return append(lines, fmt.Sprintf("# 第 %d 跳拒绝连接", at))
	case last.Kind == HopBarred:
		return append(lines, fmt.Sprintf("# 第 %d 跳报告不可达", at))
	default:
		return append(lines, fmt.Sprintf("# 应答止于第 %d 跳 %s", at, hopName(last.Addr)))
	}
}

func hopText(h Hop) string {
	switch h.Kind {
	case HopSilent:
		return "*"
	case HopBarred:
		return hopName(h.Addr) + "  " + millis(h.Took) + " !X"
	}
	return hopName(h.Addr) + "  " + millis(h.Took)
}

// hopName writes an address; who answered is not always known.
func hopName(a netip.Addr) string {
	if !a.IsValid() {
		return "(地址未知)"
	}
	return a.String()
}

func tlsBlocks(p *probe.Report) []block {
	if len(p.TLS) == 0 {
		return nil
	}
	host, _, _ := net.SplitHostPort(p.Upstream)
	var lines []string
	for _, h := range p.TLS {
		lines = append(lines, fmt.Sprintf("$ openssl s_client -connect %v -servername %s", h.Address, host))
		if h.Verdict != probe.PathOpen {
			lines = append(lines, "handshake failed: "+h.Error)
		} else {
			lines = append(lines, fmt.Sprintf("Protocol: %s, Cipher: %s    (%s)", h.Version, h.Suite, millis(time.Duration(h.Took))))
		}
		if c := h.Certificate; c != nil {
			lines = append(lines, "subject="+c.Subject, "issuer="+c.Issuer, "NotAfter: "+c.NotAfter.Format(time.DateOnly))
		}
	}
	return []block{{Note: "TLS 握手："}, {Console: lines}}
}

var environments = map[probe.Environment]string{probe.Sandbox: "沙箱", probe.Production: "生产"}

// callBlocks are the guide's calls, with every attempt.
func (e *Evidence) callBlocks(p *probe.Report) []block {
	var blocks []block
	for _, c := range p.Calls {
		note := fmt.Sprintf("平台调用（%s环境，接入单位 %s）：", environments[c.Environment], c.Unit)
		blocks = append(blocks, block{Note: note}, block{Console: curlLines(c, p)})
		t := &table{Head: []string{"次序", "结果", "乐企应答", "HTTP 状态", "用时"}, Numbers: 2}
		for i, a := range c.Attempts {
			t.Rows = append(t.Rows, []string{
				strconv.Itoa(i + 1), e.attempt(a), codeText(a.Code), number(a.Status), millis(time.Duration(a.Took)),
			})
		}
		blocks = append(blocks, block{Table: t})
	}
	return blocks
}

func (e *Evidence) attempt(a probe.Attempt) string {
	said := e.Verdict(a.Verdict)
	if a.Error != "" {
		return said + "（" + a.Error + "）"
	}
	return said
}

// codeText says what the platform answered: its number, where it has one, and
// what that means.
func codeText(code string) string {
	m, ok := leqi.Explain(code)
	_, err := strconv.Atoi(code)
	switch {
	case code == "":
		return "-"
	case !ok:
		return "无法识别"
	case err != nil:
		return m.Meaning
	}
	return code + " " + m.Meaning
}

// curlLines is the guide's command for the call.
func curlLines(c probe.Call, p *probe.Report) []string {
	base := "https://" + p.Upstream
	if p.Via != "" {
		base = p.Via
	}
	mark := ""
	if c.Environment == probe.Sandbox {
		mark = ` -H "sxcsbz:1"`
	}
	return []string{
		`$ curl -k -X POST -H "Content-Type: application/json"` + mark + ` \`,
		fmt.Sprintf(`    -H "jrdwptbh:%s" -H "sydwptbh:%s" \`, c.Unit, c.UsingUnit),
		"    " + base + c.Path,
	}
}

// number writes n; 0 is none.
func number(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

// millis writes d as traceroute does.
func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
