package leqisim

import (
	"crypto/tls"
	"fmt"
	"strings"
	"time"
)

// A Scenario is a named way of the platform to be, for lqproxy simulate.
type Scenario struct {
	Name    string
	English string // one line
	Chinese string // one line
	Options Options
}

// FindScenario returns the scenario of that name. The error for an unknown one names all.
func FindScenario(name string) (Scenario, error) {
	var names []string
	for _, s := range Scenarios() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Scenario{}, fmt.Errorf("unknown scenario %q: the known ones are %s", name, strings.Join(names, ", "))
}

// Scenarios returns all scenarios, the undisturbed one first.
func Scenarios() []Scenario {
	list := []Scenario{{"ok", "everything works", "一切正常", Options{}}}
	list = append(list, platformScenarios()...)
	list = append(list, transportScenarios()...)
	return append(list, tlsScenarios()...)
}

// always is the option that every exchange goes as b says.
func always(b Behaviour) Options { return Options{Rules: []Rule{{Behaviour: b}}} }

// fault is always for a fault alone.
func fault(k Kind, p Phase, at int64) Options {
	return always(Behaviour{Fault: Fault{Kind: k, Phase: p, At: at}})
}

// platformScenarios are those in which the platform answers something else.
func platformScenarios() []Scenario {
	return []Scenario{
		{
			"forbidden", "every exchange is answered with 403", "所有调用均返回 403",
			always(Behaviour{Status: 403}),
		},
		{
			"flapping", "two exchanges out of three are answered with 403", "每三次调用有两次返回 403",
			Options{Rules: []Rule{{Match{Times: 2, Of: 3}, Behaviour{Status: 403}}}},
		},
		{
			"ip-not-filed", "4067: the egress address is not the filed one", "4067：出口 IP 与备案不一致",
			always(Behaviour{Code: "4067"}),
		},
		{
			"wrong-key", "4057: the message cannot be decrypted", "4057：报文解密失败",
			always(Behaviour{Code: codeWrongKey}),
		},
		{
			"wrong-path", "ResourceNotFound: no such path", "ResourceNotFound：资源不存在",
			always(Behaviour{Code: codeResourceNotFound}),
		},
		{
			"limited", "flow control: at most 5 calls at once", "流量控制：并发须在 5 以内",
			always(Behaviour{Limit: 5}),
		},
		{
			"gzip", "every answer is compressed", "所有应答均为 gzip 压缩",
			always(Behaviour{Gzip: true}),
		},
		{
			"large", "every answer has 8 MiB, in chunks", "所有应答均为 8 MiB，分块传输",
			always(Behaviour{Size: 8 << 20, Framing: Chunked}),
		},
	}
}

// transportScenarios are those in which connections and answers break.
func transportScenarios() []Scenario {
	return []Scenario{
		{
			"slow", "answers take 3 s, and their bodies 2 s more", "应答延迟 3 秒，正文再延迟 2 秒",
			always(Behaviour{Delay: 3 * time.Second, BodyDelay: 2 * time.Second}),
		},
		{"stalled", "requests are read and never answered", "收到请求后不再应答", fault(Stall, PhaseHead, 0)},
		{"stalled-handshake", "connects, then no TLS handshake", "可连接，但 TLS 握手无响应", fault(Stall, PhaseAccept, 0)},
		{"reset", "the connection is reset before the answer", "应答前连接被重置", fault(Reset, PhaseHead, 0)},
		{"reset-handshake", "the connection is reset in the handshake", "TLS 握手时连接被重置", fault(Reset, PhaseHandshake, 0)},
		{"truncated", "answers end in their body", "应答正文中途断开", fault(Drop, PhaseBody, 20)},
		{
			"malformed", "answers have two lengths", "应答含有两个不同的 Content-Length",
			always(Behaviour{Raw: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}\n"}),
		},
		{"banned", "attempts to connect time out", "连接超时（IP 被封）", Options{Banned: true}},
		{"close-idle", "connections are closed after each answer", "每次应答后立即关闭连接", fault(End, PhaseIdle, 0)},
	}
}

// tlsScenarios are those of certificates and versions.
func tlsScenarios() []Scenario {
	return []Scenario{
		{
			"certificate-rotated", "the certificate changes with every fifth exchange", "每五次调用更换一次证书",
			Options{Rules: []Rule{{Match{After: 4, Times: 1, Of: 5}, Behaviour{Rotate: true}}}},
		},
		{"no-names", "a certificate without names, as the platform's", "证书不含任何域名（与真实平台一致）", Options{}},
		{
			"named", "a certificate that names the platform", "证书含有平台域名",
			Options{Leaf: Leaf{Names: []string{platformName}}},
		},
		{
			"expired", "a certificate that ended yesterday", "证书已于昨日过期",
			Options{Leaf: Leaf{NotAfter: time.Now().AddDate(0, 0, -1)}},
		},
		{
			"rsa-only", "TLS 1.2 with RSA key exchange alone", "仅支持 TLS 1.2 RSA 密钥交换",
			Options{Leaf: Leaf{RSA: true}, TLS: TLS{MaxVersion: tls.VersionTLS12, Suites: rsaSuites()}},
		},
	}
}

// rsaSuites are the suites of old gateways: key exchange by RSA.
func rsaSuites() []uint16 {
	return []uint16{
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA,
		tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	}
}
