package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/lqproxy/lqproxy/proxy/leqi"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// ConductDays is how far a Conduct looks back.
const ConductDays = 30

// A Conduct is how this machine behaved towards Leqi and towards strangers, as far
// as the logs tell.
type Conduct struct {
	From, To    time.Time
	AccessFiles int      // that were read
	ErrorFiles  int      // that were read
	Broken      int64    // lines that could not be read
	Unread      []string // files and folders that could not be opened, with the reason

	First     time.Time // the oldest line of the access log; zero: there is none
	Days      []Day     // with calls, the oldest first
	Calls     int64     // that were sent to Leqi
	Unsent    int64     // exchanges of which no byte was
	Forbidden int64     // answered with 403
	Limited   int64     // answered with flow control

	// The failures since the way worked last. Without one Failing is zero.
	Worked  time.Time // the last call that Leqi answered
	Failing time.Time // the first failure after it
	Cause   string    // of that failure: a reason of package proxy, 403 or 4067
	Failed  int64     // calls since

	Foreign  []Stranger // those seen most, at most maxShown
	Refused  int64      // connections of sources that are not admitted; at least so many
	Sources  int        // of them, different ones
	Overflow bool       // Sources is a lower bound too
}

// A Day is what was sent to Leqi on one day, by the clock of the log.
type Day struct {
	Date      string // 2006-01-02
	Calls     int64
	Peak      int64 // calls in the busiest minute
	PeakAt    string
	Forbidden int64
	Limited   int64
}

// A Stranger is a source that was refused.
type Stranger struct {
	Source netip.Addr
	Count  int64
	Last   time.Time
}

// Bounds of what is kept of strangers.
const (
	maxStrangers = 4096
	maxShown     = 10
)

// ReadConduct sums up the logs of the days before now. What cannot be read is
// counted, and no reason to stop; the error is ctx's. Memory does not grow with
// the logs.
func ReadConduct(ctx context.Context, l Logs, now time.Time) (*Conduct, error) {
	return machine{}.conduct(ctx, l, now)
}

func (m machine) conduct(ctx context.Context, l Logs, now time.Time) (*Conduct, error) {
	s := newSummary(now)
	for _, log := range []struct {
		path  string
		files *int
		line  func([]byte) bool
	}{{l.Access, &s.c.AccessFiles, s.access}, {l.Error, &s.c.ErrorFiles, s.refusal}} {
		files, err := m.logFiles(log.path)
		if err != nil {
			s.c.Unread = append(s.c.Unread, err.Error())
		}
		if *log.files, err = s.readAll(ctx, files, log.line); err != nil {
			return nil, err
		}
	}
	return s.conduct(), nil
}

// A summary is a Conduct in the making.
type summary struct {
	c         Conduct
	days      map[string]*Day
	minutes   map[string]int64 // calls by day and minute: at most ConductDays*1440
	strangers map[netip.Addr]*Stranger
}

func newSummary(now time.Time) *summary {
	return &summary{
		c:         Conduct{From: now.AddDate(0, 0, -ConductDays), To: now},
		days:      map[string]*Day{},
		minutes:   map[string]int64{},
		strangers: map[netip.Addr]*Stranger{},
	}
}

// readAll gives every line of files to line, which reports whether it is whole. It
// returns how many files it read.
func (s *summary) readAll(ctx context.Context, files []logFile, line func([]byte) bool) (read int, err error) {
	for _, f := range files {
		if f.modified.Before(s.c.From) {
			continue
		}
		err := f.eachLine(ctx, func(text []byte) {
			if !line(text) {
				s.c.Broken++
			}
		})
		switch {
		case ctx.Err() != nil:
			return read, fmt.Errorf("reading logs: %w", ctx.Err())
		case err != nil:
			s.c.Unread = append(s.c.Unread, err.Error())
		default:
			read++
		}
	}
	return read, nil
}

// within reports whether t belongs to the time that is summed up.
func (s *summary) within(t time.Time) bool { return !t.Before(s.c.From) && !t.After(s.c.To) }

// An accessLine is what matters here of a line of the access log.
type accessLine struct {
	Time      time.Time `json:"time"`
	Status    int       `json:"status"`
	Code      string    `json:"leqi_code"`
	Reason    string    `json:"reason"`
	Delivered string    `json:"delivered"`
}

const (
	undelivered  = "no" // the word of the log for an exchange of which no byte was sent
	minuteLayout = "2006-01-02 15:04"
)

