package words

// What the exit codes mean, for the help of the program.
var (
	ExitOK        = Text{"well", "成功"}
	ExitFailed    = Text{"failed", "失败"}
	ExitUsage     = Text{"the command line is wrong", "命令行用法错误"}
	ExitConfig    = Text{"the configuration is wrong", "配置错误"}
	ExitForbidden = Text{"Leqi answered 403 at every attempt", "每次尝试乐企都应答 403"}
	ExitUnreached = Text{"Leqi was not reached (DNS, TCP, TLS)", "未能连上乐企（DNS、TCP、TLS）"}
	ExitUnproven  = Text{"Leqi answered something that does not prove the path", "乐企的应答不足以证明链路已通"}
	ExitHeading   = Text{"Exit codes:", "退出码："}
)
