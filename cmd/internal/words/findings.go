package words

import "github.com/lqproxy/lqproxy/probe/doctor"

// findings are the words of every code; the arguments are listed there.
var findings = map[doctor.Code]saying{
	doctor.SystemListed: {fact: Text{"%s, on Leqi's list of supported systems", "%s，在乐企支持的系统之列"}},
	doctor.SystemBuilt:  {fact: Text{"%s: lqproxy is built for it", "%s，lqproxy 支持此系统"}},
	doctor.SystemUnknown: {
		Text{"%s is not on the list of supported systems", "%s 不在支持的系统之列"},
		Text{"Leqi names CentOS 7.9, Redhat 8, Kylin V10, openEuler 22.03 and Ubuntu 22.04.", "乐企列明的系统：CentOS 7.9、Redhat 8、Kylin V10、openEuler 22.03、Ubuntu 22.04。"},
	},
	doctor.SystemUnread: {
		Text{"which system this is cannot be told", "无法识别操作系统"},
		Text{"/etc/os-release is missing or cannot be read.", "/etc/os-release 不存在或无法读取。"},
	},
	doctor.KernelFits: {fact: Text{"%s", "%s"}},
	doctor.KernelOld: {
		Text{"%s is older than %s", "%s 低于 %s"},
		Text{"Update the kernel: lqproxy needs %[2]s or later.", "升级内核：lqproxy 需要 %[2]s 或更高版本。"},
	},
	doctor.KernelUnread: {fact: Text{"its release cannot be read", "无法读取版本"}},
	doctor.ArchBuilt:    {fact: Text{"%s", "%s"}},
	doctor.ArchOther: {
		Text{"%s is not supported", "不支持 %s"},
		Text{"lqproxy is tested on amd64 and arm64 alone.", "lqproxy 只在 amd64 和 arm64 上测试过。"},
	},
	doctor.ResourcesFit: {fact: Text{"%d cores, %v of memory", "%d 核，内存 %v"}},
	doctor.ResourcesFew: {
		Text{"%d cores, %v of memory", "%d 核，内存 %v"},
		Text{"The guide asks for 2 cores and 4 GB; lqproxy gets by with less.", "部署指南要求 2 核 4 GB；lqproxy 本身需要得更少。"},
	},
	doctor.ResourcesNone: {fact: Text{"processors and memory cannot be read", "无法读取处理器和内存"}},
	doctor.DiskFits:      {fact: Text{"%s has %v free, %d days at yesterday's rate", "%s 剩余 %v，按昨日日志量可用 %d 天"}},
	doctor.DiskFree:      {fact: Text{"%s has %v free", "%s 剩余 %v"}},
	doctor.DiskSoon: {
		Text{"%s has %v free: %d days at yesterday's rate", "%s 剩余 %v，按昨日日志量只够 %d 天"},
		Text{"Give %[1]s more space, or lower log.retain_days; the law wants 180 days.", "给 %[1]s 扩容，或减小 log.retain_days；法规要求保留 180 天。"},
	},
	doctor.DiskLow: {
		Text{"%s has %v free, less than log.min_free (%v)", "%s 剩余 %v，低于 log.min_free（%v）"},
		Text{"Make room in %[1]s: below log.min_free the access log pauses.", "清理 %[1]s：低于 log.min_free 时调用日志会暂停。"},
	},
	doctor.DiskUnread: {
		Text{"the space of %s cannot be read: %v", "无法读取 %s 的剩余空间：%v"},
		Text{"The folder is made when lqproxy is installed as a service; else: mkdir %[1]s", "安装为服务时会创建该目录；否则请执行 mkdir %[1]s"},
	},
	doctor.FilesFit: {fact: Text{"up to %v", "上限 %v"}},
	doctor.FilesFew: {
		Text{"up to %d, and limits.* need %d", "上限 %d，而 limits.* 需要 %d"},
		Text{"Set LimitNOFILE=%[2]d in the unit (systemctl edit lqproxy), or lower limits.connections.", "在服务单元中设 LimitNOFILE=%[2]d（systemctl edit lqproxy），或减小 limits.connections。"},
	},
	doctor.FilesUnread: {fact: Text{"the limit of the service cannot be read: run as root", "无法读取服务的上限，请以 root 运行"}},
	doctor.MountsFit:   {fact: Text{"the program may be executed where it lies", "程序所在分区允许执行"}},
	doctor.MountNoexec: {
		Text{"%s lies on %s, which is mounted noexec", "%s 位于 %s，该分区以 noexec 挂载"},
		Text{"Install lqproxy elsewhere, or: mount -o remount,exec %[2]s (and /etc/fstab)", "换一个安装位置，或执行 mount -o remount,exec %[2]s（并修改 /etc/fstab）"},
	},
	doctor.SELinuxOff:   {fact: Text{"off", "未启用"}},
	doctor.SELinuxQuiet: {fact: Text{"on; nothing was denied to lqproxy", "已启用，没有拒绝 lqproxy 的记录"}},
	doctor.SELinuxDenies: {
		Text{"denied something to lqproxy %d times, last: %s", "拒绝 lqproxy %d 次，最近一次：%s"},
		Text{"See ausearch -m avc -c lqproxy; to allow: ausearch -m avc -c lqproxy --raw | audit2allow -M lqproxy && semodule -i lqproxy.pp", "查看 ausearch -m avc -c lqproxy；放行：ausearch -m avc -c lqproxy --raw | audit2allow -M lqproxy && semodule -i lqproxy.pp"},
	},
	doctor.SELinuxWould: {
		Text{"permissive; enforcing it would have denied %d times, last: %s", "处于 permissive，若强制执行会拒绝 %d 次，最近一次：%s"},
		Text{"Allow it before SELinux is enforced: ausearch -m avc -c lqproxy --raw | audit2allow -M lqproxy && semodule -i lqproxy.pp", "强制执行之前先放行：ausearch -m avc -c lqproxy --raw | audit2allow -M lqproxy && semodule -i lqproxy.pp"},
	},
	doctor.SELinuxUnread: {
		Text{"enforcing; its log cannot be read", "强制执行中，其日志无法读取"},
		Text{"Run lqproxy doctor as root to see what was denied.", "以 root 运行 lqproxy doctor 查看拒绝记录。"},
	},
	doctor.FIPSOff: {fact: Text{"off", "未启用"}},
	doctor.FIPSOn: {
		Text{"on", "已启用"},
		Text{"lqproxy brings its own cryptography, which this mode does not bind; curl and openssl here may fail where lqproxy connects.", "lqproxy 自带加密实现，不受此模式约束；本机 curl、openssl 可能连不上，而 lqproxy 可以。"},
	},

	doctor.ConfigGood: {fact: Text{"%s is in order", "%s 没有错误"}},
	doctor.ConfigMissing: {
		Text{"there is no %s; the defaults hold", "没有 %s，按默认配置检查"},
		Text{"Write one with lqproxy setup.", "运行 lqproxy setup 生成配置文件。"},
	},
	doctor.ConfigBad: {
		Text{"%s: number of mistakes: %d", "%s 中有 %d 处错误"},
		Text{"lqproxy check lists them.", "运行 lqproxy check 查看。"},
	},
	doctor.ConfigUnread: {
		Text{"%s cannot be read: %v", "无法读取 %s：%v"},
		Text{"Run lqproxy doctor as root, or check the name given with -c.", "以 root 运行 lqproxy doctor，或核对 -c 给出的文件名。"},
	},
	doctor.ConfigDenied: {
		Text{"%s cannot be read by user %s", "用户 %[2]s 无法读取 %[1]s"},
		Text{"chgrp %[2]s %[1]s && chmod g+r %[1]s, and the folders above: chmod g+x", "执行 chgrp %[2]s %[1]s && chmod g+r %[1]s，上级目录 chmod g+x"},
	},
	doctor.ServiceRuns: {fact: Text{"%s runs (pid %d)", "%s 正在运行（pid %d）"}},
	doctor.ServiceHand: {
		Text{"lqproxy runs (pid %d), but not as a service", "lqproxy 在运行（pid %d），但不是由 systemd 管理"},
		Text{"It will not come back after a reboot: install it as a service.", "重启后不会自动启动，请安装为服务。"},
	},
	doctor.ServiceStops: {
		Text{"%s does not run", "%s 没有运行"},
		Text{"systemctl enable --now %[1]s", "执行 systemctl enable --now %[1]s"},
	},
	doctor.ServiceFailed: {
		Text{"%s has failed: %s", "%s 启动失败：%s"},
		Text{"journalctl -u %[1]s -n 20 says why; lqproxy check finds mistakes of the configuration.", "运行 journalctl -u %[1]s -n 20 查看原因；运行 lqproxy check 检查配置。"},
	},
	doctor.ServiceOff: {
		Text{"%s does not start with the machine", "%s 没有设为开机启动"},
		Text{"systemctl enable %[1]s", "执行 systemctl enable %[1]s"},
	},
	doctor.ServiceOlder: {
		Text{"%s was changed after it was put in force", "%s 在生效之后又被修改"},
		Text{"lqproxy check, then lqproxy reload.", "先运行 lqproxy check，再运行 lqproxy reload。"},
	},
	doctor.ServiceKeeps: {
		Text{"the last reload was refused: %s", "最近一次重新加载未生效：%s"},
		Text{"lqproxy check, then lqproxy reload. The old configuration is in force.", "先运行 lqproxy check，再运行 lqproxy reload。目前仍使用旧配置。"},
	},
	doctor.ServiceBinary: {
		Text{"the program was replaced since pid %d was started", "pid %d 启动之后程序文件已被替换"},
		Text{"Go over to the new one: lqproxy upgrade, or systemctl restart lqproxy.", "切换到新版本：lqproxy upgrade，或 systemctl restart lqproxy。"},
	},
	doctor.ServiceFormer: {
		Text{"nginx starts with the machine (%[2]s) and still has %[1]s: after a reboot it may take lqproxy's port", "nginx 仍会开机启动（%[2]s），且保留着 %[1]s：重启后可能抢占 lqproxy 的端口"},
		Text{"If nginx serves nothing else: systemctl disable nginx, or take it out of the file named; if it does, move %[1]s away.", "nginx 没有其他用途时：systemctl disable nginx，或从上述启动文件中删去；否则移走 %[1]s。"},
	},
	doctor.ServiceNone: {
		Text{"there is no %s", "没有 %s"},
		Text{"Install the package of lqproxy, which brings the service.", "请安装 lqproxy 软件包，其中包含服务单元。"},
	},
	doctor.ServiceUnread: {
		Text{"lqproxy does not run, and systemd cannot be asked", "lqproxy 没有运行，也无法询问 systemd"},
		Text{"Start it: lqproxy serve", "启动：lqproxy serve"},
	},
	doctor.PortOurs: {fact: Text{"lqproxy listens on %d", "lqproxy 正在监听 %d"}},
	doctor.PortFree: {
		Text{"nobody listens on %d", "%d 没有程序监听"},
		Text{"Start lqproxy; callers cannot connect.", "启动 lqproxy；目前调用方无法连接。"},
	},
	doctor.PortNginx: {
		Text{"nginx listens on %d (pid %d)", "nginx 正在监听 %d（pid %d）"},
		Text{"To move over: lqproxy import nginx, lqproxy check, lqproxy takeover; the way back: lqproxy takeover --back. If nginx serves other sites, remove only lqpt.conf and reload it.", "迁移步骤：lqproxy import nginx，lqproxy check，lqproxy takeover；退回：lqproxy takeover --back。nginx 还有其他站点时，只移除 lqpt.conf 并重新加载 nginx。"},
	},
	doctor.PortTaken: {
		Text{"%[2]s listens on %[1]d (pid %[3]d)", "%[2]s 正在监听 %[1]d（pid %[3]d）"},
		Text{"Stop it, or choose another port in listen.addresses and tell the callers.", "停止该程序，或在 listen.addresses 中改用其他端口并通知调用方。"},
	},
	doctor.PortHidden: {
		Text{"somebody listens on %d", "有程序正在监听 %d"},
		Text{"Run lqproxy doctor as root to see who.", "以 root 运行 lqproxy doctor 查看是谁。"},
	},
	doctor.SourcesTold: {fact: Text{"calls come from public addresses too (calls seen: %d)", "调用来自公网地址（查看了 %d 次调用）"}},
	doctor.SourcesSame: {
		Text{"public sources are admitted, but all of %d calls came from private addresses", "允许的来源中有公网地址，但 %d 次调用全部来自内网地址"},
		Text{"A device in front (NAT, load balancer, WAF) rewrites the sources, so the list of sources protects nothing. Let it keep them, or set listen.proxy_protocol_from or listen.forwarded_for_from.", "前置设备（NAT、负载均衡或 WAF）改写了来源地址，来源名单形同虚设。请让设备保留来源地址，或配置 listen.proxy_protocol_from、listen.forwarded_for_from。"},
	},
	doctor.SourcesFew:   {fact: Text{"too few calls to tell (%d)", "调用太少，无法判断（%d 次）"}},
	doctor.FirewallSays: {fact: Text{"%s", "%s"}},

	doctor.DNSFound:   {fact: Text{"%[1]s, addresses: %[2]d, from %[3]v", "%[1]s 有 %[2]d 个地址，来自 %[3]v"}},
	doctor.DNSFailed:  {fact: Text{"%[1]s: %[2]s", "%[1]s：%[2]s"}},
	doctor.ConnectAll: {fact: Text{"connected to every address (%d)", "全部地址可以连接（%d 个）"}},
	doctor.ConnectSome: {
		Text{"%d of %d addresses can be connected to; %v: %v", "%[2]d 个地址中 %[1]d 个可以连接；%[3]v：%[4]v"},
		Text{"One is enough for the proxy. If it stays so, ask the network's administrator about %[3]v.", "有一个可用，代理即可工作。若长期如此，请网络管理员检查 %[3]v。"},
	},
	doctor.ConnectNone: {fact: Text{"%v", "%v"}},
	doctor.TLSGood:     {fact: Text{"%s, %s", "%s，%s"}},
	doctor.TLSBad:      {fact: Text{"%[2]v (%[1]s)", "%[2]v（%[1]s）"}},
	doctor.TLSRemedy: {
		Text{"fails with the settings in force (%[1]s)", "按当前设置握手失败（%[1]s）"},
		Text{"It succeeds with %[2]s: set that, then lqproxy check, lqproxy reload.", "改用 %[2]s 后成功：修改配置，再执行 lqproxy check 和 lqproxy reload。"},
	},
	doctor.CallGood: {fact: Text{"%v: the platform has answered", "%v环境：平台已应答"}},
	doctor.CallNone: {fact: Text{"not called, as no unit is known: lqproxy doctor --unit ID", "未指定接入单位，没有调用：lqproxy doctor --unit ID"}},
	doctor.CallBad:  {fact: Text{"%v: %v", "%v环境：%v"}},
	doctor.ClockRight: {
		fact: Text{"agrees with Leqi's (%v)", "与乐企一致（%v）"},
	},
	doctor.ClockOff: {
		Text{"differs from Leqi's by %v", "与乐企相差 %v"},
		Text{"Let chronyd or ntpd set it: systemctl enable --now chronyd", "用 chronyd 或 ntpd 对时：systemctl enable --now chronyd"},
	},
	doctor.ClockWrong: {
		Text{"differs from Leqi's by %v", "与乐企相差 %v"},
		Text{"Set it now: calls with a wrong time may be refused. systemctl enable --now chronyd, chronyc makestep", "立即对时，时间不对的调用可能被拒绝：systemctl enable --now chronyd，chronyc makestep"},
	},
	doctor.ClockUnread: {fact: Text{"not compared: there was no answer with a date", "未比对：没有收到带时间的应答"}},
	doctor.RouteReached: {
		fact: Text{"%v is reached at hop %d", "%v 在第 %d 跳到达"},
	},
	doctor.RouteEnds: {
		Text{"to %v the answers stop after %s (hop %d)", "到 %v 的应答止于 %s（第 %d 跳）"},
		Text{"Ask who runs the next hop: the operator, or the tax authority if %[2]s is already outside. A firewall there drops the connection.", "询问下一跳的管理者：运营商，或者 %[2]s 已在外网时询问税务机关。那里有防火墙丢弃了连接。"},
	},
	doctor.RouteSilent: {
		Text{"to %v nobody answers, not even the first router", "到 %v 没有任何应答，第一跳也没有"},
		Text{"A firewall of your own drops the connection, or ICMP is filtered at once: check this machine's firewall and the one at its exit.", "自有防火墙丢弃了连接，或 ICMP 一出本机就被过滤：检查本机和出口防火墙。"},
	},
	doctor.RouteRefused: {
		Text{"%v is refused at hop %d", "到 %v 的连接在第 %d 跳被拒绝"},
		Text{"The host refuses, or a firewall in its name. At hop 1 or 2 it is probably your own.", "对端拒绝，或有防火墙以其名义拒绝；若在第 1、2 跳，多为自有设备。"},
	},
	doctor.RouteBarred: {
		Text{"to %v, %s (hop %d) reports that there is no way on", "到 %v：%s（第 %d 跳）报告不可达"},
		Text{"Ask who runs %[2]s to let TCP to %[1]v pass.", "请 %[2]s 的管理者放行到 %[1]v 的 TCP 连接。"},
	},
	doctor.RouteNone: {
		Text{"to %v there is none from here: %s", "本机没有到 %v 的路由：%s"},
		Text{"If only IPv6 is missing and IPv4 works, nothing is to be done.", "若仅缺 IPv6 而 IPv4 正常，无需处理。"},
	},
	doctor.EgressFiled: {fact: Text{"%v, as filed", "%v，与备案一致"}},
	doctor.EgressOther: {
		Text{"%v is not filed (probe.filed_ips: %s)", "%v 未备案（probe.filed_ips：%s）"},
		Text{"Leqi answers 4067 or not at all. Look at NAT, VIP and upstream.local_address, or file %[1]v.", "乐企会应答 4067 或不应答。检查 NAT、VIP 和 upstream.local_address，或备案 %[1]v。"},
	},
	doctor.EgressUnfiled: {
		Text{"%v; which addresses are filed is not known", "%v；不知道备案了哪些地址"},
		Text{"Enter the filed addresses in probe.filed_ips.", "在 probe.filed_ips 中写明已备案的地址。"},
	},
	doctor.EgressHidden: {fact: Text{"connections leave from %v; NAT makes it another address outside (probe.egress_echo_url would tell)", "从 %v 发出，经 NAT 后的出口地址未知（可配置 probe.egress_echo_url 查询）"}},
	doctor.EgressUnread: {
		Text{"connections leave from %v; the echo URL: %s", "从 %v 发出；出口地址查询失败：%s"},
		Text{"Check probe.egress_echo_url: it must answer with one address and nothing else.", "检查 probe.egress_echo_url：应答须只含一个 IP 地址。"},
	},
	doctor.EgressNone: {
		Text{"connections have no address to leave from: %s", "没有可用的外发地址：%s"},
		Text{"Check the route (ip route) and upstream.local_address.", "检查路由（ip route）和 upstream.local_address。"},
	},
}
