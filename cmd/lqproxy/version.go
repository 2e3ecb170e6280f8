package main

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/lqproxy/lqproxy/cmd/internal/admin"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/spf13/cobra"
)

// Set by the linker in releases: -X main.version=1.2.3 -X main.revision=....
// Without them what the go command stamped into the binary is told.
var version, revision string

// newVersion returns the command that says which lqproxy this is.
func newVersion(c *console) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version [--json]",
		Short: c.In(words.ShortVersion),
		RunE: func(*cobra.Command, []string) error {
			b := build()
			if asJSON {
				return printJSON(c, b)
			}
			c.Say(words.Version, b.Version, cmp.Or(b.Revision, "?"), b.GoVersion, b.Platform)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, c.In(words.FlagJSON))
	return cmd
}

// shortRevision is as long as git shows one.
const shortRevision = 12

// build returns which program this is.
func build() admin.Build {
	b := admin.Build{
		Version: version, Revision: revision,
		GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = cmp.Or(b.Version, info.Main.Version, "(devel)")
	if b.Revision == "" {
		b.Revision = stamped(info.Settings)
	}
	return b
}

// stamped returns the revision that the go command noted: "" if it did not,
// marked with + if the source had changed since.
func stamped(settings []debug.BuildSetting) string {
	var revision, mark string
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(len(s.Value), shortRevision)]
		case s.Key == "vcs.modified" && s.Value == "true":
			mark = "+"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + mark
}
