package admin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// A View is a Status in the words of one language: what the page and the screen
// show.
type View struct {
	Lang     words.Lang
	Level    Level
	Verdict  string // Level in words
	Headline string
	Problems []Complaint // the worst first
	Sections []Section
}

// A Complaint is a Problem in words.
type Complaint struct {
	Critical     bool
	Fact, Remedy string
}

// A Section is a titled table.
type Section struct {
	Title string
	Rows  []Row
}

// A Row is one fact, or several of a kind: a line is best broken between Items,
// each of which ends in the mark that separates it from the next. An alarm
// stands out.
type Row struct {
	Name  string
	Items []string
	Alarm bool
}

// refusedListed is how many refused sources are listed.
const refusedListed = 3

// NewView puts s into words. Before is an earlier Status of the same process,
// to show rates since then, or nil.
func NewView(s Status, before *Status, l words.Lang) View {
	j := Judge(s)
	v := View{Lang: l, Level: j.Level, Verdict: LevelName(j.Level).In(l), Headline: headline(s, l)}
	for _, p := range j.Problems {
		v.Problems = append(v.Problems, Complaint{p.Level == Critical, p.Fact(l), p.Remedy(l)})
	}
	b := &builder{Status: s, lang: l}
	v.Sections = []Section{
		b.section(words.StatusCallers, b.listener, b.certificate, b.sources, b.refused),
		b.section(words.StatusUpstream, b.host, b.addresses, b.identity, b.probes, b.pool),
		b.section(words.StatusTraffic, func() { b.rate(before) }, b.minute, b.total, b.standing, b.failures, b.limits),
		b.section(words.StatusMachine, b.firewall, b.file, b.log, b.process),
	}
	return v
}

// LevelName is the word for a level.
func LevelName(l Level) words.Text {
	return [...]words.Text{OK: words.LevelOK, Warning: words.LevelWarning, Critical: words.LevelCritical}[l]
}

var stateNames = map[State]words.Text{
	StateReady:    words.StatusReady,
	StateStopping: words.StatusStopping,
	StateDraining: words.StatusDraining,
}

func headline(s Status, l words.Lang) string {
	state, up := stateNames[s.State].In(l), uptime(s.Time.Sub(s.Started), l)
	if s.Instance != "" {
		return words.StatusInstance.In(l, s.Version, s.Instance, state, up, s.PID)
	}
	return words.StatusHeadline.In(l, s.Version, state, up, s.PID)
}

// uptime is a duration in its two largest units.
func uptime(d time.Duration, l words.Lang) string {
	seconds := int(max(d, 0) / time.Second)
	minutes, hours := seconds/60, seconds/3600
	switch {
	case hours >= 24:
		return words.StatusDays.In(l, hours/24, hours%24)
	case hours > 0:
		return words.StatusHours.In(l, hours, minutes%60)
	}
	return words.StatusMinutes.In(l, minutes, seconds%60)
}

// A builder makes sections of a Status.
type builder struct {
	Status
	lang words.Lang
	rows []Row
}

// section is what the functions add.
func (b *builder) section(title words.Text, add ...func()) Section {
	b.rows = nil
	for _, f := range add {
		f()
	}
	return Section{title.In(b.lang), b.rows}
}

func (b *builder) add(name words.Text, items ...string) { b.row(name, false, items...) }

func (b *builder) row(name words.Text, alarm bool, items ...string) {
	if len(items) == 0 {
		items = []string{words.StatusNone.In(b.lang)}
	}
	separator := ";"
	if b.lang == words.Chinese {
		separator = "；"
	}
	for i := range items[:len(items)-1] {
		items[i] += separator
	}
	b.rows = append(b.rows, Row{name.In(b.lang), items, alarm})
}

func (b *builder) listener() {
	addresses := strings.Join(b.Listen.Addresses, ", ")
	switch end := b.Listen.NotAfter; {
	case b.Listen.TLS == "off":
		b.add(words.StatusListener, words.StatusPlain.In(b.lang, addresses))
	case end == nil:
		b.add(words.StatusListener, words.StatusTLS.In(b.lang, addresses, b.Listen.TLS))
	default:
		b.row(words.StatusListener, b.Listen.late(b.Time), words.StatusTLSUntil.In(b.lang, addresses, b.Listen.TLS, b.day(*end)))
	}
}

// certificate lists what callers may dislike in the certificate, if anything.
func (b *builder) certificate() {
	if b.Listen.Certificate == nil || len(b.Listen.Certificate.Warnings) == 0 {
		return
	}
	var items []string
	for _, w := range b.Listen.Certificate.Warnings {
		items = append(items, w.in(b.lang))
	}
	b.row(words.StatusDislike, true, items...)
}

func (b *builder) sources() {
	value := words.StatusPrefixes.In(b.lang, b.Sources.Prefixes)
	if len(b.Sources.Presets) > 0 {
		value = words.StatusPresets.In(b.lang, b.Sources.Prefixes, strings.Join(b.Sources.Presets, ", "))
	}
	b.add(words.StatusSources, value)
}

