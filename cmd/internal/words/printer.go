package words

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// A Printer prints to people: what was asked for to Out, errors and hints to Err. Errors of writing are dropped, as
// there is nobody to tell. It is not safe for concurrent use.
type Printer struct {
	Out, Err io.Writer
	Lang     Lang
	Color    bool // on Err

	// Data is Out in UTF-8 whatever the locale: for documents that programs read.
	Data io.Writer
}

// NewPrinter returns a printer in the character set of the locale, with colour if stderr is a terminal that may have
// it. getenv is os.Getenv.
func NewPrinter(stdout, stderr io.Writer, l Lang, getenv func(string) string) *Printer {
	return &Printer{
		Out:   Transcode(stdout, getenv),
		Err:   Transcode(stderr, getenv),
		Lang:  l,
		Color: MayColor(stderr, getenv),
		Data:  stdout,
	}
}

// IsTerminal reports whether w is a terminal: only there is progress shown, and colour.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// MayColor reports whether w is a terminal that may have colour. getenv is os.Getenv.
func MayColor(w io.Writer, getenv func(string) string) bool {
	return IsTerminal(w) && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// In puts t into words of the printer's language.
func (p *Printer) In(t Text, args ...any) string { return t.In(p.Lang, args...) }

// Say prints t as a line of Out.
func (p *Printer) Say(t Text, args ...any) { fmt.Fprintln(p.Out, p.In(t, args...)) }

// Note prints t as a line of Err, without more.
func (p *Printer) Note(t Text, args ...any) { fmt.Fprintln(p.Err, p.In(t, args...)) }

// Error prints t as an error: "lqproxy: error: ...".
func (p *Printer) Error(t Text, args ...any) { p.label(errorLabel, red, p.In(t, args...)) }

// Hint prints t as a hint: "lqproxy: hint: ...".
func (p *Printer) Hint(t Text, args ...any) { p.label(hintLabel, cyan, p.In(t, args...)) }

// Colours, as ANSI escape sequences.
const (
	red   = "\x1b[31m"
	cyan  = "\x1b[36m"
	plain = "\x1b[0m"
)

var (
	errorLabel = Text{"error: ", "错误："}
	hintLabel  = Text{"hint: ", "提示："}
)

func (p *Printer) label(label Text, colour, text string) {
	l := p.In(label)
	if p.Color {
		l = colour + l + plain
	}
	fmt.Fprintln(p.Err, "lqproxy: "+l+text)
}
