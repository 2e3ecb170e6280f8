package words

// Texts of config: the history of configurations, and what differs between them.
var (
	FlagHistory = Text{"list the last 20 configurations in force, newest first", "列出最近 20 份生效过的配置，最新的在前"}
	FlagDiff    = Text{"what configuration `N` changed; N..M: from N to M", "第 `N` 份配置改了什么；N..M：从第 N 份到第 M 份"}

	ConfigHelp = Text{
		`Number 1 is the configuration in force now, or last. What was in force is kept
with every key. --diff 1 shows what the last change changed, --diff 4..1 all
that was changed since number 4 was in force.`,
		`第 1 份是当前（或最后一次）生效的配置，每份都包含全部配置项。--diff 1 显示最近
一次改动的内容；--diff 4..1 显示自第 4 份以来的全部改动。`,
	}

	ConfigOneOf   = Text{"--effective, --history and --diff exclude each other", "--effective、--history、--diff 只能选一个"}
	ConfigJSON    = Text{"--json goes with --history", "--json 须与 --history 同用"}
	ConfigElse    = Text{"the configuration cannot be used now (\"lqproxy check\" says why); looking in %s", "配置文件目前不可用（原因请运行 lqproxy check），改在 %s 中查找"}
	ConfigNumber  = Text{"--diff takes a number, or two as in 4..1, not %q", "--diff 的值应为一个序号，或形如 4..1 的两个序号，不能是 %q"}
	ConfigNoneOf  = Text{"there is no number %d: %d are kept", "没有第 %d 份：共保留 %d 份"}
	ConfigOldest  = Text{"number %d is the oldest that is kept: what it changed is not known", "第 %d 份是保留的最早一份，无从得知它改了什么"}
	ConfigSame    = Text{"nothing differs between %d and %d", "第 %d 份与第 %d 份没有差异"}
	ConfigList    = Text{"\"lqproxy config --history\" lists them", "运行 lqproxy config --history 查看列表"}
	ConfigNoPast  = Text{"no configuration is kept in %s: no lqproxy was ever started with it", "%s 中没有保留的配置：尚未以该状态目录启动过 lqproxy"}
	ConfigDenied  = Text{"only root and the service's user may read %s", "只有 root 和服务用户可以读取 %s"}
	ConfigNoRead  = Text{"the configurations kept cannot be read: %v", "无法读取保留的配置：%v"}
	ConfigFiles   = Text{"the files are in %s", "文件位于 %s"}
	HistorySince  = Text{"in force since", "生效时间"}
	HistoryOrigin = Text{"by", "操作"}

	HistoryStart   = Text{"start", "启动"}
	HistoryReload  = Text{"reload", "重新加载"}
	HistorySetup   = Text{"setup", "setup 更新"}
	HistoryUpgrade = Text{"upgrade", "升级"}
	HistoryNothing = Text{"not recorded", "未记录"}

	HistoryBy      = Text{"%s by %s", "%s，操作人：%s"}
	HistoryUnknown = Text{"somebody unknown", "未知"}
	HistoryAs      = Text{"%s as %s", "%s（以 %s 身份）"}
	HistoryAt      = Text{"%s at %s", "%s，终端 %s"}
)
