package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
	"github.com/lqproxy/lqproxy/cmd/internal/former"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/spf13/cobra"
)

// rollback is upgrade --rollback: back to the binary that was installed before,
// for all instances, which have one binary in common.
func rollback(ctx context.Context, c *console, cmd *cobra.Command, yes bool) error {
	for _, name := range []string{"config", "instance"} {
		if cmd.Flags().Changed(name) {
			return c.usage(c.In(words.RollbackAll, "--"+name), helpHint(c, cmd))
		}
	}
	if c.uid != 0 {
		return &failure{code: exitFailed, text: c.In(words.RollbackRoot), hints: []string{"sudo lqproxy upgrade --rollback"}}
	}
	installed, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the installed binary: %w", err)
	}
	v, err := former.Find(ctx, installed)
	if errors.Is(err, former.ErrNone) {
		return &failure{code: exitFailed, text: c.In(words.RollbackNone), hints: []string{c.In(words.RollbackInstall)}}
	}
	if err != nil {
		return err
	}
	instances, err := configuredInstances()
	if err != nil {
		return err
	}
	files, err := filesToReturn(ctx, c, v, instances)
	if err != nil {
		return err
	}
	agreed, err := agreedToGoBack(c, cmd, v, files, yes)
	if err != nil || !agreed {
		return err
	}
	if err := v.Restore(files); err != nil {
		return &failure{code: exitFailed, text: c.In(words.RollbackHalf, err)}
	}
	return bringIntoForce(ctx, c, instances)
}

// configuredInstances returns the instances that have a file where packages have
// them; "" is the unnamed one.
func configuredInstances() ([]string, error) {
	files, err := filepath.Glob(configs.FileOf("*"))
	if err != nil {
		return nil, fmt.Errorf("listing instances: %w", err)
	}
	var names []string
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".toml")
		if file == configs.FileOf("") {
			name = ""
		}
		if name == "" || instanceName.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// filesToReturn returns the configurations of which the former version knows
// only those of then. The error is that of one for which nothing is kept.
func filesToReturn(ctx context.Context, c *console, v former.Version, instances []string) ([]string, error) {
	var files []string
	for _, name := range instances {
		file := configs.FileOf(name)
		switch verdict, said := v.Judge(ctx, file, name, string(c.Lang)); verdict {
		case former.Returns:
			files = append(files, file)
		case former.Refuses:
			return nil, &failure{
				code: exitConfig, text: c.In(words.RollbackRefused, v.Name, file), details: said,
				hints: []string{c.In(words.UpgradeEarlier)},
			}
		}
	}
	return files, nil
}

// agreedToGoBack says what is going to happen, and asks whether it shall.
func agreedToGoBack(c *console, cmd *cobra.Command, v former.Version, files []string, yes bool) (bool, error) {
	c.Say(words.RollbackPlan, build().Version, v.Name)
	for _, file := range files {
		c.Say(words.RollbackFile, v.Name, file)
	}
	switch {
	case yes:
		return true, nil
	case !c.asks():
		return false, c.usage(c.In(words.FirewallNeedsYes), helpHint(c, cmd))
	case c.confirmed(c.In(words.RollbackAsk)):
		return true, nil
	}
	c.Say(words.FirewallNothingNow)
	return false, nil
}

// bringIntoForce hands over in every instance that runs. One that does not hand
// over serves on, and the others are not kept from it.
func bringIntoForce(ctx context.Context, c *console, instances []string) error {
	failed := false
	for _, name := range instances {
		s := settings{instance: name}
		cfg, _ := s.whereabouts(c) // the former version has judged the file
		if _, err := daemon.ReadInstance(cfg.StateDir); errors.Is(err, daemon.ErrNotRunning) {
			continue
		}
		if err := upgrade(ctx, c, s); err != nil {
			failed = true
			c.report(err)
		}
	}
	if failed {
		return &failure{code: exitFailed, text: c.In(words.RollbackFailed), hints: []string{"lqproxy upgrade --rollback"}}
	}
	c.Say(words.RollbackDone)
	return nil
}
