package admin

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/logging"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/lqproxy/lqproxy/proxy/certs"
	"github.com/lqproxy/lqproxy/proxy/upstream"
)

// The thresholds of Judge.
const (
	Recent         = 10 * time.Minute    // for which what happened once is a warning
	ExpirySoon     = 14 * 24 * time.Hour // or half of the time from a certificate's renewal to its end
	FailuresLeast  = 3                   // exchanges of the last minute,
	FailureShare   = 10                  // and one in so many
	FirewallSilent = time.Hour           // after which nobody seems to check any more
	diskLowTimes   = 3.0 / 2             // of log.min_free
)

// A Level orders how bad something is.
type Level int

// The levels.
const (
	OK       Level = iota
	Warning        // works, but somebody should look
	Critical       // does not work, or loses what it must keep
)

// A Problem is something that an operator should see to.
type Problem struct {
	Name  string // in snake_case; the same in all versions
	Level Level

	fact, remedy phrase
}

// Fact says what is wrong.
func (p Problem) Fact(l words.Lang) string { return p.fact.in(l) }

// Remedy says what to do about it.
func (p Problem) Remedy(l words.Lang) string { return p.remedy.in(l) }

// A phrase is a text with its arguments, which may be said in two languages
// themselves.
type phrase struct {
	text words.Text
	args []any
}

// A remedyOf is, as an argument, what to do about a verdict.
type remedyOf probe.Verdict

func say(text words.Text, args ...any) phrase { return phrase{text, args} }

func (p phrase) in(l words.Lang) string {
	args := slices.Clone(p.args)
	for i, a := range args {
		switch a := a.(type) {
		case words.Text:
			args[i] = a.In(l)
		case CertificateProblem:
			args[i] = a.in(l)
		case probe.Environment:
			args[i] = words.EnvironmentName(l, a)
		case probe.Verdict:
			args[i] = words.VerdictMeaning(l, a)
		case remedyOf:
			args[i] = words.VerdictRemedy(l, probe.Verdict(a))
		}
	}
	return p.text.In(l, args...)
}

// A Judgement is what is wrong with an instance, the worst first.
type Judgement struct {
	Level    Level // of the worst; OK: nothing is wrong
	Problems []Problem
}

// Judge says how an instance is. It is the only place that does, and knows
// nothing but s. Critical: it stops, the upstream is down, the listener's
// certificate has expired or is signed by nobody, or a log loses lines. The rest
// are warnings.
func Judge(s Status) Judgement {
	j := judge{Status: s}
	j.running()
	j.reaching()
	j.identity()
	j.certificates()
	j.logs()
	j.standing()
	j.traffic()
	j.configuration()
	slices.SortStableFunc(j.problems, func(a, b Problem) int { return int(b.Level - a.Level) })
	if len(j.problems) == 0 {
		return Judgement{}
	}
	return Judgement{j.problems[0].Level, j.problems}
}

// A judge gathers the problems of a Status.
type judge struct {
	Status
	problems []Problem
}

func (j *judge) add(level Level, name string, fact, remedy phrase) {
	j.problems = append(j.problems, Problem{name, level, fact, remedy})
}

// recent reports whether t is so near that it matters.
func (j *judge) recent(t time.Time) bool { return !t.IsZero() && j.Time.Sub(t) < Recent }

func (j *judge) running() {
	remedy := say(words.RemedyStopping, "journalctl -u "+Unit(j.Instance))
	switch j.State {
	case StateStopping:
		j.add(Critical, "not_ready", say(words.ProblemStopping), remedy)
	case StateDraining:
		j.add(Critical, "not_ready", say(words.ProblemDraining), remedy)
	}
}

