package words

// Texts of the status: of the screen and of the page on the admin address.
var (
	ShortStatus = Text{"the running instance in one screen, and whether it is well", "一屏显示运行状态，并给出判断"}

	FlagStatusCheck = Text{"one line for Nagios, Zabbix and cron, and its exit code", "输出一行结果和退出码，供 Nagios、Zabbix、cron 使用"}
	FlagStatusWatch = Text{"show it again every two seconds, until Ctrl-C", "每 2 秒刷新一次，按 Ctrl-C 结束"}
	FlagStatusValue = Text{"print the member `KEY` of the document, as traffic.exchanges", "只输出 JSON 中的一项 `KEY`，如 traffic.exchanges"}
	FlagStatusAll   = Text{"all instances that have a file beside this one's", "同一目录下所有配置文件对应的实例"}

	LevelOK       = Text{"OK", "正常"}
	LevelWarning  = Text{"WARNING", "注意"}
	LevelCritical = Text{"CRITICAL", "故障"}

	StatusReady    = Text{"ready", "已就绪"}
	StatusStopping = Text{"stopping", "正在停止"}
	StatusDraining = Text{"draining", "平滑停止中"}

	StatusHeadline = Text{"lqproxy %s: %s, up %s, process %d", "lqproxy %s：%s，已运行 %s，进程号 %d"}
	StatusInstance = Text{"lqproxy %s, instance %s: %s, up %s, process %d", "lqproxy %s，实例 %s：%s，已运行 %s，进程号 %d"}
	StatusDays     = Text{"%d d %d h", "%d 天 %d 小时"}
	StatusHours    = Text{"%d h %d min", "%d 小时 %d 分"}
	StatusMinutes  = Text{"%d min %d s", "%d 分 %d 秒"}

	StatusCallers  = Text{"Callers", "调用方"}
	StatusListener = Text{"listener", "监听"}
	StatusPlain    = Text{"%s, plain HTTP", "%s，HTTP（未加密）"}
	StatusTLS      = Text{"%s, TLS (%s)", "%s，TLS 加密（%s）"}
	StatusTLSUntil = Text{"%s, TLS (%s), certificate until %s", "%s，TLS 加密（%s），证书有效期至 %s"}
	StatusDislike  = Text{"certificate", "证书提示"}
	StatusSources  = Text{"sources", "允许来源"}
	StatusPrefixes = Text{"prefixes: %d", "地址段 %d 个"}
	StatusPresets  = Text{"prefixes: %d; presets: %s", "地址段 %d 个；预置名单：%s"}
	StatusRefused  = Text{"refused", "拒绝来源"}
	StatusRefusals = Text{"connections: %d", "连接 %d 次"}
	StatusSource   = Text{"%s: %d, last %s", "%s：%d 次，最近 %s"}
	StatusBecause  = Text{"%s: %d, last %s (%s)", "%s：%d 次，最近 %s（%s）"}

	StatusUpstream    = Text{"Upstream", "上游（乐企）"}
	StatusHost        = Text{"Leqi", "乐企"}
	StatusUp          = Text{"%s, up since %s", "%s，自 %s 起连接正常"}
	StatusDown        = Text{"%s, down since %s", "%s，自 %s 起无法连接"}
	StatusUntried     = Text{"%s, not connected yet", "%s，尚未连接"}
	StatusAddresses   = Text{"addresses", "地址"}
	StatusIdentity    = Text{"identity", "证书核对"}
	StatusKeyKnown    = Text{"%s, the key is known", "%s，公钥已记录"}
	StatusKeyNew      = Text{"%s, a new key waits to be accepted", "%s，新公钥待确认"}
	StatusKeyPinned   = Text{"%s, the key is a pinned one", "%s，公钥与指纹一致"}
	StatusKeyForeign  = Text{"%s, the key is none of the pins", "%s，公钥与指纹不符"}
	StatusUntil       = Text{"certificate until %s", "证书有效期至 %s"}
	StatusProbes      = Text{"probe", "后台测试"}
	StatusProbeWell   = Text{"%s well at %s", "%s %s 正常"}
	StatusProbeFailed = Text{"%s failed at %s", "%s %s 未通过"}
	StatusConnections = Text{"connections", "连接池"}
	StatusPool        = Text{"idle %d, busy %d", "空闲 %d，使用中 %d"}

	StatusAddressUnused  = Text{"%s not tried yet", "%s 尚未使用"}
	StatusAddressUp      = Text{"%s reached since %s", "%s 自 %s 起可连接"}
	StatusAddressFailed  = Text{"%s failed since %s", "%s 自 %s 起连接失败"}
	StatusAddressNoRoute = Text{"%s no route from here", "%s 本机无路由"}

	StatusTraffic    = Text{"Calls", "调用"}
	StatusRate       = Text{"now", "当前"}
	StatusRates      = Text{"%.1f/s, failed %.1f/s, refused connections %.1f/s", "每秒 %.1f 次，失败 %.1f 次，拒绝连接 %.1f 次"}
	StatusMinute     = Text{"last minute", "最近一分钟"}
	StatusMinuteIs   = Text{"%d, failed %d", "%d 次，失败 %d 次"}
	StatusP95        = Text{"95%% within %s", "95%% 在 %s 以内"}
	StatusOwn        = Text{"own share %s", "其中代理自身 %s"}
	StatusStart      = Text{"since start", "启动以来"}
	StatusExchanges  = Text{"%d, failed %d; connections %d", "%d 次，失败 %d 次；连接 %d 个"}
	StatusLeqi       = Text{"Leqi says", "乐企应答"}
	StatusAnswerNone = Text{"%s: 0", "%s：0 次"}
	StatusAnswered   = Text{"%s: %d, last %s", "%s：%d 次，最近 %s"}
	StatusFlow       = Text{"flow control", "限流"}
	StatusFailures   = Text{"failures", "失败原因"}
	StatusFailed     = Text{"%s %d, last %s", "%s %d 次，最近 %s"}
	StatusNone       = Text{"none", "无"}
	StatusLimits     = Text{"limits", "用量上限"}
	StatusOf         = Text{"%s %d of %d", "%s %d，上限 %d"}
	StatusReached    = Text{"%s %d of %d, reached %d, last %s", "%s %d，上限 %d，触顶 %d 次，最近 %s"}

	StatusLimitConnections = Text{"connections", "连接"}
	StatusLimitExchanges   = Text{"calls at once", "并发"}
	StatusLimitQueue       = Text{"waiting", "排队"}

	StatusMachine   = Text{"Host", "本机"}
	StatusFirewall  = Text{"firewall", "防火墙"}
	StatusInStep    = Text{"%s, in step (checked %s)", "%s，一致（检查于 %s）"}
	StatusOutOfStep = Text{"%s, out of step (checked %s)", "%s，不一致（检查于 %s）"}
	StatusUnmanaged = Text{"not managed by lqproxy", "未由 lqproxy 管理"}
	StatusFile      = Text{"file", "配置文件"}
	StatusNoFile    = Text{"none", "无"}
	StatusInForce   = Text{"%s, in force since %s", "%s，%s 起生效"}
	StatusLog       = Text{"access log", "访问日志"}
	StatusFree      = Text{"%s, free %s, at least %s", "%s，剩余 %s，下限 %s"}
	StatusUnlimited = Text{"%s, free %s", "%s，剩余 %s"}
	StatusNoAccess  = Text{"off", "关闭"}
	StatusStdout    = Text{"standard output", "标准输出"}
	StatusProgram   = Text{"program", "程序"}
	StatusStarted   = Text{"%s; started %s", "%s；启动于 %s"}
	StatusAdmin     = Text{"admin", "管理地址"}
)

