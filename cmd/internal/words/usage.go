package words

import (
	"errors"

	"github.com/spf13/pflag"
)

// Errors of the command line.
var (
	UnknownCommand = Text{"there is no command %q", "没有命令 %q"}
	MeantCommand   = Text{"did you mean %q?", "是否想输入 %q？"}
	NeedCommand    = Text{"say what to do: a command is missing", "缺少命令，请指明要做什么"}
	NoArguments    = Text{"%q takes no arguments, but %q was given", "%q 不带参数，但收到了 %q"}
	NeedShell      = Text{"name one shell: %s", "请指明一种 shell：%s"}
	HelpHint       = Text{"%q lists what there is", "运行 %q 查看全部用法"}
	UnknownLang    = Text{"--lang must be auto, zh or en, not %q", "--lang 只能是 auto、zh 或 en，不能是 %q"}

	unknownFlag  = Text{"there is no flag %s", "没有选项 %s"}
	valueNeeded  = Text{"the flag %s needs a value", "选项 %s 需要一个值"}
	invalidValue = Text{"%q is not a value for the flag %s: %v", "选项 %[2]s 的值 %[1]q 无效：%[3]v"}
	invalidFlag  = Text{"%s is not a flag", "%s 不是合法的选项写法"}
)

// FlagError says in the language l what err, an error of parsing flags, says in English.
func FlagError(l Lang, err error) string {
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return unknownFlag.In(l, dashed(e.GetSpecifiedName()))
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return valueNeeded.In(l, dashed(e.GetSpecifiedName()))
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return invalidValue.In(l, e.GetValue(), dashed(e.GetFlag().Name), errors.Unwrap(e))
	}
	if e, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		return invalidFlag.In(l, e.GetSpecifiedFlag())
	}
	return err.Error()
}

// dashed writes the name of a flag as it is typed.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}
