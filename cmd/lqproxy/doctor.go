package main

import (
	"context"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/probe/doctor"
	"github.com/lqproxy/lqproxy/proxy"
	"github.com/spf13/cobra"
)

// newDoctor returns the command that examines the machine and the way to Leqi.
func newDoctor(c *console) *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor [--env ENVIRONMENT] [--unit UNIT] [--report FILE]",
		Short: c.In(words.ShortDoctor),
		Long:  c.In(words.DoctorLong),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := f.examination(c, cmd)
			if err != nil {
				return err
			}
			return e.carryOut(cmd.Context(), c)
		},
	}
	f.add(c, cmd)
	return cmd
}

// doctorFlags are the flags of doctor, as typed. What it probes is chosen as for
// probe.
type doctorFlags struct {
	probeFlags
	report, applicant, creditCode string
	filed, egress                 []string
}

func (f *doctorFlags) add(c *console, cmd *cobra.Command) {
	flags := cmd.Flags()
	f.settings.add(c, flags)
	flags.StringVar(&f.env, "env", "", c.In(words.FlagEnv))
	flags.StringVar(&f.unit, "unit", "", c.In(words.FlagUnit))
	flags.IntVar(&f.attempts, "attempts", probe.DefaultAttempts, c.In(words.FlagAttempts))
	flags.StringVar(&f.report, "report", "", c.In(words.FlagReport))
	flags.StringVar(&f.applicant, "applicant", "", c.In(words.FlagApplicant))
	flags.StringVar(&f.creditCode, "credit-code", "", c.In(words.FlagCreditCode))
	flags.StringArrayVar(&f.filed, "filed-ip", nil, c.In(words.FlagFiledIP))
	flags.StringArrayVar(&f.egress, "egress-ip", nil, c.In(words.FlagEgressIP))
	for _, name := range []string{"filed-ip", "egress-ip"} {
		flags.Lookup(name).DefValue = "" // or the help says "default []"
	}
	f.wait, f.ability = probe.DefaultWait, probe.DefaultAbility
}

// creditCode is a unified social credit code (GB 32100).
var creditCode = regexp.MustCompile(`^[0-9A-HJ-NPQRTUWXY]{18}$`)

// judge returns the failure of the first flag whose value cannot be.
func (f *doctorFlags) judge(c *console, cmd *cobra.Command) error {
	if err := f.judgeValues(c); err != nil {
		return err
	}
	if err := f.settings.judge(c); err != nil {
		return err
	}
	if _, ok := doctor.FormatOf(f.report); f.report != "" && !ok {
		return c.usage(c.In(words.DoctorFormat, f.report))
	}
	if f.creditCode != "" && !creditCode.MatchString(f.creditCode) {
		return c.usage(c.In(words.DoctorCode, f.creditCode))
	}
	for _, name := range []string{"applicant", "credit-code", "egress-ip"} {
		if f.report == "" && cmd.Flags().Changed(name) {
			return c.usage(c.In(words.DoctorUnused, "--"+name), helpHint(c, cmd))
		}
	}
	return nil
}

// An examination is what doctor is about to do.
type examination struct {
	options  doctor.Options
	evidence doctor.Evidence
	file     string // of the report; "": none is written
	badFile  bool   // the configuration cannot be used
}

// examination reads the flags, the configuration and what the daemon says.
func (f *doctorFlags) examination(c *console, cmd *cobra.Command) (*examination, error) {
	if err := f.judge(c, cmd); err != nil {
		return nil, err
	}
	evidence, err := f.byHand(c)
	if err != nil {
		return nil, err
	}
	state, cfg := configurationState(c, f.settings)
	if state.Error != nil || state.Mistakes > 0 {
		c.Note(words.DoctorDefaults)
	}
	targets, err := f.targets(c, cmd, cfg)
	if err != nil {
		return nil, err
	}
	e := &examination{
		options: machineOptions(cmd.Context(), f.settings, cfg), evidence: evidence, file: f.report,
		badFile: state.Error != nil || state.Mistakes > 0 || len(state.Denied) > 0,
	}
	e.fill(f, cfg, targets)
	e.options.Config, e.options.FiledIPs = state, e.evidence.FiledIPs
	e.options.Probe = f.probeOptions(cfg, targets)
	if !state.Missing && !e.badFile {
		view := viewFirewall(cmd.Context(), c, f.settings, cfg)
		e.options.Firewall, e.evidence.Firewall = view.line(c.Lang), view.evidence()
	}
	return e, nil
}

// byHand returns the part of the evidence that was typed.
func (f *doctorFlags) byHand(c *console) (doctor.Evidence, error) {
	filed, err := addresses(c, "--filed-ip", f.filed)
	if err != nil {
		return doctor.Evidence{}, err
	}
	egress, err := addresses(c, "--egress-ip", f.egress)
	return doctor.Evidence{
		Applicant: f.applicant, CreditCode: f.creditCode,
		EgressIPs: egress, FiledIPs: filed, FiledByHand: len(filed) > 0,
	}, err
}

