package doctor

import (
	"fmt"
	"strconv"
	"time"

	"github.com/lqproxy/lqproxy/proxy/leqi"
)

// conduct is what the access log has.
func (e *Evidence) conduct() []block {
	c := e.Conduct
	if c == nil || c.AccessFiles == 0 && len(c.Unread) == 0 {
		return []block{{Note: "没有调用日志，无法统计。"}}
	}
	period := c.From.Format(time.DateOnly) + " 至 " + c.To.Format(time.DateOnly)
	blocks := []block{{Facts: []fact{
		{"统计期间", period, ""},
		{"期间最早的记录", moment(c.First), ""},
		{"发往乐企的调用", fmt.Sprintf("%d 次", c.Calls), ""},
		{"403 应答", fmt.Sprintf("%d 次", c.Forbidden), ""},
		{"流量控制应答", fmt.Sprintf("%d 次", c.Limited), ""},
		{"未能发出", fmt.Sprintf("%d 次", c.Unsent), ""},
		{"最近一次成功", moment(c.Worked), ""},
		{"此后首次失败", failing(c), ""},
	}}}
	if len(c.Days) == 0 {
		return append(append(blocks, block{Note: "统计期间内没有调用。"}), gaps(c)...)
	}
	t := &table{Head: []string{"日期", "调用", "每分钟峰值", "峰值时刻", "403", "流量控制"}, Numbers: 5}
	for _, d := range c.Days {
		t.Rows = append(t.Rows, []string{
			d.Date, strconv.FormatInt(d.Calls, 10), strconv.FormatInt(d.Peak, 10), d.PeakAt,
			strconv.FormatInt(d.Forbidden, 10), strconv.FormatInt(d.Limited, 10),
		})
	}
	return append(append(blocks, block{Note: "每日调用："}, block{Table: t}), gaps(c)...)
}

// gaps says what could not be counted.
func gaps(c *Conduct) []block {
	var blocks []block
	if c.Broken > 0 {
		blocks = append(blocks, block{Note: fmt.Sprintf("有 %d 行日志不完整，未计入。", c.Broken)})
	}
	for _, unread := range c.Unread {
		blocks = append(blocks, block{Note: "有日志无法读取，未计入：" + unread})
	}
	return blocks
}

// causes are the failures that a Conduct knows, in Chinese.
var causes = map[string]string{
	leqi.CodeForbidden:  "乐企应答 403",
	leqi.CodeIPNotFiled: "乐企应答 4067，出口 IP 与备案不一致",
	"resolve":           "域名解析失败",
	"dial":              "TCP 连接失败",
	"tls":               "TLS 握手失败",
	"identity":          "证书与配置不符",
	"upstream_closed":   "乐企中断连接",
	"upstream_timeout":  "乐企应答超时",
	"upstream_protocol": "应答无法识别",
}

func failing(c *Conduct) string {
	if c.Failing.IsZero() {
		return "无"
	}
	return fmt.Sprintf("%s，%s；至今共 %d 次", moment(c.Failing), or(causes[c.Cause], c.Cause), c.Failed)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "无记录"
	}
	return t.Format(timeLayout)
}

// strangers is who was refused.
func (e *Evidence) strangers() []block {
	c := e.Conduct
	if c == nil || c.ErrorFiles == 0 {
		return []block{{Note: "拒绝的外来连接：没有错误日志，无法统计。"}}
	}
	if c.Refused == 0 {
		return []block{{Note: fmt.Sprintf("近 %d 日的日志中没有被拒绝的外来连接。日志按限定的频率记录，这是下限。", ConductDays)}}
	}
	sources := fmt.Sprintf("来自 %d 个地址", c.Sources)
	if c.Overflow {
		sources = fmt.Sprintf("来自至少 %d 个地址", c.Sources)
	}
	note := fmt.Sprintf("近 %d 日拒绝的外来连接：至少 %d 次，%s。日志按限定的频率记录，这是下限。次数最多的来源：", ConductDays, c.Refused, sources)
	t := &table{Head: []string{"来源", "有记录的次数", "最近一次"}, Numbers: 2}
	for _, s := range c.Foreign {
		t.Rows = append(t.Rows, []string{s.Source.String(), strconv.FormatInt(s.Count, 10), moment(s.Last)})
	}
	return []block{{Note: note}, {Table: t}}
}