func (b *builder) refused() {
	items := []string{words.StatusRefusals.In(b.lang, b.Traffic.Refused)}
	for _, r := range b.Sources.Refused[:min(len(b.Sources.Refused), refusedListed)] {
		source, last := r.Source.String(), b.clock(r.Last)
		item := words.StatusSource.In(b.lang, source, r.Count, last)
		if r.Reason != proxy.SourceRefused {
			item = words.StatusBecause.In(b.lang, source, r.Count, last, string(r.Reason))
		}
		items = append(items, item)
	}
	b.add(words.StatusRefused, items...)
}

func (b *builder) host() {
	switch u := b.Upstream; {
	case u.Since.IsZero():
		b.row(words.StatusHost, true, words.StatusUntried.In(b.lang, b.Target))
	case u.Up:
		b.add(words.StatusHost, words.StatusUp.In(b.lang, b.Target, b.clock(u.Since)))
	default:
		b.row(words.StatusHost, true, words.StatusDown.In(b.lang, b.Target, b.clock(u.Since)))
	}
}

func (b *builder) addresses() {
	var items []string
	failed := false
	for _, a := range b.Upstream.Addresses {
		items = append(items, b.address(a))
		failed = failed || a.State == upstream.AddressFailed
	}
	b.row(words.StatusAddresses, failed || len(items) == 0, items...)
}

func (b *builder) address(a upstream.AddressStatus) string {
	switch a.State {
	case upstream.AddressUp:
		return words.StatusAddressUp.In(b.lang, a.Addr, b.clock(a.Since))
	case upstream.AddressFailed:
		return words.StatusAddressFailed.In(b.lang, a.Addr, b.clock(a.Since))
	case upstream.AddressNoRoute:
		return words.StatusAddressNoRoute.In(b.lang, a.Addr)
	}
	return words.StatusAddressUnused.In(b.lang, a.Addr)
}

// keyNames say what is held of a key under a way of verifying.
var keyNames = map[KeyState]words.Text{
	KeyUnjudged: words.Verbatim,
	KeyKnown:    words.StatusKeyKnown,
	KeyNew:      words.StatusKeyNew,
	KeyPinned:   words.StatusKeyPinned,
	KeyForeign:  words.StatusKeyForeign,
}

func (b *builder) identity() {
	items := []string{keyNames[b.Identity.Key].In(b.lang, b.Identity.Verify)}
	if b.Upstream.Shown != nil {
		items = append(items, words.StatusUntil.In(b.lang, b.day(b.Upstream.Shown.NotAfter)))
	}
	b.row(words.StatusIdentity, b.Identity.Key == KeyNew || b.Identity.Key == KeyForeign, items...)
}

// probes lists what became of the background probes, if any are made.
func (b *builder) probes() {
	var items []string
	failed := false
	for _, p := range b.Probes {
		text := words.StatusProbeWell
		if p.Verdict.ExitCode() != 0 {
			text, failed = words.StatusProbeFailed, true
		}
		items = append(items, text.In(b.lang, words.EnvironmentName(b.lang, p.Environment), b.clock(p.At)))
	}
	if len(items) > 0 {
		b.row(words.StatusProbes, failed, items...)
	}
}

func (b *builder) pool() {
	b.add(words.StatusConnections, words.StatusPool.In(b.lang, b.Upstream.Idle, b.Upstream.Busy))
}

// rate shows how much happened since before.
func (b *builder) rate(before *Status) {
	if before == nil || before.PID != b.PID || !b.Time.After(before.Time) {
		return
	}
	time := b.Time.Sub(before.Time).Seconds()
	per := func(now, then int64) float64 { return float64(now-then) / time }
	b.add(words.StatusRate, words.StatusRates.In(b.lang, per(b.Traffic.Exchanges, before.Traffic.Exchanges),
		per(b.Traffic.failed(), before.Traffic.failed()), per(b.Traffic.Refused, before.Traffic.Refused)))
}

func (b *builder) minute() {
	m := b.Traffic.LastMinute
	items := []string{words.StatusMinuteIs.In(b.lang, m.Exchanges, m.Failures)}
	if m.TotalP95 != nil {
		items = append(items, words.StatusP95.In(b.lang, span(*m.TotalP95)))
	}
	if m.OwnP95 != nil {
		items = append(items, words.StatusOwn.In(b.lang, span(*m.OwnP95)))
	}
	b.row(words.StatusMinute, failing(m), items...)
}

func (b *builder) total() {
	t := b.Traffic
	b.add(words.StatusStart, words.StatusExchanges.In(b.lang, t.Exchanges, t.failed(), t.Connections))
}

// failed is how many exchanges failed since the start.
func (t Traffic) failed() (n int64) {
	for _, count := range t.Failures {
		n += count
	}
	return n
}

