package words

import (
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/migrate"
)

// Texts of import.
var (
	ShortImport          = Text{"make a configuration from what is there today", "由现有的 nginx 或 firewalld 生成配置"}
	ShortImportNginx     = Text{"from the configuration of an nginx", "由 nginx 配置生成"}
	ShortImportFirewalld = Text{"the sources that firewalld admits: of FILE, or in force now", "取 firewalld 放行的来源：由文件，或由当前规则"}

	FlagImportServer = Text{"the server block with this server_name `NAME`", "指定 server_name 为 `NAME` 的 server 块"}
	FlagImportListen = Text{"the server block that listens at this `ADDRESS` or port", "指定监听此地址或端口 `ADDRESS` 的 server 块"}
	FlagImportPort   = Text{"the `PORT` that callers connect to", "调用方连接的端口 `PORT`"}
	FlagImportOutput = Text{"write `FILE` instead of printing", "写入文件 `FILE`，不在屏幕输出"}
	FlagImportForce  = Text{"with --output: replace FILE; the old one is kept beside it", "与 --output 同用：替换已有文件，原文件留作备份"}

	ImportNeedsFile = Text{"name the file or the folder of nginx", "请指明 nginx 的配置文件或目录"}
	ImportOneFile   = Text{"one file at a time, not %q too", "一次只能导入一个文件，多了 %q"}
	ImportWhere     = Text{"as a rule /usr/local/nginx/conf or /etc/nginx; \"nginx -t\" prints it", "一般是 /usr/local/nginx/conf 或 /etc/nginx；运行 nginx -t 可看到"}
	ImportBadPort   = Text{"--port must be between 1 and 65535, not %d", "--port 须在 1 到 65535 之间，不能是 %d"}

	ImportHead = Text{"Configuration of lqproxy, made from %s.", "lqproxy 配置，由 %s 生成。"}
	ImportOf   = Text{"The server of %s, which leads to %s.", "取自 %s 的 server，转发到 %s。"}
	ImportKeys = Text{"Only what differs from the defaults is here; \"lqproxy config\" prints every key.", "只列出与默认值不同的项；全部配置项见 lqproxy config。"}
	ImportMark = Text{"A line with \"!\" must be read before this file is used.", "带“!”的说明，使用本文件前必须看。"}
	ImportStay = Text{"These server blocks are not imported and must stay in nginx:", "以下 server 块未导入，须留在 nginx 中："}
	ImportThis = Text{"listens at the same address: move one of them", "监听同一地址：须移走一个"}

	ImportDone     = Text{"imported %s: %d remarks, %d of them to be read before use", "已导入 %s：说明 %d 条，其中使用前必看 %d 条"}
	ImportWrote    = Text{"written: %s", "已写入 %s"}
	ImportMistakes = Text{"not complete yet; mistakes: %d", "尚不完整，待改 %d 处："}
	ImportSave     = Text{"read the remarks and save this as %s", "看完说明后保存为 %s"}
	ImportCheck    = Text{"then: lqproxy check -c %s", "再运行：lqproxy check -c %s"}
	ImportExists   = Text{"%s is there already; nothing was written", "%s 已存在，未写入"}
	ImportForce    = Text{"--force replaces it and keeps the old one beside it", "加 --force 则替换，并保留原文件"}
	ImportNoForce  = Text{"--force does nothing without --output", "--force 须与 --output 同用"}

	ImportUnread     = Text{"%s cannot be read: %v", "无法读取 %s：%v"}
	ImportIncluded   = Text{"%s, which %s includes, cannot be read: %v", "无法读取 %s（由 %s 引入）：%v"}
	ImportSyntax     = Text{"%s: this is no configuration that nginx takes: %s", "%s：不是 nginx 能接受的配置：%s"}
	ImportTryNginx   = Text{"\"nginx -t -c FILE\" says what is wrong; a file that runs today has no such mistake", "运行 nginx -t -c 文件 可看到错误；正在运行的配置不会有此错误"}
	ImportRights     = Text{"run this as root, or copy the folder to where you may read it", "请用 root 运行，或把目录复制到可读取的位置"}
	ImportBinary     = Text{"%s is no text", "%s 不是文本文件"}
	ImportApache     = Text{"%s is a configuration of Apache, not of nginx", "%s 是 Apache 的配置，不是 nginx 的"}
	ImportNotNginx   = Text{"%s is no configuration of nginx", "%s 不是 nginx 配置"}
	ImportNoMain     = Text{"%s holds no nginx.conf and no other *.conf", "%s 中没有 nginx.conf，也没有其他 *.conf"}
	ImportSetup      = Text{"without an nginx to import: lqproxy setup", "没有可导入的 nginx 时：lqproxy setup"}
	ImportNoForward  = Text{"no server of it forwards anywhere (there is no proxy_pass)", "其中没有转发（没有 proxy_pass）的 server"}
	ImportNoneFits   = Text{"no server of it leads to lqpt*.chinatax.gov.cn", "其中没有转发到 lqpt*.chinatax.gov.cn 的 server"}
	ImportNoneAsked  = Text{"no server that forwards is at %s", "没有符合 %s 的转发 server"}
	ImportSeveral    = Text{"%d of its servers may be meant", "其中有 %d 个 server 都可能是要导入的"}
	ImportSayWhich   = Text{"say which: --listen ADDRESS, or --server NAME", "请用 --listen 地址 或 --server 名称 指明"}
	ImportNoFile     = Text{"%s is no file", "%s 不是普通文件"}
	ImportTooBig     = Text{"%s is larger than a configuration can be", "%s 过大，不像是配置文件"}
	ImportCycle      = Text{"%s includes itself", "%s 循环引入自身"}
	ImportTooMany    = Text{"%s: too many files are included", "%s：引入的文件过多"}
	ImportNoListing  = Text{"%s holds neither a listing of firewalld nor a zone", "%s 中没有 firewalld 的规则清单或区域"}
	ImportSaveIt     = Text{"save one: firewall-cmd --list-all-zones > FILE", "可这样保存：firewall-cmd --list-all-zones > 文件"}
	ImportNoCommand  = Text{"firewall-cmd is not here: name a saved listing", "本机没有 firewall-cmd：请指明保存的清单文件"}
	ImportNotRunning = Text{"firewalld could not be asked: %v", "无法询问 firewalld：%v"}
	ImportStart      = Text{"is it running? systemctl status firewalld; or name a saved listing, or /etc/firewalld/zones", "请确认其在运行：systemctl status firewalld；也可指明保存的清单或 /etc/firewalld/zones"}
)

