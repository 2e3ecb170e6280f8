package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/migrate"
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/spf13/cobra"
)

// usualPort is the one that the deployment guide names.
const usualPort = 8864

// newImportFirewalld returns the command that reads the rules of firewalld.
func newImportFirewalld(c *console) *cobra.Command {
	port := usualPort
	var to outlet
	cmd := &cobra.Command{
		Use:   "firewalld [FILE|DIR] [--port PORT] [--output FILE [--force]]",
		Short: c.In(words.ShortImportFirewalld),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return c.usage(c.In(words.ImportOneFile, args[1]), helpHint(c, cmd))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if port < 1 || port > 65535 {
				return c.usage(c.In(words.ImportBadPort, port))
			}
			if err := to.judge(c); err != nil {
				return err
			}
			d, err := firewalldDraft(cmd.Context(), c, args, uint16(port))
			if err != nil {
				return err
			}
			return to.deliver(c, d)
		},
	}
	cmd.Flags().IntVar(&port, "port", usualPort, c.In(words.FlagImportPort))
	to.add(c, cmd.Flags())
	return cmd
}

// firewalldDraft reads what args name, or asks firewalld.
func firewalldDraft(ctx context.Context, c *console, args []string, port uint16) (migrate.Draft, error) {
	if len(args) > 0 {
		d, err := migrate.FirewalldFile(args[0], port)
		if err != nil {
			return d, importFailure(c, args[0], err, words.ImportSaveIt)
		}
		return d, nil
	}
	const question = "--list-all-zones"
	listing, err := firewallCmd(ctx, question)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return migrate.Draft{}, &failure{code: exitFailed, text: c.In(words.ImportNoCommand), hints: []string{c.In(words.ImportSaveIt)}}
	case err != nil:
		return migrate.Draft{}, &failure{code: exitFailed, text: c.In(words.ImportNotRunning, err), hints: []string{c.In(words.ImportStart)}}
	}
	sets := func(name string) ([]string, bool) {
		text, err := firewallCmd(ctx, "--ipset="+name, "--get-entries")
		return strings.Fields(text), err == nil
	}
	usual, err := firewallCmd(ctx, "--get-default-zone")
	if err != nil {
		return migrate.Draft{}, &failure{code: exitFailed, text: c.In(words.ImportNotRunning, err)}
	}
	l := migrate.Listing{From: "firewall-cmd " + question, Zones: listing, Default: strings.TrimSpace(usual), Sets: sets}
	d, err := migrate.Firewalld(l, port)
	if err != nil {
		return d, importFailure(c, l.From, err, words.ImportSaveIt)
	}
	return d, nil
}

// firewallCmd asks firewalld, and returns what it lists.
func firewallCmd(ctx context.Context, args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, "firewall-cmd", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(errs.String() + out.String()); text != "" {
			return "", fmt.Errorf("%w: %s", err, text)
		}
		return "", err
	}
	return out.String(), nil
}
