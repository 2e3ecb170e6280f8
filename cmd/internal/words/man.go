package words

// Texts of man.
var (
	ShortMan = Text{"write the manual pages to a folder", "将手册页写入一个目录"}

	ManName     = Text{"NAME", "名称"}
	ManSynopsis = Text{"SYNOPSIS", "用法"}
	ManCommands = Text{"COMMANDS", "命令"}
	ManOptions  = Text{"OPTIONS", "选项"}
	ManDetails  = Text{"DETAILS", "说明"}
	ManSee      = Text{"SEE ALSO", "另见"}
)