// access takes a line of the access log.
func (s *summary) access(text []byte) bool {
	var l accessLine
	if json.Unmarshal(text, &l) != nil || l.Time.IsZero() {
		return false
	}
	if !s.within(l.Time) {
		return true
	}
	if s.c.First.IsZero() || l.Time.Before(s.c.First) {
		s.c.First = l.Time
	}
	s.standing(l)
	if l.Delivered == undelivered {
		s.c.Unsent++
		return true
	}
	day := s.day(l.Time)
	day.Calls++
	s.minutes[l.Time.Format(minuteLayout)]++
	switch {
	case l.forbidden():
		day.Forbidden++
	case l.Code == leqi.CodeFlowLimited:
		day.Limited++
	}
	return true
}

func (s *summary) day(t time.Time) *Day {
	date := t.Format(time.DateOnly)
	d, ok := s.days[date]
	if !ok {
		d = &Day{Date: date}
		s.days[date] = d
	}
	return d
}

func (l *accessLine) forbidden() bool { return l.Status == 403 || l.Code == leqi.CodeForbidden }

// failure returns why the call did not get through to the platform; "" when it
// did, or when that was the caller's doing.
func (l *accessLine) failure() string {
	switch {
	case l.forbidden():
		return leqi.CodeForbidden
	case l.Code == leqi.CodeIPNotFiled:
		return l.Code
	}
	switch upstream.Phase(l.Reason) {
	case upstream.PhaseResolve, upstream.PhaseDial, upstream.PhaseTLS, upstream.PhaseIdentity:
		return l.Reason
	}
	switch l.Reason {
	case "upstream_closed", "upstream_timeout", "upstream_protocol":
		return l.Reason
	}
	return ""
}

// standing follows whether the way works.
func (s *summary) standing(l accessLine) {
	cause := l.failure()
	switch {
	case cause == "" && l.Delivered != "yes":
	case cause == "":
		s.c.Worked, s.c.Failing, s.c.Cause, s.c.Failed = l.Time, time.Time{}, "", 0
	case s.c.Failed == 0:
		s.c.Failing, s.c.Cause, s.c.Failed = l.Time, cause, 1
	default:
		s.c.Failed++
	}
}

// A refusalLine is what matters here of a line of the error log.
type refusalLine struct {
	Time       time.Time  `json:"time"`
	Reason     string     `json:"reason"`
	Source     netip.Addr `json:"source"`
	Suppressed int64      `json:"suppressed"`
}

// refusal takes a line of the error log.
func (s *summary) refusal(text []byte) bool {
	var kind struct {
		Time   time.Time `json:"time"`
		Reason string    `json:"reason"`
	}
	if json.Unmarshal(text, &kind) != nil || kind.Time.IsZero() {
		return false
	}
	if kind.Reason != "source_refused" || !s.within(kind.Time) {
		return true
	}
	var l refusalLine
	if json.Unmarshal(text, &l) != nil {
		return false
	}
	s.c.Refused += 1 + max(0, l.Suppressed)
	s.stranger(l)
	return true
}

func (s *summary) stranger(l refusalLine) {
	known, ok := s.strangers[l.Source]
	if !ok {
		if len(s.strangers) == maxStrangers {
			s.c.Overflow = true
			return
		}
		known = &Stranger{Source: l.Source}
		s.strangers[l.Source] = known
	}
	known.Count++
	if l.Time.After(known.Last) {
		known.Last = l.Time
	}
}

// conduct returns the sums.
func (s *summary) conduct() *Conduct {
	for minute, n := range s.minutes {
		d := s.days[minute[:len(time.DateOnly)]]
		at := minute[len(time.DateOnly)+1:]
		if n > d.Peak || n == d.Peak && at < d.PeakAt {
			d.Peak, d.PeakAt = n, at
		}
	}
	for _, date := range slices.Sorted(maps.Keys(s.days)) {
		d := s.days[date]
		s.c.Days = append(s.c.Days, *d)
		s.c.Calls += d.Calls
		s.c.Forbidden += d.Forbidden
		s.c.Limited += d.Limited
	}
	s.c.Sources = len(s.strangers)
	for _, stranger := range s.strangers {
		s.c.Foreign = append(s.c.Foreign, *stranger)
	}
	slices.SortFunc(s.c.Foreign, func(a, b Stranger) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), a.Source.Compare(b.Source))
	})
	s.c.Foreign = s.c.Foreign[:min(len(s.c.Foreign), maxShown)]
	return &s.c
}
