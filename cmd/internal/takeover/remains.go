package takeover

import (
	"context"
	"regexp"

	"github.com/lqproxy/lqproxy/cmd/internal/host"
)

// Remains are what could put an nginx in lqproxy's place when the machine is
// started again.
type Remains struct {
	Files    []string // of nginx, which forward to Leqi
	Starters []string // units, and lines as FILE:NUMBER, that start nginx with the machine
}

// siteFiles are where the guide's configuration of nginx may be.
var siteFiles = []string{
	"/etc/nginx/lqpt*.conf",
	"/etc/nginx/conf.d/lqpt*.conf",
	"/etc/nginx/sites-enabled/lqpt*",
	"/usr/local/nginx/conf/lqpt*.conf",
	"/usr/local/nginx/conf/*/lqpt*.conf",
}

// forwards is a line of nginx that forwards to Leqi: proxy_pass, or a server of
// an upstream.
var forwards = regexp.MustCompile(`^\s*(proxy_pass|server)\s+(https?://)?lqpt`)

// Remaining looks for them. It changes nothing.
func Remaining(ctx context.Context, h host.Host) Remains {
	var r Remains
	for _, pattern := range siteFiles {
		for _, file := range h.Files(pattern) {
			if len(linesOf(h, file, forwards)) > 0 {
				r.Files = append(r.Files, file)
			}
		}
	}
	for _, unit := range nginxUnits {
		if h.Unit(ctx, unit).Enabled {
			r.Starters = append(r.Starters, unit)
		}
	}
	for _, l := range append(startLines(h), cronLines(h)...) {
		r.Starters = append(r.Starters, l.String())
	}
	return r
}
