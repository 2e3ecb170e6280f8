package main

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/configs"
	"github.com/spf13/pflag"
)

// A settings says which configuration a command is about: -c and -i.
type settings struct{ file, instance string }

// add adds the flags to a command's.
func (s *settings) add(c *console, flags *pflag.FlagSet) {
	flags.StringVarP(&s.file, "config", "c", "", c.In(words.FlagConfig))
	flags.StringVarP(&s.instance, "instance", "i", "", c.In(words.FlagInstance))
}

// The name of an instance is part of paths and of a unit's name.
var instanceName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// path returns the file that the flags name, or the instance's own.
func (s *settings) path() string {
	if s.file != "" {
		return s.file
	}
	return configs.FileOf(s.instance)
}

// load reads the configuration, and changes to its language. The error is a
// failure that names every mistake.
func (s *settings) load(c *console) (configs.Config, error) {
	if err := s.judge(c); err != nil {
		return configs.Config{}, err
	}
	cfg, err := configs.LoadInstance(s.path(), s.instance)
	if err != nil {
		return cfg, configFailure(c, s.path(), err)
	}
	c.configured(cfg.Language)
	return cfg, nil
}

// judge returns a failure if the instance can have no such name.
func (s *settings) judge(c *console) error {
	if s.instance != "" && !instanceName.MatchString(s.instance) {
		return c.usage(c.In(words.ConfigInstance, s.instance))
	}
	return nil
}

// configFailure puts an error of configs into words.
func configFailure(c *console, file string, err error) *failure {
	mistakes, ok := errors.AsType[configs.Mistakes](err)
	if !ok {
		if path, ok := errors.AsType[*fs.PathError](err); ok {
			err = fmt.Errorf("%s: %w", file, path.Err) // without the English around it
		}
		hint := c.In(words.ConfigReference)
		if errors.Is(err, fs.ErrPermission) {
			hint = c.In(words.ConfigMembers, serviceUser)
		}
		return &failure{code: exitConfig, text: c.In(words.ConfigUnread, err), hints: []string{hint}}
	}
	f := &failure{code: exitConfig, text: c.In(words.CheckMistakes, file, len(mistakes)), details: mistakeLines(c, mistakes)}
	if slices.ContainsFunc(mistakes, func(m configs.Mistake) bool { return m.Kind == configs.NobodyAdmitted }) {
		f.hints = append(f.hints, c.In(words.ConfigSetup))
	}
	f.hints = append(f.hints, c.In(words.ConfigReference))
	return f
}

func mistakeLines(c *console, mistakes configs.Mistakes) []string {
	lines := make([]string, len(mistakes))
	for i, m := range mistakes {
		lines[i] = words.Mistake(c.Lang, m)
	}
	return lines
}