func (j *judge) reaching() {
	u, remedy := j.Upstream, say(words.RemedyProbe, j.command("probe"))
	switch {
	case u.Since.IsZero():
		j.add(Warning, "upstream_untried", say(words.ProblemUntried), remedy)
	case !u.Up:
		j.add(Critical, "upstream_down", say(words.ProblemDown, j.clock(u.Since), u.Error), remedy)
	case u.Lookup != "":
		j.add(Warning, "upstream_lookup", say(words.ProblemLookup, u.Lookup), remedy)
	}
	for _, p := range j.Probes {
		if p.Verdict.ExitCode() != 0 {
			j.add(Warning, "probe_failed", say(words.ProblemProbe, p.Environment, j.clock(p.At), p.Verdict), say(words.Verbatim, remedyOf(p.Verdict)))
		}
	}
}

func (j *judge) identity() {
	if j.Upstream.Changed {
		j.add(Warning, "upstream_key", say(words.ProblemKey), say(words.RemedyKey, j.command("trust list")))
	}
	verifies := j.Identity.Verify == upstream.VerifyFull || j.Identity.Verify == upstream.VerifyChain
	if c := j.Upstream.Shown; c != nil && verifies {
		if left := c.NotAfter.Sub(j.Time); left < ExpirySoon {
			j.add(Warning, "upstream_certificate",
				say(words.ProblemTheirs, j.day(c.NotAfter), days(left)), say(words.RemedyTheirs, string(j.Identity.Verify)))
		}
	}
}

func (j *judge) certificates() {
	if j.Listen.NotAfter == nil {
		return
	}
	end := *j.Listen.NotAfter
	remedy := say(words.RemedyFiles)
	if j.Listen.TLS == "acme" {
		remedy = say(words.RemedyRenewal, j.Log.ErrorFile)
	}
	c := j.Listen.Certificate
	switch left := end.Sub(j.Time); {
	case c != nil && c.Source == certs.SelfSigned: // which is short-lived
		j.add(Critical, "certificate_self_signed", say(words.ProblemSelfSigned), remedy)
	case left <= 0:
		j.add(Critical, "certificate_expired", say(words.ProblemExpired, j.day(end)), remedy)
	case j.Listen.late(j.Time):
		j.add(Warning, "certificate_expiring", say(words.ProblemExpiring, j.day(end), days(left)), remedy)
	}
	if c != nil && c.Problem != nil {
		if len(c.Problem.Commands) > 0 {
			remedy = say(words.RemedyCommands, strings.Join(c.Problem.Commands, " && "))
		}
		j.add(Warning, "certificate_refused", say(words.ProblemCertificate, j.clock(c.Since), *c.Problem), remedy)
	}
}

// late reports whether the certificate ends so soon that a newer one should be
// there. A short life has a short end: half of the time for its renewal.
func (l Listen) late(now time.Time) bool {
	soon := ExpirySoon
	if l.Certificate != nil && !l.Certificate.Renewal.IsZero() {
		soon = min(soon, l.NotAfter.Sub(l.Certificate.Renewal)/2)
	}
	return l.NotAfter.Sub(now) < soon
}

func (j *judge) logs() {
	log := j.Log
	folder := say(words.RemedyDisk, filepath.Dir(log.AccessFile))
	if len(log.Failing) > 0 {
		level := Warning
		if slices.Contains(log.Failing, "access") || slices.Contains(log.Failing, "error") {
			level = Critical
		}
		j.add(level, "log_failing", say(words.ProblemLog, strings.Join(log.Failing, ", "), log.Lost), say(words.RemedyLog, logFolders(log)))
	}
	switch {
	case log.Paused:
		j.add(Critical, "log_paused", say(words.ProblemPaused, sizeOf(log.Free), Size(log.MinFree), log.Lost), folder)
	case log.Free != nil && float64(*log.Free) < diskLowTimes*float64(log.MinFree):
		j.add(Warning, "disk_low", say(words.ProblemDisk, sizeOf(log.Free), Size(log.MinFree)), folder)
	}
}

