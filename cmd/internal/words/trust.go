package words

// Texts of trust.
var (
	ShortTrust       = Text{"the upstream's recorded keys", "上游公钥的记录"}
	ShortTrustList   = Text{"list the recorded keys", "列出已记录的公钥"}
	ShortTrustAccept = Text{"make a recorded key one that is expected", "确认一个已记录的公钥"}
	ShortTrustForget = Text{"remove a key from the record", "从记录中删除一个公钥"}

	TrustEmpty    = Text{"no key is recorded in %s", "%s 中尚无公钥记录"}
	TrustAccepted = Text{"accepted", "已确认"}
	TrustWaiting  = Text{"waits to be accepted", "待确认"}
	TrustSubject  = Text{"certificate: %s", "证书：%s"}
	TrustIssuer   = Text{"issuer: %s", "签发者：%s"}
	TrustSeen     = Text{"first seen %s, last seen %s; certificate until %s", "首次出现 %s，最近出现 %s，证书有效期至 %s"}
	TrustExpired  = Text{"first seen %s, last seen %s; certificate ended on %s", "首次出现 %s，最近出现 %s，证书已于 %s 过期"}

	TrustIsAccepted = Text{"%s is accepted from now on", "已确认 %s，立即生效"}
	TrustForgotten  = Text{"%s is forgotten", "已删除 %s"}

	TrustNeedPin    = Text{"name one pin: %s", "请指明一个证书指纹：%s"}
	TrustNotPin     = Text{"%q is not a pin, which is \"sha256/\" and 44 characters of base64", "%q 不是证书指纹，应为 \"sha256/\" 加 44 位 base64"}
	TrustWaits      = Text{"this one waits to be accepted: %s", "待确认的指纹：%s"}
	TrustUnread     = Text{"the record of keys cannot be read: %v", "无法读取公钥记录：%v"}
	TrustReader     = Text{"run it as root or as user %s", "请以 root 或 %s 用户运行"}
	TrustNoKey      = Text{"the record has no key %s", "记录中没有公钥 %s"}
	TrustListHint   = Text{"\"lqproxy trust list\" shows the keys that were seen", "运行 lqproxy trust list 查看出现过的公钥"}
	TrustFailed     = Text{"the record could not be changed: %s", "修改记录失败：%s"}
	TrustOtherOne   = Text{"the running lqproxy is of another version and does not know this order", "运行中的 lqproxy 版本不同，不支持此命令"}
	TrustNotRunning = Text{"no lqproxy runs with the state directory %s", "没有以 %s 为状态目录的 lqproxy 在运行"}
	TrustStart      = Text{"only the running daemon changes the record: systemctl start lqproxy", "记录只由运行中的服务修改，请先启动：systemctl start lqproxy"}
	TrustNotAllowed = Text{"only root and the service's user may do this", "只有 root 和服务用户可以执行"}
)
