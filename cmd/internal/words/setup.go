package words

import "github.com/lqproxy/lqproxy/cmd/internal/setup"

// Texts of setup.
var (
	ShortSetup = Text{"write a configuration: a short dialogue, or flags", "生成配置文件：在终端上问答，或用选项指定"}

	FlagOutput        = Text{"write to `FILE` instead, and do nothing else; - is stdout", "改为写到 `FILE`，其他什么都不做；- 表示标准输出"}
	FlagCloud         = Text{"`CLOUD`: public (Kingdee's cloud) or private (own container hosts)", "`CLOUD`：public 公有云（金蝶云）或 private 私有云（自有容器主机）"}
	FlagPreset        = Text{"public cloud: `SETS` of Kingdee's addresses", "公有云：金蝶出口地址组 `SETS`"}
	FlagSource        = Text{"`ADDRESSES` or prefixes that may call", "允许调用的来源 `ADDRESSES`，地址或网段"}
	FlagFirstUnit     = Text{"`ID` of the access unit at Leqi", "接入单位乐企 `ID`"}
	FlagListenOn      = Text{"`ADDRESSES` where callers connect, such as :8864", "监听地址 `ADDRESSES`，例如 :8864"}
	FlagSetupLocal    = Text{"source `ADDRESS` of connections to Leqi", "连接乐企所用的本机 `ADDRESS`"}
	FlagUpstream      = Text{"another `HOST:PORT` than Leqi's: of a second instance", "上游 `HOST:PORT`，用于第二个实例"}
	FlagTLS           = Text{"`MODE`: off, files (certificate and key) or acme", "`MODE`：off、files（证书和私钥）或 acme"}
	FlagCertFile      = Text{"certificate `FILE`, for --tls files", "证书 `FILE`，用于 --tls files"}
	FlagKeyFile       = Text{"key `FILE`, for --tls files", "私钥 `FILE`，用于 --tls files"}
	FlagDirectory     = Text{"directory `URL` of the CA, for --tls acme", "CA 的目录 `URL`，用于 --tls acme"}
	FlagDomain        = Text{"`DOMAINS` of the certificate, for --tls acme", "证书的域名 `DOMAINS`，用于 --tls acme"}
	FlagAuthority     = Text{"the CA's own certificate `FILE`, for --tls acme", "CA 自身的证书 `FILE`，用于 --tls acme"}
	FlagDevice        = Text{"`KIND`=ADDRESS,... of the device in front, or none; kinds below", "前置设备 `KIND`=地址,…，没有则为 none；类型见下"}
	FlagYesWrite      = Text{"write without asking; changes nothing else", "不再询问即写入；不做其他改动"}
	SetupDevicesTitle = Text{"Kinds of devices between the callers and this machine:", "调用方与本机之间的设备类型："}
	setupProxyProto   = Text{"sends the PROXY protocol", "以 PROXY 协议传递来源地址"}
	setupForwarded    = Text{"names the source in X-Forwarded-For", "在 X-Forwarded-For 中写明来源地址"}
	setupRewrites     = Text{"puts its own address in place of the source, and tells nobody", "把来源地址改成自己的，且不传递"}
	setupNoDevice     = Text{"no device, or one that leaves the source address as it is", "没有设备，或设备不改动来源地址"}

	SetupLanguage = Text{"Language / 语言: 1 English, 2 中文", "Language / 语言: 1 English, 2 中文"}

	SetupWrites     = Text{"This writes %s.", "将生成 %s。"}
	SetupRevises    = Text{"This changes %s: what is not asked about stays as it is.", "将修改 %s：没有问到的内容保持不变。"}
	SetupHow        = Text{"Enter takes what is in brackets, \"-\" is for none, Ctrl-C ends without a change.", "直接按回车采用方括号中的值，输入“-”表示不填，按 Ctrl-C 退出且不做任何改动。"}
	SetupNginx      = Text{"nginx (pid %d) listens on port %d. \"lqproxy import nginx\" reads its configuration, \"lqproxy takeover\" puts lqproxy in its place.", "nginx（pid %d）正在监听 %d 端口。可用 lqproxy import nginx 读取其配置，用 lqproxy takeover 接替它。"}
	SetupHeld       = Text{"%s (pid %d) listens on port %d: end it, or listen elsewhere.", "%s（pid %d）正在监听 %d 端口：请停止它，或换一个端口。"}
	SetupHeldHidden = Text{"Another process listens on port %d; root can see which.", "另有进程正在监听 %d 端口，以 root 运行可查看是哪个。"}
	SetupRunsNow    = Text{"lqproxy is running (pid %d): the new configuration takes effect with \"lqproxy reload\".", "lqproxy 正在运行（pid %d）：新配置在 lqproxy reload 后生效。"}
	SetupFirewallUp = Text{"firewalld runs: it has to admit the callers too, which is offered at the end.", "firewalld 正在运行：也需要放行调用方，结束时可一并设置。"}

	SetupAskCloud   = Text{"Where does the invoicing software run?", "发票软件部署在哪里？"}
	SetupPublic     = Text{"public cloud: Kingdee's cloud calls over the internet", "公有云：金蝶云经互联网调用"}
	SetupPrivate    = Text{"private cloud: containers in your own network call", "私有云：自有网络内的星瀚发票云容器主机调用"}
	SetupNumber     = Text{"Number", "请输入序号"}
	SetupNumbers    = Text{"Numbers, separated by commas", "请输入序号，多个用逗号分隔"}
	SetupBadNumber  = Text{"%q is none of the numbers 1 to %d.", "%q 不是 1 到 %d 之间的序号。"}
	SetupAskPresets = Text{"Which of Kingdee's addresses may call?", "允许金蝶的哪些出口地址调用？"}
	SetupOfSources  = Text{"Container hosts that may call, as addresses or prefixes: 10.1.2.3,10.1.4.0/24", "允许调用的容器主机，写 IP 或网段，如 10.1.2.3,10.1.4.0/24"}
	SetupAskSources = Text{"Addresses", "地址"}
	SetupNeeded     = Text{"needed", "必填"}
	SetupAskUnit    = Text{"Id of the access unit at Leqi, 20 characters", "接入单位乐企 id，20 位"}
	SetupNone       = Text{"none", "无"}
	SetupUnitLength = Text{"Note: it has %d characters; 20 are usual.", "注意：共 %d 位，一般为 20 位。"}

	SetupAskDevice   = Text{"Does a device in front (F5, WAF, load balancer, NAT) change the source address?", "前面是否有设备（F5、WAF、负载均衡、NAT）改写来源地址？"}
	SetupDeviceNo    = Text{"no, or not known", "否，或不清楚"}
	SetupDeviceProxy = Text{"yes, and it sends the PROXY protocol", "是，以 PROXY 协议传递真实来源"}
	SetupDeviceXFF   = Text{"yes, and it names the source in X-Forwarded-For", "是，在 X-Forwarded-For 中写明真实来源"}
	SetupDeviceOwn   = Text{"yes, and it tells nobody", "是，且不传递真实来源"}
	SetupAskBehind   = Text{"Addresses from which the device connects", "设备连接本机所用的地址"}

	SetupAskListen   = Text{"Listen on", "监听地址"}
	SetupAskTLS      = Text{"How do callers connect?", "调用方如何接入？"}
	SetupTLSOff      = Text{"http, in clear", "http 明文"}
	SetupTLSFiles    = Text{"https, with a certificate file", "https，使用证书文件"}
	SetupTLSACME     = Text{"https, with a certificate that a CA issues by ACME", "https，由 CA 通过 ACME 自动签发证书"}
	SetupAskCert     = Text{"Certificate file (PEM)", "证书文件（PEM）"}
	SetupAskKey      = Text{"Key file (PEM)", "私钥文件（PEM）"}
	SetupAskDir      = Text{"Directory URL of the CA", "CA 的目录 URL"}
	SetupAskDomains  = Text{"Domains of the certificate", "证书的域名"}
	SetupOfLocal     = Text{"With several addresses or a virtual IP: from which one is Leqi called?", "本机有多个地址或使用虚拟 IP 时：用哪个地址连接乐企？须对应已备案的出口 IP。"}
	SetupAskLocal    = Text{"Source address", "本机地址"}
	SetupAutomatic   = Text{"automatic", "自动"}
	SetupAskUpstream = Text{"Upstream, host and port", "上游，域名和端口"}

	SetupNoUnit    = Text{"Warning: no access unit. \"lqproxy probe\" then tests the connection only, not the call; add it later, or give probe --unit.", "警告：未填接入单位。lqproxy probe 只能测试连接，不能测试调用；可以后补填，或用 probe --unit 指定。"}
	SetupInClear   = Text{"WARNING: over http, access tokens and invoices cross the internet in clear. Use https (--tls), or a VPN.", "警告：使用 http 时，令牌和发票数据将在互联网上明文传输。请使用 https（--tls）或专线。"}
	SetupRewritten = Text{"WARNING: behind a device that rewrites, everyone looks like the device: lqproxy cannot tell Kingdee from a stranger. Whoever the device lets through reaches Leqi with your IP, and Leqi bans open proxies. The list of callers must be kept ON THE DEVICE. Better: have it send the PROXY protocol or X-Forwarded-For.", "警告：设备改写来源地址后，所有访问者看起来都是该设备，lqproxy 无法区分金蝶与陌生人。设备放行的任何人都能以贵方 IP 访问乐企，而乐企会封禁开放代理。必须在该设备上设置来源白名单；更好的做法是让它发送 PROXY 协议或 X-Forwarded-For。"}

	SetupSame       = Text{"%s says all this already: nothing is written", "%s 已是如此，无需写入"}
	SetupAskWrite   = Text{"Write %s?", "写入 %s？"}
	SetupAskReplace = Text{"Replace %s?", "替换 %s？"}
	SetupKeeps      = Text{"The old file stays beside the new one, with the date in its name.", "旧文件会保留在旁，文件名加上日期。"}
	SetupWritten    = Text{"%s is written and in order", "已写入 %s，检查无误"}
	SetupBackup     = Text{"the former one is %s", "原文件保留为 %s"}
	SetupUntouched  = Text{"nothing was written", "未写入任何内容"}
	SetupGone       = Text{"interrupted: nothing was written", "已中断：未写入任何内容"}
	SetupYesNo      = Text{"Please answer y or n.", "请输入 y（是）或 n（否）。"}

	SetupOffers    = Text{"The host's firewall has to admit these callers.", "本机防火墙需要放行这些调用方。"}
	SetupAskPlan   = Text{"Look at what would change there?", "查看需要做的改动？"}
	SetupAskProbe  = Text{"Test the way to Leqi now?", "现在测试到乐企的连通性？"}
	SetupAskStart  = Text{"Start %s now, and with the machine?", "现在启动 %s，并设为开机自启？"}
	SetupAskReload = Text{"Let the running lqproxy take it over now? No call is lost.", "让运行中的 lqproxy 立即采用新配置？不会丢失调用。"}
	SetupStarted   = Text{"%s runs, and starts with the machine", "%s 已启动，并设为开机自启"}
	SetupNotRoot   = Text{"firewall and service need root", "防火墙和服务需要 root 权限"}

	SetupNextTitle  = Text{"Next:", "接下来："}
	SetupCallers    = Text{"On the caller's side", "调用方"}
	SetupEnterHead  = Text{"enter the address head %s in both places, %s and %s", "在两处都填写地址头 %s：%s、%s"}
	SetupAnyPublic  = Text{"PUBLIC-ADDRESS", "公网地址"}
	SetupAnyDevice  = Text{"DEVICE-ADDRESS", "设备地址"}
	SetupAnyMachine = Text{"THIS-MACHINE", "本机地址"}
	SetupOuter      = Text{"Outer firewall", "外层防火墙"}
	SetupMapPublic  = Text{"map tcp port %d of the public address to port %[1]d here, for these sources alone: %[2]s", "把公网地址的 tcp %d 端口映射到本机 %[1]d 端口，只放行：%[2]s"}
	SetupMapPrivate = Text{"let these sources reach tcp port %d here: %[2]s", "放行以下来源访问本机 tcp %d 端口：%[2]s"}
	SetupAtDevice   = Text{"on the device, admit these sources alone: %s", "在前置设备上只放行：%s"}
	SetupOut        = Text{"and let this machine reach %s", "并放行本机访问 %s"}
	SetupFiled      = Text{"Tax authority", "税务机关备案"}
	SetupFile       = Text{"file the public IP by which this machine leaves; \"lqproxy doctor\" compares", "备案本机的公网出口 IP；lqproxy doctor 可核对"}
	SetupFileLocal  = Text{"file the public IP by which %s leaves; \"lqproxy doctor\" compares", "备案 %s 对应的公网出口 IP；lqproxy doctor 可核对"}
	SetupCommands   = Text{"This machine", "本机"}

	SetupMissing   = Text{"this is no terminal: missing %s", "当前不是终端，缺少选项 %s"}
	SetupOr        = Text{"or write elsewhere: --output FILE", "或写到别处：--output FILE"}
	SetupUnwritten = Text{"nothing was written: %v", "未写入任何内容：%v"}
	SetupOldFirst  = Text{"correct them, or move the file away and begin anew: mv %s %[1]s.old", "请先改正，或移走该文件后重新生成：mv %s %[1]s.old"}
	SetupForm      = Text{"%s has a table written in one line, which setup cannot change", "%s 中有写在一行内的表，setup 无法修改"}
	SetupFormHint  = Text{"rewrite it in the usual form: lqproxy config --effective -c %s", "先改写为常规形式：lqproxy config --effective -c %s"}
	SetupBadCloud  = Text{"--cloud must be public or private, not %q", "--cloud 只能是 public 或 private，不能是 %q"}
	SetupBadDevice = Text{"--device must be none, or KIND=ADDRESS,..., not %q", "--device 只能是 none，或 KIND=地址,…，不能是 %q"}
	SetupBadFlag   = Text{"the value of %s: %s", "选项 %s 的值有误：%s"}
	SetupBadTLS    = Text{"%s goes with --tls %s", "%s 须与 --tls %s 同用"}
	SetupNoPresets = Text{"--preset goes with --cloud public", "--preset 须与 --cloud public 同用"}
	SetupNoFolder  = Text{"install lqproxy first, or: mkdir -p %s", "请先安装 lqproxy，或执行 mkdir -p %s"}
)

// SetupWarning says what w is about.
func SetupWarning(l Lang, w setup.Warning) string {
	return map[setup.Warning]Text{setup.NoUnit: SetupNoUnit, setup.InClear: SetupInClear, setup.Rewritten: SetupRewritten}[w].In(l)
}

// SetupDevice says what kind of device d is.
func SetupDevice(l Lang, d setup.Device) string {
	return map[setup.Device]Text{
		setup.NoDevice: setupNoDevice, setup.ProxyProtocol: setupProxyProto, setup.ForwardedFor: setupForwarded, setup.Rewrites: setupRewrites,
	}[d].In(l)
}
