package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/proxy/certs"
	"github.com/spf13/cobra"
)

// serviceUser is who systemd runs the proxy as.
const serviceUser = "lqproxy"

// newCheck returns the command that judges a configuration.
func newCheck(c *console) *cobra.Command {
	var s settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [-c FILE] [-i NAME] [--json]",
		Short: c.In(words.ShortCheck),
		RunE: func(*cobra.Command, []string) error {
			if err := s.judge(c); err != nil {
				return err
			}
			v := check(s, account(c.uid))
			if asJSON {
				return v.document(c)
			}
			return v.say(c)
		},
	}
	s.add(c, cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, c.In(words.FlagJSON))
	return cmd
}

// A verdict is what check found.
type verdict struct {
	file       string
	config     configs.Config
	err        error            // of loading: configs.Mistakes as a rule
	unreadable configs.Mistakes // files that the service's user cannot read
	denied     error            // the configuration itself is one of them

	warnings []*certs.Problem // of the listener's certificate, which is used all the same
}

// check judges the configuration of s, also with the eyes of a, if that is not nil.
func check(s settings, a *configs.Account) verdict {
	v := verdict{file: s.path()}
	v.config, v.err = configs.LoadInstance(v.file, s.instance)
	if v.err != nil {
		return v
	}
	v.warnings = certificateWarnings(v.config)
	if a == nil {
		return v
	}
	v.unreadable = a.Unreadable(v.config)
	v.denied = a.CanRead(v.file)
	return v
}

// certificateWarnings returns what callers may dislike in the certificate that
// cfg names.
func certificateWarnings(cfg configs.Config) []*certs.Problem {
	if cfg.Listen.TLS != configs.TLSFiles {
		return nil
	}
	f, err := certs.OpenFiles(cfg.Listen.CertFile, cfg.Listen.KeyFile, certs.Options{Wanted: cfg.PublicHosts()})
	if err != nil {
		return nil // they changed a moment ago: configs has read them
	}
	return f.Warnings()
}

// account is the service's user, if there is one and we may look with its
// eyes, as root may.
func account(uid int) *configs.Account {
	if uid != 0 {
		return nil
	}
	u, err := user.Lookup(serviceUser)
	if err != nil {
		return nil // not installed as a service
	}
	a := &configs.Account{UID: number(u.Uid)}
	groups, _ := u.GroupIds() // without them the user's own remains
	for _, gid := range append(groups, u.Gid) {
		a.GIDs = append(a.GIDs, number(gid))
	}
	return a
}

// number reads an id of the user database, which is one.
func number(id string) uint32 {
	n, _ := strconv.ParseUint(id, 10, 32)
	return uint32(n)
}

// well reports whether nothing was found.
func (v verdict) well() bool { return v.err == nil && len(v.unreadable) == 0 && v.denied == nil }

// mistakes returns all that were found in the file and by its keys.
func (v verdict) mistakes() configs.Mistakes {
	found, _ := errors.AsType[configs.Mistakes](v.err)
	return append(found, v.unreadable...)
}

// say prints the verdict for people.
func (v verdict) say(c *console) error {
	if v.err != nil {
		return configFailure(c, v.file, v.err)
	}
	c.configured(v.config.Language)
	if v.well() {
		c.Say(words.CheckOK, v.file)
		printSummary(c, v.config)
		for _, p := range v.warnings {
			c.Hint(words.Verbatim, words.Certificate(c.Lang, p))
		}
		if port, ask := challengesAt(v.config); ask {
			c.Hint(words.CheckChallenges, challengePort, port)
		}
		return nil
	}
	lines := mistakeLines(c, v.unreadable)
	if v.denied != nil {
		lines = append(lines, c.In(words.CheckFile, v.denied))
	}
	return &failure{
		code: exitConfig, text: c.In(words.CheckMistakes, v.file, len(lines)), details: lines,
		hints: []string{c.In(words.CheckAccount, serviceUser), c.In(words.CheckGrant, serviceUser)},
	}
}

