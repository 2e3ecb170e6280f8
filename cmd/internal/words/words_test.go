package words

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/lqproxy/lqproxy/configs"
)

// env makes a getenv of "NAME=value" pairs.
func env(pairs ...string) func(string) string {
	return func(name string) string {
		for _, p := range pairs {
			if v, ok := strings.CutPrefix(p, name+"="); ok {
				return v
			}
		}
		return ""
	}
}

func TestDetect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		flag       string
		env        []string
		configured string
		want       Lang
	}{
		{"", nil, "", English},
		{"", []string{"LANG=zh_CN.UTF-8"}, "", Chinese},
		{"", []string{"LANG=zh"}, "auto", Chinese},
		{"", []string{"LANG=C"}, "auto", English},
		{"", []string{"LANG=de_DE.UTF-8"}, "auto", English},
		{"", []string{"LANG=zh_CN.UTF-8", "LC_MESSAGES=en_US.UTF-8"}, "", English},
		{"", []string{"LANG=en_US", "LC_ALL=zh_CN.GB18030", "LC_MESSAGES=C"}, "", Chinese},
		{"", []string{"LANG=en_US.UTF-8"}, "zh", Chinese},
		{"", []string{"LANG=zh_CN.UTF-8"}, "en", English},
		{"", []string{"LQPROXY_LANG=zh"}, "en", Chinese},
		{"", []string{"LQPROXY_LANG=auto", "LANG=zh_CN"}, "en", English},
		{"en", []string{"LQPROXY_LANG=zh"}, "zh", English},
		{"auto", []string{"LQPROXY_LANG=zh"}, "en", Chinese},
		{"zh-CN", nil, "", Chinese},
		{"zhx", nil, "", English},
	} {
		if got := Detect(tt.flag, env(tt.env...), tt.configured); got != tt.want {
			t.Errorf("Detect(%q, %q, %q) = %q, want %q", tt.flag, tt.env, tt.configured, got, tt.want)
		}
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"": true, "auto": true, "zh": true, "en": true, "de": false, "ZH": false} {
		if got := Known(name); got != want {
			t.Errorf("Known(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestTranscodeFollowsTheLocale(t *testing.T) {
	t.Parallel()
	const gbk = "\xcb\xb0"
	for _, tt := range []struct {
		env  string
		text string
		want string
	}{
		{"LANG=zh_CN.UTF-8", "税", "税"},
		{"LANG=zh_CN", "税", "税"},
		{"LANG=C", "税", "税"},
		{"LANG=zh_CN.GB18030", "税", gbk},
		{"LANG=zh_CN.gb18030@stroke", "税", gbk},
		{"LC_ALL=zh_CN.GBK", "税", gbk},
		{"LC_CTYPE=zh_CN.GB2312", "税", gbk},
		{"LANG=zh_CN.GB18030", "\u1234", "\x81\x33\xbc\x34"},
		{"LANG=zh_CN.GBK", "a\u1234b", "a\x1ab"},
	} {
		var b bytes.Buffer
		w := Transcode(&b, env(tt.env))
		for i := range len(tt.text) { // a character may come in pieces
			if _, err := io.WriteString(w, tt.text[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
		if got := b.String(); got != tt.want {
			t.Errorf("Transcode(%q) in %s = %q, want %q", tt.text, tt.env, got, tt.want)
		}
	}
}

func TestTextIn(t *testing.T) {
	t.Parallel()
	text := Text{"100 %% of %s", "%s 的 100 %%"}
	for _, tt := range []struct {
		lang Lang
		args []any
		want string
	}{
		{English, []any{"x"}, "100 % of x"},
		{Chinese, []any{"x"}, "x 的 100 %"},
		{Lang("fr"), []any{"x"}, "100 % of x"},
	} {
		if got := text.In(tt.lang, tt.args...); got != tt.want {
			t.Errorf("In(%q, %v) = %q, want %q", tt.lang, tt.args, got, tt.want)
		}
	}
	if got, want := (Text{"50 %%", ""}).In(English), "50 %"; got != want {
		t.Errorf("In() without arguments = %q, want %q", got, want)
	}
}

func TestPrinter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		printer  Printer
		out, err string
	}{
		{"English", Printer{Lang: English}, "x is in order\n", "lqproxy: error: boom\nlqproxy: hint: there is no command \"y\"\nstopped\n"},
		{"Chinese", Printer{Lang: Chinese}, "x 没有错误\n", "lqproxy: 错误：boom\nlqproxy: 提示：没有命令 \"y\"\n已停止\n"},
		{"colour", Printer{Lang: English, Color: true}, "x is in order\n", "lqproxy: \x1b[31merror: \x1b[0mboom\nlqproxy: \x1b[36mhint: \x1b[0mthere is no command \"y\"\nstopped\n"},
	} {
		var out, err bytes.Buffer
		p := tt.printer
		p.Out, p.Err = &out, &err
		p.Say(CheckOK, "x")
		p.Error(Verbatim, errors.New("boom"))
		p.Hint(UnknownCommand, "y")
		p.Note(ServeStopped)
		if diff := cmp.Diff([]string{tt.out, tt.err}, []string{out.String(), err.String()}); diff != "" {
			t.Errorf("%s: out, err (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestNewPrinterTranscodesForPeopleOnly(t *testing.T) {
	t.Parallel()
	var out, err bytes.Buffer
	p := NewPrinter(&out, &err, Chinese, env("LANG=zh_CN.GBK", "TERM=xterm"))
	p.Say(DemoProxy)
	if _, err := io.WriteString(p.Data, "代理\n"); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "\xb4\xfa\xc0\xed\n代理\n"; got != want {
		t.Errorf("stdout = %q, want %q", got, want)
	}
	if p.Color {
		t.Error("Color = true on what is no terminal, want false")
	}
}

func TestTableAlignsByDisplayWidth(t *testing.T) {
	t.Parallel()
	table := Table{Indent: 2}
	table.Row("proxy", "http://127.0.0.1:8864", "x")
	table.Row("模拟乐企平台", "b", "y")
	table.Row("a last cell may be as long as it likes")
	table.Row("“状态”", "c")
	table.Row()
	var b strings.Builder
	if n, err := table.WriteTo(&b); err != nil || int(n) != b.Len() {
		t.Errorf("WriteTo() = %d, %v, want %d, nil", n, err, b.Len())
	}
	want := `  proxy         http://127.0.0.1:8864  x
  模拟乐企平台  b                      y
  a last cell may be as long as it likes
  “状态”        c

`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// A full disk does not take anything.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestTableSaysThatItCouldNotBePrinted(t *testing.T) {
	t.Parallel()
	var table Table
	table.Row("x")
	if _, err := table.WriteTo(fullDisk{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("WriteTo() = %v, want %v", err, io.ErrShortWrite)
	}
}

func TestFlagError(t *testing.T) {
	t.Parallel()
	flags := pflag.NewFlagSet("check", pflag.ContinueOnError)
	flags.StringP("config", "c", "", "")
	flags.Int("attempts", 1, "")
	for _, tt := range []struct {
		args   string
		en, zh string
	}{
		{"--confg", "there is no flag --confg", "没有选项 --confg"},
		{"-x", "there is no flag -x", "没有选项 -x"},
		{"--config", "the flag --config needs a value", "选项 --config 需要一个值"},
		{"-c", "the flag -c needs a value", "选项 -c 需要一个值"},
		{"--attempts=x", `"x" is not a value for the flag --attempts: strconv.ParseInt: parsing "x": invalid syntax`, `选项 --attempts 的值 "x" 无效：strconv.ParseInt: parsing "x": invalid syntax`},
		{"---", "--- is not a flag", "--- 不是合法的选项写法"},
	} {
		err := fmt.Errorf("reading flags: %w", flags.Parse([]string{tt.args}))
		if got := FlagError(English, err); got != tt.en {
			t.Errorf("FlagError(en, %q) = %q, want %q", tt.args, got, tt.en)
		}
		if got := FlagError(Chinese, err); got != tt.zh {
			t.Errorf("FlagError(zh, %q) = %q, want %q", tt.args, got, tt.zh)
		}
	}
	if got, want := FlagError(Chinese, io.EOF), "EOF"; got != want {
		t.Errorf("FlagError(EOF) = %q, want %q", got, want)
	}
}

func TestMistake(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mistake configs.Mistake
		en, zh  string
	}{
		{
			configs.Mistake{Key: "allow.sources[1]", Line: 7, Kind: configs.HostBits, Value: `"10.0.0.1/8"`, Proposal: `"10.0.0.0/8"`},
			`line 7: allow.sources[1]: "10.0.0.1/8" has host bits set; did you mean "10.0.0.0/8"?`,
			`第 7 行：allow.sources[1]："10.0.0.1/8" 的主机位不为零，是否想写 "10.0.0.0/8"？`,
		},
		{
			configs.Mistake{Key: "log.level", Kind: configs.UnknownValue, Value: `"x"`, Allowed: []string{"a", "b"}},
			`log.level: must be one of a, b, not "x"`,
			`log.level：只能是 a, b 之一，不能是 "x"`,
		},
		{
			configs.Mistake{Line: 3, Kind: configs.Syntax, Err: io.ErrUnexpectedEOF},
			`line 3: this is not TOML: unexpected EOF`,
			`第 3 行：不是合法的 TOML：unexpected EOF`,
		},
	} {
		if got := Mistake(English, tt.mistake); got != tt.en {
			t.Errorf("Mistake(en) = %q, want %q", got, tt.en)
		}
		if got := Mistake(Chinese, tt.mistake); got != tt.zh {
			t.Errorf("Mistake(zh) = %q, want %q", got, tt.zh)
		}
	}
}
