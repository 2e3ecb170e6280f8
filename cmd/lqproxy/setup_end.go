package main

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/host"
	"github.com/lqproxy/lqproxy/cmd/internal/setup"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/firewall"
	"github.com/lqproxy/lqproxy/probe"
)

// service returns the unit of systemd that runs the instance.
func (s *settings) service() string { return admin.Unit(s.instance) + ".service" }

// goOn offers what comes after the file: firewall, probe and start. Each is done
// after a yes alone, and what fails does not keep the others from being offered.
// It ends with what is to be done elsewhere.
func (r *setupRun) goOn(ctx context.Context, cfg configs.Config) error {
	var failures error
	var rest []string // commands that remain to be typed
	if r.flags.output == "" {
		rest, failures = r.offers(ctx, cfg)
	}
	r.sayNext(cfg, rest)
	if failures == nil {
		return nil
	}
	f, ok := errors.AsType[*failure](failures)
	if !ok {
		return failures
	}
	return &failure{code: f.code} // which has been said
}

// An offer is a command that may be run now, or typed later.
type offer struct {
	command string
	make    func(context.Context) (done bool, err error)
}

// offers makes the offers, and returns the commands of those that were declined,
// or failed.
func (r *setupRun) offers(ctx context.Context, cfg configs.Config) (rest []string, failed error) {
	all := []offer{{r.command("probe"), r.offerProbe}}
	if cfg.Firewall.Backend != firewall.None {
		all = append([]offer{{r.command("firewall apply"), r.offerFirewall}}, all...)
	}
	if r.draft.Exists && running(r.draft.Now) != nil { // without a file it is another instance that answers there
		all = append(all, offer{r.command("reload"), r.offerReload})
	} else if r.flags.file == "" {
		command := "systemctl enable --now " + r.flags.service()
		if r.nginxListens(cfg) {
			command = r.command("takeover")
		}
		all = append(all, offer{command, func(ctx context.Context) (bool, error) { return r.offerStart(ctx, cfg) }})
	}
	for _, o := range all {
		done, err := o.make(ctx)
		if err != nil {
			r.report(err)
		}
		if failed == nil {
			failed = err
		}
		if !done || err != nil {
			rest = append(rest, o.command)
		}
	}
	return rest, failed
}

// command is a command about the file, as it is typed.
func (r *setupRun) command(name string) string {
	text := "lqproxy " + name
	if r.flags.instance != "" {
		text += " -i " + r.flags.instance
	}
	if r.flags.file != "" {
		text += " -c " + r.flags.file
	}
	return text
}

// confirm asks about an offer; where nobody can be asked, and once the person
// has gone, the answer is no.
func (r *setupRun) confirm(ctx context.Context, text string) bool {
	if r.person == nil {
		return false
	}
	yes, err := r.person.Confirm(ctx, text, true, r.In(words.SetupYesNo))
	return err == nil && yes
}

func (r *setupRun) offerFirewall(ctx context.Context) (bool, error) {
	if r.uid != 0 || r.person == nil {
		return false, nil
	}
	r.Note(words.Verbatim, "")
	r.paragraph(r.In(words.SetupOffers))
	if !r.confirm(ctx, r.In(words.SetupAskPlan)) {
		return false, nil
	}
	apply := applyFlags{settings: r.flags.settings}
	return true, apply.apply(r.console, r.cmd)
}

func (r *setupRun) offerProbe(ctx context.Context) (bool, error) {
	if !r.confirm(ctx, r.In(words.SetupAskProbe)) {
		return false, nil
	}
	f := probeFlags{settings: r.flags.settings, ability: probe.DefaultAbility, attempts: probe.DefaultAttempts, wait: probe.DefaultWait}
	w, err := f.wish(r.console, r.cmd)
	if err != nil {
		return true, err
	}
	return true, w.carryOut(ctx, r.console)
}

// offerReload has the lqproxy that runs take over the file.
func (r *setupRun) offerReload(ctx context.Context) (bool, error) {
	if !r.confirm(ctx, r.In(words.SetupAskReload)) {
		return false, nil
	}
	return true, reload(ctx, r.console, r.flags.settings, daemon.CauseSetup)
}

// offerStart starts the service.
func (r *setupRun) offerStart(ctx context.Context, cfg configs.Config) (bool, error) {
	unit := r.host.Unit(ctx, r.flags.service())
	if r.uid != 0 || !unit.Known || r.person == nil || r.othersListen(cfg) || !r.confirm(ctx, r.In(words.SetupAskStart, unit.Name)) {
		return false, nil
	}
	argv := []string{"systemctl", "enable", "--now", unit.Name}
	if _, err := r.host.Run(ctx, argv...); err != nil {
		return true, commandFailure(argv, err)
	}
	r.Say(words.SetupStarted, unit.Name)
	return true, nil
}

