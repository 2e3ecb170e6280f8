package proxy

import (
	"github.com/lqproxy/lqproxy/proxy/h1"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// A Reason says why an exchange did not end with the upstream's whole answer,
// or why a connection was refused. The same word stands in the answer, in the
// log and in the metrics; the set is closed, and renaming one breaks dashboards.
type Reason string

// The reasons. None is the absence of one.
const (
	None             Reason = ""
	BadRequest       Reason = "bad_request"
	HeaderTooLarge   Reason = "header_too_large"
	BodyTooLarge     Reason = "body_too_large"
	MethodRefused    Reason = "method_refused"
	VersionRefused   Reason = "version_refused"
	PathRefused      Reason = "path_refused"
	UnitRefused      Reason = "unit_refused"
	RequestTimeout   Reason = "request_timeout"
	SourceRefused    Reason = "source_refused"
	ProxyHeader      Reason = "proxy_header"
	ConnectionLimit  Reason = "connection_limit"
	TLSHandshake     Reason = "tls_handshake"
	ClientGone       Reason = "client_gone"
	Resolve          Reason = Reason(upstream.PhaseResolve)
	Dial             Reason = Reason(upstream.PhaseDial)
	TLS              Reason = Reason(upstream.PhaseTLS)
	Identity         Reason = Reason(upstream.PhaseIdentity)
	UpstreamClosed   Reason = "upstream_closed"
	UpstreamProtocol Reason = "upstream_protocol"
	UpstreamTimeout  Reason = "upstream_timeout"
	Busy             Reason = "busy"
	Draining         Reason = "draining"
	Internal         Reason = "internal"
)

// A reasonText is what is said of a reason: its status, what happened (for
// developers), and what to do (for the operator of the calling software).
type reasonText struct {
	status        int // 0: no answer is written
	message, hint string
}

var reasonTexts = map[Reason]reasonText{
	BadRequest:       {400, "the request is malformed or can be read in more than one way", "请求报文不符合 HTTP 规范，或存在歧义，已拒绝，未发往乐企。请检查调用方软件或中间设备，具体原因见访问日志的 detail 字段。"},
	HeaderTooLarge:   {431, "the request head is too large", "请求头过大或字段过多。确有需要时调大 limits.header_size 或 limits.header_count。"},
	BodyTooLarge:     {413, "the request body is too large", "请求报文超过上限。确有需要时调大 limits.body_size，或减少每批发票张数。"},
	MethodRefused:    {405, "this method is not forwarded", "不转发 CONNECT 和 TRACE 方法。乐企接口均使用 POST。"},
	VersionRefused:   {505, "only HTTP/1.1 and HTTP/1.0 are spoken here", "仅支持 HTTP/1.1 和 HTTP/1.0。请在调用方关闭 HTTP/2。"},
	PathRefused:      {404, "this path is not forwarded", "路径不在 allow.paths 允许的范围内，或含有 . 或 .. 段。请核对乐企控制与开发平台两处地址。"},
	UnitRefused:      {400, "this access unit is not admitted", "请求头 jrdwptbh 缺失、重复，或不在 allow.units 中。请核对接入单位乐企编号。"},
	RequestTimeout:   {408, "the request did not arrive in time", "请求未在规定时间内收完，未发往乐企或已中止。请检查调用方到本机的网络。"},
	SourceRefused:    {400, "the source of this request is not admitted", "来源地址不在允许名单中，或前置设备没有给出来源地址。请核对 allow 与 listen.forwarded_for_from。"},
	Resolve:          {502, "the name of the upstream does not resolve", "无法解析乐企域名，请求未发出。请检查 DNS 或 /etc/hosts，或设置 upstream.fixed_ips，再运行 lqproxy probe。"},
	Dial:             {502, "no connection to the upstream", "无法连接乐企，请求未发出。请检查出口防火墙，以及出口公网地址是否已备案、是否被封禁，再运行 lqproxy probe。"},
	TLS:              {502, "the TLS handshake with the upstream fails", "与乐企的 TLS 握手失败，请求未发出。请运行 lqproxy probe，它会指出需要修改的 upstream.tls 配置项。"},
	Identity:         {502, "the upstream does not show the expected certificate", "乐企证书与配置或首次记录不符，请求未发出。确认证书更换属实后运行 lqproxy trust accept。"},
	UpstreamClosed:   {502, "the upstream closed the connection before its answer was complete", "请求已发出，乐企在应答完成前断开，结果未知：先查询，勿重发。"},
	UpstreamProtocol: {502, "the upstream's answer is malformed", "请求已发出，乐企的应答不符合 HTTP 规范，结果未知：先查询，勿重发。"},
	UpstreamTimeout:  {504, "the upstream did not answer in time", "请求已发出，乐企未在规定时间内应答，结果未知：先查询，勿重发。"},
	Busy:             {503, "too many exchanges at once", "并发已达上限，请求未发出，可稍后重发。请降低调用并发，或调大 limits.exchanges。"},
	Draining:         {503, "the proxy is stopping", "代理正在停止。未发出的请求可稍后重发；已发出的先查询，勿重发。"},
	Internal:         {500, "an error inside the proxy", "代理内部错误，详情见错误日志，请反馈给维护人员。"},
	ClientGone:       {499, "the caller has gone", "调用方在应答送达前断开。请检查调用方的超时设置与网络。"},
	ProxyHeader:      {0, "the PROXY header is missing or malformed", "listen.proxy_protocol_from 中的负载均衡必须发送 PROXY 协议头。"},
	ConnectionLimit:  {0, "too many connections at once", "连接数已达 limits.connections 上限。"},
	TLSHandshake:     {0, "the caller's TLS handshake failed", "TLS 握手失败。请核对调用方地址写的是 http 还是 https，与 listen.tls 是否一致。"},
}

// Reasons are all reasons, in the order of their declaration.
var Reasons = []Reason{
	BadRequest, HeaderTooLarge, BodyTooLarge, MethodRefused, VersionRefused, PathRefused, UnitRefused,
	RequestTimeout, SourceRefused, ProxyHeader, ConnectionLimit, TLSHandshake, ClientGone, Resolve, Dial, TLS,
	Identity, UpstreamClosed, UpstreamProtocol, UpstreamTimeout, Busy, Draining, Internal,
}

// connectionReasons are those that refuse a whole connection.
var connectionReasons = []Reason{SourceRefused, ProxyHeader, ConnectionLimit, TLSHandshake}

// Status returns the status of the answer that lqproxy writes for r, and 0 when
// it writes none.
func (r Reason) Status() int { return reasonTexts[r].status }

// Message says in English what happened.
func (r Reason) Message() string { return reasonTexts[r].message }

// Hint says in Chinese what to do about it.
func (r Reason) Hint() string { return reasonTexts[r].hint }

// A failure is an exchange that ends without the upstream's whole answer. The
// zero failure is none.
type failure struct {
	reason Reason
	status int    // of our own answer
	detail string // what exactly, for the log
}

func fail(r Reason, detail string) failure {
	return failure{reason: r, status: r.Status(), detail: detail}
}

func (f failure) failed() bool { return f.reason != None }

// faultReasons are the reasons for what h1 refuses in a request.
var faultReasons = map[h1.Fault]Reason{
	h1.Malformed:      BadRequest,
	h1.HeadTooLarge:   HeaderTooLarge,
	h1.BodyTooLarge:   BodyTooLarge,
	h1.BadVersion:     VersionRefused,
	h1.RefusedMethod:  MethodRefused,
	h1.BadExpectation: BadRequest,
}
