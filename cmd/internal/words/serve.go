package words

// Texts of serve.
var (
	SignalStop   = Text{"stop: exchanges end first; a second one ends at once", "平滑停止：先等调用结束；再发一次立即结束"}
	SignalReload = Text{"read the configuration again", "重新读取配置文件"}
	SignalReopen = Text{"open the log files again, after logrotate", "重新打开日志文件（供 logrotate 使用）"}

	SignalUpgrade = Text{"hand over to the installed binary, without a break", "切换到已安装的新程序，不中断服务"}

	ServeRoot      = Text{"lqproxy does not run as root: it needs none of its rights", "不要以 root 身份运行 lqproxy，它不需要 root 权限"}
	ServeRootHint  = Text{"start it with systemctl, or add --allow-root", "请用 systemctl 启动，确有需要时加上 --allow-root"}
	ServeReady     = Text{"ready: %s forwards to %s; status on %s", "已就绪：%s 转发到 %s；状态页 %s"}
	ServeStopping  = Text{"stopping (%v); once more ends at once", "正在停止（%v）；再来一次立即结束"}
	ServeStopped   = Text{"stopped", "已停止"}
	ServeRetired   = Text{"the old process has ended with its last connection", "旧进程的连接已全部结束，已退出"}
	ServeNoUpgrade = Text{"upgrades without a break are not possible: %v", "无法进行不中断升级：%v"}
	ServeFailed    = Text{"the proxy ended: %v", "代理异常结束：%v"}
	ServeListen    = Text{"%s: cannot listen on %s: %v", "%s：无法监听 %s：%v"}
	ServeHolder    = Text{"the port is held by %s", "端口被 %s 占用"}
	ServePortTaken = Text{"find who has the port: ss -ltnp 'sport = :%s'", "查看端口被谁占用：ss -ltnp 'sport = :%s'"}
)
