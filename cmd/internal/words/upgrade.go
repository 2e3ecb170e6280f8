package words

// Texts of upgrade.
var (
	ShortUpgrade = Text{"hand over to the installed binary, without a break", "切换到已安装的新程序，不中断服务"}

	UpgradeWaiting  = Text{"waiting for the process before: %d connections left", "等待上一个进程结束：还有 %d 个连接"}
	UpgradeChecking = Text{"checking the installed binary and the configuration", "检查新程序和配置文件"}
	UpgradeStarting = Text{"starting the new process", "启动新进程"}
	UpgradeDone     = Text{"%s has handed over to %s (pid %d)", "已从 %s 切换到 %s（进程号 %d）"}
	UpgradeDrains   = Text{"the old process ends with its last connection", "旧进程将在最后一个连接结束后退出"}

	UpgradeBinary  = Text{"the installed binary %s cannot be run: %s", "已安装的程序 %s 无法运行：%s"}
	UpgradeRefused = Text{"the installed binary %s refuses the configuration %s", "已安装的程序 %s 不接受配置文件 %s"}
	UpgradeStart   = Text{"the new process did not start: %s", "新进程未能启动：%s"}
	UpgradeFormer  = Text{"the process before the running one still has connections; try again later", "更早的进程仍有连接未结束，请稍后再试"}
	UpgradeKept    = Text{"the running process serves on as before", "原进程继续服务，不受影响"}
	UpgradeEarlier = Text{"for an older version, take out of the file what it does not know", "要退回旧版本，请先从配置文件中删去旧版本不认识的配置项"}
)
