package main

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/firewall"
	"github.com/spf13/cobra"
)

// newFirewallStatus returns the command that says whether the host agrees with
// the configuration.
func newFirewallStatus(c *console) *cobra.Command {
	var s settings
	var asJSON, all bool
	cmd := &cobra.Command{
		Use:   "status [-c FILE] [-i NAME | --all] [--json]",
		Short: c.In(words.ShortFirewallStatus),
		RunE: func(cmd *cobra.Command, _ []string) error {
			instances := []settings{s}
			if all {
				var err error
				if instances, err = appliedInstances(); err != nil {
					return err
				}
			}
			if asJSON {
				return firewallStatusJSON(c, cmd, instances, all)
			}
			if all {
				return everyFirewallStatus(c, cmd, instances)
			}
			well, err := firewallStatus(c, cmd, s)
			if err == nil && !well {
				err = &failure{code: exitFailed}
			}
			return err
		},
	}
	s.add(c, cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, c.In(words.FlagJSON))
	cmd.Flags().BoolVar(&all, "all", false, c.In(words.FlagAll))
	cmd.MarkFlagsMutuallyExclusive("all", "config")
	cmd.MarkFlagsMutuallyExclusive("all", "instance")
	return cmd
}

// appliedInstances returns the unnamed instance and all others that have a
// record.
func appliedInstances() ([]settings, error) {
	names, err := firewall.DefaultFolders.Instances()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(names, "") {
		names = append([]string{""}, names...)
	}
	var all []settings
	for _, name := range names {
		all = append(all, settings{instance: name})
	}
	return all, nil
}

// everyFirewallStatus says how it stands with each of instances; an error of one
// does not hide the others.
func everyFirewallStatus(c *console, cmd *cobra.Command, instances []settings) error {
	failed := false
	for _, s := range instances {
		c.Say(words.FirewallInstance, cmp.Or(s.instance, "lqproxy"))
		well, err := firewallStatus(c, cmd, s)
		if err != nil {
			c.report(err)
		}
		failed = failed || !well
	}
	if failed {
		return &failure{code: exitFailed}
	}
	return nil
}

// firewallStatus says how it stands with one instance, and whether that is well.
func firewallStatus(c *console, cmd *cobra.Command, s settings) (well bool, err error) {
	m, cfg, err := firewallManager(c, s)
	if err != nil {
		return false, err
	}
	if nothingToFilter(c, cfg) {
		return true, nil
	}
	r, err := m.Inspect(cmd.Context())
	if err != nil {
		return false, firewallFailure(c, cmd, err)
	}
	printFirewall(c, r)
	switch {
	case !r.Managed:
		c.Say(words.FirewallUnsaid)
	case r.InSync():
		c.Say(words.FirewallInStep)
	default:
		c.Say(words.FirewallOutOf)
	}
	return r.InSync(), nil
}

// firewallStatusJSON prints one document: of the instance, or a list of all.
func firewallStatusJSON(c *console, cmd *cobra.Command, instances []settings, all bool) error {
	var documents []firewallDocument
	var failures error
	well := true
	for _, s := range instances {
		d, err := statusDocument(cmd.Context(), c, s)
		documents = append(documents, d)
		well = well && (d.InSync || errors.Is(err, firewall.ErrDisabled))
		failures = cmp.Or(failures, err)
	}
	var document any = documents
	if !all {
		document = documents[0]
	}
	err := firewallJSON(c, cmd, document, failures)
	if err == nil && !well {
		err = &failure{code: exitFailed}
	}
	return err
}

func statusDocument(ctx context.Context, c *console, s settings) (firewallDocument, error) {
	m, _, err := firewallManager(c, s)
	var r firewall.Report
	if err == nil {
		r, err = m.Inspect(ctx)
	}
	return documentOf(s.instance, r, err), err
}