// logFolders names where the logs are.
func logFolders(log logging.Status) string {
	var folders []string
	for _, file := range []string{log.AccessFile, log.ErrorFile} {
		if filepath.IsAbs(file) {
			folders = append(folders, filepath.Dir(file))
		}
	}
	return strings.Join(slices.Compact(folders), ", ")
}

func (j *judge) standing() {
	for _, x := range []struct {
		name         string
		seen         proxy.Occurrences
		fact, remedy words.Text
	}{
		{"ip_not_filed", j.Traffic.Leqi.IPNotFiled, words.ProblemNotFiled, words.RemedyNotFiled},
		{"forbidden", j.Traffic.Leqi.Forbidden, words.ProblemForbidden, words.RemedyForbidden},
		{"flow_limited", j.Traffic.Leqi.FlowLimited, words.ProblemFlow, words.RemedyFlow},
	} {
		if j.recent(x.seen.Last) {
			j.add(Warning, x.name, say(x.fact, x.seen.Count, j.clock(x.seen.Last)), say(x.remedy))
		}
	}
}

func (j *judge) traffic() {
	m := j.Traffic.LastMinute
	if failing(m) {
		j.add(Warning, "failures", say(words.ProblemFailures, m.Failures, m.Exchanges),
			say(words.RemedyFailures, logName(j.Log.AccessFile)))
	}
	for _, l := range j.Traffic.Limits {
		if j.recent(l.LastReached) {
			j.add(Warning, "limit_"+l.Name, say(words.ProblemLimit, limits[l.Name].name, l.Reached, j.clock(l.LastReached)),
				say(words.RemedyLimit, limits[l.Name].key))
		}
	}
}

// logName is the text for a value of log.access_file.
func logName(file string) any {
	switch file {
	case "":
		return words.StatusStdout
	case "off":
		return words.StatusNoAccess
	}
	return file
}

func (j *judge) configuration() {
	if j.Reload.Error != "" {
		j.add(Warning, "reload_failed", say(words.ProblemReload, j.Reload.Error), say(words.RemedyReload, j.command("check")))
	}
	f := j.Firewall
	if f == nil {
		return
	}
	apply := say(words.RemedyFirewall, j.command("firewall apply"))
	if !f.InSync {
		j.add(Warning, "firewall_out_of_step", say(words.ProblemFirewall, strings.Join(f.Problems, "; ")), apply)
	}
	if f.Pending != "" {
		j.add(Warning, "firewall_pending", say(words.ProblemPending, f.Pending), apply)
	}
	if j.Time.Sub(f.Checked) > FirewallSilent {
		j.add(Warning, "firewall_unchecked", say(words.ProblemUnchecked, j.clock(f.Checked)),
			say(words.RemedyFirewall, "systemctl status "+FirewallTimer(j.Instance)))
	}
}

// limits are the words for the limits, and the keys that raise them.
var limits = map[string]struct {
	name words.Text
	key  string
}{
	"connections": {words.StatusLimitConnections, "limits.connections"},
	"exchanges":   {words.StatusLimitExchanges, "limits.exchanges"},
	"queue":       {words.StatusLimitQueue, "limits.exchanges"},
}

// days is a time in whole days, the past as none.
func days(d time.Duration) int { return int(max(d, 0) / (24 * time.Hour)) }

// Unit is the name of an instance's systemd unit.
func Unit(instance string) string {
	if instance == "" {
		return "lqproxy"
	}
	return "lqproxy@" + instance
}

// FirewallTimer is the name of the timer that checks an instance's firewall.
func FirewallTimer(instance string) string {
	if instance == "" {
		return "lqproxy-firewall.timer"
	}
	return "lqproxy-firewall@" + instance + ".timer"
}

// command is one of lqproxy's about the instance of s.
func (s Status) command(name string) string {
	if filepath.IsAbs(s.File) && s.File != configs.FileOf(s.Instance) {
		name += " -c " + s.File
	}
	if s.Instance != "" {
		name += " -i " + s.Instance
	}
	return "lqproxy " + name
}
