package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/lqproxy/lqproxy/probe"
	"github.com/lqproxy/lqproxy/proxy/upstream"
	"github.com/spf13/cobra"
)

// newProbe returns the command that walks the way to Leqi.
func newProbe(c *console) *cobra.Command {
	var f probeFlags
	cmd := &cobra.Command{
		Use:   "probe [--env ENVIRONMENT] [--unit UNIT] [--via URL] [--json]",
		Short: c.In(words.ShortProbe),
		Long:  c.In(words.ProbeVerdicts) + "\n" + verdictTable(c),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := f.wish(c, cmd)
			if err != nil {
				return err
			}
			return w.carryOut(cmd.Context(), c)
		},
	}
	f.add(c, cmd)
	return cmd
}

// verdictTable lists the verdicts with their exit codes.
func verdictTable(c *console) string {
	t := words.Table{Indent: 2}
	for _, v := range probe.Verdicts {
		t.Row(string(v), strconv.Itoa(v.ExitCode()), words.VerdictMeaning(c.Lang, v))
	}
	var b strings.Builder
	t.WriteTo(&b) //nolint:errcheck // a Builder takes everything
	return b.String()
}

// A wish is what a person wants to have probed.
type wish struct {
	options  probe.Options
	file     string // of the configuration; "": the defaults
	asJSON   bool
	pinAlone bool
}

// carryOut probes, and prints what came of it.
func (w wish) carryOut(ctx context.Context, c *console) error {
	memory := probe.Memory{}
	if folder := ownFolder(c.getenv); folder != "" {
		memory = probe.NewMemory(folder)
	}
	p := newProgress(c)
	w.options.Observe = p.show
	if len(w.options.Targets) > 0 {
		w.options.LastForbidden = memory.Forbidden(authority(w.options), time.Now())
	}
	report, err := probe.Run(ctx, w.options)
	p.clear()
	if err != nil {
		return &failure{code: exitFailed, text: err.Error()}
	}
	w.remember(c, memory, report)
	return w.print(c, report)
}

// print prints the report in the form that was asked for.
func (w wish) print(c *console, r *probe.Report) error {
	var err error
	switch {
	case w.pinAlone:
		return printPin(c, r)
	case w.asJSON:
		err = printJSON(c, probeDocument{w.file, r})
	default:
		printReport(c, w, r)
	}
	if code := r.Verdict.ExitCode(); err == nil && code != exitOK {
		return &failure{code: code}
	}
	return err
}

// A probeDocument is what probe --json prints.
type probeDocument struct {
	File string `json:"file"` // "": the defaults
	*probe.Report
}

// printPin prints the keys that were seen, as a line of the configuration.
func printPin(c *console, r *probe.Report) error {
	var pins []string
	for _, h := range r.TLS {
		if h.Certificate == nil {
			continue
		}
		if pin := strconv.Quote(h.Certificate.Pin.String()); !slices.Contains(pins, pin) {
			pins = append(pins, pin)
		}
	}
	if len(pins) == 0 {
		return &failure{
			code: max(r.Verdict.ExitCode(), exitFailed), text: c.In(words.ProbeNoPin),
			details: []string{words.VerdictMeaning(c.Lang, r.Verdict)},
		}
	}
	c.Hint(words.ProbePinHint)
	if _, err := fmt.Fprintf(c.Data, "pins = [%s]\n", strings.Join(pins, ", ")); err != nil {
		return fmt.Errorf("printing pins: %w", err)
	}
	return nil
}

// remember notes a 403 that stayed, for the next run; a success forgets it.
func (w wish) remember(c *console, m probe.Memory, r *probe.Report) {
	var at time.Time
	for _, call := range r.Calls {
		if call.Verdict == probe.Forbidden {
			at = time.Now()
		}
	}
	if at.IsZero() && r.Verdict != probe.Reached {
		return // nothing is known of it
	}
	if err := m.Note(authority(w.options), at); err != nil {
		c.Hint(words.ProbeRemember, err)
	}
}

func authority(o probe.Options) string {
	return fmt.Sprintf("%s:%d", o.Upstream.Host, o.Upstream.Port)
}

// ownFolder returns the folder in which what a person's commands remember lies:
// never one of the daemon's. It is "" where the environment names none.
func ownFolder(getenv func(string) string) string {
	for _, base := range []string{getenv("XDG_RUNTIME_DIR"), getenv("XDG_CACHE_HOME")} {
		if filepath.IsAbs(base) {
			return filepath.Join(base, "lqproxy")
		}
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".cache", "lqproxy")
	}
	return ""
}

// configurationFor reads the configuration that a test of the path is about.
// Where there is no file at all, nor one was named, it is the defaults, and the
// file is "".
func configurationFor(c *console, s settings) (cfg configs.Config, file string, err error) {
	if _, err := os.Stat(s.path()); errors.Is(err, fs.ErrNotExist) && s.file == "" {
		if err := s.judge(c); err != nil {
			return cfg, "", err
		}
		c.Note(words.ProbeNoConfig, s.path())
		return configs.DefaultInstance(s.instance), "", nil
	}
	cfg, err = s.load(c)
	return cfg, s.path(), err
}

// knownKeys reads the record of the instance's keys; nil if that cannot be
// done. It is never written: that is the daemon's.
func knownKeys(cfg configs.Config) *upstream.KnownKeys {
	known, err := upstream.OpenKnownKeys(daemon.RecordFile(cfg.StateDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return known
}