// printSummary says what cfg makes of the proxy.
func printSummary(c *console, cfg configs.Config) {
	addresses := strings.Join(cfg.Listen.Addresses, ", ")
	listen := c.In(words.CheckPlain, addresses)
	if cfg.Listen.TLS != configs.TLSOff {
		listen = c.In(words.CheckTLS, addresses)
	}
	prefixes := len(cfg.Proxy.Sources.Prefixes())
	admits := c.In(words.CheckPrefixes, prefixes)
	if len(cfg.Allow.Presets) > 0 {
		admits = c.In(words.CheckPresets, prefixes, strings.Join(cfg.Allow.Presets, ", "))
	}
	rows := [][2]string{
		{c.In(words.CheckListen), listen},
		{c.In(words.CheckSources), admits},
		{c.In(words.CheckUpstream), c.In(words.CheckVerify, hostPort(cfg), string(cfg.Upstream.TLS.Verify))},
		{c.In(words.CheckAdmin), urls(cfg.Admin.Addresses)},
	}
	names := 0
	for _, row := range rows {
		names = max(names, words.Width(row[0]))
	}
	for _, row := range rows {
		printAt(c, padTo("  "+row[0], 2+names+gutter), row[1])
	}
}

func hostPort(cfg configs.Config) string {
	return fmt.Sprintf("%s:%d", cfg.Upstream.Host, cfg.Upstream.Port)
}

// A checkDocument is what check --json prints.
type checkDocument struct {
	File     string            `json:"file"`
	OK       bool              `json:"ok"`
	Error    string            `json:"error,omitempty"` // the file could not be read
	Mistakes []mistakeDocument `json:"mistakes"`
	Warnings []warningDocument `json:"warnings,omitempty"`
	Summary  *summaryDocument  `json:"summary,omitempty"` // of a file without mistakes
}

type warningDocument struct {
	Kind    certs.Kind `json:"kind"`
	Message string     `json:"message"` // in the chosen language
}

type mistakeDocument struct {
	Key     string       `json:"key,omitempty"`
	Line    int          `json:"line,omitempty"`
	Kind    configs.Kind `json:"kind"`
	Message string       `json:"message"` // with line and key, in the chosen language
}

type summaryDocument struct {
	Listen   []string        `json:"listen"`
	TLS      configs.TLSMode `json:"tls"`
	Prefixes int             `json:"prefixes"`
	Presets  []string        `json:"presets"`
	Upstream string          `json:"upstream"`
	Verify   string          `json:"verify"`
	Admin    []string        `json:"admin"`
}

// document prints the verdict for programs. Its failure has nothing to add.
func (v verdict) document(c *console) error {
	d := checkDocument{File: v.file, OK: v.well(), Mistakes: []mistakeDocument{}}
	mistakes := v.mistakes()
	for _, m := range mistakes {
		d.Mistakes = append(d.Mistakes, mistakeDocument{m.Key, m.Line, m.Kind, words.Mistake(c.Lang, m)})
	}
	for _, p := range v.warnings {
		d.Warnings = append(d.Warnings, warningDocument{p.Kind, words.Certificate(c.Lang, p)})
	}
	switch {
	case v.err != nil && len(mistakes) == 0:
		d.Error = v.err.Error()
	case v.denied != nil:
		d.Error = c.In(words.CheckFile, v.denied)
	}
	if v.well() {
		d.Summary = summaryOf(v.config)
	}
	if err := printJSON(c, d); err != nil || d.OK {
		return err
	}
	return &failure{code: exitConfig}
}

func summaryOf(cfg configs.Config) *summaryDocument {
	return &summaryDocument{
		Listen:   cfg.Listen.Addresses,
		TLS:      cfg.Listen.TLS,
		Prefixes: len(cfg.Proxy.Sources.Prefixes()),
		Presets:  append([]string{}, cfg.Allow.Presets...),
		Upstream: hostPort(cfg),
		Verify:   string(cfg.Upstream.TLS.Verify),
		Admin:    cfg.Admin.Addresses,
	}
}

// printJSON prints one document for programs.
func printJSON(c *console, document any) error {
	e := json.NewEncoder(c.Data)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document); err != nil {
		return fmt.Errorf("printing document: %w", err)
	}
	return nil
}
