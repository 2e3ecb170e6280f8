package words

// Texts of the page on the admin address.
var (
	PageReady    = Text{"ready: exchanges are accepted", "已就绪，正常接受调用"}
	PageStopping = Text{"stopping: still accepting, but not ready", "正在停止：仍接受调用，但已标记为未就绪"}
	PageDraining = Text{"draining: nothing new is accepted", "平滑停止中：不再接受新连接"}

	PageProgram  = Text{"Program", "程序"}
	PageVersion  = Text{"version", "版本"}
	PagePID      = Text{"process", "进程号"}
	PageStarted  = Text{"started", "启动时间"}
	PageInstance = Text{"instance", "实例"}
	PageFile     = Text{"configuration", "配置文件"}
	PageReload   = Text{"in force since", "配置生效时间"}
	PageRefused  = Text{"last reload refused", "最近一次重载未生效"}

	PageCallers  = Text{"Callers", "调用方"}
	PageListen   = Text{"listening on", "监听地址"}
	PageTLS      = Text{"TLS", "TLS"}
	PageUntil    = Text{"%s, certificate until %s", "%s，证书有效期至 %s"}
	PageSources  = Text{"admitted sources", "允许的来源"}
	PagePrefixes = Text{"prefixes: %d", "地址段 %d 个"}
	PagePresets  = Text{"presets: %s", "预置名单：%s"}

	PageFirewall  = Text{"firewall", "防火墙"}
	PageInStep    = Text{"%s, in step (checked %s)", "%s，一致（检查于 %s）"}
	PageOutOfStep = Text{"%s, out of step (checked %s): %s", "%s，不一致（检查于 %s）：%s"}
	PagePending   = Text{"; not yet applied: %s (lqproxy firewall apply)", "；尚未执行：%s（lqproxy firewall apply）"}

	PageUpstream    = Text{"Upstream", "上游（乐企）"}
	PageHost        = Text{"host", "主机"}
	PageConnect     = Text{"last connect", "最近一次连接"}
	PageUp          = Text{"succeeded; so since %s", "成功，自 %s 起"}
	PageDown        = Text{"failed; so since %s", "失败，自 %s 起"}
	PageNever       = Text{"none yet", "尚未连接"}
	PageError       = Text{"error", "错误"}
	PageLookup      = Text{"DNS error", "DNS 错误"}
	PageAddresses   = Text{"addresses", "地址"}
	PageUnused      = Text{"not tried yet", "尚未使用"}
	PageReached     = Text{"reached", "可连接"}
	PageUnreached   = Text{"not reached", "连接失败"}
	PageNoRoute     = Text{"no route from here", "本机无路由"}
	PageCertificate = Text{"certificate until", "证书有效期至"}
	PagePin         = Text{"pin", "证书指纹"}
	PageKey         = Text{"key", "公钥"}
	PageKeyWaits    = Text{"a new key was shown and is not yet accepted", "出现新的公钥，尚未确认"}
	PageConnections = Text{"connections", "连接数"}
	PagePool        = Text{"idle: %d, busy: %d", "空闲 %d，使用中 %d"}

	PageTraffic   = Text{"Since the start", "启动以来"}
	PageExchanges = Text{"exchanges", "调用次数"}
	PageForbidden = Text{"answers 403 of Leqi", "乐企应答 403"}
	PageFailures  = Text{"failed, by reason", "失败次数（按原因）"}
	PageNone      = Text{"none", "无"}
	PageAdmitted  = Text{"connections admitted", "接入的连接"}
	PageRejected  = Text{"connections refused", "拒绝的连接"}

	PageLimits = Text{"In use", "当前用量"}
	PageOf     = Text{"%d of %d", "%d，上限 %d"}

	PageLimitConnections = Text{"connections", "连接"}
	PageLimitExchanges   = Text{"exchanges at once", "并发调用"}
	PageLimitQueue       = Text{"waiting exchanges", "排队的调用"}

	PageOther = Text{"中文", "English"} // the name of the other language, in itself
)
