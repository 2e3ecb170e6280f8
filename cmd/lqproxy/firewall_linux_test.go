package main

import (
	"os"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestFirewallScripts runs the stories of testdata/firewall, each on a host of
// its own: they enter new namespaces before they touch a packet filter.
func TestFirewallScripts(t *testing.T) {
	t.Parallel()
	missing := ""
	for _, command := range []string{"unshare", "ip", "iptables", "dbus-daemon", "firewalld"} {
		if _, err := exec.LookPath(command); err != nil {
			missing = command
		}
	}
	switch {
	case testing.Short():
		t.Skip("left out: it is not short")
	case missing == "" && os.Geteuid() == 0:
	case os.Getenv("CI") == "true":
		t.Fatalf("needs root and %s", missing)
	default:
		t.Skipf("left out: needs root and %s", missing)
	}
	testscript.Run(t, testscript.Params{Dir: "testdata/firewall", RequireExplicitExec: true, UpdateScripts: *update})
}
