package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/admin"
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
func machineOptions(s settings, cfg configs.Config) doctor.Options {
	o := doctor.Options{
		Instance: doctor.Instance{Unit: "lqproxy.service", Running: running(cfg)},
		Logs:     doctor.Logs{Access: cfg.Log.AccessFile, Error: cfg.Log.ErrorFile, MinFree: cfg.Log.MinFree},
		Ports:    ports(cfg.Listen.Addresses),
		Public:   cfg.Proxy.Sources.PublicIPv4() > 0,
		EchoURL:  cfg.Probe.EchoURL,

		Descriptors: cfg.Proxy.Limits.Connections + cfg.Proxy.Limits.Exchanges + spareDescriptors,
	}
	if s.instance != "" {
		o.Instance.Unit = "lqproxy@" + s.instance + ".service"
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

// Bounds of asking the daemon.
const (
	statusTimeout = 2 * time.Second
	statusSize    = 1 << 20
)

// running returns what the daemon of cfg says of itself, nil if none answers.
func running(cfg configs.Config) *doctor.Running {
	for _, address := range cfg.Admin.Addresses {
		s, err := askStatus(address)
		if err == nil {
			return &doctor.Running{PID: s.PID, Loaded: s.Reload.At, Reload: s.Reload.Error}
		}
	}
	return nil
}

// askStatus asks an admin listener that is configured as address.
func askStatus(address string) (admin.Status, error) {
	var s admin.Status
	host, port, err := net.SplitHostPort(address)
	if addr, parseErr := netip.ParseAddr(host); err == nil && (parseErr != nil || addr.IsUnspecified()) {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/status", nil)
	if err != nil {
		return s, fmt.Errorf("asking for the status: %w", err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return s, fmt.Errorf("asking for the status: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was read alone
	if err := json.NewDecoder(io.LimitReader(answer.Body, statusSize)).Decode(&s); err != nil || s.PID == 0 {
		return s, fmt.Errorf("reading the status: %w", errors.Join(err, errNoStatus))
	}
	return s, nil
}

var errNoStatus = errors.New("this is no lqproxy")
