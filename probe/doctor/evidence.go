package doctor

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/probe"
)

// An Evidence is what an application to the tax authority needs, in Chinese.
type Evidence struct {
	// Entered by hand, and marked so.
	Applicant  string
	CreditCode string
	EgressIPs  []netip.Addr

	// From the configuration, or entered by hand.
	Units       []string // ids
	UnitsByHand bool
	FiledIPs    []netip.Addr
	FiledByHand bool

	Program string // that writes it: "lqproxy 1.2"
	Report  *Report
	Conduct *Conduct // nil: there are no logs

	Sources  []netip.Prefix // admitted now
	Presets  []string
	History  []Admission // earlier sources, the oldest first
	Firewall string      // as of now; "": not known

	// Verdict says a verdict in Chinese, in one line.
	Verdict func(probe.Verdict) string
}

// An Admission is a set of sources, and when it was put in force.
type Admission struct {
	Since   time.Time
	Sources []netip.Prefix
}

// Marks of facts.
const (
	byHand   = "人工填写"
	fromFile = "取自配置文件"
	measured = "本次实测"
)

const (
	timeLayout = "2006-01-02 15:04:05 -07:00"
	unfilled   = "（未填写）"
)

// document puts e together.
func (e *Evidence) document() document {
	r := e.Report
	d := document{
		Title:    "乐企平台接入连通性情况说明",
		Subtitle: fmt.Sprintf("%s 由 %s 在主机 %s 上生成", r.Began.Format(timeLayout), e.Program, r.Host.Name),
	}
	for _, s := range []section{
		{"申请单位", e.applicant()},
		{"出口地址", e.addresses()},
		{"测试主机", e.host()},
		{"连通性测试", e.way()},
		{fmt.Sprintf("近 %d 日调用情况", ConductDays), e.conduct()},
		{"来源管控", e.control()},
		{"确认", e.signature()},
	} {
		s.Heading = ordinals[len(d.Sections)] + "、" + s.Heading
		d.Sections = append(d.Sections, s)
	}
	return d
}

var ordinals = []string{"一", "二", "三", "四", "五", "六", "七"}

func (e *Evidence) applicant() []block {
	units := strings.Join(e.Units, "、")
	return []block{{Facts: []fact{
		{"单位名称", or(e.Applicant, unfilled), byHand},
		{"统一社会信用代码", or(e.CreditCode, unfilled), byHand},
		{"接入单位乐企 id", or(units, unfilled), origin(e.UnitsByHand || units == "")},
	}}}
}

// origin marks what may stand in the configuration.
func origin(hand bool) string {
	if hand {
		return byHand
	}
	return fromFile
}

func (e *Evidence) addresses() []block {
	facts := []fact{
		{"已备案出口 IP", or(listAddrs(e.FiledIPs), unfilled), origin(e.FiledByHand || len(e.FiledIPs) == 0)},
		{"实际出口 IP", or(listAddrs(e.EgressIPs), unfilled), byHand},
	}
	g := e.Report.Egress
	if g.Public.IsValid() {
		facts = append(facts, fact{"出口 IP 探测结果", g.Public.String(), measured})
	}
	if g.Local.IsValid() {
		facts = append(facts, fact{"本机外发连接的源地址", g.Local.String(), measured})
	}
	blocks := []block{{Facts: facts}}
	if g.Local.IsValid() && isPrivate(g.Local) && !g.Local.IsLoopback() {
		blocks = append(blocks, block{Note: "本机外发连接的源地址为内网地址，经地址转换（NAT）后以出口 IP 访问乐企平台。"})
	}
	return blocks
}

func (e *Evidence) host() []block {
	h, r := e.Report.Host, e.Report
	facts := []fact{
		{"主机名", h.Name, ""},
		{"操作系统", or(h.System, "未知"), ""},
		{"内核与架构", strings.TrimSpace(h.Kernel + " " + h.Arch), ""},
		{"测试时间", r.Began.Format(timeLayout), ""},
	}
	if r.Offset != nil {
		facts = append(facts, fact{"时钟偏差", clockText(*r.Offset), measured})
	}
	return []block{{Facts: facts}}
}

// clockText says how the clock compares with the platform's.
func clockText(offset time.Duration) string {
	seconds := offset.Abs().Round(time.Second).Seconds()
	switch {
	case seconds == 0:
		return "与乐企应答的时间一致"
	case offset > 0:
		return fmt.Sprintf("比乐企应答的时间快 %.0f 秒", seconds)
	}
	return fmt.Sprintf("比乐企应答的时间慢 %.0f 秒", seconds)
}

// control is who may connect, who tried, and what the firewall says.
func (e *Evidence) control() []block {
	var admitted []string
	for _, p := range e.Sources {
		admitted = append(admitted, prefixText(p))
	}
	facts := []fact{
		{"允许的来源", or(strings.Join(admitted, "、"), "无"), fromFile},
	}
	if len(e.Presets) > 0 {
		facts = append(facts, fact{"其中的预置名单", strings.Join(e.Presets, "、"), fromFile})
	}
	blocks := []block{{Facts: facts}, {Note: "其余来源一律拒绝连接。"}}
	blocks = append(blocks, e.history()...)
	blocks = append(blocks, e.strangers()...)
	if e.Firewall == "" {
		return append(blocks, block{Note: "防火墙状态：本次未读取。"})
	}
	return append(blocks, block{Note: "防火墙当前状态："}, block{Console: strings.Split(e.Firewall, "\n")})
}

func (e *Evidence) history() []block {
	if len(e.History) == 0 {
		return []block{{Note: "来源变更历史：无记录。"}}
	}
	t := &table{Head: []string{"生效时间", "允许的来源"}}
	for _, a := range e.History {
		var sources []string
		for _, p := range a.Sources {
			sources = append(sources, prefixText(p))
		}
		t.Rows = append(t.Rows, []string{a.Since.Format(timeLayout), strings.Join(sources, "、")})
	}
	return []block{{Note: "来源变更历史："}, {Table: t}}
}

func (e *Evidence) signature() []block {
	return []block{
		{Note: "标注“" + byHand + "”的内容由申请单位填写并负责；其余由程序在上述主机上测得，或由其日志统计得出。"},
		{Blank: []string{"单位（盖章）", "经办人", "联系电话", "日期"}},
	}
}

// prefixText writes a single address without its length.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func listAddrs(addrs []netip.Addr) string {
	var texts []string
	for _, a := range addrs {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, "、")
}

// or returns text, or instead if that is empty.
func or(text, instead string) string {
	if text == "" {
		return instead
	}
	return text
}