// fill adds to the evidence what the configuration has.
func (e *examination) fill(f *doctorFlags, cfg configs.Config, targets []probe.Target) {
	v := &e.evidence
	if !v.FiledByHand {
		v.FiledIPs = cfg.Probe.FiledIPs
	}
	v.Units, v.UnitsByHand = unitsOf(targets, cfg), unitByHand(f.unit, cfg)
	v.Sources, v.Presets = cfg.Proxy.Sources.Prefixes(), cfg.Allow.Presets
	v.History = admissions(cfg.StateDir)
	v.Program = "lqproxy " + build().Version
	v.Verdict = func(v probe.Verdict) string { return words.VerdictMeaning(words.Chinese, v) }
}

// admissions returns who was admitted when, as far as it was kept and can be
// read: a report with less of the past is still a report.
func admissions(stateDir string) []doctor.Admission {
	history, _ := daemon.History(stateDir) // the report says that nothing is known
	var admitted []doctor.Admission
	for _, past := range history {
		if c, err := past.Config(); err == nil {
			admitted = append(admitted, doctor.Admission{Since: past.Since, Sources: c.Proxy.Sources.Prefixes()})
		}
	}
	return admitted
}

// probeOptions says what is probed, over the way of the proxy of cfg.
func (f *doctorFlags) probeOptions(cfg configs.Config, targets []probe.Target) probe.Options {
	if cfg.Upstream.TLS.Legacy {
		daemon.AcceptSHA1()
	}
	return probe.Options{
		Upstream: cfg.Upstream, Known: knownKeys(cfg), Targets: targets,
		Attempts: f.attempts, Wait: f.wait, Ability: f.ability, TryTLS: true, AcceptSHA1: daemon.AcceptSHA1,
	}
}

// addresses reads the values of a flag that takes addresses.
func addresses(c *console, flag string, values []string) ([]netip.Addr, error) {
	var all []netip.Addr
	for _, value := range values {
		addr, err := netip.ParseAddr(value)
		if err != nil {
			return nil, c.usage(c.In(words.ProbeAddress, flag, value))
		}
		all = append(all, addr.Unmap())
	}
	return all, nil
}

// unitsOf returns the ids that are called as, or those configured.
func unitsOf(targets []probe.Target, cfg configs.Config) []string {
	var ids []string
	for _, t := range targets {
		if !slices.Contains(ids, t.Unit) {
			ids = append(ids, t.Unit)
		}
	}
	if len(ids) > 0 {
		return ids
	}
	for _, u := range cfg.Proxy.Units {
		ids = append(ids, u.ID)
	}
	return ids
}

// unitByHand reports whether unit is an id that the configuration does not have.
func unitByHand(unit string, cfg configs.Config) bool {
	return unit != "" && unit != allUnits &&
		!slices.ContainsFunc(cfg.Proxy.Units, func(u proxy.Unit) bool { return u.ID == unit || u.Name == unit })
}

// carryOut examines, prints what was found, and writes the report.
func (e *examination) carryOut(ctx context.Context, c *console) error {
	memory := probe.Memory{}
	if folder := ownFolder(c.getenv); folder != "" {
		memory = probe.NewMemory(folder)
	}
	p := newProgress(c)
	e.options.Observe = func(check doctor.Check) { p.line(words.DoctorProgress(c.Lang, check)) }
	e.options.Probe.Observe = p.show
	if len(e.options.Probe.Targets) > 0 {
		e.options.Probe.LastForbidden = memory.Forbidden(authority(e.options.Probe), time.Now())
	}
	r, err := doctor.Run(ctx, e.options)
	p.clear()
	if err != nil {
		return &failure{code: exitFailed, text: err.Error()}
	}
	wish{options: e.options.Probe}.remember(c, memory, r.Probe)
	printFindings(c, r)
	if r.Interrupted {
		return &failure{code: exitFailed, text: c.In(words.DoctorSkipped)}
	}
	if e.file == "" {
		return e.end(r)
	}
	return errors.Join(e.write(ctx, c, p, r), e.end(r))
}

// line shows text in place of what was shown before; "" shows nothing new.
func (p *progress) line(text string) {
	if p.live && text != "" {
		p.write(clearLine + text)
	}
}

// end returns how the command ends: with the code of the configuration, that of
// the verdict, or 1 for anything else that must be repaired.
func (e *examination) end(r *doctor.Report) error {
	switch code := r.Probe.Verdict.ExitCode(); {
	case e.badFile:
		return &failure{code: exitConfig}
	case code != exitOK:
		return &failure{code: code}
	case doctor.Worst(r.Findings) == doctor.Fail:
		return &failure{code: exitFailed}
	}
	return nil
}
