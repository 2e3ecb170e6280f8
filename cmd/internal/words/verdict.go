package words

import (
	"strings"

	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// What the verdicts of a probe mean.
var (
	meansReached     = Text{"the platform has answered: the path works", "平台已应答，链路已通"}
	meansPathOpen    = Text{"DNS, TCP and TLS are well; no call was made", "域名解析、TCP、TLS 均正常，未发起调用"}
	meansUnresolved  = Text{"the name of the upstream has no address", "上游域名解析不出地址"}
	meansTimedOut    = Text{"no address of the upstream answers", "上游地址全部连接超时"}
	meansRefused     = Text{"nobody listens at the upstream's address", "上游地址拒绝连接"}
	meansReset       = Text{"something on the way ends the connection", "连接被中途重置"}
	meansUnreachable = Text{"this machine has no way to the upstream", "本机没有到上游的路由"}
	meansTLSFailed   = Text{"the TLS handshake fails", "TLS 握手失败"}
	meansIdentity    = Text{"the configuration refuses the upstream's certificate", "按当前配置拒绝上游证书"}
	meansForbidden   = Text{"Leqi answered 403 at every attempt", "每次尝试乐企都返回 403"}
	meansNotFiled    = Text{"4067: the egress IP is not the one filed", "4067：出口 IP 与备案不一致"}
	meansWrongPath   = Text{"ResourceNotFound: the platform does not know the path", "ResourceNotFound：平台没有这个路径"}
	meansLimited     = Text{"the platform limits the flow", "平台正在流量控制"}
	meansUnexpected  = Text{"what answered is not known to be Leqi", "收到的应答不能证明来自乐企"}
	meansProxyFailed = Text{"the path works, the proxy does not", "链路正常，代理没有转发成功"}
	meansNothing     = Text{"interrupted before there was a verdict", "测试被中断，没有结论"}
)

// What to do next.
var (
	remedyReached     = Text{"Nothing is left to do here.", "无需处理。"}
	remedyPathOpen    = Text{"Probe again with --unit ID as soon as the unit's id is known.", "取得接入单位乐企 id 后，用 --unit ID 再测一次。"}
	remedyUnresolved  = Text{"Check /etc/resolv.conf, or enter the addresses in /etc/hosts or upstream.fixed_ips.", "检查 /etc/resolv.conf，或在 /etc/hosts、upstream.fixed_ips 中写明地址。"}
	remedyTimedOut    = Text{"The tax authority names three causes: the egress IP is not filed, it is banned, or an own firewall drops the connection. Check the firewall first, then ask the tax authority.", "税务机关指出三种原因：出口 IP 未备案，出口 IP 被封，或自有防火墙拦截。先查防火墙，再联系税务机关。"}
	remedyRefused     = Text{"Check the address: upstream.address, upstream.fixed_ips and /etc/hosts; otherwise a device on the way refuses.", "核对地址：upstream.address、upstream.fixed_ips、/etc/hosts；若无误，则是中间设备拒绝。"}
	remedyReset       = Text{"Ask who runs the firewall or proxy on the way to let this TLS connection pass without inspection.", "请网络管理员在中间的防火墙或代理上放行该连接，不做解密检查。"}
	remedyUnreachable = Text{"Check the route (ip route get ADDRESS), this machine's firewall, and that upstream.local_address is this machine's.", "检查路由（ip route get 地址）、本机防火墙，以及 upstream.local_address 是否为本机地址。"}
	remedyTLSFailed   = Text{"No other setting helps: a device on the way may inspect TLS, or this is not Leqi. Check the address and ask the network's administrator.", "改用其他设置也不成功：可能有设备拦截 TLS，或对端不是乐企。核对地址并询问网络管理员。"}
	remedySetting     = Text{"Set in the configuration, below [upstream.tls]: %s; then run lqproxy check and reload.", "在配置的 [upstream.tls] 中设置：%s，再检查并重新加载。"}
	remedyKey         = Text{"If the tax authority confirms the new certificate: lqproxy trust accept %s", "经税务机关确认证书已更换后执行：lqproxy trust accept %s"}
	remedyPin         = Text{"If the tax authority confirms the new certificate, add to upstream.tls.pins: %s", "经税务机关确认证书已更换后，在 upstream.tls.pins 中加入：%s"}
	remedyVerify      = Text{"verify = %q does not accept this certificate; see above which mode would. Leqi's has no name: \"first-use\" is the default.", "verify = %q 不接受此证书，上面列出了可通过的方式。乐企证书不含域名，默认用 \"first-use\"。"}
	remedyForbidden   = Text{"Wait 30 minutes before the next attempt, and do not repeat it often: one success is enough.", "等待 30 分钟再试，切勿频繁重试；一次成功即可。"}
	remedyNotFiled    = Text{"Compare the egress IP of this machine with the one filed at Leqi; look at NAT, VIP and upstream.local_address.", "核对本机出口公网 IP 与乐企备案 IP（接入管理 - 接入申请），检查 NAT、VIP 和 upstream.local_address。"}
	remedyWrongPath   = Text{"The unit may not have this ability: name one that it has with --ability. Through a proxy: check its path.", "该单位可能未开通此能力，用 --ability 指定已开通的能力；经由代理时核对路径。"}
	remedyLimited     = Text{"Wait 5 minutes and lower the number of calls at once for this ability.", "等待 5 分钟，并降低该能力的并发。"}
	remedyLimit       = Text{"Wait 5 minutes and keep this ability below %d calls at once.", "等待 5 分钟，并把该能力的并发控制在 %d 以内。"}
	remedyUnexpected  = Text{"Look at the answer above: a gateway or login page on the way answers in place of Leqi. Check upstream.address and /etc/hosts.", "查看上面的应答：可能是中间的网关或认证页面代替乐企作答。核对 upstream.address 和 /etc/hosts。"}
	remedyProxy       = Text{"Check that the proxy runs and listens there (lqproxy status), and look into its error log.", "检查代理是否在运行并监听该地址（lqproxy status），查看其错误日志。"}
	remedyProxyCut    = Text{"The proxy ended the connection: it may not admit this machine. allow.sources must name the address that calls, for this machine \"127.0.0.1\".", "代理直接断开了连接：本机可能不在允许的来源中。请在 allow.sources 中写明调用来源，本机调用写 \"127.0.0.1\"。"}
	remedyProxyReason = Text{"The proxy itself refused or failed (%s): its access log has the detail.", "代理自身拒绝或失败（%s），详见其访问日志。"}
	remedyNothing     = Text{"What was learnt so far is above.", "以上是中断前的结果。"}
)

// EnvironmentName is the name of e, in language l.
func EnvironmentName(l Lang, e probe.Environment) string { return environmentNames[e].In(l) }

// VerdictMeaning says what v means, in language l.
func VerdictMeaning(l Lang, v probe.Verdict) string {
	switch v {
	case probe.Reached:
		return meansReached.In(l)
	case probe.PathOpen:
		return meansPathOpen.In(l)
	case probe.Unresolved:
		return meansUnresolved.In(l)
	case probe.TimedOut:
		return meansTimedOut.In(l)
	case probe.ConnectRefused:
		return meansRefused.In(l)
	case probe.Reset:
		return meansReset.In(l)
	case probe.Unreachable:
		return meansUnreachable.In(l)
	case probe.TLSFailed:
		return meansTLSFailed.In(l)
	case probe.IdentityChanged:
		return meansIdentity.In(l)
	case probe.Forbidden:
		return meansForbidden.In(l)
	case probe.IPNotFiled:
		return meansNotFiled.In(l)
	case probe.WrongPath:
		return meansWrongPath.In(l)
	case probe.Limited:
		return meansLimited.In(l)
	case probe.Unexpected:
		return meansUnexpected.In(l)
	case probe.ProxyFailed:
		return meansProxyFailed.In(l)
	}
	return meansNothing.In(l)
}

// VerdictRemedy says what to do next about v in general, in language l.
func VerdictRemedy(l Lang, v probe.Verdict) string {
	return ProbeRemedy(l, &probe.Report{Verdict: v})
}

// ProbeRemedy says what to do next about r, in language l: what the report has
// seen makes it more precise.
func ProbeRemedy(l Lang, r *probe.Report) string {
	switch r.Verdict {
	case probe.Reached:
		return remedyReached.In(l)
	case probe.PathOpen:
		return remedyPathOpen.In(l)
	case probe.Unresolved:
		return remedyUnresolved.In(l)
	case probe.TimedOut:
		return remedyTimedOut.In(l)
	case probe.ConnectRefused:
		return remedyRefused.In(l)
	case probe.Reset:
		return remedyReset.In(l)
	case probe.Unreachable:
		return remedyUnreachable.In(l)
	case probe.Forbidden:
		return remedyForbidden.In(l)
	case probe.IPNotFiled:
		return remedyNotFiled.In(l)
	case probe.WrongPath:
		return remedyWrongPath.In(l)
	case probe.Unexpected:
		return remedyUnexpected.In(l)
	}
	return preciseRemedy(l, r)
}

// preciseRemedy is ProbeRemedy for the verdicts whose remedy depends on what
// was seen.
func preciseRemedy(l Lang, r *probe.Report) string {
	switch r.Verdict {
	case probe.TLSFailed:
		return tlsRemedy(l, r)
	case probe.IdentityChanged:
		return identityRemedy(l, r)
	case probe.Limited:
		return limitRemedy(l, r)
	case probe.ProxyFailed:
		return proxyRemedy(l, r)
	}
	return remedyNothing.In(l)
}

func tlsRemedy(l Lang, r *probe.Report) string {
	for _, h := range r.TLS {
		if len(h.Remedy) > 0 {
			return remedySetting.In(l, Settings(h.Remedy))
		}
	}
	return remedyTLSFailed.In(l)
}

// Settings are the lines that are to stand below [upstream.tls], in one line.
func Settings(all []probe.Setting) string {
	lines := make([]string, len(all))
	for i, s := range all {
		lines[i] = Keep(strings.TrimPrefix(s.String(), "upstream.tls."))
	}
	return strings.Join(lines, ", ")
}

func identityRemedy(l Lang, r *probe.Report) string {
	for _, h := range r.TLS {
		switch {
		case h.Verdict != probe.IdentityChanged || h.Certificate == nil:
		case h.Verify == upstream.VerifyFirstUse:
			return remedyKey.In(l, h.Certificate.Pin)
		case h.Verify == upstream.VerifyPin:
			return remedyPin.In(l, h.Certificate.Pin)
		default:
			return remedyVerify.In(l, h.Verify)
		}
	}
	return remedyKey.In(l, "PIN")
}

func limitRemedy(l Lang, r *probe.Report) string {
	for _, c := range r.Calls {
		for _, a := range c.Attempts {
			if a.Limit > 0 {
				return remedyLimit.In(l, a.Limit)
			}
		}
	}
	return remedyLimited.In(l)
}

func proxyRemedy(l Lang, r *probe.Report) string {
	for _, c := range r.Calls {
		for _, a := range c.Attempts {
			switch {
			case a.Verdict != probe.ProxyFailed:
			case a.Reason != "":
				return remedyProxyReason.In(l, a.Reason)
			case a.Cut:
				return remedyProxyCut.In(l)
			}
		}
	}
	return remedyProxy.In(l)
}
