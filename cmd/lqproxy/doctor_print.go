package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/probe/doctor"
)

// The columns of a finding: its state, its check, and what was found.
const (
	stateColumn = 2
	nameColumn  = 8
	factColumn  = 23
)

var groups = []struct {
	group doctor.Group
	title words.Text
}{
	{doctor.GroupMachine, words.DoctorMachine},
	{doctor.GroupService, words.DoctorService},
	{doctor.GroupPath, words.DoctorPath},
}

var stateNames = map[doctor.State]words.Text{
	doctor.OK:   words.DoctorOK,
	doctor.Warn: words.DoctorWarn,
	doctor.Fail: words.DoctorFail,
}

// printFindings prints every finding below the title of its group, with what to do.
func printFindings(c *console, r *doctor.Report) {
	for _, g := range groups {
		c.Say(g.title)
		for _, f := range r.Findings {
			if f.Check.Group() == g.group {
				printFinding(c, f, r)
			}
		}
		if g.group == doctor.GroupPath {
			for _, w := range r.Probe.Warnings {
				printAt(c, strings.Repeat(" ", stateColumn), words.ProbeWarning(c.Lang, w))
			}
		}
		c.print("")
	}
	printSum(c, r.Findings)
}

func printFinding(c *console, f doctor.Finding, r *doctor.Report) {
	fact, remedy := words.DoctorFinding(c.Lang, f, *r.Probe)
	first := strings.Repeat(" ", stateColumn) + c.In(stateNames[f.State])
	first = padTo(first, nameColumn) + words.CheckName(c.Lang, f.Check)
	printAt(c, padTo(first, factColumn), fact)
	if remedy != "" && f.State != doctor.OK {
		printAt(c, strings.Repeat(" ", factColumn)+"-> ", remedy)
	}
}

func padTo(s string, column int) string {
	return s + strings.Repeat(" ", max(column-words.Width(s), 1))
}

// printAt prints text behind first; its further lines begin in the same column.
func printAt(c *console, first, text string) {
	column := words.Width(first)
	for _, line := range words.Wrap(text, reportWidth-column) {
		c.print(first + line)
		first = strings.Repeat(" ", column)
	}
}

// printSum counts what is to be done.
func printSum(c *console, findings []doctor.Finding) {
	bad := map[doctor.State]int{}
	for _, f := range findings {
		bad[f.State]++
	}
	if bad[doctor.Fail] == 0 && bad[doctor.Warn] == 0 {
		c.Say(words.DoctorWell)
		return
	}
	c.Say(words.DoctorSummary, bad[doctor.Fail], bad[doctor.Warn])
}

// write writes the report to its file, or to stdout if that cannot be done.
func (e *examination) write(ctx context.Context, c *console, p *progress, r *doctor.Report) error {
	p.line(words.DoctorProgress(c.Lang, doctor.Sources))
	err := e.complete(ctx, r)
	p.clear()
	if err != nil {
		return &failure{code: exitFailed, text: c.In(words.DoctorSkipped)}
	}
	format, _ := doctor.FormatOf(e.file) // judged with the flags
	if err = e.writeFile(format); err == nil {
		c.Say(words.DoctorWritten, e.file)
		return nil
	}
	c.Error(words.DoctorUnwrit, err)
	if err := e.evidence.Write(c.Data, format); err != nil {
		return err
	}
	return &failure{code: exitFailed}
}

// complete adds to the evidence what only the examination has seen.
func (e *examination) complete(ctx context.Context, r *doctor.Report) (err error) {
	e.evidence.Report = r
	if e.options.Logs.Access == "" && e.options.Logs.Error == "" {
		return nil
	}
	e.evidence.Conduct, err = doctor.ReadConduct(ctx, e.options.Logs, time.Now())
	return err
}

func (e *examination) writeFile(format doctor.Format) (err error) {
	f, err := os.OpenFile(e.file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return e.evidence.Write(f, format)
}
