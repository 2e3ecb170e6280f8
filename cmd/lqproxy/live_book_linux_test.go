package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// A liveEvent is what happens to the proxy while callers go on.
type liveEvent struct {
	name    string
	excused func(liveExchange) bool // exchanges that may fail so; nil: none may
	lossy   func(liveExchange) bool // exchanges of which the access log may say nothing; nil: of none
}

// A liveBook has all exchanges of a test, with the events during which they
// took place. Safe for concurrent use.
type liveBook struct {
	mu        sync.Mutex // guards all below
	events    []liveEvent
	exchanges []liveExchange
}

// begin says what happens from now on.
func (b *liveBook) begin(e liveEvent) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

// now returns the event in force.
func (b *liveBook) now() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.events) - 1
}

func (b *liveBook) add(x liveExchange) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.exchanges = append(b.exchanges, x)
}

// all returns the exchanges that have ended.
func (b *liveBook) all() []liveExchange {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.exchanges)
}

// size returns how many exchanges there were, and how many of them failed.
func (b *liveBook) size() (all, failed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, x := range b.exchanges {
		if x.err != nil {
			failed++
		}
	}
	return len(b.exchanges), failed
}

// A liveLine is one of the access log.
type liveLine struct {
	file string
	text []byte

	ClientTID string `json:"client_tid"`
	Status    int    `json:"status"`
	Reason    string `json:"reason"`
	Delivered string `json:"delivered"`
	Source    string `json:"source"`
	Port      int    `json:"source_port"`
	Peer      string `json:"peer"`
}

// A liveRow is what became of the exchanges during one event.
type liveRow struct {
	times, exchanges, failures, duplicates, lost int
	outcomes                                     map[string]int
}

// A liveVerdict is a table for people, and what is wrong.
type liveVerdict struct {
	names    []string // of events, in their order
	rows     map[string]*liveRow
	problems []string
}

func (v *liveVerdict) problem(format string, args ...any) {
	v.problems = append(v.problems, fmt.Sprintf(format, args...))
}

// judge compares what callers, upstream and access log say of every exchange.
func (b *liveBook) judge(u *liveUpstream, log *liveLog) *liveVerdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	u.mu.Lock()
	defer u.mu.Unlock()
	v := &liveVerdict{rows: map[string]*liveRow{}, problems: slices.Concat(u.damaged, log.problems)}
	for _, e := range b.events {
		if v.rows[e.name] == nil {
			v.names = append(v.names, e.name)
			v.rows[e.name] = &liveRow{outcomes: map[string]int{}}
		}
		v.rows[e.name].times++
	}
	known := make(map[string]bool, len(b.exchanges))
	for _, x := range b.exchanges {
		known[x.id] = true
		v.judgeExchange(x, b.events[x.from:x.to+1], u.arrived[x.id], log.lines[x.id])
	}
	for id, n := range u.arrived {
		if !known[id] {
			v.problem("request %s reached the upstream %d times, and no caller sent it", id, n)
		}
	}
	for id, all := range log.lines {
		if !known[id] {
			v.problem("the access log has exchange %q, which no caller made: %s", id, liveTexts(all))
		}
	}
	return v
}

// judgeExchange enters x, which took place during events, into the row of the last.
func (v *liveVerdict) judgeExchange(x liveExchange, events []liveEvent, arrived int, lines []liveLine) {
	name := events[len(events)-1].name
	row := v.rows[name]
	row.exchanges++
	excused := slices.ContainsFunc(events, func(e liveEvent) bool { return e.excused != nil && e.excused(x) })
	lossy := slices.ContainsFunc(events, func(e liveEvent) bool { return e.lossy != nil && e.lossy(x) })
	problem := func(what string) {
		v.problem("during %q: %s: %v; the access log has: %s", name, what, x, liveTexts(lines))
	}
	if x.err != nil {
		row.failures++
		row.outcomes[fmt.Sprintf("%d %s %s", x.status, x.reason, x.delivered)]++
		if !excused {
			problem("an exchange failed")
		}
	}
	if arrived > 1 {
		row.duplicates++
		problem(fmt.Sprintf("an exchange reached the upstream %d times", arrived))
	}
	switch {
	case arrived == 0 && x.err == nil:
		problem("an exchange was answered and never reached the upstream")
	case arrived > 0 && x.delivered == "no":
		problem("an exchange reached the upstream and is said not to be delivered")
	}
	unsent := excused && x.err != nil && x.reason == "" && arrived == 0 // the proxy may not know of it
	switch {
	case len(lines) == 1 && x.status != 0 && lines[0].Status != x.status:
		problem("the access log has another status")
	case len(lines) == 1, unsent:
	default:
		row.lost++
		if !lossy || len(lines) > 1 {
			problem(fmt.Sprintf("the access log has %d lines of an exchange, want 1", len(lines)))
		}
	}
}

func liveTexts(lines []liveLine) string {
	if len(lines) == 0 {
		return "nothing"
	}
	var all []string
	for _, l := range lines {
		all = append(all, l.file+": "+string(l.text))
	}
	return strings.Join(all, "; ")
}

// String is the table, in Markdown.
func (v *liveVerdict) String() string {
	var b strings.Builder
	b.WriteString("| event | times | exchanges | failures | duplicates | lost log lines | outcomes of failures |\n|---|--:|--:|--:|--:|--:|---|\n")
	for _, name := range v.names {
		r := v.rows[name]
		var outcomes []string
		for _, o := range slices.Sorted(maps.Keys(r.outcomes)) {
			outcomes = append(outcomes, fmt.Sprintf("%d × %s", r.outcomes[o], o))
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %s |\n", name, r.times, r.exchanges, r.failures, r.duplicates, r.lost, strings.Join(outcomes, "; "))
	}
	return b.String()
}

// A liveLog is an access log with everything that it was rotated into.
type liveLog struct {
	lines    map[string][]liveLine // by the id of the exchange
	problems []string
	torn     bool // a process was killed: a line may be torn, but may not spoil another, which would be missed
}

// readLiveLog reads the log in all folders where it was.
func readLiveLog(torn bool, folders ...string) *liveLog {
	l := &liveLog{lines: map[string][]liveLine{}, torn: torn}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "access*"))
		if err != nil {
			l.problems = append(l.problems, err.Error())
		}
		for _, file := range files {
			if err := l.read(file); err != nil {
				l.problems = append(l.problems, fmt.Sprintf("reading %s: %v", file, err))
			}
		}
	}
	return l
}

func (l *liveLog) read(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var from io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		if from, err = gzip.NewReader(f); err != nil {
			return err
		}
	}
	r := bufio.NewReader(from)
	for number := 1; ; number++ {
		text, err := r.ReadBytes('\n')
		if err == io.EOF && len(text) == 0 {
			return nil
		}
		if err != nil && err != io.EOF {
			return err
		}
		l.add(file, number, text, err == nil)
	}
}

// add takes one line, and says what is wrong with it.
func (l *liveLog) add(file string, number int, text []byte, whole bool) {
	line := liveLine{file: fmt.Sprintf("%s:%d", filepath.Base(file), number), text: bytes.TrimSpace(text)}
	err := json.Unmarshal(text, &line)
	switch {
	case err == nil && whole:
		l.lines[line.ClientTID] = append(l.lines[line.ClientTID], line)
	case !l.torn:
		l.problems = append(l.problems, fmt.Sprintf("reading %s: line %d, whole %t: %q: %v", file, number, whole, text, err))
	}
}
