// Package words says things to people, in English and Chinese.
//
// Every text is a [Text], a package-level variable in the file of its command, and is put into words by [Text.In] or a
// method of [Printer]. To add one, write it beside its kin with both languages and the same verbs in both; the tests of
// this package find a text without a language, verbs that differ, calls with the wrong number of arguments, and texts
// that no command uses.
//
// Values of packages below that people read (mistakes of the configuration, errors of the command line) are translated
// here, so that those packages know one language only.
package words

import (
	"fmt"
	"strings"
)

// A Lang is a language that lqproxy speaks.
type Lang string

// The languages. English is for whatever else is asked for.
const (
	English Lang = "en"
	Chinese Lang = "zh"
)

// A Text is one thing to say, as a format of package fmt. The arguments of both languages are the same, in the same
// order, unless the verbs are indexed (%[2]s). Texts are never modified.
type Text struct{ EN, ZH string }

// In puts t into words.
func (t Text) In(l Lang, args ...any) string {
	format := t.EN
	if l == Chinese {
		format = t.ZH
	}
	if len(args) == 0 {
		return strings.ReplaceAll(format, "%%", "%")
	}
	return fmt.Sprintf(format, args...)
}

// Verbatim is for what has no translation: the words of the system or of another program.
var Verbatim = Text{"%v", "%v"}
