package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
)

// The results of status --check, which are its exit codes as monitors expect
// them.
const (
	checkOK       = 0
	checkWarning  = 1
	checkCritical = 2
	checkUnknown  = 3
)

// checkNames are what monitors look for: the same in all languages.
var checkNames = [...]string{checkOK: "OK", checkWarning: "WARNING", checkCritical: "CRITICAL", checkUnknown: "UNKNOWN"}

// A checked is the result for one instance.
type checked struct {
	code        int
	text        string
	performance []string // data for graphs
}

// checkAll prints one line about instances, and fails with its code.
func checkAll(ctx context.Context, c *console, instances []settings, all bool) error {
	var sum checked
	var texts []string
	for _, s := range instances {
		r := checkOne(ctx, c, s)
		sum.code = max(sum.code, r.code)
		prefix := ""
		if all {
			prefix = s.name() + "."
			r.text = s.name() + ": " + r.text
		}
		texts = append(texts, r.text)
		for _, p := range r.performance {
			sum.performance = append(sum.performance, prefix+p)
		}
	}
	sum.text = strings.Join(texts, "; ")
	c.print(sum.String())
	if sum.code != checkOK {
		return &failure{code: sum.code}
	}
	return nil
}

// String is the line: "OK - text | data".
func (r checked) String() string {
	line := checkNames[r.code] + " - " + strings.Join(strings.Fields(strings.ReplaceAll(r.text, "|", "/")), " ")
	if len(r.performance) > 0 {
		line += " | " + strings.Join(r.performance, " ")
	}
	return line
}

func checkOne(ctx context.Context, c *console, s settings) checked {
	a, err := ask(ctx, c, s)
	if err != nil {
		code := checkCritical
		if f, ok := errors.AsType[*failure](err); ok && f.code == exitNotAllowed {
			code = checkUnknown
		}
		return checked{code: code, text: err.Error()}
	}
	v := admin.NewView(a.status, nil, c.Lang)
	var facts []string
	for _, p := range v.Problems {
		facts = append(facts, p.Fact)
	}
	if len(facts) == 0 {
		facts = []string{c.In(words.StatusWell)}
	}
	return checked{int(v.Level), strings.Join(facts, "; "), performance(a.status)}
}

// performance is data for graphs, as the plug-ins of Nagios give it:
// label=value[unit];warning;critical;least;most.
func performance(s admin.Status) []string {
	t := s.Traffic
	data := []string{
		fmt.Sprintf("exchanges_minute=%d;;;0", t.LastMinute.Exchanges),
		fmt.Sprintf("failures_minute=%d;;;0", t.LastMinute.Failures),
	}
	for _, p := range []struct {
		label   string
		seconds *float64
	}{{"total_p95", t.LastMinute.TotalP95}, {"own_p95", t.LastMinute.OwnP95}} {
		if p.seconds != nil {
			data = append(data, fmt.Sprintf("%s=%ss;;;0", p.label, strconv.FormatFloat(*p.seconds, 'g', 4, 64)))
		}
	}
	for _, l := range t.Limits {
		data = append(data, fmt.Sprintf("%s=%d;;;0;%d", l.Name, l.Current, l.Capacity))
	}
	data = append(data,
		fmt.Sprintf("exchanges_total=%dc", t.Exchanges), fmt.Sprintf("refused_total=%dc", t.Refused),
		fmt.Sprintf("forbidden_total=%dc", t.Leqi.Forbidden.Count), fmt.Sprintf("ip_not_filed_total=%dc", t.Leqi.IPNotFiled.Count))
	if s.Log.Free != nil {
		data = append(data, fmt.Sprintf("log_free=%dB;;;0", *s.Log.Free))
	}
	return data
}

// An unanswered is what stands in the list of status --json --all for an
// instance that did not answer.
type unanswered struct {
	Instance string `json:"instance"`
	File     string `json:"file"`
	Error    string `json:"error"`
}

// statusJSON prints the document of an instance as it is, or a list of all.
func statusJSON(ctx context.Context, c *console, instances []settings, all bool) error {
	documents := []any{}
	var worst error
	for _, s := range instances {
		a, err := ask(ctx, c, s)
		switch {
		case err == nil:
			documents = append(documents, a.document)
		case !all:
			return err
		default:
			documents = append(documents, unanswered{s.instance, s.path(), err.Error()})
			worst = worse(worst, &failure{code: codeOf(err)})
		}
	}
	var document any = documents
	if !all {
		document = documents[0]
	}
	if err := printJSON(c, document); err != nil {
		return err
	}
	return worst
}

// codeOf is the exit code that err would end with.
func codeOf(err error) int {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.code
	}
	return exitFailed
}

// statusValue prints one member of the document, for monitors that take a
// number from a command.
func statusValue(ctx context.Context, c *console, s settings, path string) error {
	a, err := ask(ctx, c, s)
	if err != nil {
		return err
	}
	value, ok := member(a.document, path)
	if !ok {
		return &failure{code: exitFailed, text: c.In(words.StatusNoValue, path)}
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		text = string(value)
	}
	c.print(text)
	return nil
}

// member finds what path leads to: names of members, and numbers in lists from
// 0, with dots between them.
func member(document json.RawMessage, path string) (json.RawMessage, bool) {
	for name := range strings.SplitSeq(path, ".") {
		var object map[string]json.RawMessage
		var list []json.RawMessage
		switch n, err := strconv.Atoi(name); {
		case json.Unmarshal(document, &object) == nil && object[name] != nil:
			document = object[name]
		case err == nil && json.Unmarshal(document, &list) == nil && n >= 0 && n < len(list):
			document = list[n]
		default:
			return nil, false
		}
	}
	return document, true
}
