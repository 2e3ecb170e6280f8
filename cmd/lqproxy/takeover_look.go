package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/takeover"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/probe"
)

// inTheWay is the failure of a takeover that was not begun: what is in the way,
// and how to go on.
func (r *takeoverRun) inTheWay(o takeover.Obstacle, s takeover.Situation) error {
	port, unit := words.PortList(r.ports), r.flags.service()
	f := &failure{code: exitFailed}
	switch o {
	case takeover.PortFree:
		f.text, f.hints = r.In(words.TakeoverFree, port), []string{r.In(words.TakeoverStart, unit)}
	case takeover.PortHidden:
		f.text = r.In(words.TakeoverHidden, port)
	case takeover.PortOther:
		f.text = r.In(words.TakeoverOther, s.Holder.Name, s.Holder.PID, port)
	case takeover.NoSystemd:
		f.text = r.In(words.TakeoverNoSystemd)
		f.hints = []string{r.In(words.TakeoverByHandHow, s.Nginx.PID, serviceUser, r.flags.path())}
	case takeover.NoService:
		f.text, f.hints = r.In(words.TakeoverNoService, unit), []string{r.In(words.TakeoverInstall)}
	case takeover.Kept:
		f.text = r.In(words.TakeoverKept, s.Nginx.PID, s.Nginx.Keeper)
		f.hints = []string{r.In(words.TakeoverKeptHow, s.Nginx.Keeper, unit)}
	case takeover.Scheduled:
		f.text, f.hints = r.In(words.TakeoverCron, joined(s.Nginx.Cron)), []string{r.In(words.TakeoverCronHow)}
	case takeover.OtherPorts:
		f.text = r.In(words.TakeoverOthers, s.Nginx.PID, words.PortList(s.Nginx.Others))
		f.hints = []string{r.In(words.TakeoverOthersHow, port, unit), r.In(words.TakeoverOthersStop)}
	}
	return f
}

// joined names lines of files.
func joined(lines []takeover.Line) string {
	names := make([]string, len(lines))
	for i, l := range lines {
		names[i] = l.String()
	}
	return strings.Join(names, ", ")
}

// probe tests the way to Leqi through the listener, where this machine is a
// source; else without it. What it prints is the report.
func (r *takeoverRun) probe(ctx context.Context) error {
	f := probeFlags{settings: r.flags.settings, ability: probe.DefaultAbility, attempts: probe.DefaultAttempts, wait: probe.DefaultWait}
	switch via := listenerURL(r.cfg); {
	case len(r.cfg.Proxy.Units) == 0:
		r.Note(words.TakeoverUnprobed)
	case via == "":
		for _, line := range words.Wrap(r.In(words.TakeoverDirect), reportWidth) {
			r.Note(words.Verbatim, line)
		}
	default:
		f.via = via
	}
	w, err := f.wish(r.console, newProbe(r.console))
	if err != nil {
		return err
	}
	err = w.carryOut(ctx, r.console)
	if f, ok := errors.AsType[*failure](err); ok && f.text == "" { // the report has said it
		return errors.New(r.In(words.TakeoverUnreached))
	}
	return err
}

// listenerURL returns the listener as a caller on this machine would name it; ""
// if it would be refused, as it is no source.
func listenerURL(cfg configs.Config) string {
	scheme := "http://"
	if cfg.Listen.TLS != configs.TLSOff {
		scheme = "https://"
	}
	for _, address := range cfg.Listen.Addresses {
		host, digits, err := net.SplitHostPort(address)
		port, portErr := strconv.ParseUint(digits, 10, 16)
		if err != nil || portErr != nil {
			continue
		}
		addr, err := netip.ParseAddr(host)
		if err != nil || addr.IsUnspecified() {
			addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
		// Whoever calls an address of his own machine calls from it.
		if cfg.Proxy.Sources.Contains(addr) && !cfg.Proxy.Devices.Contains(addr) && !cfg.Proxy.Balancers.Contains(addr) {
			return scheme + netip.AddrPortFrom(addr, uint16(port)).String()
		}
	}
	return ""
}
