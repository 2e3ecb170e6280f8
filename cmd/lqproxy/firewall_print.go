package main

import (
	"github.com/lqproxy/lqproxy/cmd/internal/words"
	"github.com/lqproxy/lqproxy/firewall"
)

// printFirewall shows what would change, and what is foreign.
func printFirewall(c *console, r firewall.Report) {
	c.Say(words.FirewallBackend, string(r.Backend))
	for _, change := range r.Changes {
		c.print(changeLine(c, change))
	}
	printForeign(c, r.Findings)
}

// changeLine is a change in one line.
func changeLine(c *console, change firewall.Change) string {
	admission := change.Admission().String()
	switch {
	case change.Repair != "":
		return "~ " + words.FirewallStep(c.Lang, change.Step)
	case !change.Add:
		return c.In(words.FirewallDrop, admission)
	case change.From == "":
		return c.In(words.FirewallAddAgain, admission)
	}
	return c.In(words.FirewallAdd, admission, change.From)
}

// printForeign shows what is not ours, each with the commands that end it.
func printForeign(c *console, findings []firewall.Finding) {
	for _, part := range []struct {
		title words.Text
		opens bool
	}{{words.FirewallOpens, true}, {words.FirewallBlocks, false}} {
		title := c.In(part.title)
		for _, f := range findings {
			if f.Opens() != part.opens {
				continue
			}
			if title != "" {
				c.print(title)
			}
			title = ""
			c.print("  ! " + words.FirewallFinding(c.Lang, f))
			for _, command := range f.Commands {
				c.print("      " + command)
			}
		}
	}
}

// A firewallDocument is what plan --json and status --json print.
type firewallDocument struct {
	Instance string `json:"instance"`
	InSync   bool   `json:"in_sync"`
	Error    string `json:"error,omitempty"` // the host could not be looked at
	firewall.Report
}

// documentOf never has null where a list is meant.
func documentOf(instance string, r firewall.Report, err error) firewallDocument {
	d := firewallDocument{Instance: instance, InSync: err == nil && r.InSync(), Report: r}
	if err != nil {
		d.Error = err.Error()
	}
	d.Changes = append([]firewall.Change{}, r.Changes...)
	d.Findings = append([]firewall.Finding{}, r.Findings...)
	return d
}