// noteTexts say what a note of a kind means; {value} is what it is about.
var noteTexts = map[migrate.Kind]Text{
	migrate.Defaults: {
		"what the file does not set has lqproxy's default, not nginx's: bodies up to 256 MiB (1 MiB), 120 s for an answer (60 s), 32 KiB of header; header names with underscores pass; \"lqproxy config\" has them all",
		"未写明的项按 lqproxy 的默认值，而非 nginx 的：正文上限 256 MiB（1 MiB）、等待应答 120 秒（60 秒）、请求头 32 KiB，带下划线的请求头照样通过；全部默认值见 lqproxy config",
	},
	migrate.Fragment: {
		"this is a part of an nginx.conf ({value}); what stands around it there (allow, deny, timeouts, real_ip) is not known here: import the nginx.conf itself",
		"这只是 nginx.conf（{value}）的一部分；外层的 allow、deny、超时、real_ip 等设置未知，请改为导入 nginx.conf 本身",
	},
	migrate.NotUTF8:       {"is not UTF-8 and was read as GB18030", "不是 UTF-8，已按 GB18030 读取"},
	migrate.NothingFound:  {"matches no file", "没有匹配到文件"},
	migrate.NoCounterpart: {"lqproxy has nothing like it: left out", "lqproxy 没有对应的设置，已略去"},
	migrate.NotNeeded:     {"left out, as lqproxy does without or by itself: {value}", "以下设置 lqproxy 不需要或自动处理，已略去：{value}"},
	migrate.Unread:        {"cannot be understood here: left out", "无法识别，已略去"},
	migrate.Clamped:       {"lqproxy does not go so far; the bound is {value}", "超出 lqproxy 的范围，取界限值 {value}"},
	migrate.Differs:       {"differs in \"{value}\"; lqproxy has one setting for all paths, that of the first location", "“{value}”中的设置不同；lqproxy 的设置对所有路径相同，已取第一个 location 的"},
	migrate.Conditional:   {"lqproxy changes, answers and decides nothing by such rules: what it did is lost", "lqproxy 不支持此类改写、应答或判断：其作用将失去"},
	migrate.Varies:        {"the variable can have other values too ({value}); lqproxy forwards to one host only", "变量还可能取其他值（{value}）；lqproxy 只转发到一个主机"},

	migrate.LowPort:       {"the service may not bind a port below 1024; choose another one, such as 8864, and map it", "服务无权监听 1024 以下的端口；请改用 8864 等端口，再做端口映射"},
	migrate.UnixSocket:    {"lqproxy listens at addresses only: left out", "lqproxy 只监听 IP 地址，已略去"},
	migrate.Covered:       {"is part of {value}", "已包含在 {value} 中"},
	migrate.OtherMode:     {"lqproxy speaks either http or https; left out: move these callers, or run a second instance", "lqproxy 的 http 和 https 只能取一；已略去，请迁移这些调用方或再运行一个实例"},
	migrate.NoHTTP2:       {"lqproxy speaks HTTP/1.1; callers agree on it by themselves", "lqproxy 使用 HTTP/1.1，调用方会自动协商"},
	migrate.AnyHost:       {"lqproxy takes any Host", "lqproxy 不区分 Host"},
	migrate.SecondPair:    {"lqproxy has one certificate: left out", "lqproxy 只用一张证书，已略去"},
	migrate.KeyPassword:   {"lqproxy reads no encrypted keys; decrypt it: openssl pkey -in OLD -out NEW", "lqproxy 不读取加密的私钥，请先解密：openssl pkey -in 旧文件 -out 新文件"},
	migrate.OldTLS:        {"lqproxy speaks TLS 1.2 and 1.3 with its callers; older ones are refused", "lqproxy 对调用方只用 TLS 1.2 和 1.3，更旧的会被拒绝"},
	migrate.CallerCert:    {"nginx asks callers for a certificate; lqproxy knows them by their addresses only", "nginx 要求调用方出示证书；lqproxy 只按来源地址识别"},
	migrate.NoBalancers:   {"nginx takes the PROXY protocol of everyone; name the load balancers here", "nginx 接受任何人的 PROXY 协议；请在此写明负载均衡的地址"},
	migrate.BalancerRules: {"nginx does not use the address in the PROXY header (real_ip_header), so allow and deny were about the load balancers; name the callers behind them in allow.sources", "nginx 未使用 PROXY 头中的地址（real_ip_header），allow 和 deny 针对的是负载均衡；请在 allow.sources 中写明其后的调用方"},
	migrate.DeviceHeader:  {"nginx takes the source from {value}; lqproxy reads X-Forwarded-For or the PROXY protocol only: let the device send one of them, then take this in", "nginx 从 {value} 取来源地址；lqproxy 只认 X-Forwarded-For 或 PROXY 协议：请让设备改发其一，再启用此项"},
	migrate.LastAddress:   {"nginx took the last address of X-Forwarded-For (real_ip_recursive off); lqproxy takes the last one that is no device's", "nginx 取 X-Forwarded-For 的最后一个地址（real_ip_recursive off）；lqproxy 取最后一个非设备地址"},

	migrate.OpenToAll:    {"nginx lets everyone else in (no \"deny all\" is in force); lqproxy admits only those named here: never open it to the world, or Leqi bans the IP", "nginx 对其余所有人放行（没有生效的 deny all）；lqproxy 只放行此处写明的来源。绝不可全网放开，否则会被乐企封 IP"},
	migrate.NoRules:      {"nginx has no allow and deny here: everyone may connect. Name the callers: presets for the public cloud, sources for containers; what firewalld admits: lqproxy import firewalld", "nginx 此处没有 allow、deny，任何人都能连接。请写明来源：公有云用 presets，私有云用 sources；firewalld 已放行的可用 lqproxy import firewalld 取得。绝不可全网放开"},
	migrate.Refused:      {"left out: {mistake}", "未采用：{mistake}"},
	migrate.Masked:       {"{value} has host bits set; nginx ignores them", "{value} 的主机位不为零，nginx 会忽略"},
	migrate.Carved:       {"what is left of {value} after what is denied before it", "{value} 扣除之前 deny 的部分"},
	migrate.Shadowed:     {"never comes to effect: it is denied before", "不起作用：之前已被 deny"},
	migrate.DeviceItself: {"is a device that names the source, and so no source itself", "是代报来源地址的设备，本身不是来源"},
	migrate.OneList:      {"not every location admits it; lqproxy has one list for all paths", "并非所有 location 都放行它；lqproxy 的名单对所有路径相同"},
	migrate.FromVariable: {"those whom this condition lets pass", "以下为此条件放行的地址"},
	migrate.VariableOpen: {"lets everyone pass who is not named in it; lqproxy admits only those named: never open it to the world", "对未列出的地址一律放行；lqproxy 只放行写明的来源，绝不可全网放开"},
	migrate.NoAuth:       {"lqproxy judges callers by their addresses only: this check is lost", "lqproxy 只按来源地址判断，此项检查将失去"},

	migrate.RootPath:      {"nginx forwards every path; lqproxy those of Leqi, which begin with /access/", "nginx 转发所有路径；lqproxy 只转发乐企的路径（以 /access/ 开头）"},
	migrate.PatternPath:   {"patterns are not known here; the prefix taken is \"{value}\" (none: /access/)", "不支持正则；取前缀“{value}”（空则为 /access/）"},
	migrate.ExactPath:     {"an exact path; lqproxy's own prefixes stay", "是精确路径；保留 lqproxy 默认的前缀"},
	migrate.OtherLocation: {"is not imported: lqproxy answers 404 there, unless a prefix of allow.paths holds it", "未导入：lqproxy 在此应答 404，除非在 allow.paths 的前缀之内"},
	migrate.Rewritten:     {"nginx changes the path to \"{value}\" and so on; lqproxy changes none: callers must send the path that Leqi knows, which begins with /access/", "nginx 会把路径改为“{value}”等；lqproxy 不改路径：调用方须直接使用乐企的路径（以 /access/ 开头）"},
	migrate.Normalised:    {"nginx decodes and cleans the path on the way; lqproxy passes it as it came", "nginx 会解码并整理路径；lqproxy 原样转发"},

	migrate.PlainUpstream:    {"nginx speaks plain HTTP there; lqproxy always speaks TLS: name Leqi itself", "nginx 以明文 HTTP 连接上游；lqproxy 总是用 TLS：请直接写乐企的地址"},
	migrate.OtherHost:        {"a second host; lqproxy has one, {value}: left out", "第二个主机；lqproxy 只有一个上游 {value}，已略去"},
	migrate.OtherPort:        {"a second port; lqproxy has one, {value}: left out", "第二个端口；lqproxy 只用一个端口 {value}，已略去"},
	migrate.NameNeeded:       {"nginx has addresses alone; put the platform's name here, such as lqpt.chinatax.gov.cn:8443: it is the Host that Leqi gets", "nginx 中只有 IP 地址；请在此改写平台域名，如 lqpt.chinatax.gov.cn:8443：它也是发给乐企的 Host"},
	migrate.NameFromHost:     {"the name is from here", "域名取自此处"},
	migrate.AllAlike:         {"lqproxy tries all addresses alike, one after the other", "lqproxy 对所有地址一视同仁，依次尝试"},
	migrate.BackupServer:     {"lqproxy has no standby addresses: left out; add it to fixed_ips to use it like the others", "lqproxy 没有备用地址，已略去；如需同等使用可加入 fixed_ips"},
	migrate.DownServer:       {"is out of service: left out", "已停用，略去"},
	migrate.KeepsConnections: {"nginx opens a new connection for each request; lqproxy uses them again (fresh_connections = true would not)", "nginx 每次请求新建连接；lqproxy 会复用连接（设 fresh_connections = true 则不复用）"},
	migrate.NotVerified:      {"nginx does not look at Leqi's certificate; lqproxy records its key and says when it changes", "nginx 不核对乐企的证书；lqproxy 会记录其密钥，变化时告警"},
	migrate.NamesHost:        {"nginx sends no server name (SNI) in the handshake; lqproxy does", "nginx 握手时不发送域名（SNI）；lqproxy 会发送"},
	migrate.ClientCert:       {"lqproxy has no certificate of its own towards Leqi", "lqproxy 不向乐企出示证书"},
	migrate.OldUpstreamTLS:   {"nginx also allowed TLS below 1.2; lqproxy begins with the version here", "nginx 还允许 TLS 1.2 以下；lqproxy 从此处的版本起"},
	migrate.Ciphers:          {"lqproxy has suites of its own; if the handshake fails, [upstream.tls] legacy = true adds old ones", "lqproxy 自有一套算法；若握手失败，可设 [upstream.tls] legacy = true 加入旧算法"},
	migrate.SystemResolver:   {"lqproxy asks the resolver of the system (and /etc/hosts), every 30 s", "lqproxy 使用系统的域名解析（含 /etc/hosts），每 30 秒一次"},
	migrate.OneTimeout:       {"lqproxy has one time for both ways: that of its neighbour", "lqproxy 收发共用一个时限，取另一项的值"},
	migrate.NeverTwice:       {"lqproxy tries other addresses only as long as nothing was sent: an invoice is never filed twice", "lqproxy 只在尚未发出任何内容时换地址重试：发票绝不重复提交"},
	migrate.Transparent:      {"lqproxy can bind one address of its own only: left out", "lqproxy 只能绑定本机的一个地址，已略去"},

	migrate.HostReplaced:  {"lqproxy sends the host of the upstream as Host: {value}", "lqproxy 发送的 Host 是上游的地址：{value}"},
	migrate.NotAdded:      {"lqproxy adds and changes no fields: Leqi no longer gets this one, unless the callers send it", "lqproxy 不添加也不修改请求头：除非调用方自己发送，乐企将收不到它"},
	migrate.AddressHeader: {"lqproxy adds none, and inner addresses do not leave", "lqproxy 不添加此项，内网地址不外传"},
	migrate.BytesUntouch:  {"lqproxy passes answers on as they came", "lqproxy 原样转发应答"},
	migrate.LineLimit:     {"nginx bounds each line by one buffer; lqproxy the whole head", "nginx 按单个缓冲区限制每行；lqproxy 限制整个请求头"},
	migrate.NoRateLimit:   {"lqproxy bounds calls at once ([limits] exchanges), not calls per second or per source", "lqproxy 只限制同时进行的调用数（[limits] exchanges），不限制速率或单个来源"},
	migrate.OwnLog:        {"lqproxy writes logs of its own, in /var/log/lqproxy, whatever nginx did", "lqproxy 自有日志，在 /var/log/lqproxy，与 nginx 的设置无关"},
	migrate.PassThrough:   {"nginx passes TCP through, and callers speak TLS with Leqi itself; lqproxy speaks HTTP with them: let them call http://, or give lqproxy a certificate (tls = \"files\")", "nginx 直通 TCP，调用方与乐企直接做 TLS；lqproxy 与调用方之间用 HTTP：请让调用方改用 http://，或为 lqproxy 配置证书（tls = \"files\"）"},

	migrate.OpenPort:      {"opens port {value} to everyone; never open it to the world, or Leqi bans the IP: \"lqproxy firewall apply\" closes it", "对所有人开放端口 {value}。绝不可全网放开，否则会被乐企封 IP：lqproxy firewall apply 可将其关闭"},
	migrate.OpenService:   {"these services are open to everyone; make sure that none of them holds port {value}", "这些服务对所有人开放，请确认都不含端口 {value}"},
	migrate.TargetAccept:  {"everything is accepted, port {value} too; never open it to the world", "全部放行，包括端口 {value}。绝不可全网放开"},
	migrate.RuleForAll:    {"is for everyone, or for all but one; name the callers instead", "针对所有人（或除某地址外的所有人）；请逐一写明来源"},
	migrate.RuleUnread:    {"this rule cannot be understood here: left out", "无法识别此规则，已略去"},
	migrate.SetUnread:     {"the addresses of the set are not in what was read: firewall-cmd --ipset={value} --get-entries", "读取的内容中没有该地址集：firewall-cmd --ipset={value} --get-entries"},
	migrate.ZoneSources:   {"the sources of the zone, to which the port is open", "该区域的来源，端口对其开放"},
	migrate.ZoneInactive:  {"the zone is not active: left out", "该区域未启用，已略去"},
	migrate.Forwarded:     {"another port leads to {value}: whoever reaches that one reaches this one", "另一端口转到 {value}：能连前者的也能连后者"},
	migrate.NothingAdmits: {"nothing there admits anyone to port {value}; another port? --port", "其中没有放行端口 {value} 的规则；若是其他端口请用 --port"},
}

// ImportNoteText says what n means, with its place. What must be read begins
// with an exclamation mark.
func ImportNoteText(l Lang, n migrate.Note) string {
	mistake := ""
	if n.Mistake != nil {
		m := *n.Mistake
		m.Key, m.Line = "", 0
		mistake = Mistake(l, m)
	}
	text := strings.NewReplacer("{value}", n.Value, "{mistake}", mistake).Replace(noteTexts[n.Kind].In(l))
	text = ImportAbout(l, n.At.String(), n.What, text)
	if n.Kind.Loud() {
		text = "! " + text
	}
	return text
}

// ImportAbout puts before text what it is about: a place, what stands there, or
// both.
func ImportAbout(l Lang, place, what, text string) string {
	before, after, colon := " (", ")", ": "
	if l == Chinese {
		before, after, colon = "（", "）", "："
	}
	switch {
	case place != "" && what != "":
		return place + before + what + after + colon + text
	case place+what != "":
		return place + what + colon + text
	}
	return text
}
