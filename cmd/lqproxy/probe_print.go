package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy/leqi"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// The layout of a report: a column for the stages and one for what was seen.
const (
	reportWidth  = 80
	reportColumn = 13
	detailIndent = 2
)

// printReport prints what was seen, then the verdict and what to do next.
func printReport(c *console, w wish, r *probe.Report) {
	p := reportPrinter{c}
	file := w.file
	if file == "" {
		file = c.In(words.ProbeNoFile)
	}
	c.Say(words.ProbeTitle, r.Upstream, file)
	c.print("")
	p.resolve(r)
	p.connect(r)
	p.handshakes(r)
	p.calls(w, r)
	p.end(w, r)
}

// A reportPrinter puts the parts of a report into lines of at most reportWidth
// columns.
type reportPrinter struct{ *console }

// stage prints one part, with its title beside the first line. What does not fit
// goes on below, indented a little more.
func (p reportPrinter) stage(title words.Text, lines []string) {
	left := p.In(title)
	for _, line := range lines {
		text := strings.TrimLeft(line, " ")
		column := reportColumn + len(line) - len(text)
		for _, part := range words.Wrap(text, reportWidth-column-detailIndent) {
			p.print(left + strings.Repeat(" ", max(column-words.Width(left), 1)) + part)
			left = ""
			if column == reportColumn+len(line)-len(text) {
				column += detailIndent
			}
		}
	}
}

func (p reportPrinter) resolve(r *probe.Report) {
	if r.Resolve == nil {
		return
	}
	s, n, took := r.Resolve, len(r.Resolve.Addresses), took(r.Resolve.Took)
	var line string
	switch {
	case s.Error != "":
		line = p.In(words.ProbeFailed, s.Error, took)
	case s.Source == probe.SourceHosts:
		line = p.In(words.ProbeHosts, n, took)
	case s.Source == probe.SourceFixed:
		line = p.In(words.ProbeFixed, n)
	case s.Source == probe.SourceHost:
		line = p.In(words.ProbeHost)
	case s.Source == probe.SourceChosen:
		line = p.In(words.ProbeChosen)
	default:
		line = p.In(words.ProbeDNS, n, took)
	}
	lines := []string{line}
	for _, addr := range s.Addresses {
		lines = append(lines, addr.String())
	}
	p.stage(words.ProbeResolve, lines)
}

func (p reportPrinter) connect(r *probe.Report) {
	var lines []string
	for _, s := range r.Connect {
		lines = append(lines, s.Address.String()+"  "+p.connected(s))
	}
	p.stage(words.ProbeConnect, lines)
}

// connected says how an address answered.
func (p reportPrinter) connected(s probe.Connect) string {
	switch s.Verdict {
	case probe.PathOpen:
		return p.In(words.ProbeConnected, took(s.Took))
	case probe.TimedOut:
		return p.In(words.ProbeTimedOut, took(s.Took))
	case probe.ConnectRefused:
		return p.In(words.ProbeRefused, took(s.Took))
	case probe.Reset:
		return p.In(words.ProbeReset, took(s.Took))
	}
	return p.In(words.ProbeUnreachable, s.Error)
}

func (p reportPrinter) handshakes(r *probe.Report) {
	var lines []string
	for _, h := range r.TLS {
		line := h.Address.String() + "  "
		switch {
		case h.Verdict == probe.PathOpen, h.Verdict == probe.IdentityChanged && h.Version != "":
			line += join(", ", h.Version, h.Suite, h.Curve, took(h.Took))
		default:
			line += p.In(words.ProbeFailed, h.Error, took(h.Took))
		}
		lines = append(lines, line)
		lines = append(lines, p.certificate(h)...)
		if len(h.Remedy) > 0 {
			lines = append(lines, "  "+p.In(words.ProbeHelps, words.Settings(h.Remedy)))
		}
	}
	p.stage(words.ProbeTLS, lines)
}

// certificate says what the upstream showed.
func (p reportPrinter) certificate(h probe.Handshake) []string {
	cert := h.Certificate
	if cert == nil {
		return nil
	}
	names := strings.Join(cert.Names, ", ")
	if names == "" {
		names = p.In(words.ProbeNoNames)
	}
	lines := []string{
		p.In(words.ProbeCertificate, cert.Subject),
		p.In(words.ProbeIssuer, cert.Issuer),
		p.In(words.ProbeNames, names),
		p.In(words.ProbeUntil, day(cert.NotAfter)),
		p.In(words.ProbeKey, cert.Pin),
	}
	if text, ok := recordTexts[h.Key]; ok {
		lines = append(lines, p.In(text))
	}
	pins := cert.Pins
	if pins != "" {
		pins = p.In(words.ProbeNotPinned)
	}
	for _, mode := range []struct {
		name upstream.Verify
		why  string
	}{{upstream.VerifyFull, cert.Full}, {upstream.VerifyChain, cert.Chain}, {upstream.VerifyPin, pins}} {
		if mode.why == "" {
			lines = append(lines, p.In(words.ProbePassing, mode.name))
		} else {
			lines = append(lines, p.In(words.ProbeNotPassing, mode.name, strings.TrimPrefix(mode.why, "x509: ")))
		}
	}
	for i := range lines {
		lines[i] = "  " + lines[i]
	}
	return lines
}

