package words

import (
	"errors"

	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/proxy/certs"
)

// Mistake says what is wrong with the configuration, with its line and key: `line 12: allow.sources[1]: ...`.
func Mistake(l Lang, m configs.Mistake) string {
	if p, ok := errors.AsType[*certs.Problem](m.Err); ok {
		m.Err = errors.New(Certificate(l, p))
	}
	text := m.Error()
	if l == Chinese {
		text = m.Format(chinese[m.Kind])
		if m.Key != "" {
			text = m.Key + "：" + text
		}
	}
	if m.Line == 0 {
		return text
	}
	if l == Chinese {
		return CheckLine.In(l, m.Line) + "：" + text
	}
	return CheckLine.In(l, m.Line) + ": " + text
}

// Certificate says what is wrong with the listener's certificate, and what to do about it: each
// command on a line of its own, below.
func Certificate(l Lang, p *certs.Problem) string {
	english, chinese := p.Lines("      ")
	if l == Chinese {
		return chinese
	}
	return english
}

// chinese are the texts of all kinds of mistakes, with the parameters that configs.Mistake.Format knows.
var chinese = map[configs.Kind]string{
	configs.Syntax:         `不是合法的 TOML：{cause}`,
	configs.NotUTF8:        `不是 UTF-8 文本，请把文件另存为 UTF-8，不要用 GBK 或 UTF-16`,
	configs.UnknownKey:     `没有这个配置项`,
	configs.MisspeltKey:    `没有这个配置项，是否想写 {proposal}？`,
	configs.NotString:      `必须是字符串，用双引号括起来`,
	configs.NotBoolean:     `必须是 true 或 false，不加引号`,
	configs.NotInteger:     `必须是整数，不加引号`,
	configs.NotList:        `必须是字符串列表：["...", "..."]`,
	configs.NotTable:       `必须写成表：[{proposal}]`,
	configs.NotTables:      `必须写成表数组：[[{proposal}]]`,
	configs.Empty:          `不能为空`,
	configs.OutOfRange:     `必须在 {least} 到 {most} 之间，不能是 {value}`,
	configs.UnknownValue:   `只能是 {allowed} 之一，不能是 {value}`,
	configs.MisspeltValue:  `没有 {value}，是否想写 {proposal}？`,
	configs.Duplicate:      `{value} 已经写在 {other} 中`,
	configs.NoTimeUnit:     `{value} 缺少时间单位，是否想写 {proposal}？`,
	configs.NoSizeUnit:     `{value} 缺少容量单位，是否想写 {proposal}？`,
	configs.OtherSizeUnit:  `{value} 的容量单位无法识别，是否想写 {proposal}？`,
	configs.NotDuration:    `{value} 不是时长，请写成 {proposal} 这样`,
	configs.NotSize:        `{value} 不是容量，请写成 {proposal} 这样`,
	configs.NotSource:      `{value} 既不是地址也不是地址段`,
	configs.HostBits:       `{value} 的主机位不为零，是否想写 {proposal}？`,
	configs.MappedSource:   `{value} 是用 IPv6 形式写的 IPv4 地址段，是否想写 {proposal}？`,
	configs.ZonedSource:    `{value} 带有区域标识，请去掉`,
	configs.Everyone:       `{value} 等于全网放开，会被乐企封禁 IP，请逐一写明来源地址`,
	configs.NobodysSource:  `{value} 不会是任何调用方的地址，请写明来源地址`,
	configs.TooWide:        `{value} 范围过大：公网地址段最大为 {most}`,
	configs.BeyondPrivate:  `{value} 超出了内网地址段 {proposal}，而公网地址段最大为 {most}`,
	configs.TooManyPublic:  `全部来源合计 {value} 个公网 IPv4 地址，最多允许 {most} 个`,
	configs.NobodyAdmitted: `至少写一个来源地址，否则谁也无法接入（也可在 allow.presets 中引用预置名单）`,
	configs.VouchesOnly:    `{value} 不可能是调用的来源，因为 {other} 把它列为代报来源地址的设备`,
	configs.NotAddress:     `{value} 不是 IP 地址`,
	configs.NotListen:      `{value} 不是监听地址，请写成 {proposal} 这样`,
	configs.NotUpstream:    `{value} 不是带端口的主机名，请写成 {proposal} 这样`,
	configs.Overlap:        `{value} 与 {other} 重叠`,
	configs.AdminOpen:      `必须写明谁可以访问，因为 {other} 可从其他机器访问`,
	configs.OtherFamily:    `从 {other} 无法访问 {value}：一个是 IPv4，另一个是 IPv6`,
	configs.Needed:         `必须设置，因为 {other}`,
	configs.NoEffect:       `不起作用，因为 {other}`,
	configs.Above:          `{value} 大于 {other}`,
	configs.NotAbsolute:    `{value} 不是完整路径，必须以 "/" 开头`,
	configs.Unreadable:     `无法读取 {value}：{cause}`,
	configs.NotKeyPair:     `{cause}`,
	configs.NotCertificate: `{value} 中没有 PEM 格式的证书`,
	configs.NotPin:         `{value} 不是证书指纹，请写成 {proposal} 这样`,
	configs.NotHost:        `{value} 不是主机名`,
	configs.NotSyslog:      `{value} 不是 syslog 服务器地址，请写成 {proposal} 这样`,
	configs.NotURL:         `{value} 不是 HTTP 网址，请写成 {proposal} 这样`,
	configs.NotDirectory:   `{value} 不是证书颁发机构的 ACME 目录网址，请写成 {proposal} 这样`,
	configs.NotMailbox:     `{value} 不是电子邮件地址，请写成 {proposal} 这样`,
	configs.Wildcard:       `{value} 是通配符域名，HTTP-01 方式无法验证，请逐一写明域名`,
	configs.NotUnit:        `{value} 不是接入单位编号：由字母和数字组成，一般为 20 位`,
	configs.NotName:        `{value} 不能作为名称：最多 {most} 个可见字符`,
	configs.NotSetName:     `{value} 不能作为名单名称：只能用小写字母、数字和 "-"`,
	configs.NotPath:        `{value} 不是路径前缀：必须以 "/" 开头，不含空格、"?"、"#"、"%"、"\" 以及 . 或 .. 段`,
	configs.NotField:       `{value} 不是合法的请求头字段名`,
	configs.NotDroppable:   `{value} 必须送达乐企，不能去掉`,
	configs.InstanceNeeds:  `必须设置，默认值属于未命名的实例`,
}
