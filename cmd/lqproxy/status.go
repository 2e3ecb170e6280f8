package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/spf13/cobra"
)

// watchEvery is the time between two looks of status --watch.
const watchEvery = 2 * time.Second

// statusFlags say what status is to do.
type statusFlags struct {
	settings
	all, asJSON, check, watch bool
	value                     string
}

// newStatus returns the command that shows the running instance.
func newStatus(c *console) *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:   "status [-c FILE] [-i NAME|--all] [--json|--value KEY|--check|--watch]",
		Short: c.In(words.ShortStatus),
		Long:  statusHelp(c),
		RunE:  func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), c) },
	}
	f.add(c, cmd.Flags())
	cmd.Flags().BoolVar(&f.all, "all", false, c.In(words.FlagStatusAll))
	cmd.Flags().BoolVar(&f.asJSON, "json", false, c.In(words.FlagJSON))
	cmd.Flags().StringVar(&f.value, "value", "", c.In(words.FlagStatusValue))
	cmd.Flags().BoolVar(&f.check, "check", false, c.In(words.FlagStatusCheck))
	cmd.Flags().BoolVar(&f.watch, "watch", false, c.In(words.FlagStatusWatch))
	return cmd
}

// statusHelp is what --check says, and when.
func statusHelp(c *console) string {
	var b strings.Builder
	b.WriteString(c.In(words.StatusLevels) + "\n")
	for code, text := range []string{
		checkOK:       c.In(words.HelpOK),
		checkWarning:  c.In(words.HelpWarning, int(admin.ExpirySoon.Hours())/24, int(admin.Recent.Minutes()), admin.FailuresLeast),
		checkCritical: c.In(words.HelpCritical),
		checkUnknown:  c.In(words.HelpUnknown),
	} {
		name := fmt.Sprintf("  %d  %-8s  ", code, checkNames[code])
		for _, line := range words.Wrap(text, reportWidth-len(name)) {
			b.WriteString(name + line + "\n")
			name = strings.Repeat(" ", len(name))
		}
	}
	b.WriteString("\n" + strings.Join(words.Wrap(c.In(words.HelpStatusCode), reportWidth), "\n"))
	return b.String()
}

func (f *statusFlags) run(ctx context.Context, c *console) error {
	if err := f.judge(c); err != nil {
		return err
	}
	if err := f.contradiction(c); err != nil {
		return err
	}
	instances := []settings{f.settings}
	if f.all {
		var err error
		if instances, err = instancesBeside(c, f.path()); err != nil {
			return err
		}
	}
	switch {
	case f.check:
		return checkAll(ctx, c, instances, f.all)
	case f.asJSON:
		return statusJSON(ctx, c, instances, f.all)
	case f.value != "":
		return statusValue(ctx, c, f.settings, f.value)
	case f.watch:
		return watchAll(ctx, c, instances)
	}
	return showAll(ctx, c, instances)
}

// contradiction returns a failure if the flags ask for what does not go together.
func (f *statusFlags) contradiction(c *console) error {
	ways := 0
	for _, chosen := range []bool{f.asJSON, f.value != "", f.check, f.watch} {
		if chosen {
			ways++
		}
	}
	switch {
	case ways > 1:
		return c.usage(c.In(words.StatusOneWay))
	case f.all && (f.instance != "" || f.value != ""):
		return c.usage(c.In(words.StatusAllAlone))
	}
	return nil
}

// instancesBeside returns the instances whose files lie in the folder of file.
// What can be no instance's file is left out.
func instancesBeside(c *console, file string) ([]settings, error) {
	folder := filepath.Dir(file)
	files, err := filepath.Glob(filepath.Join(folder, "*.toml"))
	if err != nil {
		return nil, fmt.Errorf("listing instances: %w", err)
	}
	var all []settings
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".toml")
		if filepath.Base(file) == filepath.Base(configs.DefaultFile) {
			all = append([]settings{{file: file}}, all...)
		} else if instanceName.MatchString(name) {
			all = append(all, settings{file: file, instance: name})
		}
	}
	if len(all) == 0 {
		return nil, &failure{code: exitFailed, text: c.In(words.StatusNobody, folder)}
	}
	return all, nil
}

// showAll shows each of instances; an error of one does not hide the others,
// and is the outcome.
func showAll(ctx context.Context, c *console, instances []settings) error {
	var worst error
	for i, s := range instances {
		if i > 0 {
			c.print("")
		}
		a, err := ask(ctx, c, s)
		if err == nil {
			printView(c, admin.NewView(a.status, nil, c.Lang))
			continue
		}
		if len(instances) == 1 {
			return err
		}
		worst = worse(worst, toldOf(c, s, err))
	}
	return worst
}

// toldOf reports what went wrong with one of several instances, and returns
// the failure that is left: its code.
func toldOf(c *console, s settings, err error) error {
	c.print(c.In(words.FirewallInstance, s.name()))
	return &failure{code: c.report(err)}
}

// worse returns the failure with the higher code.
func worse(a, b error) error {
	f, ok := errors.AsType[*failure](a)
	g, _ := errors.AsType[*failure](b)
	if !ok || g.code > f.code {
		return b
	}
	return a
}

// watchAll shows instances again and again until ctx is done. What goes wrong
// is shown too: a watch outlives a restart.
func watchAll(ctx context.Context, c *console, instances []settings) error {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	before := make(map[string]*admin.Status)
	for {
		watchOnce(ctx, c, instances, before)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// watchOnce shows instances in one write, so that a slow line does not flicker,
// and remembers in before how they were.
func watchOnce(ctx context.Context, c *console, instances []settings, before map[string]*admin.Status) {
	block, flush := c.block()
	for _, s := range instances {
		a, err := ask(ctx, block, s)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			block.report(err)
			block.print("")
			continue
		}
		printView(block, admin.NewView(a.status, before[s.file], block.Lang))
		block.print("")
		before[s.file] = &a.status
	}
	flush()
}
