package main

import (
	"cmp"
	"os"
	"os/user"
	"strings"

	"github.com/lqproxy/lqproxy/cmd/internal/daemon"
)

// whoCalls returns the person behind this command, for the log of the daemon:
// who logged in, who became root, and at which terminal.
func whoCalls(c *console) daemon.Caller {
	who := daemon.Caller{
		Login:    cmp.Or(c.getenv("LOGNAME"), c.getenv("USER")),
		SudoUser: c.getenv("SUDO_USER"),
	}
	if who.Login == "" {
		if u, err := user.Current(); err == nil {
			who.Login = u.Username
		}
	}
	if terminal, err := os.Readlink("/proc/self/fd/0"); err == nil && strings.HasPrefix(terminal, "/dev/") && terminal != os.DevNull {
		who.Terminal = strings.TrimPrefix(terminal, "/dev/")
	}
	return who
}