// recordTexts say what the record has of a key. It is never modified.
var recordTexts = map[probe.KeyState]words.Text{
	probe.KeyFirst:   words.ProbeRecordFirst,
	probe.KeyKnown:   words.ProbeRecordKnown,
	probe.KeyWaiting: words.ProbeRecordWaits,
	probe.KeyNew:     words.ProbeRecordNew,
	probe.KeyUnread:  words.ProbeRecordNone,
}

func (p reportPrinter) calls(w wish, r *probe.Report) {
	var lines []string
	if len(r.Calls) == 0 && len(w.options.Targets) > 0 && r.Verdict != "" {
		lines = append(lines, p.In(words.ProbeIsCalled))
	}
	for _, call := range r.Calls {
		title := words.ProbeProduction
		if call.Environment == probe.Sandbox {
			title = words.ProbeSandbox
		}
		line := p.In(title, join(" ", call.Name, call.Unit))
		if call.UsingUnit != call.Unit {
			line += p.In(words.ProbeUsing, call.UsingUnit)
		}
		if r.Via != "" {
			line += p.In(words.ProbeThrough, r.Via)
		}
		lines = append(lines, line, "  POST "+call.Path)
		lines = append(lines, p.attempts(call.Attempts)...)
		if len(call.Direct) > 0 {
			lines = append(append(lines, p.In(words.ProbeDirectly)), p.attempts(call.Direct)...)
		}
		if len(r.Calls) > 1 && call.Verdict != "" {
			lines = append(lines, fmt.Sprintf("  %s: %s", call.Verdict, words.VerdictMeaning(p.Lang, call.Verdict)))
		}
	}
	p.stage(words.ProbePlatform, lines)
}

func (p reportPrinter) attempts(all []probe.Attempt) []string {
	var lines []string
	for i, a := range all {
		line := p.In(words.ProbeAttempt, i+1, p.outcome(a), took(a.Took))
		if a.Waited > 0 {
			line = p.In(words.ProbeAgain, i+1, took(a.Waited), p.outcome(a), took(a.Took))
		}
		lines = append(lines, "  "+line)
	}
	return lines
}

// outcome says what came of an attempt.
func (p reportPrinter) outcome(a probe.Attempt) string {
	meaning, known := leqi.Explain(a.Code)
	switch {
	case a.Error != "":
		return p.In(words.ProbeNothing, a.Error)
	case a.Reason != "":
		return p.In(words.ProbeOwn, a.Status, a.Reason)
	case a.Code == leqi.CodeBadJSON:
		return p.In(words.ProbeProof, a.Status, proof)
	case known && a.Code != leqi.CodeForbidden:
		return p.In(words.ProbeCode, a.Status, a.Code, meaning.Meaning)
	case a.Code == leqi.CodeOther:
		return p.In(words.ProbeOtherCode, a.Status)
	case a.Text != "":
		return p.In(words.ProbeText, a.Status, a.Text)
	}
	return p.In(words.ProbeStatus, a.Status)
}

// proof is the text of the platform that proves the path.
const proof = "json数据格式不正确"

// end prints the warnings, the verdict and the remedy.
func (p reportPrinter) end(w wish, r *probe.Report) {
	p.print("")
	for _, warning := range r.Warnings {
		p.paragraph(0, words.ProbeWarning(p.Lang, warning))
	}
	if len(w.options.Targets) == 0 {
		p.paragraph(0, p.In(words.ProbeNoUnit))
	}
	verdict := words.VerdictMeaning(p.Lang, r.Verdict)
	if r.Verdict != "" {
		verdict = string(r.Verdict) + ": " + verdict
	}
	p.paragraph(0, verdict)
	p.paragraph(detailIndent, words.ProbeRemedy(p.Lang, r))
}

// paragraph prints text, indented and wrapped.
func (p reportPrinter) paragraph(indent int, text string) {
	for _, line := range words.Wrap(text, reportWidth-indent-detailIndent) {
		p.print(strings.Repeat(" ", indent) + line)
	}
}

// took is a duration as people read it: in seconds from one on, else in
// milliseconds, to a tenth of one below ten.
func took(t probe.Took) string {
	seconds := time.Duration(t).Seconds()
	var text string
	switch {
	case seconds >= 1:
		text = strconv.FormatFloat(seconds, 'f', 1, 64) + " s"
	case seconds >= .01:
		text = strconv.FormatFloat(1000*seconds, 'f', 0, 64) + " ms"
	default:
		text = strconv.FormatFloat(1000*seconds, 'f', 1, 64) + " ms"
	}
	return words.Keep(text)
}

// join joins the parts that are not empty.
func join(separator string, parts ...string) string {
	var some []string
	for _, part := range parts {
		if part != "" {
			some = append(some, part)
		}
	}
	return strings.Join(some, separator)
}