func (b *builder) standing() {
	j := judge{Status: b.Status}
	var items []string
	alarm := false
	for _, x := range []struct {
		name string
		seen proxy.Occurrences
	}{
		{"403", b.Traffic.Leqi.Forbidden},
		{"4067", b.Traffic.Leqi.IPNotFiled},
		{words.StatusFlow.In(b.lang), b.Traffic.Leqi.FlowLimited},
	} {
		item := words.StatusAnswerNone.In(b.lang, x.name)
		if x.seen.Count > 0 {
			item = words.StatusAnswered.In(b.lang, x.name, x.seen.Count, b.clock(x.seen.Last))
		}
		items = append(items, item)
		alarm = alarm || j.recent(x.seen.Last)
	}
	b.row(words.StatusLeqi, alarm, items...)
}

func (b *builder) failures() {
	var items []string
	for _, reason := range slices.Sorted(maps.Keys(b.Traffic.Failures)) {
		last := b.clock(b.Traffic.Failed[proxy.Reason(reason)])
		items = append(items, words.StatusFailed.In(b.lang, reason, b.Traffic.Failures[reason], last))
	}
	b.add(words.StatusFailures, items...)
}

func (b *builder) limits() {
	j := judge{Status: b.Status}
	var items []string
	alarm := false
	for _, l := range b.Traffic.Limits {
		name := limits[l.Name].name.In(b.lang)
		item := words.StatusOf.In(b.lang, name, l.Current, l.Capacity)
		if l.Reached > 0 {
			item = words.StatusReached.In(b.lang, name, l.Current, l.Capacity, l.Reached, b.clock(l.LastReached))
		}
		items = append(items, item)
		alarm = alarm || j.recent(l.LastReached)
	}
	b.row(words.StatusLimits, alarm, items...)
}

func (b *builder) firewall() {
	switch f := b.Firewall; {
	case f == nil:
		b.add(words.StatusFirewall, words.StatusUnmanaged.In(b.lang))
	case f.InSync:
		b.row(words.StatusFirewall, f.Pending != "", words.StatusInStep.In(b.lang, f.Backend, b.clock(f.Checked)))
	default:
		b.row(words.StatusFirewall, true, words.StatusOutOfStep.In(b.lang, f.Backend, b.clock(f.Checked)))
	}
}

func (b *builder) file() {
	file := cmp.Or(b.File, words.StatusNoFile.In(b.lang))
	b.row(words.StatusFile, b.Reload.Error != "", words.StatusInForce.In(b.lang, file, b.clock(b.Reload.At)))
}

func (b *builder) log() {
	log := b.Log
	name := fmt.Sprint(say(words.Verbatim, logName(log.AccessFile)).in(b.lang))
	switch {
	case log.Free != nil && log.MinFree > 0:
		name = words.StatusFree.In(b.lang, name, sizeOf(log.Free), Size(log.MinFree))
	case log.Free != nil:
		name = words.StatusUnlimited.In(b.lang, name, sizeOf(log.Free))
	}
	b.row(words.StatusLog, log.Paused || len(log.Failing) > 0, name)
}

func (b *builder) process() {
	build := strings.Join(slices.DeleteFunc([]string{b.Revision, b.GoVersion, b.Platform}, func(s string) bool { return s == "" }), ", ")
	b.add(words.StatusProgram, words.StatusStarted.In(b.lang, build, b.clock(b.Started)))
	b.add(words.StatusAdmin, strings.Join(b.Admin, ", "))
}

// failing reports whether so much of m failed that somebody should look.
func failing(m proxy.Minute) bool {
	return m.Failures >= FailuresLeast && m.Failures*FailureShare >= m.Exchanges
}

// clock is t in the time zone of the document: the time of its day, with the
// date if that is another one.
func (s Status) clock(t time.Time) string {
	now := s.Time
	t = t.In(now.Location())
	switch {
	case t.Year() != now.Year():
		return t.Format("2006-01-02 15:04")
	case t.YearDay() != now.YearDay():
		return t.Format("01-02 15:04")
	}
	return t.Format(time.TimeOnly)
}

// day is the date of t in the time zone of the document.
func (s Status) day(t time.Time) string { return t.In(s.Time.Location()).Format(time.DateOnly) }

// span is a time in seconds, with two digits that matter.
func span(seconds float64) string {
	switch {
	case seconds < .001:
		return fmt.Sprintf("%.2g ms", seconds*1000)
	case seconds < 1:
		return fmt.Sprintf("%.0f ms", seconds*1000)
	case seconds < 10:
		return fmt.Sprintf("%.1f s", seconds)
	}
	return fmt.Sprintf("%.0f s", seconds)
}

// Size is a number of bytes for people.
func Size(n int64) string {
	const step = 1024
	value, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if value < step {
			break
		}
		value, unit = value/step, next
	}
	if value < 10 && unit != "B" {
		return fmt.Sprintf("%.1f %s", value, unit)
	}
	return fmt.Sprintf("%.0f %s", value, unit)
}

func sizeOf(n *int64) string {
	if n == nil {
		return "?"
	}
	return Size(*n)
}
