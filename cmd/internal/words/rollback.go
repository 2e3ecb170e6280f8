package words

// Texts of upgrade --rollback.
var (
	FlagRollback = Text{"back to the version that the last upgrade replaced", "退回上次升级之前的版本"}

	RollbackAll     = Text{"%s does not go with --rollback: all instances have one binary", "%s 不能与 --rollback 同用：所有实例共用一个程序"}
	RollbackRoot    = Text{"the installed binary is root's: run this as root", "替换程序需要 root 权限"}
	RollbackNone    = Text{"no former version is kept on this machine", "本机没有保留旧版本"}
	RollbackInstall = Text{"install the package of the former version: dpkg -i FILE, or rpm -Uvh --oldpackage FILE", "请安装旧版本的安装包：dpkg -i 文件，或 rpm -Uvh --oldpackage 文件"}
	RollbackRefused = Text{"the former version %s refuses %s, and no file of then is kept that it accepts", "旧版本 %s 不接受配置文件 %s，也没有保留它能接受的旧配置文件"}
	RollbackPlan    = Text{"from %s back to %s, without a break", "从 %s 退回 %s，不中断服务"}
	RollbackFile    = Text{"%[1]s does not know the present %[2]s: the file of before the upgrade is put back, and the present one kept", "%[1]s 不认识当前的 %[2]s：将恢复升级前的文件，并保留当前文件"}
	RollbackAsk     = Text{"Go back?", "确认退回？"}
	RollbackHalf    = Text{"not everything could be put back: %v", "未能全部恢复：%v"}
	RollbackFailed  = Text{"the former version is installed, but not everywhere in force; this takes it back:", "旧版本已装回，但未在所有实例生效；如需撤销，请再次执行："}
	RollbackDone    = Text{"the former version is in force; the package manager still counts the newer one until the former package is installed", "旧版本已生效；安装旧版本的安装包之前，包管理器中登记的仍是新版本"}
)
