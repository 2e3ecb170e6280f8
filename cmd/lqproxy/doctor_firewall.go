package main

import (
	"context"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/firewall"
	"github.com/lqproxy/lqproxy/probe/doctor"
)

// A firewallView is what the firewall is like, if it could be looked at.
type firewallView struct {
	state  doctor.State
	fact   words.Text // unless err says it
	err    error
	report *firewall.Report // nil: there is none
}

// viewFirewall looks at the host's firewall, which is root's, and changes nothing.
func viewFirewall(ctx context.Context, c *console, s settings, cfg configs.Config) firewallView {
	switch {
	case cfg.Firewall.Backend == firewall.None:
		return firewallView{state: doctor.OK, fact: words.FirewallKeepsOut}
	case len(cfg.FirewallPolicy().Admits) == 0:
		return firewallView{state: doctor.OK, fact: words.FirewallLocal}
	case c.uid != 0:
		return firewallView{state: doctor.Warn, fact: words.FirewallRoot}
	}
	m, _, err := firewallManager(c, s)
	if err != nil {
		return firewallView{state: doctor.Warn, err: err}
	}
	r, err := m.Inspect(ctx)
	switch {
	case err != nil:
		return firewallView{state: doctor.Warn, err: err}
	case !r.Managed:
		return firewallView{doctor.Warn, words.FirewallUnsaid, nil, &r}
	case !r.InSync():
		return firewallView{doctor.Fail, words.FirewallOutOf, nil, &r}
	}
	return firewallView{doctor.OK, words.FirewallInStep, nil, &r}
}

// say puts v into words of language l.
func (v firewallView) say(l words.Lang) string {
	if v.err != nil {
		return words.FirewallError(l, v.err)
	}
	return v.fact.In(l)
}

// line is v as a finding of doctor: in one line, with whoever is let in besides.
func (v firewallView) line(l words.Lang) *doctor.FirewallLine {
	parts := []string{v.say(l)}
	if v.report != nil {
		for _, f := range v.report.Findings {
			if f.Opens() {
				parts = append(parts, words.FirewallFinding(l, f))
			}
		}
	}
	if v.state == doctor.Fail {
		parts = append(parts, words.FirewallRetry.In(l))
	}
	return &doctor.FirewallLine{State: v.state, Text: strings.Join(parts, "; ")}
}

// evidence is v as it stands in a report: in Chinese, with every source that the
// policy admits and whatever is foreign.
func (v firewallView) evidence() string {
	if v.report == nil {
		return v.say(words.Chinese)
	}
	lines := []string{words.FirewallBackend.In(words.Chinese, string(v.report.Backend)), v.say(words.Chinese)}
	for _, a := range v.report.Policy.Admissions() {
		lines = append(lines, words.FirewallAddAgain.In(words.Chinese, a.String()))
	}
	for _, f := range v.report.Findings {
		lines = append(lines, "! "+words.FirewallFinding(words.Chinese, f))
	}
	return strings.Join(lines, "\n")
}
