// Package dialogue asks a person questions, a line each, on a terminal that may be
// the dumbest: nothing is drawn, and an answer is what stands before the Enter.
//
// Answers may come from a Chinese keyboard: full-width digits, letters and
// commas are as good as plain ones.
package dialogue

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/text/width"
)

// ErrGone says that there is nobody to answer any more: the input has ended.
var ErrGone = errors.New("the input has ended")

// A Person answers questions. It is not safe for concurrent use.
type Person struct {
	in  *bufio.Reader
	out io.Writer
}

// NewPerson returns who types on in and reads out, both as UTF-8.
func NewPerson(in io.Reader, out io.Writer) *Person {
	return &Person{bufio.NewReader(in), out}
}

// A Question is what is asked.
type Question struct {
	Text   string // the line, without a mark at its end
	Preset string // the answer that an empty line is
	Shown  string // instead of Preset, in the brackets

	// Judge returns why an answer will not do, as lines; nil is a good one. The
	// question is then asked again.
	Judge func(answer string) []string
}

// Nothing are the answers that stand for none at all, where a preset would
// otherwise be taken.
var Nothing = []string{"-", "none", "无"}

// Ask asks until the answer is a good one, and returns it. The error is ErrGone,
// or the cause that ended ctx.
func (p *Person) Ask(ctx context.Context, q Question) (string, error) {
	shown := q.Shown
	if shown == "" {
		shown = q.Preset
	}
	for {
		fmt.Fprintf(p.out, "%s [%s]: ", q.Text, shown)
		answer, err := p.line(ctx)
		if err != nil {
			fmt.Fprintln(p.out)
			return "", err
		}
		switch {
		case answer == "":
			answer = q.Preset
		case slices.Contains(Nothing, strings.ToLower(answer)):
			answer = ""
		}
		complaints := q.Judge(answer)
		if len(complaints) == 0 {
			return answer, nil
		}
		for _, line := range complaints {
			fmt.Fprintln(p.out, "  "+line)
		}
	}
}

// Confirm asks what is answered by yes or no; an empty line is preset. What is
// neither has the question asked again, below the complaint.
func (p *Person) Confirm(ctx context.Context, text string, preset bool, complaint string) (bool, error) {
	q := Question{Text: text, Preset: "n", Shown: "y/N", Judge: func(answer string) []string {
		if _, ok := YesOrNo(answer); !ok {
			return []string{complaint}
		}
		return nil
	}}
	if preset {
		q.Preset, q.Shown = "y", "Y/n"
	}
	answer, err := p.Ask(ctx, q)
	if err != nil {
		return false, err
	}
	yes, _ := YesOrNo(answer)
	return yes, nil
}

// YesOrNo reads an answer; not ok if it is neither.
func YesOrNo(answer string) (yes, ok bool) {
	switch strings.ToLower(Plain(answer)) {
	case "y", "yes", "是", "是的", "好":
		return true, true
	case "n", "no", "否", "不", "不是":
		return false, true
	}
	return false, false
}

// line reads an answer. A read that nobody answers outlives ctx: the process is
// about to end then.
func (p *Person) line(ctx context.Context) (string, error) {
	type answer struct {
		text string
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		text, err := p.in.ReadString('\n')
		read <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case a := <-read:
		if a.err != nil {
			return "", ErrGone
		}
		return Plain(a.text), nil
	}
}

// Plain returns what was typed without the spaces around it, and with full-width
// characters and Chinese marks as the plain ones that they stand for.
func Plain(typed string) string {
	return strings.TrimSpace(marks.Replace(width.Fold.String(typed)))
}

var marks = strings.NewReplacer("、", ",", "。", ".", "“", `"`, "”", `"`)

// List splits an answer at commas, semicolons and spaces.
func List(answer string) []string {
	return strings.FieldsFunc(answer, func(r rune) bool { return strings.ContainsRune(",; \t", r) })
}
