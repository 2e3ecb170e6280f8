package words

// Texts of check and config, and of whatever reads the configuration.
var (
	CheckOK       = Text{"%s is in order", "%s 没有错误"}
	CheckMistakes = Text{"%s: number of mistakes: %d", "%s 中有 %d 处错误"}
	CheckSources  = Text{"admitted: %d prefixes", "允许接入：%d 个地址段"}
	CheckLine     = Text{"line %d", "第 %d 行"}

	ConfigUnread    = Text{"the configuration cannot be read: %v", "无法读取配置文件：%v"}
	ConfigReference = Text{"\"lqproxy config\" prints a commented example", "运行 lqproxy config 查看带注释的参考配置"}
	ConfigSetup     = Text{"\"lqproxy setup\" writes a configuration", "运行 lqproxy setup 生成配置文件"}
)
