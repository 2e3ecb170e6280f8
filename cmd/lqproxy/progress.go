package main

import (
	"io"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/probe"
)

// clearLine brings a terminal back to the beginning of an empty line.
const clearLine = "\r\x1b[K"

// A progress shows what a long command does in one line of a terminal, and
// nothing anywhere else.
type progress struct {
	*console
	live bool
}

func newProgress(c *console) *progress {
	return &progress{c, words.IsTerminal(c.stderr) && c.getenv("TERM") != "dumb"}
}

// show puts x in place of what was shown before.
func (p *progress) show(x probe.Progress) {
	if p.live {
		p.write(clearLine + words.Wrap(p.text(x), reportWidth-1)[0])
	}
}

// clear removes the line.
func (p *progress) clear() {
	if p.live {
		p.write(clearLine)
	}
}

func (p *progress) write(s string) {
	io.WriteString(p.Err, s) //nolint:errcheck // there is nobody to tell
}

// text says what x is.
func (p *progress) text(x probe.Progress) string {
	environment := words.EnvironmentName(p.Lang, x.Target.Environment)
	switch {
	case x.Stage == probe.StageResolve:
		return p.In(words.ProgressResolve, x.Address)
	case x.Stage == probe.StageConnect:
		return p.In(words.ProgressConnect, x.Address)
	case x.Stage == probe.StageTLS && len(x.Settings) > 0:
		return p.In(words.ProgressTrial, x.Address, words.Settings(x.Settings))
	case x.Stage == probe.StageTLS:
		return p.In(words.ProgressTLS, x.Address)
	case x.Wait > 0:
		return p.In(words.ProgressWait, environment, x.Attempt, x.Attempts, x.Wait.Round(100*time.Millisecond))
	}
	return p.In(words.ProgressCall, environment, x.Attempt, x.Attempts)
}
