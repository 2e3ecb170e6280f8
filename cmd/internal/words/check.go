package words

// Texts of check and config, and of whatever reads the configuration.
var (
	CheckOK       = Text{"%s is in order", "%s 没有错误"}
	CheckMistakes = Text{"%s: number of mistakes: %d", "%s 中有 %d 处错误"}
	CheckLine     = Text{"line %d", "第 %d 行"}
	CheckAccount  = Text{"judged for user %s, as which the service runs", "按服务的运行用户 %s 判断"}
	CheckGrant    = Text{"let its group read: chgrp %s FILE; chmod g+r FILE", "允许该用户组读取：chgrp %s 文件; chmod g+r 文件"}
	CheckFile     = Text{"the configuration itself cannot be read: %v", "无法读取配置文件本身：%v"}

	CheckListen   = Text{"listens on", "监听地址"}
	CheckPlain    = Text{"%s, plain http", "%s，http 明文"}
	CheckTLS      = Text{"%s, https", "%s，https 加密"}
	CheckSources  = Text{"admits", "允许接入"}
	CheckPrefixes = Text{"prefixes: %d", "%d 个地址段"}
	CheckPresets  = Text{"prefixes: %d, with the presets %s", "%d 个地址段，含预置名单 %s"}
	CheckUpstream = Text{"forwards to", "转发到"}
	CheckVerify   = Text{"%s, verify = %s", "%s，证书校验 %s"}
	CheckAdmin    = Text{"status on", "状态页"}

	CheckChallenges = Text{"the certificate's authority asks at port %d, which must lead to port %d: \"lqproxy firewall plan\" shows the commands", "证书颁发机构访问 %d 端口进行验证，须转发到 %d 端口；命令见 lqproxy firewall plan"}

	ConfigUnread    = Text{"the configuration cannot be read: %v", "无法读取配置文件：%v"}
	ConfigMembers   = Text{"root and the members of group %s may read it", "root 和 %s 用户组的成员可以读取"}
	ConfigReference = Text{"\"lqproxy config\" prints a commented example", "运行 lqproxy config 查看带注释的参考配置"}
	ConfigSetup     = Text{"\"lqproxy setup\" writes a configuration", "运行 lqproxy setup 生成配置文件"}
	ConfigEffective = Text{"%s goes with --effective, --history or --diff: the reference is the same for all", "%s 须与 --effective、--history 或 --diff 同用：参考配置与文件、实例无关"}
	ConfigInstance  = Text{"%q is not the name of an instance: small letters, digits and \"-\"", "%q 不能作为实例名：只能用小写字母、数字和“-”"}
)
