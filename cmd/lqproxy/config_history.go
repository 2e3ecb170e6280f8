package main

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
)

// The columns of the history: a number, since when, and by whom.
const (
	sinceColumn  = 4
	originColumn = 25
)

// A kept configuration, as --json has it.
type keptDocument struct {
	Number int           `json:"number"` // 1 is in force
	Since  time.Time     `json:"since"`
	By     daemon.Origin `json:"by"`
	Config string        `json:"config"` // the file, with every key
}

// printHistory lists the configurations that were in force.
func (f *configFlags) printHistory(c *console) error {
	dir, history, err := f.kept(c)
	if err != nil {
		return err
	}
	if f.asJSON {
		documents := make([]keptDocument, len(history))
		for i, past := range history {
			documents[i] = keptDocument{i + 1, past.Since, past.By, string(past.Text)}
		}
		return printJSON(c, documents)
	}
	printKept(c, dir, history)
	return nil
}

// kept returns the state directory and what is kept there, the newest first, as
// it is numbered. That there is nothing is a failure to people alone: programs
// get an empty list.
func (f *configFlags) kept(c *console) (dir string, history []daemon.Past, err error) {
	if dir, err = f.historyDir(c); err != nil {
		return "", nil, err
	}
	history, err = daemon.History(dir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", nil, &failure{
			code: exitFailed, text: c.In(words.ConfigDenied, daemon.HistoryFolder(dir)),
			hints: []string{c.In(words.TrustReader, serviceUser)},
		}
	case err != nil:
		return "", nil, &failure{code: exitFailed, text: c.In(words.ConfigNoRead, err)}
	case len(history) == 0 && !f.asJSON:
		return "", nil, &failure{code: exitFailed, text: c.In(words.ConfigNoPast, dir)}
	}
	slices.Reverse(history)
	return dir, history, nil
}

// historyDir returns the state directory. That the file is broken at the moment
// is when the history is wanted most: then it is the usual one.
func (f *configFlags) historyDir(c *console) (string, error) {
	dir, err := stateDir(c, f.settings)
	if broken, ok := errors.AsType[*failure](err); ok && broken.code == exitConfig {
		dir = configs.DefaultInstance(f.instance).StateDir
		c.Note(words.ConfigElse, dir)
		return dir, nil
	}
	return dir, err
}

// printKept prints history, the newest first, for people.
func printKept(c *console, dir string, history []daemon.Past) {
	c.print(padTo(padTo("#", sinceColumn)+c.In(words.HistorySince), originColumn) + c.In(words.HistoryOrigin))
	for i, past := range history {
		first := padTo(padTo(strconv.Itoa(i+1), sinceColumn)+moment(past.Since), originColumn)
		printAt(c, first, originText(c, past.By))
	}
	c.Say(words.ConfigFiles, daemon.HistoryFolder(dir))
}

func moment(t time.Time) string { return t.Local().Format(time.DateTime) }

var causeNames = map[daemon.Cause]words.Text{
	daemon.CauseStart:   words.HistoryStart,
	daemon.CauseReload:  words.HistoryReload,
	daemon.CauseSetup:   words.HistorySetup,
	daemon.CauseUpgrade: words.HistoryUpgrade,
	"":                  words.HistoryNothing,
}

// originText says what put a configuration in force, and who was behind it.
func originText(c *console, by daemon.Origin) string {
	cause := printable(string(by.Cause)) // of a later version
	if name, ok := causeNames[by.Cause]; ok {
		cause = c.In(name)
	}
	switch {
	case by.Caller != (daemon.Caller{}):
		return c.In(words.HistoryBy, cause, callerText(c, by.Caller))
	case by.Cause == daemon.CauseReload: // by a signal
		return c.In(words.HistoryBy, cause, c.In(words.HistoryUnknown))
	}
	return cause
}

// callerText says who w is: the person first, then as whom and where.
func callerText(c *console, w daemon.Caller) string {
	text := printable(w.Login)
	if w.SudoUser != "" && w.SudoUser != w.Login {
		text = c.In(words.HistoryAs, printable(w.SudoUser), text)
	}
	if w.Terminal != "" {
		text = c.In(words.HistoryAt, text, printable(w.Terminal))
	}
	return text
}

// printable returns s, or s quoted if it could steer a terminal: names are
// taken from the environment of whoever called.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
