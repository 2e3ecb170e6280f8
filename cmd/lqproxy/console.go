package main

import (
	"errors"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
)

// A console is where a command speaks.
type console struct {
	*words.Printer
	process
	flag string // --lang
}

// newConsole chooses the language before the arguments are parsed, since what
// is wrong with them is to be said in it.
func newConsole(args []string, p process) *console {
	flag := langIn(args)
	lang := words.Detect(flag, p.getenv, "")
	return &console{words.NewPrinter(p.stdout, p.stderr, lang, p.getenv), p, flag}
}

// langIn returns the value of --lang.
func langIn(args []string) string {
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--lang="); ok {
			return value
		}
		if arg == "--lang" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// configured changes to the language that the configuration asks for, unless
// the command line or the environment has one.
func (c *console) configured(language string) {
	c.Lang = words.Detect(c.flag, c.getenv, language)
}

// A failure is how a command ends badly: its texts are in the language of the
// console, and its exit code is chosen.
type failure struct {
	code    int
	text    string   // "": it has been said already
	details []string // lines below text
	hints   []string
}

// Error implements error.
func (f *failure) Error() string { return f.text }

// print prints lines that are not in the catalogue: URLs, tables, blank lines.
func (c *console) print(lines ...string) { c.Say(words.Verbatim, strings.Join(lines, "\n")) }

// usage returns the failure of a command line that is wrong.
func (c *console) usage(text string, hints ...string) *failure {
	return &failure{code: exitUsage, text: text, hints: hints}
}

// report says how a command ended, and returns the exit code.
func (c *console) report(err error) int {
	if err == nil {
		return exitOK
	}
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = &failure{code: exitFailed, text: err.Error()}
	}
	if f.text != "" {
		c.Error(words.Verbatim, f.text)
	}
	for _, line := range f.details {
		c.Note(words.Verbatim, "  "+line)
	}
	for _, hint := range f.hints {
		c.Hint(words.Verbatim, hint)
	}
	return f.code
}
