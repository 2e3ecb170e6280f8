package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"

	"github.com/lqproxy/lqproxy/cmd/internal/host"
	"github.com/lqproxy/lqproxy/cmd/internal/takeover"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/probe/doctor"
)

// configurationState returns what the service's user makes of the configuration,
// and the configuration itself: the defaults, where it cannot be used.
func configurationState(c *console, s settings) (doctor.Config, configs.Config) {
	state := doctor.Config{File: s.path(), User: serviceUser}
	if _, err := os.Stat(s.path()); errors.Is(err, fs.ErrNotExist) && s.file == "" {
		state.Missing = true
		return state, configs.DefaultInstance(s.instance)
	}
	v := check(s, account(c.uid))
	if v.err != nil {
		if mistakes, ok := errors.AsType[configs.Mistakes](v.err); ok {
			state.Mistakes = len(mistakes)
		} else {
			state.Error = plainError(v.err)
		}
		return state, configs.DefaultInstance(s.instance)
	}
	c.configured(v.config.Language)
	if v.denied != nil {
		state.Denied = append(state.Denied, v.file)
	}
	for _, m := range v.unreadable {
		if file, err := strconv.Unquote(m.Value); err == nil {
			state.Denied = append(state.Denied, file)
		}
	}
	return state, v.config
}

// plainError is err without the file, which is named beside it.
func plainError(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// spareDescriptors are those of logs, listeners and the like.
const spareDescriptors = 64

// machineOptions says what of this machine belongs to cfg.
func machineOptions(ctx context.Context, s settings, cfg configs.Config) doctor.Options {
	remains := takeover.Remaining(ctx, host.Local())
	o := doctor.Options{
		Instance: doctor.Instance{Unit: s.service(), Running: running(cfg), Former: remains.Files, Starters: remains.Starters},
		Logs:     doctor.Logs{Access: cfg.Log.AccessFile, Error: cfg.Log.ErrorFile, MinFree: cfg.Log.MinFree},
		Ports:    ports(cfg.Listen.Addresses),
		Public:   cfg.Proxy.Sources.PublicIPv4() > 0,
		EchoURL:  cfg.Probe.EchoURL,

		Descriptors: cfg.Proxy.Limits.Connections + cfg.Proxy.Limits.Exchanges + spareDescriptors,
	}
	if o.Logs.Access == configs.LogOff {
		o.Logs.Access = ""
	}
	if binary, err := os.Executable(); err == nil {
		o.Instance.Binary = binary
	}
	return o
}

// ports returns the ports of addresses to listen on, each once.
func ports(addresses []string) []uint16 {
	var all []uint16
	for _, a := range addresses {
		_, port, _ := net.SplitHostPort(a)
		n, err := strconv.ParseUint(port, 10, 16)
		if err == nil && n > 0 && !slices.Contains(all, uint16(n)) {
			all = append(all, uint16(n))
		}
	}
	return all
}

// running returns what the daemon of cfg says of itself, nil if none answers.
func running(cfg configs.Config) *doctor.Running {
	a, err := askAny(context.Background(), askable(cfg.Admin.Addresses))
	if err != nil || len(a.document) == 0 {
		return nil
	}
	return &doctor.Running{PID: a.status.PID, Loaded: a.status.Reload.At, Reload: a.status.Reload.Error}
}