// Problems, each with what to do about it.
var (
	ProblemStopping = Text{"lqproxy is stopping: calls are served, but it is not ready", "正在停止：仍在处理调用，但已标记为未就绪"}
	ProblemDraining = Text{"lqproxy is stopping: no new connection is accepted", "正在平滑停止：不再接受新连接"}
	RemedyStopping  = Text{"if nobody asked for it: %s", "如非人为操作，请查看：%s"}

	ProblemDown    = Text{"Leqi cannot be reached since %s: %s", "自 %s 起无法连接乐企：%s"}
	ProblemUntried = Text{"Leqi has not been reached yet", "尚未连上乐企"}
	ProblemLookup  = Text{"the name of the upstream does not resolve, older addresses stay in use: %s", "乐企域名解析失败，暂用旧地址：%s"}
	ProblemProbe   = Text{"the last background probe (%s, %s) failed: %s", "最近一次后台连通性测试（%s，%s）未通过：%s"}
	RemedyProbe    = Text{"find the failing step: %s", "定位故障环节：%s"}

	ProblemKey = Text{"the upstream shows a key that is not accepted yet", "乐企出示了新的公钥，尚未确认"}
	RemedyKey  = Text{"if the change is genuine: %s, then lqproxy trust accept", "确认证书更换属实后：%s，再运行 lqproxy trust accept"}

	ProblemExpired     = Text{"the listener's certificate expired on %s", "监听证书已于 %s 过期"}
	ProblemExpiring    = Text{"the listener's certificate expires on %s (days left: %d)", "监听证书将于 %s 到期（剩余 %d 天）"}
	RemedyFiles        = Text{"replace listen.cert_file and listen.key_file; they are read by themselves", "更换 listen.cert_file 与 listen.key_file，程序会自动读取"}
	RemedyRenewal      = Text{"why it is not renewed stands in the error log: %s", "未能续期的原因见错误日志：%s"}
	ProblemSelfSigned  = Text{"callers are shown a self-signed certificate: the authority has not given one yet", "正在使用自签名证书：CA 尚未签发"}
	ProblemCertificate = Text{"a new certificate could not take the place of this one, since %s: %s", "自 %s 起新证书未能启用：%s"}
	RemedyCommands     = Text{"run: %s", "运行：%s"}
	ProblemTheirs      = Text{"the upstream's certificate expires on %s (days left: %d); calls fail from then on", "乐企证书将于 %s 到期（剩余 %d 天），届时调用会失败"}
	RemedyTheirs       = Text{"if they do not renew it, change upstream.tls.verify (now %s)", "如对方不更换，请调整 upstream.tls.verify（当前为 %s）"}

	ProblemForbidden = Text{"Leqi answered 403 (times: %d, last %s)", "乐企应答 403（共 %d 次，最近 %s）"}
	RemedyForbidden  = Text{"one success is enough; if it goes on wait 30 minutes, and do not hammer", "一次成功即可；持续出现请等待 30 分钟，切勿频繁重试"}
	ProblemNotFiled  = Text{"Leqi answered 4067 (times: %d, last %s): the egress address is not the filed one", "乐企应答 4067（共 %d 次，最近 %s）：出口 IP 与备案不一致"}
	RemedyNotFiled   = Text{"compare the public egress address with the one filed on the Leqi platform", "核对本机出口公网 IP 与乐企平台的备案 IP"}
	ProblemFlow      = Text{"Leqi limits the flow (times: %d, last %s)", "乐企限流（共 %d 次，最近 %s）"}
	RemedyFlow       = Text{"lower the concurrency of that ability; it ends about 5 minutes later", "降低该能力的并发，约 5 分钟后恢复"}

	ProblemFailures = Text{"%d of %d calls failed in the last minute", "最近一分钟失败 %d 次（共 %d 次调用）"}
	RemedyFailures  = Text{"the reasons are below; each call is in the access log: %s", "原因见下，逐笔见访问日志：%s"}
	ProblemLimit    = Text{"the limit of %s was reached (times: %d, last %s)", "%s数触及上限（共 %d 次，最近 %s）"}
	RemedyLimit     = Text{"lower the concurrency, or raise %s", "降低并发，或调大 %s"}

	ProblemFirewall  = Text{"the firewall is not as it was applied: %s", "防火墙与已应用的策略不一致：%s"}
	ProblemPending   = Text{"the firewall does not have the configuration in force yet: %s", "防火墙尚未应用当前配置：%s"}
	RemedyFirewall   = Text{"as root: %s", "以 root 运行：%s"}
	ProblemUnchecked = Text{"the firewall was last checked %s", "防火墙最近一次检查在 %s"}

	ProblemReload = Text{"the last reload was refused, the old configuration stays in force: %s", "最近一次重新加载未生效，仍用旧配置：%s"}
	RemedyReload  = Text{"correct the file: %s, then lqproxy reload", "修正配置文件：%s，再运行 lqproxy reload"}

	ProblemLog    = Text{"logs cannot be written: %s (lines lost: %d)", "日志无法写入：%s（丢失 %d 行）"}
	RemedyLog     = Text{"look at the disk, and at the owner of %s", "检查磁盘空间，以及 %s 的属主与权限"}
	ProblemPaused = Text{"the access log pauses: free %s, at least %s (lines lost: %d)", "访问日志已暂停：剩余 %s，下限 %s（丢失 %d 行）"}
	ProblemDisk   = Text{"disk space for the access log runs out: free %s, at least %s", "访问日志的磁盘空间不足：剩余 %s，下限 %s"}
	RemedyDisk    = Text{"make room in the file system of %s", "清理 %s 所在的文件系统"}
)

