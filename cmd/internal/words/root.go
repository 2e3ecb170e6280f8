package words

// Short descriptions: of the program, of its commands, of their flags.
var (
	ShortRoot       = Text{"forwards the calls of invoicing software to the Leqi platform", "开票软件访问税局乐企平台的专用代理"}
	ShortServe      = Text{"run the proxy", "运行代理"}
	ShortCheck      = Text{"report every mistake in the configuration file", "检查配置文件，一次列出全部错误"}
	ShortConfig     = Text{"print the commented reference file, what is in force, or what was", "输出带注释的参考配置、当前生效的配置，或历史配置及其改动"}
	ShortDemo       = Text{"try it out: proxy and simulated Leqi on this machine alone", "本机演示：代理与模拟乐企，不连外网"}
	ShortSimulate   = Text{"run a simulated Leqi", "运行模拟乐企平台"}
	ShortVersion    = Text{"print the version", "显示版本"}
	ShortCompletion = Text{"print the completion script for a shell", "输出命令行补全脚本"}
	ShortHelp       = Text{"explain a command", "显示命令的帮助"}

	FlagConfig    = Text{"the configuration `FILE`", "配置文件 `FILE`"}
	FlagInstance  = Text{"the `NAME` of the instance", "实例名 `NAME`"}
	FlagLang      = Text{"`LANGUAGE` of the output: auto, zh or en", "输出语言 `LANGUAGE`：auto、zh 或 en"}
	FlagJSON      = Text{"print one JSON document", "输出一份 JSON"}
	FlagAllowRoot = Text{"run even as root", "允许以 root 身份运行"}
	FlagEffective = Text{"print what is in force, without secrets", "输出当前生效的配置，不含机密"}
	FlagListen    = Text{"the `ADDRESS` to listen on", "监听地址 `ADDRESS`"}
	FlagScenario  = Text{"the `SCENARIO` to play; see below", "演示的场景 `SCENARIO`，见下表"}
	FlagHelp      = Text{"explain this command", "显示本命令的帮助"}
	FlagDefault   = Text{"%s (default %s)", "%s（默认 %s）"}
)

// Headings of the help.
var (
	HelpUsage    = Text{"Usage:", "用法："}
	HelpCommands = Text{"Commands:", "命令："}
	HelpFlags    = Text{"Flags:", "选项："}
	HelpGlobal   = Text{"Flags of every command:", "通用选项："}
	HelpSignals  = Text{"Signals:", "信号："}
	HelpMore     = Text{"\"%s COMMAND --help\" explains a command.", "运行“%s 命令 --help”查看某个命令的帮助。"}
)
