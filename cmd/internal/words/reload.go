package words

// Texts of reload.
var (
	ShortReload = Text{"put the changed configuration in force, without a break", "让修改后的配置生效，不中断服务"}

	ReloadDone      = Text{"%s is in force", "%s 已生效"}
	ReloadSame      = Text{"%s says nothing new: no setting has changed", "%s 与正在使用的配置相同，没有设置改变"}
	ReloadKept      = Text{"the running configuration stays as it was", "正在使用的配置保持不变，服务不受影响"}
	ReloadUnread    = Text{"%s cannot be read by the running instance: %s", "运行中的服务无法读取 %s：%s"}
	ReloadOverlap   = Text{"%s: %s overlaps %s, on which the instance still listens", "%s：%s 与正在监听的 %s 重叠"}
	ReloadRestart   = Text{"a restart puts it in force, and interrupts the service for a moment: %s", "此项须重启才能生效（服务会短暂中断）：%s"}
	ReloadStateDir  = Text{"state_dir changes only at a restart", "state_dir 只能在重启时更改"}
	ReloadNoFile    = Text{"the running instance was started without a configuration file", "运行中的实例启动时没有使用配置文件"}
	OrderNotRunning = Text{"no lqproxy runs with the state directory %s", "没有以 %s 为状态目录的 lqproxy 在运行"}
	OrderStart      = Text{"start it: %s", "请先启动：%s"}
	OrderWhich      = Text{"if another file or instance is meant, name it with -c or -i", "如果指的是其他文件或实例，请用 -c 或 -i 指明"}
	OrderStopping   = Text{"the instance is stopping", "该实例正在停止"}
	OrderBusy       = Text{"an upgrade is under way; try again when it is over", "正在升级，请稍后再试"}
	OrderFailed     = Text{"the running instance reports: %s", "运行中的服务报告：%s"}
)