// What status says when there is nothing to show.
var (
	StatusNotRunning = Text{"lqproxy is not running (state directory %s)", "lqproxy 没有运行（状态目录 %s）"}
	StatusEnded      = Text{"lqproxy is not running: process %d has ended without a farewell", "lqproxy 没有运行：进程 %d 已异常退出"}
	StatusSilent     = Text{"process %d does not answer on %s: %v", "进程 %d 在 %s 上没有应答：%v"}
	StatusForeign    = Text{"what answers on %s is not lqproxy: %v", "%s 上应答的不是 lqproxy：%v"}
	StatusNoAdmin    = Text{"process %d has no admin address to ask", "进程 %d 没有可供查询的管理地址"}
	StatusAsDenied   = Text{"only root, user %s and its group may look for the instance: %v", "只有 root、用户 %s 及其用户组可以查询：%v"}
	StatusDenied     = Text{"%s does not let this machine ask", "%s 不允许本机查询"}
	StatusAllow      = Text{"add this machine's address to admin.allow, or 127.0.0.1:9864 to admin.addresses", "请把本机地址加入 admin.allow，或在 admin.addresses 中加入 127.0.0.1:9864"}
	StatusJoin       = Text{"run it as root, or add your user to the group: usermod -aG %s USER", "请以 root 运行，或把用户加入用户组：usermod -aG %s 用户名"}
	StatusSystemd    = Text{"what systemd knows: systemctl status %s", "查看 systemd 状态：systemctl status %s"}
	StatusJournal    = Text{"its last words: journalctl -u %s -n 50", "查看最近日志：journalctl -u %s -n 50"}
	StatusErrorLog   = Text{"last error in %s: %s", "%s 中最近一条错误：%s"}
	StatusMistakes   = Text{"the configuration has mistakes: %s", "配置文件有错误：%s"}
	StatusNobody     = Text{"there is no configuration in %s", "%s 中没有配置文件"}
	StatusNoValue    = Text{"the document has no member %s", "JSON 中没有 %s"}
	StatusOneWay     = Text{"choose one of --json, --value, --check and --watch", "--json、--value、--check、--watch 只能选一个"}
	StatusAllAlone   = Text{"--all goes with neither -i nor --value", "--all 不能与 -i 或 --value 同用"}

	StatusWell = Text{"all is well", "一切正常"}

	StatusLevels   = Text{"What --check says, and its exit code:", "--check 的结果与退出码："}
	HelpOK         = Text{"all is well", "一切正常"}
	HelpWarning    = Text{"a certificate ends within %d days (a short-lived one: half of the time for its renewal is over), or a newer one is refused; the upstream is untried, its name does not resolve, its new key waits for trust accept, or the last background probe failed; the last reload was refused; the firewall is out of step or unchecked for an hour; in the last %d minutes Leqi answered 403 or 4067 or limited the flow, or a limit was reached; in the last minute %d calls or more failed, and a tenth of all; disk space below one and a half times log.min_free", "证书 %d 天内到期（短期证书：续期时间已过半），或新证书未能启用；上游尚未连接过、域名无法解析、新公钥待确认，或最近一次后台连通性测试未通过；最近一次重新加载未生效；防火墙不一致或一小时未检查；最近 %d 分钟内乐企应答 403、4067 或限流，或触及上限；最近一分钟失败不少于 %d 次且达一成；磁盘剩余不足 log.min_free 的 1.5 倍"}
	HelpCritical   = Text{"not running or not ready; the upstream is down; the listener's certificate has expired or is self-signed; the access or error log cannot be written, or pauses", "没有运行或未就绪；连不上乐企；监听证书已过期或为自签名；访问日志或错误日志无法写入或已暂停"}
	HelpUnknown    = Text{"not allowed to ask, or the configuration cannot be read", "无权查询，或无法读取配置"}
	HelpStatusCode = Text{"Without --check it ends with 0 if it was shown, however the instance is; 1 if it does not run; 3 if you may not ask.", "不带 --check 时：能显示即为 0，没有运行为 1，无权查询为 3。"}
)