// nginxListens reports whether it is nginx that is in the way of a start.
func (r *setupRun) nginxListens(cfg configs.Config) bool {
	return slices.ContainsFunc(ports(cfg.Listen.Addresses), func(port uint16) bool {
		holder, _ := r.host.Holder(port)
		return holder != nil && holder.Name == host.Nginx
	})
}

// othersListen says who is in the way of a start.
func (r *setupRun) othersListen(cfg configs.Config) bool {
	others := false
	for _, port := range ports(cfg.Listen.Addresses) {
		if _, taken := r.host.Holder(port); taken {
			r.sayHolder(port)
			others = true
		}
	}
	return others
}

// commandFailure is the failure of a command of the system, with what it said.
func commandFailure(argv []string, err error) error {
	f := &failure{code: exitFailed, text: strings.Join(argv, " ") + ": " + err.Error()}
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		f.details = strings.Split(strings.TrimSpace(string(e.Stderr)), "\n")
	}
	return f
}

// sayNext says what is to be done elsewhere, and here.
func (r *setupRun) sayNext(cfg configs.Config, commands []string) {
	port := 0
	if all := ports(cfg.Listen.Addresses); len(all) > 0 {
		port = int(all[0])
	}
	filed := r.In(words.SetupFile)
	if local := cfg.Upstream.LocalAddress; local.IsValid() {
		filed = r.In(words.SetupFileLocal, local)
	}
	r.print("", r.In(words.SetupNextTitle))
	r.next(words.SetupCallers, r.In(words.SetupEnterHead, r.head(cfg, port), "乐企控制", "开发平台"))
	r.next(words.SetupOuter, append(r.admissions(cfg, port), r.In(words.SetupOut, hostPort(cfg)))...)
	r.next(words.SetupFiled, filed)
	if len(commands) > 0 {
		if r.uid != 0 {
			commands = append([]string{"# " + r.In(words.SetupNotRoot)}, commands...)
		}
		r.print("  " + r.In(words.SetupCommands))
		for _, command := range commands { // one line each, to be copied
			r.print("    " + command)
		}
	}
}

// admissions says who is to be let through on the way to this machine.
func (r *setupRun) admissions(cfg configs.Config, port int) []string {
	sources := strings.Join(prefixTexts(cfg.Proxy.Sources.Prefixes()), ", ")
	behind := strings.Join(r.behind, ", ")
	switch {
	case r.device == setup.Rewrites && len(r.hidden) == 0:
		return []string{r.In(words.SetupMapPrivate, port, behind)}
	case r.device == setup.Rewrites:
		return []string{r.In(words.SetupAtDevice, strings.Join(r.hidden, ", ")), r.In(words.SetupMapPrivate, port, behind)}
	case r.device != setup.NoDevice:
		return []string{r.In(words.SetupAtDevice, sources), r.In(words.SetupMapPrivate, port, behind)}
	case cfg.Proxy.Sources.PublicIPv4() > 0:
		return []string{r.In(words.SetupMapPublic, port, sources)}
	}
	return []string{r.In(words.SetupMapPrivate, port, sources)}
}

// next prints what is to be done at one place.
func (r *setupRun) next(title words.Text, lines ...string) {
	r.print("  " + r.In(title))
	for _, line := range lines {
		for _, part := range words.Wrap(line, reportWidth-2*detailIndent) {
			r.print("    " + part)
		}
	}
}

// head is the address head that callers enter.
func (r *setupRun) head(cfg configs.Config, port int) string {
	scheme := "http://"
	if cfg.Listen.TLS != configs.TLSOff {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(r.calledAs(cfg), strconv.Itoa(port))
}

// calledAs returns what callers know this machine as. What an outer firewall or
// a device makes of it cannot be known here.
func (r *setupRun) calledAs(cfg configs.Config) string {
	first, _, _ := net.SplitHostPort(cfg.Listen.Addresses[0])
	addresses := host.Addresses()
	switch {
	case len(cfg.Listen.ACME.Domains) > 0 && cfg.Listen.TLS == configs.TLSACME:
		return cfg.Listen.ACME.Domains[0]
	case r.device != setup.NoDevice:
		return r.In(words.SetupAnyDevice)
	case cfg.Proxy.Sources.PublicIPv4() > 0:
		return r.In(words.SetupAnyPublic)
	case first != "":
		return first
	case len(addresses) > 0:
		return addresses[0].String()
	}
	return r.In(words.SetupAnyMachine)
}
