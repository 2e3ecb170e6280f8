package leqi

// The codes that a program branches on, and those that are no httpStatusCode.
const (
	CodeSuccess          = "200"
	CodeIPNotFiled       = "4067"
	CodeForbidden        = "403"              // HTTP status 403, or the text that comes with it
	CodeResourceNotFound = "ResourceNotFound" // the text, or an Error's code
	CodeFlowLimited      = "flow_limited"     // the text 当前访问请求较多
	CodeBadJSON          = "bad_json"         // the text json数据格式不正确: an empty call came through
	CodeOther            = Unknown            // a code that is not known
	CodeUnread           = "unread"           // an answer that could not be looked into
)

// A Meaning explains a platform code to the operator, in Chinese.
type Meaning struct {
	Code    string // as Sample.Code returns it
	Where   string // where in an answer it stands
	Meaning string
	Advice  string // what the operator should do
}

// A weight orders the codes of one answer: the heaviest tells the most.
type weight uint8

const (
	nothing  weight = iota // no code
	success                // says nothing of an Error within
	unknown                // CodeOther
	general                // something failed, and a text may say what
	specific               // names the cause
)

const (
	inEnvelope = "httpStatusCode"
	inBody     = "应答正文"
	inStatus   = "HTTP 状态码"
)

// codes are all that have a meaning.
var codes = []struct {
	weight weight
	Meaning
}{
	{success, Meaning{CodeSuccess, inEnvelope, "成功", "无需处理"}},
	{general, Meaning{"500", inEnvelope, "请求云服务集成平台异常，或服务接入异常", "稍后重试；持续出现请联系税务机关"}},
	{general, Meaning{"5001", inEnvelope, "云服务集成平台响应异常", "稍后重试；持续出现请联系税务机关"}},
	{specific, Meaning{"4032", inEnvelope, "使用单位无授权服务", "核对使用单位的乐企授权"}},
	{specific, Meaning{"4033", inEnvelope, "未授权此服务", "核对该能力是否已开通"}},
	{specific, Meaning{"40321", inEnvelope, "使用单位无资格", "核对使用单位资格"}},
	{specific, Meaning{"40322", inEnvelope, "直连单位无资格", "核对直连单位资格"}},
	{specific, Meaning{"4047", inEnvelope, "未查询到该单位的测试批次号", "沙箱测试窗口（72 小时）已过，或 ylbm、sxcsbz、密钥不对：逐项核对"}},
	{specific, Meaning{"4049", inEnvelope, "未查询到该能力与对应服务", "核对地址中的能力编码与服务编码"}},
	{specific, Meaning{"4054", inEnvelope, "未查询到直连单位", "核对 jrdwptbh"}},
	{specific, Meaning{"4055", inEnvelope, "未查询到使用单位", "核对 sydwptbh"}},
	{specific, Meaning{"4056", inEnvelope, "云服务APP未找到", "核对接入单位配置"}},
	{specific, Meaning{"4057", inEnvelope, "报文解密失败", "密钥或环境用错，或 Content-Type 不是 application/json：逐项核对"}},
	{specific, Meaning{"4061", inEnvelope, "未查询到服务其他信息", "核对地址中的服务编码"}},
	{specific, Meaning{"4063", inEnvelope, "沙箱业务校验不通过", "按沙箱用例修改报文"}},
	{specific, Meaning{CodeIPNotFiled, inEnvelope, "当前请求来源IP与企业备案出口IP不一致", "核对本机出口公网IP与乐企备案IP；在乐企平台【接入管理】-【接入申请】查看备案IP"}},
	{general, Meaning{"-1", inEnvelope, "未知错误", "稍后重试"}},
	{specific, Meaning{CodeForbidden, inStatus, "被乐企安全策略拒绝", "多试几次，一次成功即可；仍然拒绝请等待 30 分钟再试，切勿频繁重试"}},
	{specific, Meaning{CodeResourceNotFound, inBody, "资源不存在", "代理地址后的路径写错；核对乐企控制与开发平台两处地址"}},
	{specific, Meaning{CodeFlowLimited, inBody, "流量控制：请 5 分钟后重试，将访问并发控制在应答所说的 x 以内", "降低该能力的并发到 x 以内，5 分钟后恢复"}},
	{specific, Meaning{CodeBadJSON, inBody, "空报文到达了乐企平台", "连通性测试成功"}},
}

// Explain returns the meaning of a code that [Sample.Code] returned. There is
// none for [CodeOther], [CodeUnread] and "".
func Explain(code string) (Meaning, bool) {
	for _, c := range codes {
		if c.Code == code {
			return c.Meaning, true
		}
	}
	return Meaning{}, false
}

// Codes returns every code that [Sample.Code] can return but "", for the labels
// of metrics. The caller owns the slice.
func Codes() []string {
	var all []string
	for _, c := range codes {
		all = append(all, c.Code)
	}
	return append(all, CodeOther, CodeUnread)
}

// classify returns the table's own string for a code in an answer, or
// [CodeOther], with its weight.
func classify(code []byte) (string, weight) {
	for i := range codes {
		if c := &codes[i]; string(code) == c.Code {
			return c.Code, c.weight
		}
	}
	return CodeOther, unknown
}
